"""Reference for YAMNet: its front end in NumPy as TensorFlow's `features.py` has it, and the network.

    python yamnet.py yamnet.onnx yamnet.json

with `assets/models/yamnet.onnx`; numpy 1.26.4, onnxruntime 1.24.4.
"""
import json, sys
import numpy as np, onnxruntime as ort

model, out = sys.argv[1:]


def noise(seed, n):
    values, state = np.empty(n), seed
    for i in range(n):
        state = (state * 1103515245 + 12345) % (1 << 31)
        values[i] = state / (1 << 31) * 2 - 1
    return values


def signal():
    """Two seconds: a rising tone, then noise that falls silent."""
    t = np.arange(16000) / 16000
    rise = 0.5 * np.sin(2 * np.pi * (200 * t + 900 * t * t))
    return np.concatenate([rise, 0.3 * noise(7, 16000) * (1 - t)]).astype(np.float32)


def mel(hz):
    return 1127.0 * np.log(1.0 + np.asarray(hz) / 700.0)


def logmel(x):
    starts = range(0, len(x) - 400 + 1, 160)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([x[s : s + 400] * window for s in starts])
    magnitude = np.abs(np.fft.rfft(frames, 512))
    edges, bins = np.linspace(mel(125.0), mel(7500.0), 66), mel(np.linspace(0, 8000, 257))
    lower = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    upper = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(lower, upper))
    weights[0] = 0
    return np.log(magnitude @ weights + 0.001).astype(np.float32)


picture = logmel(signal())
patches = np.stack([picture[s : s + 96] for s in range(0, len(picture) - 95, 48)])[:, None]
logits = ort.InferenceSession(model).run(None, {"patches": patches})[0]
scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
rows = []
for row in scores:
    best = np.argsort(-row)[:5]
    rows.append([[int(i), round(float(row[i]), 5)] for i in best])
frames = {str(i): [round(float(v), 5) for v in picture[i]] for i in (0, 50, 120)}
json.dump({"frames": frames, "windows": rows}, open(out, "w"), indent=None)
print(len(rows), rows)

"""Reference for voice embeddings: CAM++ as it was exported, run without any fusion of the runtime.

    python voices.py half.onnx voices.json

`half.onnx` is what `scripts/models/shrink_voices.py` writes. numpy 1.26.4, onnxruntime 1.24.4.
"""
import json, sys
import numpy as np, onnxruntime as ort

options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
golden = {}
for frames in (40, 148, 200, 401):
    t, b = np.mgrid[0:frames, 0:80]
    features = (((t * 7 + b * 13 + t * b % 11) % 32) / 4 - 4).astype(np.float32)
    vector = session.run(None, {session.get_inputs()[0].name: features[None]})[0][0]
    golden[frames] = [float(f"{v:.5g}") for v in vector]
with open(sys.argv[2], "w") as out:
    json.dump(golden, out)
    out.write("\n")

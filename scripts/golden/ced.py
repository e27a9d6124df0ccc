"""Reference for CED (Dinkel et al. 2023): its front end by torchaudio, and a tiny network of its form with random weights.

    python ced.py crates/tempograph-models/tests/data

writes ced_tiny.onnx (mel bands and frames in, 527 probabilities out, as the family's own export has it) and ced.json:
some of the front end's decibels and all that the network makes of a made signal, window by window. torch 2.5.1,
torchaudio 2.5.1, onnx 1.16.2, onnxruntime 1.24.4.

The form, from the paper and the published configuration of `mispeech/ced-tiny`: 64 mel bands of 16 kHz sound, each
normalised by its statistics (batch norm), patches of 16 by 16 as tokens, learned positions in time and in frequency
apart, a pre-norm transformer, the mean over tokens, layer norm, linear layer, logistic function. ced-tiny is 192 wide
and 12 deep; this one is 16 wide and 2 deep.
"""
import json, sys
from pathlib import Path
import numpy as np, onnxruntime as ort, torch, torchaudio
from torch import nn

WIDTH, HEADS, DEPTH, CLASSES, BANDS, PATCH, LONGEST = 16, 2, 2, 527, 64, 16, 1012
CONTEXT, HOP, NOISE = 46080, 7680, 1e-3  # of `sounds/ced.rs`


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.mixed = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def attend(self, x):
        n, tokens, _ = x.shape
        q, k, v = (t.view(n, tokens, HEADS, -1).transpose(1, 2) for t in self.mixed(x).chunk(3, dim=-1))
        weights = torch.softmax(q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5, dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, tokens, WIDTH))

    def forward(self, x):
        x = x + self.attend(self.before(x))
        return x + self.narrow(nn.functional.gelu(self.wide(self.between(x))))


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.statistics = nn.BatchNorm1d(BANDS)
        self.patches = nn.Conv2d(1, WIDTH, PATCH, stride=PATCH)
        self.when = nn.Parameter(torch.zeros(1, WIDTH, 1, LONGEST // PATCH))
        self.where = nn.Parameter(torch.zeros(1, WIDTH, BANDS // PATCH, 1))
        self.blocks = nn.Sequential(*[Block() for _ in range(DEPTH)])
        self.norm, self.last = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, feats):
        x = self.patches(self.statistics(feats)[:, None])
        x = x + self.when[..., : x.shape[-1]] + self.where
        x = self.norm(self.blocks(x.flatten(2).transpose(1, 2)))
        return torch.sigmoid(self.head(self.last(x.mean(dim=1))))


def noise(seed, n):
    values, state = np.empty(n), seed
    for i in range(n):
        state = (state * 1103515245 + 12345) % (1 << 31)
        values[i] = state / (1 << 31) * 2 - 1
    return values


def signal():
    """Four seconds: a rising tone, noise that falls silent, digital silence, a loud low tone."""
    t = np.arange(16000) / 16000
    rise = 0.5 * np.sin(2 * np.pi * (200 * t + 900 * t * t))
    low = 0.9 * np.sin(2 * np.pi * 90 * t)
    return np.concatenate([rise, 0.3 * noise(7, 16000) * (1 - t), np.zeros(16000), low]).astype(np.float32)


# The published feature extractor: `MelSpectrogram` and `AmplitudeToDB`, centred frames.
front = nn.Sequential(
    torchaudio.transforms.MelSpectrogram(
        sample_rate=16000, n_fft=512, win_length=512, hop_length=160, f_min=0, f_max=8000, n_mels=BANDS, center=True
    ),
    torchaudio.transforms.AmplitudeToDB(top_db=120),
)
out = Path(sys.argv[1])
torch.manual_seed(5)
model = Tiny().eval()
with torch.no_grad():
    for name, p in model.named_parameters():
        p.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.3)
    # Decibels have statistics of about this size; the defaults would pass them on by the hundred.
    model.statistics.running_mean.copy_(torch.linspace(-10, -50, BANDS))
    model.statistics.running_var.copy_(torch.linspace(200, 400, BANDS))
    model.statistics.weight.fill_(1.0)
    for p in (model.last.weight, model.norm.weight):
        p.fill_(1.0)
samples = torch.from_numpy(signal())
count = (len(samples) - CONTEXT) // HOP + 1
windows = [samples[i * HOP : i * HOP + CONTEXT] for i in range(count)]
feats = torch.stack([front(w) for w in windows])
# The family adds noise to what it hears; its front end is held to the reference without.
floor = torch.from_numpy((noise(11, CONTEXT) * 3**0.5).astype(np.float32) * np.float32(NOISE))
heard = torch.stack([front(w + floor) for w in windows])
with torch.no_grad():
    scores = model(heard).numpy()
path = out / "ced_tiny.onnx"
torch.onnx.export(
    model, heard[:1], path, input_names=["feats"], output_names=["prob"], opset_version=16,
    dynamic_axes={"feats": {0: "batch", 2: "frames"}, "prob": {0: "batch"}},
)
ours = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"feats": heard.numpy()})[0]
print(feats.shape, scores.shape, "range", scores.min(), scores.max(), "spread over windows", scores.std(0).mean())
print("onnx against torch", np.abs(ours - scores).max(), path.stat().st_size, "bytes")
at = [(w, b, f) for w in range(count) for b in (0, 1, 7, 20, 41, 63) for f in (0, 1, 2, 60, 101, feats.shape[2] - 1)]
facts = {
    "context": CONTEXT, "hop": HOP, "frames": feats.shape[2],
    "decibels": [[w, b, f, round(float(feats[w, b, f]), 4)] for w, b, f in at],
    "scores": [[round(float(v), 5) for v in row] for row in scores],
}
(out / "ced.json").write_text(json.dumps(facts) + "\n")

"""Writes tiny_whisper.json: what a Whisper with made-up weights must compute, in plain numpy and double precision.

Run with numpy installed: python tiny_whisper.py > tiny_whisper.json
The weights come from a hash of their name and place, so the Rust test makes the same ones.
"""
import json
import numpy as np

WIDTH, HEADS, FEED, MELS, LAYERS, AUDIO, TEXT, TOKENS = 128, 2, 256, 80, 2, 24, 16, 1520


def numbers(name, count):
    seed = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in name.encode():
            seed = (seed ^ np.uint32(byte)) * np.uint32(16777619)
        h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + seed
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    return ((h >> np.uint32(8)).astype(np.float32) / np.float32(8388608.0) - np.float32(1.0))


def tensor(name, *shape):
    v = numbers(name, int(np.prod(shape))).reshape(shape)
    if name.endswith("norm.weight"):
        v = np.float32(1.0) + np.float32(0.125) * v
    elif name.endswith("bias"):
        v = np.float32(0.125) * v
    elif name.endswith("embed_positions.weight") or name.endswith("embed_tokens.weight"):
        v = np.float32(0.5) * v
    else:
        v = np.float32(0.125) * v
    return v.astype(np.float64)


def norm(x, name):
    m, s = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - m) / np.sqrt(s + 1e-5) * tensor(name + ".weight", WIDTH) + tensor(name + ".bias", WIDTH)


def linear(x, name, outs, ins, bias=True):
    y = x @ tensor(name + ".weight", outs, ins).T
    return y + tensor(name + ".bias", outs) if bias else y


def erf(x):
    import math
    return np.vectorize(math.erf)(x)


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def heads(x):
    return x.reshape(x.shape[0], HEADS, -1).transpose(1, 0, 2)


def attend(q, k, v, mask=None):
    s = heads(q) @ heads(k).transpose(0, 2, 1) / np.sqrt(WIDTH // HEADS)
    out = softmax(s if mask is None else s + mask) @ heads(v)
    return out.transpose(1, 0, 2).reshape(q.shape), s


def conv(x, name, ins, stride):
    w, b = tensor(name + ".weight", WIDTH, ins, 3), tensor(name + ".bias", WIDTH)
    p = np.pad(x, ((0, 0), (1, 1)))
    cols = range(0, x.shape[1], stride)
    return np.stack([np.einsum("oik,ik->o", w, p[:, c:c + 3]) + b for c in cols], 1)


def encode(mel):
    x = gelu(conv(gelu(conv(mel, "encoder.conv1", MELS, 1)), "encoder.conv2", WIDTH, 2)).T
    x = x + tensor("encoder.embed_positions.weight", AUDIO, WIDTH)[: len(x)]
    for i in range(LAYERS):
        n = f"encoder.layers.{i}"
        h = norm(x, n + ".self_attn_layer_norm")
        a = n + ".self_attn."
        q, v = linear(h, a + "q_proj", WIDTH, WIDTH), linear(h, a + "v_proj", WIDTH, WIDTH)
        k = linear(h, a + "k_proj", WIDTH, WIDTH, False)
        x = x + linear(attend(q, k, v)[0], a + "out_proj", WIDTH, WIDTH)
        h = gelu(linear(norm(x, n + ".final_layer_norm"), n + ".fc1", FEED, WIDTH))
        x = x + linear(h, n + ".fc2", WIDTH, FEED)
    return norm(x, "encoder.layer_norm")


def decode(audio, tokens):
    table = tensor("decoder.embed_tokens.weight", TOKENS, WIDTH)
    x = table.astype(np.float16).astype(np.float64)[tokens]
    x = x + tensor("decoder.embed_positions.weight", TEXT, WIDTH)[: len(tokens)]
    mask = np.triu(np.full((len(tokens), len(tokens)), -1e9), 1)
    scores = []
    for i in range(LAYERS):
        n = f"decoder.layers.{i}"
        h = norm(x, n + ".self_attn_layer_norm")
        a = n + ".self_attn."
        q, v = linear(h, a + "q_proj", WIDTH, WIDTH), linear(h, a + "v_proj", WIDTH, WIDTH)
        k = linear(h, a + "k_proj", WIDTH, WIDTH, False)
        x = x + linear(attend(q, k, v, mask)[0], a + "out_proj", WIDTH, WIDTH)
        h = norm(x, n + ".encoder_attn_layer_norm")
        a = n + ".encoder_attn."
        q, v = linear(h, a + "q_proj", WIDTH, WIDTH), linear(audio, a + "v_proj", WIDTH, WIDTH)
        k = linear(audio, a + "k_proj", WIDTH, WIDTH, False)
        seen, s = attend(q, k, v)
        scores.append(s)
        x = x + linear(seen, a + "out_proj", WIDTH, WIDTH)
        h = gelu(linear(norm(x, n + ".final_layer_norm"), n + ".fc1", FEED, WIDTH))
        x = x + linear(h, n + ".fc2", WIDTH, FEED)
    return norm(x, "decoder.layer_norm") @ table.T, scores


def log_mel(samples):
    """Whisper's picture with slaney filters, from the published formulas."""
    step, knee, log_step = 200 / 3, 1000.0, np.log(6.4) / 27
    to_mel = lambda f: f / step if f < knee else knee / step + np.log(f / knee) / log_step
    to_hz = lambda m: m * step if m < knee / step else knee * np.exp(log_step * (m - knee / step))
    edges = [to_hz(m) for m in np.linspace(0, to_mel(8000.0), MELS + 2)]
    bins = np.arange(201) * 40.0
    bank = np.zeros((MELS, 201))
    for m in range(MELS):
        lo, mid, hi = edges[m: m + 3]
        bank[m] = np.maximum(0, np.minimum((bins - lo) / (mid - lo), (hi - bins) / (hi - mid))) * 2 / (hi - lo)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    padded = np.pad(samples, 200, mode="reflect")
    frames = [np.abs(np.fft.rfft(padded[i * 160: i * 160 + 400] * window)) ** 2 for i in range(len(samples) // 160)]
    x = np.log10(np.maximum(bank @ np.array(frames).T, 1e-10))
    return (np.maximum(x, x.max() - 8) + 4) / 4


def flat(x, n):
    return [round(float(v), 6) for v in np.asarray(x).reshape(-1)[:n]]


mel = numbers("mel", MELS * 40).reshape(MELS, 40).astype(np.float64)
audio = encode(mel)
cross = [linear(audio, f"decoder.layers.{i}.encoder_attn.{k}_proj", WIDTH, WIDTH, k == "v")
         for i in range(LAYERS) for k in "kv"]
logits, scores = decode(audio, [3, 7, 11])
sound = 0.5 * np.sin(np.arange(4800) ** 1.5 / 700) + 0.1 * numbers("sound", 4800).astype(np.float64)
sound[2400:3200] = 0
picture = log_mel(np.concatenate([sound, np.zeros(3200)]))
print(json.dumps({
    "cross": [flat(heads(c)[1], 128) for c in cross],
    "logits": [flat(row, 60) for row in logits],
    "scores": [flat(s, 60) for s in scores],
    "beams": [flat(decode(audio, [3, 7, 11, t])[0][-1], 60) for t in (20, 31)],
    "later": [flat(decode(audio, [3, 7, 11, 31, t])[0][-1], 60) for t in (5, 6)],
    "picture": [flat(picture[:, c], MELS) for c in (0, 1, 14, 17, 29, 30, 31, 40, 49)],
}))

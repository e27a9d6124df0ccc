"""Kaldi's filter bank of three short sounds, from kaldi-native-fbank 1.22.3.

    pip install kaldi-native-fbank numpy && python fbank.py crates/tempograph-models/tests/data/fbank.json
"""
import json, sys
import kaldi_native_fbank as knf
import numpy as np


def noise(n):
    values, state = [], 7
    for _ in range(n):
        state = (state * 1103515245 + 12345) % (1 << 31)
        values.append(state / (1 << 31) - 0.5)
    return np.array(values, np.float32)


def fbank(samples):
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = 16000
    options.mel_opts.num_bins = 80
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(16000, samples.tolist())
    bank.input_finished()
    frames = [bank.get_frame(i) for i in range(bank.num_frames_ready)]
    return [round(float(v), 5) for v in np.concatenate(frames)]


t = np.arange(2000) / 16000
sounds = {
    "noise": noise(2000),
    "chirp": (0.3 * np.sin(2 * np.pi * (200 + 900 * t) * t) + 0.05).astype(np.float32),
    "silence": np.zeros(400, np.float32),
}
with open(sys.argv[1], "w") as out:
    json.dump({name: fbank(samples) for name, samples in sounds.items()}, out)
    out.write("\n")

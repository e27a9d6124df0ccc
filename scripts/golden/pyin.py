"""librosa's pYIN of `speech/jfk.wav`: hertz every 20 ms, 0 where nothing is voiced.

    pip install librosa==0.11.0 soundfile && python pyin.py jfk.wav crates/tempograph-pipeline/tests/data/pyin_jfk.json
"""
import json, sys
import librosa
import numpy as np
import soundfile

samples, rate = soundfile.read(sys.argv[1], dtype="float32")
assert rate == 16000
f0, voiced, _ = librosa.pyin(samples, fmin=65, fmax=600, sr=rate, frame_length=640, hop_length=320, center=False)
values = [round(float(f), 1) if v else 0 for f, v in zip(np.nan_to_num(f0), voiced)]
with open(sys.argv[2], "w") as out:
    json.dump(values, out)
    out.write("\n")

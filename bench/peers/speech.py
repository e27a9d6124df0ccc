"""faster-whisper, 8-bit weights, beam of 5, word times: `speech.py FOLDER THREADS FILE.wav...`."""

import sys

from common import Clock, samples_of
from faster_whisper import WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[2]))
sounds = [samples_of(path) for path in sys.argv[3:]]
clock, texts = Clock(), []
for samples in sounds:
    segments, _ = model.transcribe(samples, beam_size=5, word_timestamps=True)
    texts.append(" ".join(s.text.strip() for s in segments))
clock.tell(texts=texts)

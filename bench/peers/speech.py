"""faster-whisper, 8-bit weights, beam of 5, word times: `speech.py FOLDER THREADS FILE.wav...`."""

import sys
import time

from common import samples_of, tell
from faster_whisper import WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[2]))
spent, texts = [], []
for path in sys.argv[3:]:
    samples = samples_of(path)
    began = time.perf_counter()
    segments, _ = model.transcribe(samples, beam_size=5, word_timestamps=True)
    texts.append(" ".join(s.text.strip() for s in segments))
    spent.append(time.perf_counter() - began)
tell(sum(spent), each=spent, texts=texts)

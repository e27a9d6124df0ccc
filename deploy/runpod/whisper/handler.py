"""Words of speech with their times, by faster-whisper.

Input: `{"version": 1, "task": "transcribe", "audio": BASE64 of a WAV or FLAC file, "language": "en" or null, "beam": 5}`.
Output: `{"language", "segments": [{"start_s", "end_s", "text", "words": [{"start_s", "end_s", "text", "confidence"}]}]}`,
times from the start of the audio.
"""

import io
import os

from common import Lazy, Refused, handler, read_bytes, read_number


def load():
    from faster_whisper import WhisperModel

    return WhisperModel(os.environ.get("MODEL", "large-v3-turbo"), device="cuda", compute_type="float16")


def run(given, model):
    """`model.transcribe(file, …)` gives segments and `info.language`."""
    audio = read_bytes(given.get("audio"), "the audio")
    language = given.get("language")
    if language is not None and not (isinstance(language, str) and 2 <= len(language) <= 3 and language.isalpha()):
        raise Refused("invalid", "`language` is a code of two or three letters, or null")
    beam = int(read_number(given, "beam", 5, 1, 16))
    segments, info = model.transcribe(io.BytesIO(audio), language=language, beam_size=beam, word_timestamps=True)
    return {"language": info.language, "segments": [segment(s) for s in segments]}


def segment(found):
    words = [
        {"start_s": w.start, "end_s": w.end, "text": w.word.strip(), "confidence": w.probability}
        for w in found.words or []
    ]
    return {"start_s": found.start, "end_s": found.end, "text": found.text.strip(), "words": words}


handle = handler(run, ["transcribe"], Lazy(load))

if __name__ == "__main__":
    import runpod

    runpod.serverless.start({"handler": handle})

"""The whole analysis as a plain Python script over the peers, one stage after the other: what one would write without us.

`peer_analyze.py FILE DETECTOR.onnx VAD.onnx VAD_UTILITIES WHISPER_FOLDER OUT.json THREADS [MODELS MEANING]`

Same models and rates as `tempograph analyze`: adaptive scene detection, NanoDet at 5 frames a second, ByteTrack, Silero,
Whisper with 8-bit weights, a beam of 5 and word times. With a folder of models and one of a text embedder also faces at
4 frames a second with their expressions, text once a second, sounds, speakers, pitch and vectors of what is said. Sound
is read once and each of the two passes over the video is the fastest that its library offers.
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import scenedetect
import supervision
from faster_whisper import WhisperModel, decode_audio

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from common import NanoDet, tell  # noqa: E402
from vad import Model, utilities  # noqa: E402

CHUNK = 30 * 16000


def scenes(path: str) -> list[list[float]]:
    found = scenedetect.detect(path, scenedetect.AdaptiveDetector(), start_in_scene=True)
    return [[start.seconds, end.seconds] for start, end in found]


def objects(path: str, model: str, fps: float, threads: int, more: list) -> tuple[list, int, list]:
    detector, tracker = NanoDet(model, threads), supervision.ByteTrack(0.35, int(fps), 0.9, int(fps))
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    rate = video.get(cv2.CAP_PROP_FPS)
    frames, due, number, ids, seen = [], 0.0, 0, set(), []
    next_due = [0.0] * len(more)
    while video.grab():
        at = number / rate
        for i, (every, look) in enumerate(more):
            if at >= next_due[i] - 1e-9:
                next_due[i] += every
                seen.append([at, i, look(video.retrieve()[1])])
        if at >= due - 1e-9:
            due += 1 / fps
            _, picture = video.retrieve()
            boxes, scores, classes = detector(picture)
            found = tracker.update_with_detections(
                supervision.Detections(boxes, confidence=scores, class_id=classes)
            )
            ids.update(map(int, found.tracker_id))
            row = [found.xyxy.tolist(), found.confidence, found.class_id, found.tracker_id]
            frames.append({"t_s": at, "boxes": row[0], "rest": [np.asarray(r).tolist() for r in row[1:]]})
        number += 1
    return frames, len(ids), seen


def voice(samples: np.ndarray, vad: str, tools: str) -> list[dict]:
    return utilities(tools).get_speech_timestamps(samples, Model(vad))


def speech(samples: np.ndarray, stretches: list[dict], folder: str, threads: int) -> list:
    if not stretches:
        return []
    # Silence is cut out and put back afterwards, as faster-whisper's own filter does it.
    heard = np.concatenate([samples[s["start"] : s["end"]] for s in stretches])
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)
    segments, _ = model.transcribe(heard, beam_size=5, word_timestamps=True)
    before = np.cumsum([0] + [s["end"] - s["start"] for s in stretches])

    def place(seconds: float) -> float:
        stretch = min(int(np.searchsorted(before, seconds * 16000, "right")) - 1, len(stretches) - 1)
        return (stretches[stretch]["start"] - before[stretch]) / 16000 + seconds

    return [
        {"start_s": place(s.start), "end_s": place(s.end), "text": s.text.strip(),
         "words": [[w.word, place(w.start), place(w.end), w.probability] for w in s.words]}
        for s in segments
    ]  # fmt: skip


path, detector, vad, tools, folder, out, threads = sys.argv[1:8]
threads = int(threads)
began, stages = time.perf_counter(), {}


def timed(name, work, *arguments):
    start = time.perf_counter()
    result = work(*arguments)
    stages[name] = time.perf_counter() - start
    return result


everything, looks = len(sys.argv) > 8, []
if everything:
    import perception as other

    models = Path(sys.argv[8])
    faces = other.Faces(models / "blazeface-full-range.onnx", models / "emotion-fer2013.onnx", threads)
    looks = [(1 / 4, faces), (1.0, other.Text(threads))]

result = {"scenes": timed("scenes", scenes, path)}
result["frames"], tracks, result["seen"] = timed("objects, faces, text", objects, path, detector, 5.0, threads, looks)
samples = timed("sound", decode_audio, path)
stretches = timed("vad", voice, samples, vad, tools)
result["speech"] = timed("speech", speech, samples, stretches, folder, threads)
if everything:
    result["sounds"] = timed("sounds", other.Sounds(models / "yamnet.onnx", threads), samples)
    segmentation, prints = models / "pyannote-segmentation-3.0.onnx", models / "campplus-zh-en-192.onnx"
    result["speakers"] = timed("speakers", other.Speakers(segmentation, prints, threads), samples)
    result["pitch"] = timed("prosody", other.prosody, samples, [(s["start"], s["end"]) for s in stretches])
    meaning = other.Meaning(sys.argv[9], threads)
    result["vectors"] = timed("embed", meaning, [s["text"] for s in result["speech"]]).tolist()
Path(out).write_text(json.dumps(result))
text = " ".join(s["text"] for s in result["speech"])
# No `s`: this row counts the whole process, its start included, on both sides.
print(json.dumps({"stages": stages, "scenes": len(result["scenes"]), "tracks": tracks, "text": text}))

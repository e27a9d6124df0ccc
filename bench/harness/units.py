"""The rows that measure one piece of work each."""

from __future__ import annotations

import re

from .environment import REPOSITORY, Environment
from .measure import CORES, Result, Sample, Skip, compare, median, rounds, run

NANODET = REPOSITORY / "assets/models/nanodet-g-416.onnx"
NANODET_INT8 = REPOSITORY / "assets/models/nanodet-g-416-int8.onnx"


def commands(e: Environment, sides: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {e.shown(command)}" for name, command in sides.items()]


def decode(e: Environment, count: int) -> list[Result]:
    """Decode, keep 2 frames a second, shrink to 640x360."""
    ours, results = e.example("tempograph-media", "sample_frames"), []
    for video in dict.fromkeys((e.video(), e.file("video/trailer_bbb.mp4", e.video().name))):
        sides = {
            name: e.peer("peers/decode.py", key, video, 2, 640, 360, CORES)
            for name, key in (("PyAV", "pyav"), ("OpenCV", "opencv"), ("decord", "decord"))
        }
        plain = [str(ours), str(video), "2", "640", "360", str(CORES)]
        sides = {"ours": plain, "ours, skipping": [*plain, "nonref"], **sides}
        taken = rounds(sides, count)
        peers = [name for name in sides if not name.startswith("ours")]
        fastest = min(peers, key=lambda name: median(taken[name]))
        others = ", ".join(f"{name} {median(taken[name]):.3f} s" for name in peers)
        for name, bar in (("ours", 1.0), ("ours, skipping", 1.3)):
            what = "every frame" if name == "ours" else "non-reference frames skipped"
            result = Result("decode", f"{video.name}, {what}", fastest, f"≥ {bar}×", commands=commands(e, sides))
            seen = taken[name][0].answer
            result.notes = [f"{seen['frames']} frames, {seen['samples']} kept; {others}"]
            results.append(compare(result, taken[name], taken[fastest], bar))
    return results


def scenes(e: Environment, count: int) -> list[Result]:
    """Cuts by content, decoding included."""
    ours, results = e.example("tempograph-pipeline", "scene_speed"), []
    for video in dict.fromkeys((e.video(), e.file("video/trailer_bbb.mp4", e.video().name))):
        sides = {
            "ours": [str(ours), str(video), "content", str(CORES)],
            "PySceneDetect": e.peer("peers/scenes.py", video, "content"),
            "decoding alone": [str(e.example("tempograph-media", "sample_frames")), str(video), "1", "16", "16", "2"],
        }
        taken = rounds(sides, count)
        result = Result("scenes", f"{video.name}, content", "PySceneDetect", "≥ 3×, same cuts")
        result.commands = commands(e, sides)
        compare(result, taken["ours"], taken["PySceneDetect"], 3.0)
        mine, theirs = taken["ours"][0].answer, taken["PySceneDetect"][0].answer["cuts"]
        first = mine.get("start") or 0.0
        near = len(mine["cuts"]) == len(theirs)
        near = near and all(abs(a - first - b) < 0.021 for a, b in zip(mine["cuts"], theirs))
        floor = median(taken["decoding alone"])
        result.notes = [
            f"{len(theirs)} cuts, " + ("the same" if near else f"ours: {mine['cuts']}, theirs: {theirs}"),
            f"decoding alone takes {floor:.3f} s: no analysis that reads every frame can be more than "
            f"{median(taken['PySceneDetect']) / floor:.2f}× as fast as the peer; measuring takes {mine['measuring']:.3f} s",
        ]
        result.passed = result.passed and near
        results.append(result)
    return results


def _timed(command: list[str], key: str, scale: float):
    """A side whose program tells its time under another name."""

    def once() -> Sample:
        sample = run(command)
        sample.seconds, sample.cpu = sample.answer[key] * scale, None
        return sample

    return once


def detector(e: Environment, count: int) -> list[Result]:
    """A detector call: the network alone, and from the decoded frame to its boxes."""
    library, results = str(e.onnxruntime()), []
    ours = [str(e.example("tempograph-models", "session_speed")), library, str(NANODET), "2", "60", "1", "3", "256", "416"]
    peer = e.peer("peers/detect.py", "session", NANODET, 416, 256, 60, CORES)
    taken = rounds({"ours": _timed(ours, "median_ms", 1e-3), "onnxruntime": peer}, count)
    result = Result("detector", "network alone, 416x256", "onnxruntime Python", "≥ 0.97×")
    result.commands = commands(e, {"ours": ours, "peer": peer})
    results.append(compare(result, taken["ours"], taken["onnxruntime"], 0.97))

    ours_frames = e.example("tempograph", "detect_speed")
    for video in dict.fromkeys((e.video(), e.file("composite/public_e_mot.mp4", e.video().name))):
        sides = {
            "ours": [str(ours_frames), library, str(NANODET), str(video), "5", str(CORES)],
            "OpenCV, NumPy, onnxruntime": e.peer("peers/detect.py", "frames", NANODET, video, 5, CORES),
        }
        if NANODET_INT8.exists():
            sides["ours, 8 bits"] = [str(ours_frames), library, str(NANODET_INT8), str(video), "5", str(CORES)]
        taken = rounds(sides, count)
        theirs = taken["OpenCV, NumPy, onnxruntime"]
        floor = theirs[0].answer["session"]
        for name, note in (("ours", "same model"), ("ours, 8 bits", "our 8-bit model")):
            if name in taken:
                result = Result("detector", f"{video.name}, frame to boxes, {note}", "OpenCV + NumPy + onnxruntime", "≥ 2×")
                result.commands = commands(e, sides)
                result.notes = [
                    f"{taken[name][0].answer['boxes']} boxes against {theirs[0].answer['boxes']}; the peer spends "
                    f"{floor * 1e3:.1f} ms of each call in the network, so with the same network the limit is "
                    f"{median(theirs) / floor:.2f}×"
                ]
                results.append(compare(result, taken[name], theirs, 2.0))
    return results


def tracker(e: Environment, count: int) -> list[Result]:
    """ByteTrack over recorded detections."""
    ours, results = e.example("tempograph-pipeline", "track_speed"), []
    for name in ("mot/PETS09-S2L1.det.txt", "mot/TUD-Campus.det.txt"):
        file = e.file(name)
        command = [str(ours), str(file)]
        sides = {"ours": _timed(command, "us_per_frame", 1e-6), "supervision": e.peer("peers/track.py", file)}
        taken = rounds(sides, count)
        result = Result("tracker", file.name, "supervision", "≥ 50×, same ids")
        result.commands = commands(e, {"ours": command, "supervision": sides["supervision"]})
        compare(result, taken["ours"], taken["supervision"], 50.0)
        mine, theirs = taken["ours"][0].answer, taken["supervision"][0].answer
        result.notes = [f"{theirs['frames']} frames; {mine['ids']} identities against {theirs['ids']}"]
        if "assigned" in mine:
            share, both = agreement(mine["assigned"], theirs["assigned"])
            result.notes.append(f"of {both} boxes with an identity on both sides {share:.1%} carry the same up to naming")
            result.passed = result.passed and share == 1.0
        results.append(result)
    return results


def agreement(ours: list[list[int]], theirs: list[list[int]]) -> tuple[float, int]:
    """Share of boxes whose identity is the same up to naming: each of ours stands for the one it meets most often."""
    met: dict[tuple[int, int], int] = {}
    for a, b in zip(ours, theirs):
        for pair in zip(a, b):
            if min(pair) > 0:
                met[pair] = met.get(pair, 0) + 1
    used: tuple[set, set] = (set(), set())
    same = 0
    for (a, b), times in sorted(met.items(), key=lambda item: -item[1]):
        if a not in used[0] and b not in used[1]:
            used[0].add(a)
            used[1].add(b)
            same += times
    both = sum(met.values())
    return same / max(both, 1), both


def vad(e: Environment, count: int) -> list[Result]:
    """Speech or not, a minute of it."""
    try:
        wav = e.file("speech/silero_test.wav")
    except Skip:
        wav = e.wav(e.video())
    program = str(e.example("tempograph-models", "vad_speed"))
    library = str(e.onnxruntime())
    peer = e.peer("peers/vad.py", e.silero(), e.silero("utils_vad.py"), wav)
    ours = [program, library, str(e.silero("silero_vad_16k_sequence.onnx")), str(wav)]
    taken = rounds({"ours": ours, "silero": peer}, count)
    result = Result("vad", f"{wav.name}, many windows a call", "silero-vad (onnx), window by window", "≥ 1.5×, same segments")
    result.commands = commands(e, {"ours": ours, "peer": peer})
    compare(result, taken["ours"], taken["silero"], 1.5)
    mine, theirs = taken["ours"][0].answer, taken["silero"][0].answer
    pairs = list(zip(mine["probabilities"], theirs["probabilities"], strict=True))
    off = max(abs(a - b) for a, b in pairs)
    same = len(mine["segments"]) == len(theirs["segments"])
    segments = list(zip(mine["segments"], theirs["segments"]))
    same = same and all(abs(a - b) <= 512 for m, t in segments for a, b in zip(m, t))
    verdict = "the same" if same else "ours differ"
    result.notes = [f"{len(theirs['segments'])} segments, {verdict}; {len(pairs)} probabilities within {off:.1e}"]
    result.passed = result.passed and same
    return [result]


def words_of(text: str) -> list[str]:
    return re.sub(r"[^\w\s']", " ", text.lower()).split()


def wer(truth: str, heard: str) -> float:
    """Words wrong, missing or too many, over the words there are."""
    a, b = words_of(truth), words_of(heard)
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        left, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (word != other))
    return row[-1] / max(len(a), 1)


def speech(e: Environment, count: int) -> list[Result]:
    """Speech to text, word times included."""
    size = "base"
    library, results = str(e.onnxruntime()), []
    files = [e.media / name for name in ("speech/jfk.wav", "composite/public_c_dialog3.wav", "speech/silero_test.wav")]
    files = [file for file in files if file.exists()] or [e.wav(e.video())]
    program, folder, weights = e.example("tempograph-models", "transcribe"), e.whisper_onnx(size), e.whisper(size)
    for file in files:
        ours = [str(program), library, str(folder), str(file)]
        peer = e.peer("peers/speech.py", weights, CORES, file)

        def once(command=ours) -> Sample:
            return said(run(command))

        taken = rounds({"ours": once, "faster-whisper": peer}, count)
        result = Result("speech", f"{file.name}, whisper-{size}, 8 bits, beam 5", "faster-whisper", "≥ 1.0×, WER + 0.5 points")
        result.commands = commands(e, {"ours": ours, "peer": peer})
        compare(result, taken["ours"], taken["faster-whisper"], 1.0)
        truth = " ".join(t["text"] for t in e.truth(file).get("turns", []) if t.get("text")) or KNOWN.get(file.name)
        mine, theirs = taken["ours"][0].answer["text"], taken["faster-whisper"][0].answer["texts"][0]
        if truth:
            errors = wer(truth, mine), wer(truth, theirs)
            result.notes = [f"WER {errors[0]:.1%} against {errors[1]:.1%}"]
            result.passed = result.passed and errors[0] <= errors[1] + 0.005
        else:
            result.notes = [f"no truth; the two texts differ in {wer(theirs, mine):.1%} of words"]
        results.append(result)
    return results


KNOWN = {
    "jfk.wav": "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country."
}


def said(sample: Sample) -> Sample:
    """Reads what `transcribe` prints: seconds and text on its last line."""
    seconds, _, text = sample.answer["last"].partition(" ")
    sample.seconds, sample.cpu, sample.answer = float(seconds), None, {"text": text}
    return sample

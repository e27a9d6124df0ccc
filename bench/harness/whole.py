"""The rows that measure a whole analysis."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from .environment import Environment, call
from .measure import CORES, Result, Sample, Skip, compare, median, rounds, run
from .units import NANODET, NANODET_INT8, commands, said, wer

SPINE = "scenes,thumbnails,detect,vad,speech"
# The summary that a language model writes has no counterpart on the other side.
PERCEIVED = ["--skip", "summary"]
SAME = {"TEMPOGRAPH_ANALYZE_DETECTOR": "nanodet-g", "TEMPOGRAPH_ANALYZE_GATE": "false"}


def models(e: Environment) -> Path:
    """A folder with our default models."""
    folder = e.cache / "models"
    command = [e.tempograph(), "--data", e.cache / "library", "models", "pull", "--default"]
    call(command, env=environment(e))
    return folder


def environment(e: Environment, more: dict | None = None) -> dict:
    """No setting but ours counts."""
    nothing = e.cache / "config.toml"
    e.cache.mkdir(parents=True, exist_ok=True)
    nothing.touch()
    return {
        **os.environ,
        "TEMPOGRAPH_MODELS": str(e.cache / "models"),
        "TEMPOGRAPH_RUNTIME_ONNXRUNTIME": str(e.onnxruntime()),
        "TEMPOGRAPH_CONFIG": str(nothing),
        **(more or {}),
    }


def settings(e: Environment) -> set[str]:
    """The settings that this build knows, so that a plan is not measured under a name it ignores."""
    out = tempfile.NamedTemporaryFile("r", suffix=".json")
    call(["sh", "-c", f"'{e.tempograph()}' config show --json > '{out.name}'"], env=environment(e))
    return set(json.dumps(json.load(out)).replace('"', " ").split())


def analysis(e: Environment, video: Path, plan: dict, extra: list[str] | None = None):
    """A side: one analysis with an empty library, as a new user meets it, models aside."""

    def once() -> Sample:
        with tempfile.TemporaryDirectory(prefix="tempograph-bench-") as folder:
            command = ours(e, video, folder, extra)
            sample = run(command, environment=environment(e, plan))
            sample.seconds = sample.wall
            sample.answer = json.loads((Path(folder) / "out" / "analysis.json").read_text())
            lines = (Path(folder) / "out" / "detections.jsonl")
            sample.answer["analysed"] = len(lines.read_text().splitlines()) if lines.exists() else 0
            return sample

    return once


def ours(e: Environment, video: Path, folder: str, extra: list[str] | None = None) -> list[str]:
    command = [str(e.tempograph()), "--data", f"{folder}/data", "--threads", str(CORES), "analyze", str(video)]
    return [*command, "--out", f"{folder}/out", "--no-annotate", "--fps", "5", *(extra or [])]


def peer(e: Environment, video: Path, out: str, everything: bool = False) -> list[str]:
    parts = [video, NANODET, e.silero(), e.silero("utils_vad.py"), e.whisper("base"), out, CORES]
    more = [NANODET.parent, e.cache / "models" / "bge-small-en"] if everything else []
    return e.peer("peer_analyze.py", *parts, *more)


def heard(answer: dict) -> str:
    return " ".join(event.get("text") or "" for event in answer.get("audio_events", []))


def quality(e: Environment, video: Path, mine: dict, theirs: dict) -> list[str]:
    """What came out on both sides, beside the truth where there is one."""
    truth = e.truth(video)
    text = " ".join(a["text"] for a in truth.get("audio_events", []) if a.get("kind") == "speech" and a.get("text"))
    notes = [f"{len(mine['scenes'])} scenes against {theirs['scenes']}; {len(mine['tracks'])} tracks against {theirs['tracks']}"]
    if text:
        notes.append(f"WER {wer(text, heard(mine)):.1%} against {wer(text, theirs['text']):.1%}")
    elif theirs["text"]:
        notes.append(f"the texts differ in {wer(theirs['text'], heard(mine)):.1%} of words")
    notes += [f"issue: {i['stage']}: {i['code']}: {i['message']}" for i in mine.get("issues", [])[:3]]
    shares = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in theirs["stages"].items())
    own = ", ".join(f"{s['name']} {s['wall_s']:.1f} s" for s in mine["run"]["stages"])
    return [*notes, f"ours: {own}; peer: {shares}"]


def analyze(e: Environment, count: int) -> list[Result]:
    """Cuts, objects and speech against the plain script: the same plan, and the default plan."""
    return against_script(e, count, "cuts, objects, speech", ["--only", SPINE], False)


def everything(e: Environment, count: int) -> list[Result]:
    """All that is perceived by default against the plain script."""
    return against_script(e, count, "everything", PERCEIVED, True)


def against_script(e: Environment, count: int, what: str, extra: list[str], all_of_it: bool) -> list[Result]:
    """The whole command and the whole script, each as a process of its own."""
    models(e)
    video, known, results = e.video(), settings(e), []
    same = {k: v for k, v in SAME.items() if k.removeprefix("TEMPOGRAPH_").lower().replace("_", ".", 1) in known}
    with tempfile.TemporaryDirectory() as folder:
        script = peer(e, video, f"{folder}/peer.json", all_of_it)
        sides = {
            "same plan": analysis(e, video, same, extra),
            "script": script,
            "default plan": analysis(e, video, {}, extra),
        }
        taken = rounds(sides, count)
    shown = commands(e, {"ours": ours(e, video, "$TMP", extra), "script": peer(e, video, "out.json", all_of_it)})
    theirs = taken["script"]
    missing = sorted(set(SAME) - set(same))
    row = "everything" if all_of_it else "analyze"
    for of, bar, unit in (("wall", 1.2, "s"), ("peak", 1.5, "bytes")):
        title = f"{video.name}, {what}, same models and rates: {of}"
        result = Result(row, title, "plain Python script", f"≥ {bar}×", unit=unit, commands=shown)
        compare(result, taken["same plan"], theirs, bar, of)
        result.notes = quality(e, video, taken["same plan"][0].answer, theirs[0].answer) if of == "wall" else []
        if missing:
            result.notes.append(f"this build has no setting for {', '.join(missing)}: ours ran without")
        results.append(result)
    title = f"{video.name}, {what}, default plan: wall"
    result = Result(row, title, "plain Python script", "≥ 3×", commands=shown)
    compare(result, taken["default plan"], theirs, 3.0, "wall")
    result.notes = quality(e, video, taken["default plan"][0].answer, theirs[0].answer)
    return [*results, result]


def overhead(e: Environment, count: int) -> list[Result]:
    """The whole analysis against the time its models take when each runs alone."""
    models(e)
    video, library = e.video(), str(e.onnxruntime())
    wav = e.wav(video)
    session = [str(e.example("tempograph-models", "session_speed")), library, str(NANODET), "2", "60", "1", "3", "256", "416"]
    vad = [str(e.example("tempograph-models", "vad_speed")), library, str(e.silero("silero_vad_16k_sequence.onnx")), str(wav)]
    text = [str(e.example("tempograph-models", "transcribe")), library, str(e.whisper_onnx("base"))]
    decoding = [str(e.example("tempograph-media", "sample_frames")), str(video), "5", "416", "234", str(CORES)]
    known = settings(e)
    plan = {k: v for k, v in SAME.items() if k.removeprefix("TEMPOGRAPH_").lower().replace("_", ".", 1) in known}

    with tempfile.TemporaryDirectory() as folder:
        stretches = run(vad).answer["segments"]
        spoken = speech_alone(wav, stretches, Path(folder))
        sides = {
            "whole": analysis(e, video, plan, ["--only", SPINE]),
            "detector": session,
            "vad": vad,
            "speech": lambda: said(run([*text, str(spoken)])),
            "decoding": decoding,
        }
        taken = rounds(sides, count)
    sums, parts = [], []
    for turn, whole in enumerate(taken["whole"]):
        call_s = taken["detector"][turn].answer["median_ms"] / 1e3
        alone = (call_s * whole.answer["analysed"], taken["vad"][turn].seconds, taken["speech"][turn].seconds)
        parts.append(alone)
        sums.append(Sample(sum(alone), sum(alone), 0.0, 0, {}))
    result = Result("overhead", f"{video.name}, same plan", "its models alone, one after the other", "≤ 1.15×")
    compare(result, taken["whole"], sums, 0.0)
    result.ratio, result.spread = 1 / result.ratio, tuple(sorted(1 / r for r in result.spread))
    result.passed = result.ratio <= 1.15
    middle = sorted(parts, key=sum)[len(parts) // 2]
    result.notes = [
        f"detector {middle[0]:.2f} s ({taken['whole'][0].answer['analysed']} frames), vad {middle[1]:.2f} s, speech "
        f"{middle[2]:.2f} s; decoding, which is not in the sum, takes {median(taken['decoding']):.2f} s alone"
    ]
    result.commands = commands(e, {"whole": ours(e, video, "$TMP"), "detector": session, "vad": vad, "speech": text})
    return [result, *everything_alone(e, video, library, count)]


def everything_alone(e: Environment, video: Path, library: str, count: int) -> list[Result]:
    """All that is perceived, against its networks asked the same again, one after the other, with nothing beside."""
    replay = str(e.example("tempograph-models", "session_replay"))
    logged = {"TEMPOGRAPH_LOG_LEVEL": "tempograph_runtime_onnx=debug", "TEMPOGRAPH_LOG_FORMAT": "json"}
    whole, last = analysis(e, video, logged, PERCEIVED), []

    def once() -> Sample:
        last[:] = [whole()]
        return last[0]

    def alone() -> Sample:
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
            log.write(last[0].log)
            log.flush()
            return run([replay, library, str(CORES), log.name])

    taken = rounds({"whole": once, "networks": alone}, count)
    result = Result("overhead", f"{video.name}, everything, default plan", "its networks alone, one after the other", "≤ 1.15×")
    compare(result, taken["whole"], taken["networks"], 0.0)
    result.ratio, result.spread, result.cpu = 1 / result.ratio, tuple(sorted(1 / r for r in result.spread)), None
    result.passed = result.ratio <= 1.15
    shares = sorted(taken["networks"][0].answer["shares"].items(), key=lambda share: -share[1])
    result.notes = ["networks: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in shares)]
    return [result]


def speech_alone(wav: Path, stretches: list, folder: Path) -> Path:
    """The spoken stretches of a WAV file one after the other."""
    import wave

    out = folder / "spoken.wav"
    with wave.open(str(wav)) as source, wave.open(str(out), "wb") as target:
        target.setparams(source.getparams())
        for start, end in stretches:
            source.setpos(start)
            target.writeframes(source.readframes(end - start))
    return out


def memory(e: Environment, count: int) -> list[Result]:
    """Peak memory of an hour against that of a minute."""
    models(e)
    video = e.video()
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("ffmpeg") is None:
            raise Skip("needs the ffmpeg command to make an hour out of a minute")
        hour = Path(folder) / f"hour{video.suffix}"
        call(["ffmpeg", "-v", "error", "-stream_loop", "59", "-i", video, "-c", "copy", hour])
        short, long = analysis(e, video, {})(), analysis(e, hour, {})()
    result = Result("memory", f"{video.name} once and 60 times", "the same once", "≤ 1.10×", unit="bytes")
    result.ours, result.theirs, result.ratio = long.peak, short.peak, long.peak / short.peak
    result.passed = result.ratio <= 1.10
    result.samples = {"ours": [long.peak], "peer": [short.peak]}
    result.notes = [f"one run each; the hour took {long.wall:.0f} s ({long.answer['video']['duration_s']:.0f} s of video)"]
    result.commands = commands(e, {"ours": ours(e, video, "$TMP")})
    return [result]

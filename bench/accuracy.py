#!/usr/bin/env python3
"""Holds what `tempograph` says of the public media against their truth and writes a dated table.

    cargo build --release --locked && python3 bench/accuracy.py

Needs the media with truth (`--media`), the models that `analyze` uses by default, and nothing but Python's own library.
Each row is one run of the command and one of `tempograph eval`, as a user would run them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.environment import BENCH, REPOSITORY
from harness.table import machine

DETECTORS = ["content", "adaptive", "threshold", "hist", "hash"]
SOUNDS = {
    "tp_dog.ogg": {"Dog", "Bark"},
    "tp_rooster.ogg": {"Chicken, rooster", "Crowing, cock-a-doodle-doo"},
    "tp_drumkit.ogg": {"Drum kit", "Drum", "Percussion", "Cymbal"},
    "tp_vacuum_cleaner.ogg": {"Vacuum cleaner"},
    # "A glass of water." (the package's glass.txt), which is filled: more in assets/models/README.md.
    "tp_glass.ogg": {"Fill (with liquid)", "Pour"},
    "tp_lightningbolt.ogg": {"Thunder", "Thunderstorm"},
    "tp_firetruck.ogg": {"Emergency vehicle", "Siren", "Fire engine, fire truck (siren)"},
    "fd_bell.oga": {"Bell", "Ding", "Chime", "Ding-dong", "Bicycle bell"},
}


@dataclass
class Row:
    """One figure, what it should be, and whether it is."""

    about: str
    what: str
    figure: str
    bar: str
    passed: bool


class Command:
    """The command with a library of its own."""

    def __init__(self, program: Path, media: Path, folder: Path):
        self.program, self.media, self.folder = program, media, folder
        self.runs = 0

    def call(self, *arguments: object) -> str:
        environment = {**os.environ, "TEMPOGRAPH_DATA": str(self.folder / "data")}
        done = subprocess.run([self.program, *map(str, arguments)], env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def analyze(self, file: Path | str, *arguments: object) -> tuple[dict, Path]:
        self.runs += 1
        out = self.folder / str(self.runs)
        self.call("analyze", self.media / file, "--no-annotate", "--out", out, *arguments)
        return json.loads((out / "analysis.json").read_text()), out

    def eval(self, kind: str, result: Path, truth: Path, *arguments: object) -> dict:
        return json.loads(self.call("eval", kind, "--truth", truth, result, *arguments))

    def truth(self, name: str) -> dict:
        return json.loads((self.media / "truth" / name).read_text())

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        return file


def scenes(tg: Command) -> list[Row]:
    """Cut lists against PySceneDetect's, every public video, five detectors."""
    truth = tg.media / "truth/pyscenedetect_cuts.json"
    videos = list(tg.truth("pyscenedetect_cuts.json")["videos"])
    equal, differing = 0, []
    for video in videos:
        _, out = tg.analyze(video, "--only", "scenes", "--scene-detectors", ",".join(DETECTORS))
        scores = tg.eval("scenes", out / "scenes.json", truth, "--video", video, "--tolerance", 0.5)
        for detector in DETECTORS:
            f1 = next(v["f1"] for k, v in scores.items() if k.removeprefix("detect-") == detector)
            equal += f1 == 1
            differing += [f"{video} {detector}"] if f1 != 1 else []
    total = len(videos) * len(DETECTORS)
    return [Row("scenes", "cut lists equal to half a frame", f"{equal} of {total} {' '.join(differing)}", "all", equal == total)]


def city(tg: Command) -> list[Row]:
    """The mix of everything: cuts, people, words, sounds, what belongs together."""
    found, out = tg.analyze("composite/public_a_citymix.mp4")
    truth = tg.truth("public_a_citymix.json")
    cuts = [s["start_frame"] for s in found["scenes"][1:]]
    people = sum(t["label"] == "person" and t["start_s"] < 8 for t in found["tracks"])
    spoken = [e for e in truth["audio_events"] if e["kind"] == "speech"]
    heard = [e for e in found["audio_events"] if e["type"] == "speech"]
    beside = [e for e in heard if not any(e["start_s"] >= s["start"] - 0.3 and e["end_s"] <= s["end"] + 0.3 for s in spoken)]
    said = tg.write("said.txt", " ".join(e["text"] for e in truth["audio_events"] if e.get("text")))
    wer = tg.eval("wer", out / "analysis.json", said, "--normalize")["wer"]
    ids = {e["id"] for e in heard}
    together = sum(c["audio"] in ids for c in found["correlations"])
    about = "public_a_citymix"
    return [
        Row(about, "cuts to the frame", f"{sum(c in cuts for c in truth['cut_frames'])} of 14, {len(cuts)} found", "14 of 14", cuts == truth["cut_frames"]),
        Row(about, "persons in the first scene", str(people), "≥ 3", people >= 3),
        Row(about, "word error rate", f"{wer:.1%}", "≤ 10 %", wer <= 0.10),
        Row(about, "speech where nobody speaks", str(len(beside)), "0", not beside),
        Row(about, "speech correlated with what is seen", str(together), "≥ 1", together >= 1),
        *_sounds_of(found, truth),
        *_texts(found, truth),
    ]


def _sounds_of(found: dict, truth: dict) -> list[Row]:
    accepted = {"Dog bark": {"Dog", "Bark"}, "Alarm clock": {"Alarm clock", "Alarm", "Beep, bleep", "Smoke detector, smoke alarm"}}
    sounds = [e for e in found["audio_events"] if e["type"] == "sound"]
    wanted = [e for e in truth["audio_events"] if e["kind"] != "speech"]
    right = 0
    for want in wanted:
        names = accepted.get(want["label"], {"Beep, bleep", "Sine wave"})
        near = [s for s in sounds if abs(s["start_s"] - want["start"]) <= 0.5 and abs(s["end_s"] - want["end"]) <= 0.5]
        right += any(set(top(s)) & names for s in near)
    figure = f"{right} of {len(wanted)}, {len(sounds)} told"
    return [Row("public_a_citymix", "sounds named in the top 3, within 0.5 s", figure, "all, nothing else", right == len(wanted) == len(sounds))]


def _texts(found: dict, truth: dict) -> list[Row]:
    wanted = [(s, text) for s in truth["scenes"] for text in s["truth"].get("text", [])]
    read = 0
    for scene, text in wanted:
        there = [t["text"] for t in found["texts"] if t["start_s"] < scene["end"] and t["end_s"] > scene["start"]]
        flat = "".join(" ".join(there).upper().split()).replace(":", "")
        read += "".join(text.upper().split()) in flat
    return [Row("public_a_citymix", "texts read while they are shown", f"{read} of {len(wanted)}", "all", read == len(wanted))]


def top(sound: dict) -> list[str]:
    """A sound's three likeliest names."""
    return [sound["label"], *(a["label"] for a in sound.get("alternatives", []))][:3]


def sounds(tg: Command) -> list[Row]:
    """Clips of one sound each."""
    rows = []
    for name, accepted in SOUNDS.items():
        found, _ = tg.analyze(f"sound/{name}", "--only", "sounds,vad")
        told = [top(e) for e in found["audio_events"] if e["type"] == "sound"]
        named = any(set(t) & accepted for t in told)
        rows.append(Row(name, "named in the top 3", "; ".join(", ".join(t) for t in told) or "nothing", " or ".join(sorted(accepted)), named))
    return rows


def speakers(tg: Command) -> list[Row]:
    """Who speaks when."""
    rows = []
    stages = ("--only", "vad,speech,speakers")
    found, out = tg.analyze("composite/public_c_dialog3.wav", *stages)
    der = tg.eval("der", out / "analysis.json", tg.media / "truth/public_c_dialog3.rttm", "--collar", 0.25)
    words = tg.write("dialog.txt", " ".join(t["text"] for t in tg.truth("public_c_dialog3.json")["turns"] if t.get("text")))
    wer = tg.eval("wer", out / "analysis.json", words, "--normalize")["wer"]
    rows.append(Row("public_c_dialog3", "DER, collar 0.25 s in all", f"{der['der']:.1%}, {der['found_speakers']} speakers, WER {wer:.1%}", "≤ 15 %, 3", der["der"] <= 0.15 and der["found_speakers"] == 3))
    _, out = tg.analyze("speech/pyannote_sample.wav", *stages)
    der = tg.eval("der", out / "analysis.json", tg.media / "speech/pyannote_sample.rttm")
    rows.append(Row("pyannote_sample", "DER, no collar", f"{der['der']:.1%}, {der['found_speakers']} speakers", "", True))
    wrong = total = 0.0
    each = []
    for name in ["dev00", "trn01", "trn02", "trn03"]:
        _, out = tg.analyze(f"speech/ami_{name}.wav", *stages)
        truth = tg.media / f"speech/ami.{'development' if name.startswith('dev') else 'train'}.rttm"
        uem = tg.write("ami.uem", f"{name} 1 0.0 30.0\n")
        der = tg.eval("der", out / "analysis.json", truth, "--video", name, "--uem", uem)
        wrong += der["missed_s"] + der["false_alarm_s"] + der["confusion_s"]
        total += der["total_s"]
        each.append(f"{name} {der['der']:.1%}")
    rows.append(Row("AMI excerpts", "DER of the four together, no collar", f"{wrong / total:.1%} ({', '.join(each)})", "≤ 20.8 %: pyannote 3.1 publishes 18.8 % for AMI's headset mix", wrong / total <= 0.208))
    return rows


def tracking(tg: Command) -> list[Row]:
    """ByteTrack over given boxes, and with the default detector."""
    truth, video = tg.media / "truth/public_e_mot.gt.txt", tg.media / "composite/public_e_mot.mp4"
    labels = "dog,cow,horse,sheep,elephant"
    rows = []
    # The truth's boxes without their identities: what a perfect detector would say.
    lines = [line.split(",") for line in truth.read_text().splitlines()]
    given = tg.write("given.txt", "".join(f"{frame},-1,{x},{y},{w},{h},0.99,{kind}\n" for frame, _, x, y, w, h, _, kind, _ in lines))
    _, out = tg.analyze(video, "--import", f"mot={given}", "--only", "detect")
    scores = tg.eval("mot", out / "detections.jsonl", truth)
    rows.append(Row("public_e_mot", "truth's boxes as detections", f"IDF1 {scores['idf1']:.3f}, MOTA {scores['mota']:.3f}", "IDF1 ≥ .95", scores["idf1"] >= 0.95))
    _, out = tg.analyze(video, "--only", "detect")
    scores = tg.eval("mot", out / "detections.jsonl", truth, "--labels", labels)
    rows.append(Row("public_e_mot", "default detector, its five labelled classes", f"HOTA {scores['hota']:.3f}, MOTA {scores['mota']:.3f}, IDF1 {scores['idf1']:.3f}", "", True))
    # Only the boxes of this sequence are at hand: 71 empty pictures carry them.
    pictures = tg.folder / "tud.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=black:s=640x480:r=25:d=2.84", pictures], check=True)
    _, out = tg.analyze(pictures, "--import", f"mot={tg.media / 'mot/TUD-Campus.det.txt'}", "--only", "detect")
    scores = tg.eval("mot", out / "detections.jsonl", tg.media / "mot/TUD-Campus.gt.txt")
    rows.append(Row("TUD-Campus", "ByteTrack on given detections", f"MOTA {scores['mota']:.4f}, IDF1 {scores['idf1']:.4f}", "MOTA ≥ .579, IDF1 ≥ .603", scores["mota"] >= 0.579 and scores["idf1"] >= 0.603))
    return rows


def scores(tg: Command) -> list[Row]:
    """`eval` itself against the reference tools."""
    def close(ours: float, theirs: float) -> bool:
        return abs(ours - theirs) <= 1e-6

    cases = tg.truth("jiwer_cases.json")["cases"]
    same = 0
    for case in cases:
        given = tg.eval("wer", tg.write("hyp.txt", case["hyp"]), tg.write("ref.txt", case["ref"]))
        same += all(close(given[k], case[k]) for k in ("wer", "mer", "wil", "cer") if case.get(k) is not None)
    rows = [Row("eval wer", "as jiwer", f"{same} of {len(cases)}", "all", same == len(cases))]
    truth = tg.truth("pyannote_der_cases.json")

    def turns(uri: str, rows: list) -> str:
        return "".join(f"SPEAKER {uri} 1 {s!r} {e - s!r} <NA> <NA> {who} <NA> <NA>\n" for s, e, who in rows)

    same = 0
    for case in truth["cases"]:
        uri = case["uri"]
        arguments = ["--collar", case["collar"], "--uem", tg.write("der.uem", f"{uri} 1 {case['uem'][0]} {case['uem'][1]}\n")]
        arguments += ["--skip-overlap"] if case["skip_overlap"] else []
        given = tg.eval("der", tg.write("hyp.rttm", turns(uri, case["hyp"])), tg.write("ref.rttm", turns(uri, truth["references"][uri])), *arguments)
        names = {"der": "der", "missed_s": "miss", "false_alarm_s": "fa", "confusion_s": "conf", "total_s": "total", "jer": "jer"}
        same += all(close(given[k], case[v]) for k, v in names.items() if case.get(v) is not None)
    rows.append(Row("eval der", "as pyannote.metrics", f"{same} of {len(truth['cases'])}", "all", same == len(truth["cases"])))
    cases = tg.truth("pycocotools_ap_cases.json")["cases"]
    same = 0
    for case in cases:
        given = tg.eval("ap", tg.write("dt.json", json.dumps(case["dets"])), tg.write("gt.json", json.dumps(case["gt"])))
        same += all(close(-1 if given[k] is None else given[k], v) for k, v in case["stats"].items())
    rows.append(Row("eval ap", "as pycocotools", f"{same} of {len(cases)}", "all", same == len(cases)))
    expected = tg.truth("motmetrics_expected.json")["sequences"]["TUD-Campus"]
    given = tg.eval("mot", tg.media / "mot/TUD-Campus.test.txt", tg.media / "mot/TUD-Campus.gt.txt")
    same = sum(close(given[k], v) for k, v in expected.items())
    rows.append(Row("eval mot", "as motmetrics", f"{same} of {len(expected)} figures", "all", same == len(expected)))
    return rows


def faces(tg: Command) -> list[Row]:
    """Faces and what they express, in a composite and in photos."""
    found, _ = tg.analyze("composite/public_d_faces.mp4", "--only", "scenes,detect,faces")
    truth = tg.truth("public_d_faces.json")
    counts = felt = wanted = 0
    for scene in truth["scenes"]:
        start, end = scene["start"] - 0.04, scene["end"] + 0.04
        seen, shown = ([x for x in found[k] if x["start_s"] >= start and x["end_s"] <= end] for k in ("faces", "emotions"))
        counts += len(seen) == scene["truth"]["faces"]
        want = [scene["truth"][k] for k in ("emotion", "emotion_start", "emotion_end") if k in scene["truth"]]
        wanted += len(want)
        felt += sum(e["label"] == w for e, w in zip(shown, want))
    total = len(truth["scenes"])
    rows = [
        Row("public_d_faces", "shots with the right number of faces", f"{counts} of {total}", "all", counts == total),
        Row("public_d_faces", "expressions", f"{felt} of {wanted}", "all", felt == wanted),
    ]
    for name, truth in tg.truth("real_media_truth.json").items():
        if "faces" not in truth:
            continue
        found, _ = tg.analyze(name, "--only", "scenes,detect,faces")
        got = [e["label"] for e in found["emotions"]]
        want = truth.get("emotion", "")
        named = [label for label in ("neutral", "happy", "surprise", "anger") if label in want]
        right = len(found["faces"]) == truth["faces"] and all(label in got for label in named)
        rows.append(Row(name, "faces, expressions", f"{len(found['faces'])}, {' then '.join(got) or '–'}", f"{truth['faces']}, {want or '–'}", right))
    return rows


ROWS = {"scenes": scenes, "city": city, "speakers": speakers, "tracking": tracking, "sounds": sounds, "faces": faces, "scores": scores}


def table(rows: list[Row], program: Path) -> str:
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()
    lines = [f"# Accuracy, {datetime.date.today()}", "", f"{version}, commit {machine()['commit']}, default models.", "", "| about | what | figure | should be | |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        verdict = ("holds" if row.passed else "**misses**") if row.bar else ""
        lines.append(f"| {row.about} | {row.what} | {row.figure.strip()} | {row.bar} | {verdict} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, help="this group; may be given again")
    parser.add_argument("--media", type=Path, default=REPOSITORY.parent / "shared/media", help="media with truth [default: %(default)s]")
    parser.add_argument("--program", type=Path, default=REPOSITORY / "target/release/tempograph")
    parser.add_argument("--out", type=Path, default=BENCH / "runs", help="folder of the table [default: %(default)s]")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        tg = Command(options.program.resolve(), options.media.resolve(), Path(folder))
        for name in options.only or ROWS:
            found = ROWS[name](tg)
            for row in found:
                print(f"{row.about}: {row.what}: {row.figure.strip()}" + ("" if row.passed else f"  MISSES {row.bar}"), flush=True)
            rows += found
    if not options.only:
        options.out.mkdir(parents=True, exist_ok=True)
        file = options.out / f"accuracy-{datetime.date.today()}.md"
        file.write_text(table(rows, options.program))
        file.with_suffix(".json").write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n")
        print(file)
    return int(not all(row.passed for row in rows))


if __name__ == "__main__":
    sys.exit(main())

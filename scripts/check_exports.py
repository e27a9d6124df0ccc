#!/usr/bin/env python3
"""Opens every export of a folder in the reference reader of its format and compares it with analysis.json.

    scripts/check_exports.py FOLDER

FOLDER holds the exports of one analysed video under the names that `tempograph export --help` lists, with
analysis.json and detections.jsonl beside them. What is not there is not checked; exit status 1 when a reader
refuses a file or gives back something else. Readers: scripts/exports.requirements.txt.
"""

import csv
import json
import math
import re
import sys
import zipfile
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

folder = Path(sys.argv[1])
analysis = json.loads((folder / "analysis.json").read_text())
frames = [json.loads(line) for line in (folder / "detections.jsonl").read_text().splitlines()]
boxes = [(frame, box) for frame in frames for box in frame["boxes"]]
video = analysis["video"]
start = video["start_s"]
speech = [e for e in analysis["audio_events"] if e["type"] == "speech"]
# Sound alone is one clip at 25 frames a second.
whole = {"start_s": start, "end_s": start + video["duration_s"]}
scenes = [s for s in analysis["scenes"] if s["end_s"] > s["start_s"]] or [whole]
rate = next((r for n in (24, 30, 60) if abs((r := n * 1000 / 1001) - video["fps"]) < 0.01), round(video["fps"]) or 25)
highlights = sorted(analysis["highlights"], key=lambda h: h["start_s"])
# A scene begins on a frame, a highlight between two: times are equal to within a frame.
frame_s = 1 / rate


def near(a, b, off):
    assert math.isclose(a, b, abs_tol=off), f"{a} is not {b} ± {off}"


def equal(a, b):
    assert a == b, f"{a!r} is not {b!r}"


def coco(path):
    from pycocotools.coco import COCO

    read = COCO(str(path))
    equal(len(read.getImgIds()), len(frames))
    equal(len(read.getAnnIds()), len(boxes))
    names = {c["id"]: c["name"] for c in read.loadCats(read.getCatIds())}
    for frame in frames:
        anns = read.loadAnns(read.getAnnIds(imgIds=[frame["frame"] + 1]))
        equal(len(anns), len(frame["boxes"]))
        for ann, box in zip(anns, frame["boxes"]):
            equal((names[ann["category_id"]], ann.get("track_id")), (box["label"], box["track"]))
            x1, y1, x2, y2 = box["xyxy"]
            for got, want in zip(ann["bbox"], [x1, y1, x2 - x1, y2 - y1]):
                near(got, want, 0.011)
            near(ann["score"], box["score"], 1e-4)
    return f"{len(boxes)} boxes in {len(frames)} images"


def mot(path):
    import motmetrics

    tracked = [(f["frame"] + 1, b) for f, b in boxes if b["track"] is not None]
    if not tracked:
        equal(path.read_text(), "")
        return "no tracks"
    read = motmetrics.io.loadtxt(str(path), fmt="mot15-2D")
    equal(len(read), len(tracked))
    for frame, box in tracked:
        row = read.loc[(frame, box["track"])]
        x1, y1, x2, y2 = box["xyxy"]
        # The reader counts pixels from 0 as we do.
        for got, want in zip([row.X, row.Y, row.Width, row.Height], [x1, y1, x2 - x1, y2 - y1]):
            near(got, want, 0.011)
    return f"{len(tracked)} boxes of {read.index.get_level_values(1).nunique()} tracks"


def yolo(path):
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    names = archive.read("classes.txt").decode().splitlines()
    count = 0
    by_frame = {}
    for frame, box in boxes:
        by_frame.setdefault(frame["frame"] + 1, []).append(box)
    for frame in frames:
        number = frame["frame"] + 1
        rows = [line.split() for line in archive.read(f"labels/frame_{number:06d}.txt").decode().splitlines()]
        wanted = by_frame.get(number, [])
        equal(len(rows), len(wanted))
        for row, box in zip(rows, wanted):
            equal(names[int(row[0])], " ".join(box["label"].split()))
            cx, cy, w, h = map(float, row[1:])
            got = [(cx - w / 2) * video["width"], (cy - h / 2) * video["height"]]
            near(got[0], max(0, box["xyxy"][0]), 0.02)
            near(got[1], max(0, box["xyxy"][1]), 0.02)
            count += 1
    return f"{count} lines of {len(names)} classes"


def rows_of_events():
    kinds = ["scenes", "visual_events", "audio_events", "emotions", "texts", "highlights"]
    return [e for kind in kinds for e in analysis[kind]]


def events_csv(path):
    rows = list(csv.DictReader(path.open(newline="")))
    for row, event in zip(rows, rows_of_events(), strict=True):
        near(float(row["start_s"]), event["start_s"], 5e-4)
        near(float(row["end_s"]), event["end_s"], 5e-4)
    return f"{len(rows)} rows"


def detections_csv(path):
    rows = list(csv.DictReader(path.open(newline="")))
    for row, (frame, box) in zip(rows, boxes, strict=True):
        equal(int(row["frame"]), frame["frame"])
        equal(row["track"], "" if box["track"] is None else str(box["track"]))
        for name, want in zip(["x1", "y1", "x2", "y2"], box["xyxy"]):
            near(float(row[name]), want, 0.011)
    return f"{len(rows)} rows"


def transcript_csv(path):
    rows = list(csv.DictReader(path.open(newline="")))
    for row, event in zip(rows, speech, strict=True):
        equal(row["speaker"], event.get("speaker") or "")
        equal(row["text"].lstrip("'"), " ".join((event.get("text") or "").split()).lstrip("'"))
    return f"{len(rows)} rows"


def detections_parquet(path):
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path).to_pylist()
    for row, (frame, box) in zip(rows, boxes, strict=True):
        equal((row["frame"], row["track"], row["label"]), (frame["frame"], box["track"], box["label"]))
        near(row["t_s"], frame["t_s"], 1e-6)
        near(row["score"], box["score"], 1e-4)
        for name, want in zip(["x1", "y1", "x2", "y2"], box["xyxy"]):
            near(row[name], want, 0.011)
    return f"{len(rows)} rows"


def events_parquet(path):
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path).to_pylist()
    for row, event in zip(rows, rows_of_events(), strict=True):
        equal((row["start_s"], row["end_s"]), (event["start_s"], event["end_s"]))
        if row["kind"] == "audio" and event["type"] == "speech":
            equal(row["text"], event.get("text") or "")
    return f"{len(rows)} rows"


def rttm(path):
    from pyannote.core import Annotation, Segment

    read = Annotation()
    wanted = Annotation()
    for i, line in enumerate(path.read_text().splitlines()):
        kind, _, channel, at, length, *rest = line.split()
        equal((kind, channel, len(rest)), ("SPEAKER", "1", 5))
        read[Segment(float(at), float(at) + float(length)), i] = rest[2]
    turns = analysis.get("speakers") or [e for e in speech if e.get("speaker")]
    for i, turn in enumerate(turns):
        segment = Segment(turn["start_s"] - start, turn["end_s"] - start)
        wanted[segment, i] = "_".join(turn["speaker"].split())
    equal(sorted(read.labels()), sorted(wanted.labels()))
    for label in wanted.labels():
        near(read.label_duration(label), wanted.label_duration(label), 0.001 * len(turns) + 0.001)
        near(read.label_timeline(label).extent().start, wanted.label_timeline(label).extent().start, 0.001)
    return f"{len(turns)} turns of {len(wanted.labels())} speakers"


def check_spans(spans, wanted, off=1):
    """Starts in the source and lengths against spans of the analysis, to `off` frames."""
    equal(len(spans), len(wanted))
    for (begins, length), want in zip(spans, wanted):
        near(begins, want["start_s"] - start, off * frame_s)
        near(length, want["end_s"] - want["start_s"], 2 * off * frame_s)


def check_clips(clips, wanted, off=1):
    ranges = [clip.source_range for clip in clips]
    check_spans([(r.start_time.to_seconds(), r.duration.to_seconds()) for r in ranges], wanted, off)


def otio(path):
    import opentimelineio

    read = opentimelineio.adapters.read_from_file(str(path))
    tracks = {track.name: track for track in read.tracks}
    check_clips(list(tracks["Scenes"].find_clips()), scenes)
    equal(len(tracks["Scenes"].markers), len(highlights))
    for marker, h in zip(tracks["Scenes"].markers, highlights):
        near(marker.marked_range.start_time.to_seconds(), h["start_s"] - start, frame_s)
    if highlights:
        check_clips(list(tracks["Highlights"].find_clips()), highlights)
        # Where a highlight lies on its track is where it lies in the source.
        for clip in tracks["Highlights"].find_clips():
            at = clip.transformed_time_range(clip.trimmed_range(), tracks["Highlights"])
            near(at.start_time.to_seconds(), clip.source_range.start_time.to_seconds(), 1e-6)
    for clip in read.find_clips():
        assert clip.media_reference.target_url.startswith("file:///"), clip.media_reference
    return f"{len(scenes)} scenes, {len(highlights)} highlights"


def edl(wanted, marks):
    def check(path):
        import opentimelineio

        if not wanted:
            return "nothing to cut"
        read = opentimelineio.adapters.read_from_file(str(path), adapter_name="cmx_3600", rate=rate)
        clips = list(read.find_clips())
        check_clips(clips, wanted)
        codes = re.findall(r"^\* LOC: (\S+) ", path.read_text(), re.MULTILINE)
        equal(len(codes), len(marks))
        for code, mark in zip(codes, marks):
            at = opentimelineio.opentime.from_timecode(code, rate)
            near(at.to_seconds(), mark["start_s"] - start, frame_s)
        # The adapter takes no locators in drop-frame timecode, though it writes them so.
        if not any(";" in code for code in codes):
            equal(sum(len(clip.markers) for clip in clips), len(marks))
        return f"{len(clips)} events, {len(codes)} locators"

    return check


def fcpxml(path):
    import opentimelineio

    read = opentimelineio.adapters.read_from_file(str(path), adapter_name="fcpx_xml")
    projects = {t.name: t for t in read.find_children(descended_from_type=opentimelineio.schema.Timeline)} \
        if hasattr(read, "find_children") else {}
    if not projects:
        projects = {read.name: read}
    # The adapter counts at whole rates (29 for 29.97), so to the frame only what the file itself says is held.
    tree = ElementTree.parse(path)
    seconds = lambda text: float(Fraction(text.removesuffix("s")))
    for name, wanted in [("Scenes", scenes), ("Highlights", highlights)]:
        if not wanted:
            continue
        check_clips(list(projects[name].find_clips()), wanted, off=2)
        clips = tree.findall(f".//project[@name='{name}']//asset-clip")
        check_spans([(seconds(c.get("start")), seconds(c.get("duration"))) for c in clips], wanted)
        at = Fraction(0)
        for clip in clips:
            equal(Fraction(clip.get("offset").removesuffix("s")), at)
            at += Fraction(clip.get("duration").removesuffix("s"))
    return f"{len(scenes)} scenes, {len(highlights)} highlights"


def subtitles(cues):
    """The words in their order, and times inside the video."""
    said = " ".join(" ".join((e.get("text") or "").split()) for e in speech).split()
    read = " ".join(text for _, _, text in cues).replace("- ", "").split()
    equal(read, [w for w in said if w != "-"])
    assert all(0 <= a < b for a, b, _ in cues)
    return f"{len(cues)} cues"


def srt_file(path):
    import pysubs2
    import srt

    cues = [(c.start.total_seconds(), c.end.total_seconds(), c.content) for c in srt.parse(path.read_text())]
    # SubRip has no place for a speaker but the text.
    names = {e["speaker"] for e in speech if e.get("speaker")}
    for name in names:
        cues = [(a, b, text.replace(f"{name}: ", "").replace(f"{name}:\n", "")) for a, b, text in cues]
    equal(len(pysubs2.load(str(path)) if cues else []), len(cues))
    return subtitles(cues)


def vtt_file(path):
    import webvtt

    return subtitles([(c.start_in_seconds, c.end_in_seconds, c.text) for c in webvtt.read(str(path)).captions])


CHECKS = {
    "detections.coco.json": coco,
    "tracks.mot.txt": mot,
    "yolo.zip": yolo,
    "events.csv": events_csv,
    "detections.csv": detections_csv,
    "transcript.csv": transcript_csv,
    "detections.parquet": detections_parquet,
    "events.parquet": events_parquet,
    "speakers.rttm": rttm,
    "timeline.otio": otio,
    "scenes.edl": edl(scenes, highlights),
    "highlights.edl": edl(highlights, []),
    "timeline.fcpxml": fcpxml,
    "transcript.srt": srt_file,
    "transcript.vtt": vtt_file,
}

failed = 0
for name, check in CHECKS.items():
    if not (folder / name).is_file():
        print(f"-- {name}: not there")
        continue
    try:
        print(f"ok {name}: {check(folder / name)}")
    except Exception as error:  # noqa: BLE001 - a reader may refuse in any way
        failed += 1
        print(f"NO {name}: {type(error).__name__}: {error}")
sys.exit(failed > 0)

"""Boxes of objects in frames, by a YOLO model of ultralytics.

Input: `{"version": 1, "task": "detect", "frames": [{"time_s", "jpeg"}], "score": 0.25}`.
Output: `{"frames": [{"time_s", "boxes": [{"label", "score", "xyxy": [x1, y1, x2, y2]}]}]}`, in pixels of the picture.
"""

import os

from common import Lazy, handler, open_picture, read_bytes, read_list, read_number

MAX_FRAMES = 256


def load():
    from ultralytics import YOLO

    return YOLO(os.environ.get("MODEL", "yolo11n.pt"))


def run(given, model, decode=open_picture):
    """`model(pictures, conf=…)` gives, for each picture, `boxes.xyxy`, `boxes.cls`, `boxes.conf` and `names`."""
    frames = read_list(given, "frames", MAX_FRAMES)
    score = read_number(given, "score", 0.25, 0, 1)
    times = [read_number(f, "time_s", 0, -1e9, 1e9) for f in frames]
    pictures = [decode(read_bytes(f.get("jpeg"), "a frame")) for f in frames]
    results = model(pictures, conf=score, verbose=False)
    return {"frames": [{"time_s": t, "boxes": boxes(r)} for t, r in zip(times, results, strict=True)]}


def boxes(result):
    found = zip(result.boxes.xyxy.tolist(), result.boxes.cls.tolist(), result.boxes.conf.tolist(), strict=True)
    return [{"label": result.names[int(label)], "score": conf, "xyxy": xyxy} for xyxy, label, conf in found]


handle = handler(run, ["detect"], Lazy(load))

if __name__ == "__main__":
    import runpod

    runpod.serverless.start({"handler": handle})

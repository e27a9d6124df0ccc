#!/usr/bin/env python3
"""Compares two NanoDet files: average precision on videos and time a frame.

    venv/bin/python measure_nanodet.py nanodet-g-416.onnx nanodet-g-416-int8.onnx MEDIA_FOLDER

Videos: `vtest.avi` against its Faster R-CNN boxes, `public_e_mot.mp4` against its ground truth, and both and `bikes.mp4`
against what the first file sees with at least 0.3. Average precision is COCO's (101 points; mean over IoU 0.5 to 0.95,
and at 0.5), pooled over classes.
"""

import csv
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from nanodet_frames import decode, frames, iou, session, tensor

CLASSES = {"person": 0, "dog": 16, "horse": 17, "sheep": 18, "cow": 19, "elephant": 20}


def average_precision(found, truth, threshold):
    """`found` and `truth`: per frame (boxes, scores, classes) and (boxes, classes)."""
    rows, total = [], 0
    for (boxes, scores, classes), (real, labels) in zip(found, truth):
        total += len(real)
        taken = np.zeros(len(real), bool)
        for i in range(len(boxes)):
            ok = False
            if len(real):
                overlap = np.where((labels == classes[i]) & ~taken, iou(boxes[i : i + 1], real)[0], -1)
                j = overlap.argmax()
                ok = overlap[j] >= threshold
                taken[j] |= ok
            rows.append((scores[i], ok))
    rows.sort(key=lambda r: -r[0])
    hits = np.cumsum([ok for _, ok in rows])
    recall, precision = hits / max(total, 1), hits / np.arange(1, len(rows) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.mean([precision[i] if i < len(precision) else 0.0 for i in at]))


def ap(found, truth):
    at = [average_precision(found, truth, t) for t in np.arange(0.5, 0.96, 0.05)]
    return f"AP {100 * np.mean(at):.1f}, AP50 {100 * at[0]:.1f}"


def mot(path, truth):
    rows = {}
    for r in csv.reader(open(path)):
        box = [float(r[2]), float(r[3]), float(r[2]) + float(r[4]), float(r[3]) + float(r[5])]
        if truth and float(r[8]) < 0.3 or not truth and float(r[6]) < 0.5:
            continue
        rows.setdefault(int(r[0]) - 1, []).append((box, CLASSES[r[7]] if truth else 0))
    return rows


def main(first, second, media):
    media, models = Path(media), [session(first), session(second)]
    runs = {}
    for name, every in [("video/vtest.avi", 0.5), ("composite/public_e_mot.mp4", 0.2), ("video/bikes.mp4", 0.2)]:
        found = ([], [])
        kept = []
        for index, frame in frames(media / name, every):
            data, back = tensor(frame)
            kept.append(index)
            for model, out in zip(models, found):
                out.append(decode(model.run(None, {model.get_inputs()[0].name: data}), data, back, 0.05))
        runs[name] = (kept, found)
    for name, path, real in [
        ("video/vtest.avi", "mot/PETS09-S2L1.det.txt", False),
        ("composite/public_e_mot.mp4", "truth/public_e_mot.gt.txt", True),
    ]:
        rows = mot(media / path, real)
        kept, found = runs[name]
        empty = (np.zeros((0, 4)), np.zeros(0, int))
        truth = [tuple(map(np.array, zip(*rows[i]))) if i in rows else empty for i in kept]
        wanted = np.array(list(set(CLASSES.values()) - {0}) if real else [0])
        only = [[tuple(v[np.isin(f[2], wanted)] for v in f) for f in run] for run in found]
        print(f"{name} against {path}: first {ap(only[0], truth)}; second {ap(only[1], truth)} ({len(kept)} frames)")
    for name, (kept, (one, two)) in runs.items():
        truth = [(b[s >= 0.3], c[s >= 0.3]) for b, s, c in one]
        print(f"{name} against the first at 0.3: first {ap(one, truth)}; second {ap(two, truth)}")
    data = tensor(next(frames(media / "video/vtest.avi"))[1])[0]
    wide = tensor(next(frames(media / "video/bigbuckbunny.mp4"))[1])[0]
    for threads in (1, 2):
        pair = [session(p, threads) for p in (first, second)]
        for label, x in (("4:3", data), ("16:9", wide)):
            times = ([], [])
            for _ in range(25):
                for s, t in zip(pair, times):
                    start = time.perf_counter()
                    s.run(None, {s.get_inputs()[0].name: x})
                    t.append(1e3 * (time.perf_counter() - start))
            a, b = (statistics.median(t[3:]) for t in times)
            print(f"{threads} threads, {label}: first {a:.1f} ms, second {b:.1f} ms, ratio {a / b:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

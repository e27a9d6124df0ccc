"""supervision's ByteTrack over recorded detections: `track.py DETECTIONS.txt`. Seconds are those of one frame."""

import sys

import numpy as np
import supervision
from common import best, tell

rows = np.loadtxt(sys.argv[1], delimiter=",")
frames = []
for number in range(1, int(rows[:, 0].max()) + 1):
    mine = rows[rows[:, 0] == number]
    boxes = np.concatenate([mine[:, 2:4], mine[:, 2:4] + mine[:, 4:6]], axis=1).astype(np.float32)
    scores, kind, row = mine[:, 6].astype(np.float32), np.zeros(len(boxes), int), np.arange(len(boxes))
    frames.append(supervision.Detections(boxes, confidence=scores, class_id=kind, data={"row": row}))
ids: list[list[int]] = []


def work() -> None:
    tracker = supervision.ByteTrack(0.6, 30, 0.9, 30)
    ids.clear()
    for detections in frames:
        found = tracker.update_with_detections(detections)
        of_row = np.zeros(len(detections), int)
        if len(found):
            of_row[found.data["row"]] = found.tracker_id
        ids.append(of_row.tolist())


seconds = best(work, 5) / len(frames)
tell(seconds, frames=len(frames), ids=len({i for frame in ids for i in frame if i > 0}), assigned=ids)

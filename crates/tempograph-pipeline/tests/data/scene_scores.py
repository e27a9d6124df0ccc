"""Writes scene_scores.json: what PySceneDetect measures on pictures made by a formula.

    pip install scenedetect==0.7.2 && python scene_scores.py > scene_scores.json
"""

import json

import cv2
import numpy as np
from scenedetect import SceneManager
from scenedetect.common import FrameTimecode
from scenedetect.detectors import ContentDetector, HashDetector, HistogramDetector, ThresholdDetector
from scenedetect.scene_manager import compute_downscale_factor
from scenedetect.stats_manager import StatsManager

SIZES = [(64, 48), (512, 288), (300, 200), (641, 359), (1280, 720), (20, 12), (256, 143), (360, 640), (1000, 30)]
FRAMES = 4


def channel(width, height, frame, c):
    x = np.arange(width, dtype=np.uint32)[None, :]
    y = np.arange(height, dtype=np.uint32)[:, None]
    h = (x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ np.uint32(frame // 2 * 83492791 + c * 40503)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(1274126177)
    shapes = x * np.uint32(3 + c) // np.uint32(4) + y * np.uint32(2 + frame) // np.uint32(3) + np.uint32(37 * frame * c)
    return (((shapes + (h >> np.uint32(27))) & np.uint32(255)) // np.uint32(1 + frame % 3)).astype(np.uint8)


def measure(width, height):
    stats = StatsManager()
    manager = SceneManager(stats)
    for detector in [ContentDetector(), ThresholdDetector(), HistogramDetector(), HashDetector()]:
        manager.add_detector(detector)
    factor = compute_downscale_factor(max(width, height))
    for frame in range(FRAMES):
        image = np.dstack([channel(width, height, frame, c) for c in (2, 1, 0)])
        if factor > 1.0:
            size = (max(1, round(width / factor)), max(1, round(height / factor)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        manager._process_frame(FrameTimecode(frame, 25.0), np.ascontiguousarray(image))
    keys = ["delta_hue", "delta_sat", "delta_lum", "delta_edges", "average_rgb"]
    keys += ["hist_diff [bins=128]", "hash_dist [size=8 lowpass=2]"]
    first = [0.0, 0.0, 0.0, 0.0, None, 1.0, 0.0]
    rows = []
    for metrics in (stats._frame_metrics[t] for t in sorted(stats._frame_metrics)):
        rows.append([first[i] if metrics.get(k) is None else float(metrics[k]) for i, k in enumerate(keys)])
    return {"size": [width, height], "rows": rows}


cases = [json.dumps(measure(*size)) for size in SIZES]
print("[\n" + ",\n".join(cases) + "\n]")

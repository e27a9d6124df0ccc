"""NanoDet over onnxruntime: `detect.py session MODEL WIDTH HEIGHT CALLS THREADS`, `detect.py frames MODEL FILE FPS THREADS`.

`frames` counts from the grabbed frame to the boxes: what a frame costs besides decoding. Seconds are those of one call.
"""

import statistics
import sys
import time

import numpy as np
from common import NanoDet, session, tell


def calls(model, width, height, count, threads):
    network = session(model, int(threads))
    image = np.zeros((1, 3, int(height), int(width)), np.float32)
    spent = []
    for _ in range(int(count) + 3):
        began = time.perf_counter()
        network.run(None, {"image": image})
        spent.append(time.perf_counter() - began)
    tell(statistics.median(spent[3:]))


def frames(model, path, fps, threads):
    import cv2

    network = NanoDet(model, int(threads), confidence=0.25)
    video = cv2.VideoCapture(path)
    rate = video.get(cv2.CAP_PROP_FPS)
    spent, due, boxes, number = [], 0.0, 0, 0
    while video.grab():
        if number / rate >= due - 1e-9:
            due += 1 / float(fps)
            began = time.perf_counter()
            _, picture = video.retrieve()
            boxes += len(network(picture)[0])
            spent.append(time.perf_counter() - began)
        number += 1
    tell(statistics.median(spent[3:]), calls=len(spent), boxes=boxes, session=network.spent / len(spent))


{"session": calls, "frames": frames}[sys.argv[1]](*sys.argv[2:])

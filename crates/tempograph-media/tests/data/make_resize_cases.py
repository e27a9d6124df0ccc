"""Writes resize_cases.json: what OpenCV and Pillow make of a small picture.

Run with `pip install opencv-python-headless pillow numpy` in any environment.
"""

import json
import pathlib

import cv2
import numpy as np
from PIL import Image

W, H = 37, 23
y, x, c = np.mgrid[0:H, 0:W, 0:3]
picture = ((x * x * 7 + y * 31 * (c + 1) + x * y * 13) % 256).astype(np.uint8)
cases = []
for w, h in [(37, 23), (20, 11), (9, 23), (64, 40), (5, 4), (1, 1), (18, 46)]:
    linear = cv2.resize(picture, (w, h), interpolation=cv2.INTER_LINEAR)
    area = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    bicubic = np.asarray(Image.fromarray(picture).resize((w, h), Image.BICUBIC))
    cases.append(
        {
            "width": w,
            "height": h,
            "linear": linear.ravel().tolist(),
            "area": area.ravel().tolist(),
            "bicubic": bicubic.ravel().tolist(),
        }
    )
out = {
    "source": f"OpenCV {cv2.__version__}, Pillow {Image.__version__}",
    "width": W,
    "height": H,
    "picture": picture.ravel().tolist(),
    "cases": cases,
}
path = pathlib.Path(__file__).with_name("resize_cases.json")
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")

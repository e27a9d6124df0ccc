"""Reference for the search for faces: BlazeFace twice, weighted suppression, mini-Xception, in NumPy and Pillow.

    python faces.py assets/models shared/media faces.json

numpy 1.26.4, pillow 11, onnxruntime 1.24.4.
"""
import json, sys
from pathlib import Path
import numpy as np, onnxruntime as ort
from PIL import Image

models, media, out = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
LABELS = "anger disgust fear happy sad surprise neutral".split()


def anchors(side, strides, per_layer):
    centres, i = [], 0
    while i < len(strides):
        same = [s for s in strides[i:] if s == strides[i]]
        n = side // strides[i]
        for y in range(n):
            for x in range(n):
                centres += [((x + 0.5) * side / n, (y + 0.5) * side / n)] * (per_layer * len(same))
        i += len(same)
    return np.array(centres)


class Detector:
    def __init__(self, file, side, strides, per_layer):
        self.session, self.side = ort.InferenceSession(str(models / file)), side
        self.anchors = anchors(side, strides, per_layer)

    def look(self, image, x, y, size, least):
        """Rows of score, box, eyes in pixels of `image` from its square at x, y."""
        square = image.crop((x, y, x + size, y + size)).resize((self.side, self.side), Image.BILINEAR)
        pixels = (np.asarray(square, np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        boxes, scores = (v[0] for v in self.session.run(None, {"image": pixels}))
        scores = 1 / (1 + np.exp(-np.clip(scores.astype(np.float64), -100, 100)))
        rows = []
        for b, s, a in zip(boxes.astype(np.float64), scores, self.anchors):
            if s >= least:
                points = b.reshape(8, 2)
                c, (w, h), eyes = points[0] + a, points[1], points[2:4] + a
                row = np.concatenate([c - [w / 2, h / 2], c + [w / 2, h / 2], eyes.ravel()])
                rows.append((s, row * size / self.side + np.tile([x, y], 4)))
        return rows


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def weighted(rows):
    rows, faces = sorted(rows, key=lambda r: -r[0]), []
    while rows:
        same = [r for r in rows if iou(rows[0][1], r[1]) > 0.3]
        rest = [r for r in rows if iou(rows[0][1], r[1]) <= 0.3]
        total = sum(s for s, _ in same)
        faces.append((rows[0][0], sum(s * b for s, b in same) / total))
        rows = rest
    return faces


far = Detector("blazeface-full-range.onnx", 192, [4], 1)
near = Detector("blazeface-short-range.onnx", 128, [8, 16, 16, 16], 2)
emotion = ort.InferenceSession(str(models / "emotion-fer2013.onnx"))


def search(image):
    w, h = image.size
    views = [((w - max(w, h)) // 2, (h - max(w, h)) // 2, max(w, h))]
    if min(w, h) >= 480 and max(w, h) / min(w, h) > 1.2:
        side, count = min(w, h), max(2, int(np.ceil((max(w, h) / min(w, h) - 1) / 0.8)) + 1)
        steps = [round((max(w, h) - side) * i / (count - 1)) for i in range(count)]
        views += [((s, 0, side) if w >= h else (0, s, side)) for s in steps]
    found = []
    for _, box in weighted([r for v in views for r in far.look(image, *v, 0.5)]):
        size = max(box[2] - box[0], box[3] - box[1]) * 1.8
        x, y = (box[0] + box[2]) / 2 - size / 2, (box[1] + box[3]) / 2 - size / 2
        found += [f for f in weighted(near.look(image, x, y, size, 0.76)) if iou(f[1], box) >= 0.3][:1]
    return weighted(found)


def express(image, row):
    x1, y1, x2, y2, ax, ay, bx, by = row
    centre, angle = ((x1 + x2) / 2, (y1 + y2) / 2), np.degrees(np.arctan2(by - ay, bx - ax))
    turned = image.convert("L").rotate(angle, center=centre, resample=Image.BILINEAR)
    cuts = []
    for cut in (1.0, 1.2, 1.4):
        half = (x2 - x1) * cut / 2
        square = turned.crop([int(v) for v in (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)])
        cuts.append(np.asarray(square.resize((64, 64), Image.BILINEAR), np.float32) / 127.5 - 1)
    return emotion.run(None, {"face": np.stack(cuts)[:, None]})[0].mean(0)


result = {}
for name in ("image/astronaut.png", "image/chelsea.png", "image/coffee.png", "image/messi5.jpg", "emotion/multi_face.jpg",
             "emotion/happy_open.jpg", "emotion/surprise.jpg", "emotion/anger_closed.jpg", "emotion/single_face.jpg"):
    image = Image.open(media / name).convert("RGB")
    faces = []
    for score, row in search(image):
        face = {"box": [round(float(v), 1) for v in row[:4]], "score": round(float(score), 3)}
        if row[2] - row[0] >= 48:
            scores = express(image, row)
            best = int(np.argmax(scores))
            face |= {"emotion": LABELS[best], "emotion_score": round(float(scores[best]), 3)}
        faces.append(face)
    result[name] = faces
    print(name, faces)
json.dump(result, open(out, "w"), indent=1)

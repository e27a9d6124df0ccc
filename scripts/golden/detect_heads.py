"""References for the detector heads without weights at hand, on outputs made of reproducible noise, in NumPy.

    python detect_heads.py detect_heads.json
"""
import json, sys
import numpy as np

FRAME = (200, 100)
GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_80 = """person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter
bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis snowboard
sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass cup fork knife spoon bowl
banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed dining_table toilet tv
laptop mouse remote keyboard cell_phone microwave oven toaster sink refrigerator book clock vase scissors teddy_bear
hair_drier toothbrush""".split()
COCO_91 = ["class 0"] + [None] * 90
names = iter(COCO_80)
for i in range(1, 91):
    COCO_91[i] = f"class {i}" if i in GAPS else next(names).replace("_", " ")
COCO_80 = [n.replace("_", " ") for n in COCO_80]


def noise(seed, shape, scale, offset):
    values, state = [], seed
    for _ in range(int(np.prod(shape))):
        state = (state * 1103515245 + 12345) % (1 << 31)
        values.append(state / (1 << 31) * scale + offset)
    return np.array(values, np.float32).reshape(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    area = lambda v: (v[2] - v[0]) * (v[3] - v[1])
    return inter / (area(a) + area(b) - inter)


def rows(boxes, scores, classes, labels, confidence, limit=None):
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < confidence:
            break
        if limit is None or all(classes[k] != classes[i] or iou(boxes[k], boxes[i]) <= limit for k in kept):
            kept.append(i)
    out = []
    for i in kept[:300]:
        box = np.clip(boxes[i] * [*FRAME, *FRAME], 0, [*FRAME, *FRAME])
        if (box[2:] > box[:2]).all():
            out.append({"box": [round(float(v), 4) for v in box], "score": round(float(scores[i]), 6),
                        "label": labels[classes[i]]})
    return {"confidence": confidence, "rows": out}


def ssd_anchors(size=300):
    scales = [0.2 + 0.75 * i / 5 for i in range(6)] + [1.0]
    grid, out = -(-size // 16), []
    for level in range(6):
        s = scales[level]
        shapes = [(0.1, 1.0), (s, 2.0), (s, 0.5)] if level == 0 else [(s, r) for r in (1.0, 2.0, 0.5, 3.0, 0.3333)]
        if level:
            shapes.append(((s * scales[level + 1]) ** 0.5, 1.0))
        for y in range(grid):
            for x in range(grid):
                for scale, ratio in shapes:
                    out.append([(x + 0.5) / grid, (y + 0.5) / grid, scale * ratio**0.5, scale / ratio**0.5])
        grid = -(-grid // 2)
    return np.array(out)


def ssd():
    codes, logits = noise(1, (1917, 4), 6, -3).astype(np.float64), noise(2, (1917, 91), 12, -10.4)
    a = ssd_anchors()
    x, y = a[:, 0] + codes[:, 1] / 10 * a[:, 2], a[:, 1] + codes[:, 0] / 10 * a[:, 3]
    w, h = a[:, 2] * np.exp(codes[:, 3] / 5), a[:, 3] * np.exp(codes[:, 2] / 5)
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
    p = sigmoid(logits)[:, 1:]
    return rows(boxes, p.max(1), p.argmax(1) + 1, COCO_91, 0.83, 0.6)


def queries(classes, labels):
    logits, raw = noise(3, (300, classes), 8, -6.5), noise(4, (300, 4), 1, 0).astype(np.float64)
    x, y, w, h = raw.T
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
    p = sigmoid(logits)
    return rows(boxes, p.max(1), p.argmax(1), labels, 0.8)


if __name__ == "__main__":
    json.dump({"ssd": ssd(), "detr": queries(80, COCO_80), "detr_91": queries(91, COCO_91)}, open(sys.argv[1], "w"))

"""NanoDet in NumPy: a frame onto the model's canvas, its outputs back to boxes. Shared by the scripts beside it."""

import cv2
import numpy as np
import onnxruntime

MEAN = np.array([103.53, 116.28, 123.675], np.float32)
STD = np.array([57.375, 57.12, 58.395], np.float32)
SIDE, STRIDE = 416, 32


def frames(path, every_s=1.0, start_s=0.0):
    """BGR frames of a video at a rate, or the one of a picture."""
    image = cv2.imread(str(path)) if str(path).endswith((".png", ".jpg")) else None
    if image is not None:
        yield 0, image
        return
    video = cv2.VideoCapture(str(path))
    fps = video.get(cv2.CAP_PROP_FPS) or 25.0
    step, index = max(1, round(every_s * fps)), 0
    while video.grab():
        if index >= start_s * fps and index % step == 0:
            ok, image = video.retrieve()
            if ok:
                yield index, image
        index += 1


def tensor(image):
    """The input tensor and how to get back: (extent on the canvas, offset, extent of the frame)."""
    h, w = image.shape[:2]
    scale = min(SIDE / w, SIDE / h)
    iw, ih = round(w * scale), round(h * scale)
    cw, ch = -(-iw // STRIDE) * STRIDE, -(-ih // STRIDE) * STRIDE
    dx, dy = (cw - iw) // 2, (ch - ih) // 2
    canvas = np.zeros((ch, cw, 3), np.uint8)
    canvas[dy : dy + ih, dx : dx + iw] = cv2.resize(image, (iw, ih), interpolation=cv2.INTER_LINEAR)
    data = ((canvas.astype(np.float32) - MEAN) / STD).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(data), ((iw, ih), (dx, dy), (w, h))


def session(path, threads=1):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def decode(outputs, data, back, confidence):
    """Boxes [k, 4] in the frame, scores [k], classes [k], best first."""
    h, w = data.shape[2:]
    boxes, scores, classes = [], [], []
    for s in [o[0] for o in outputs if o.shape[2] == 80]:
        d = next(o[0] for o in outputs if o.shape[2] == 44 and o.shape[1] == len(s))
        stride = next(t for t in (8, 16, 32) if -(-w // t) * -(-h // t) == len(s))
        best = s.max(1)
        at = np.flatnonzero(best >= confidence)
        e = d[at].reshape(-1, 4, 11)
        e = np.exp(e - e.max(2, keepdims=True))
        side = (e / e.sum(2, keepdims=True)) @ np.arange(11) * stride
        columns = -(-w // stride)
        x, y = (at % columns + 0.5) * stride, (at // columns + 0.5) * stride
        boxes.append(np.stack([x - side[:, 0], y - side[:, 1], x + side[:, 2], y + side[:, 3]], 1))
        scores.append(best[at])
        classes.append(s[at].argmax(1))
    boxes, scores, classes = (np.concatenate(v) for v in (boxes, scores, classes))
    order = np.argsort(-scores, kind="stable")
    keep = suppress(boxes[order], classes[order], 0.6)
    order = order[keep][:100]
    (iw, ih), (dx, dy), (fw, fh) = back
    boxes = (boxes[order] - [dx, dy, dx, dy]) * [fw / iw, fh / ih, fw / iw, fh / ih]
    return boxes.clip(0, [fw, fh, fw, fh]), scores[order], classes[order]


def iou(a, b):
    lt, rb = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (rb - lt).clip(0).prod(2)
    area = lambda v: (v[:, 2:] - v[:, :2]).clip(0).prod(1)
    return inter / np.maximum(area(a)[:, None] + area(b)[None] - inter, 1e-9)


def suppress(boxes, classes, limit):
    keep, gone = [], np.zeros(len(boxes), bool)
    overlaps = iou(boxes, boxes) if len(boxes) else None
    for i in range(len(boxes)):
        if not gone[i]:
            keep.append(i)
            gone |= (overlaps[i] > limit) & (classes == classes[i])
    return keep

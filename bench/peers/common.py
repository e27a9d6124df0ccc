"""What the peers share: times, sound, and NanoDet as one writes it with OpenCV and NumPy."""

from __future__ import annotations

import json
import time
import wave
from pathlib import Path

import numpy as np

MEAN, STD = np.float32([103.53, 116.28, 123.675]), np.float32([57.375, 57.12, 58.395])


class Clock:
    """Wall and processor time since it was made, all threads together; imports and loading come before."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def tell(self, **more) -> None:
        """The last line of output: how long the work took."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        print(json.dumps({"s": wall, "cpu": cpu, **more}))


def tell(seconds: float, **more) -> None:
    """As `Clock.tell`, of work that times itself."""
    print(json.dumps({"s": seconds, "cpu": None, **more}))


def best(work, times: int) -> float:
    """The fastest of some runs."""

    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(times))


def samples_of(path: str | Path) -> np.ndarray:
    """A 16 kHz mono WAV file of 16 bits as floats."""
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (16000, 1, 2):
            raise SystemExit(f"not 16 kHz mono of 16 bits: {path}")
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768.0


def session(model: str | Path, threads: int):
    """An ONNX Runtime session with the package's defaults, threads aside."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


class NanoDet:
    """Frame in, boxes out."""

    def __init__(self, model: str | Path, threads: int, side: int = 416, confidence: float = 0.1):
        self.session = session(model, threads)
        self.names = [o.name for o in self.session.get_outputs()]
        self.side, self.confidence = side, confidence
        self.spent = 0.0  # in the session alone

    def __call__(self, image: np.ndarray):
        """Boxes `[n, 4]` as x1, y1, x2, y2, scores and classes of a BGR picture."""
        import cv2

        height, width = image.shape[:2]
        scale = self.side / max(height, width)
        inner = (round(width * scale), round(height * scale))
        canvas = tuple(-(-n // 32) * 32 for n in inner)
        left, top = ((c - i) // 2 for c, i in zip(canvas, inner))
        right, bottom = canvas[0] - inner[0] - left, canvas[1] - inner[1] - top
        small = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
        small = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        tensor = ((small.astype(np.float32) - MEAN) / STD).transpose(2, 0, 1)[None]
        began = time.perf_counter()
        outputs = self.session.run(None, {"image": np.ascontiguousarray(tensor)})
        self.spent += time.perf_counter() - began
        outputs = dict(zip(self.names, outputs))
        boxes, scores, classes = [], [], []
        for stride in (8, 16, 32):
            columns = -(-canvas[0] // stride)
            level = outputs[f"scores_{stride}"][0]
            top_score = level.max(axis=1)
            place = np.flatnonzero(top_score >= self.confidence)
            if not len(place):
                continue
            logits = outputs[f"distances_{stride}"][0][place].reshape(len(place), 4, -1)
            weight = np.exp(logits - logits.max(axis=2, keepdims=True))
            sides = (weight @ np.arange(weight.shape[2], dtype=np.float32)) / weight.sum(axis=2)
            x, y = place % columns + 0.5, place // columns + 0.5
            corners = np.stack([x - sides[:, 0], y - sides[:, 1], x + sides[:, 2], y + sides[:, 3]], axis=1) * stride
            boxes.append((corners - [left, top, left, top]) / scale)
            scores.append(top_score[place])
            classes.append(level[place].argmax(axis=1))
        if not boxes:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int)
        boxes, scores, classes = np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes)
        # Boxes of different classes never meet once they are moved apart.
        apart = boxes + classes[:, None] * 8192.0
        plain = np.concatenate([apart[:, :2], apart[:, 2:] - apart[:, :2]], axis=1)
        kept = np.asarray(cv2.dnn.NMSBoxes(plain.tolist(), scores.tolist(), self.confidence, 0.6), int).reshape(-1)
        limits = np.float32([width, height, width, height])
        return np.clip(boxes[kept], 0, limits).astype(np.float32), scores[kept], classes[kept]

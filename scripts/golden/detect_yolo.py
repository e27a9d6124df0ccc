"""Reference for the YOLO family: letterbox, run, greedy class-aware suppression, in NumPy and OpenCV.

    python detect_yolo.py 320n.onnx yolo_320n.json astronaut.png

with `320n.onnx` from PyPI nudenet 3.4.2; numpy 1.26.4, opencv-python-headless 4.10.0, onnxruntime 1.24.4.
"""
import json, sys
import cv2, numpy as np, onnxruntime as ort
model, out = sys.argv[1], sys.argv[2]
s = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
def synthetic(w, h):
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    return np.stack([(x * 7 + y * 3) % 256, (x * x // 16 + y * 5) % 256, (x * y // 32) % 256], -1).astype(np.uint8)
def nms(b, s, c, iou):
    keep = []
    area = lambda q: max(q[2]-q[0],0)*max(q[3]-q[1],0)
    for i in np.argsort(-s, kind="stable"):
        ok = True
        for k in keep:
            if c[k] != c[i]: continue
            w = max(0, min(b[k][2], b[i][2]) - max(b[k][0], b[i][0])); h = max(0, min(b[k][3], b[i][3]) - max(b[k][1], b[i][1]))
            if w*h / (area(b[k]) + area(b[i]) - w*h) > iou: ok = False; break
        if ok: keep.append(i)
    return keep
def run(rgb, size, conf, iou=0.7):
    h, w = rgb.shape[:2]; r = min(size / w, size / h); iw, ih = round(w * r), round(h * r)
    cw, ch = -(-iw // 32) * 32, -(-ih // 32) * 32
    inner = cv2.resize(rgb, (iw, ih), interpolation=cv2.INTER_LINEAR) if (iw, ih) != (w, h) else rgb
    dx, dy = (cw - iw) // 2, (ch - ih) // 2
    canvas = np.full((ch, cw, 3), 114, np.uint8); canvas[dy:dy+ih, dx:dx+iw] = inner
    p = s.run(None, {s.get_inputs()[0].name: canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255})[0][0].T
    score, cls = p[:, 4:].max(1), p[:, 4:].argmax(1)
    m = score >= conf; p, score, cls = p[m], score[m], cls[m]
    b = np.stack([p[:,0]-p[:,2]/2, p[:,1]-p[:,3]/2, p[:,0]+p[:,2]/2, p[:,1]+p[:,3]/2], 1)
    k = nms(b, score, cls, iou)
    b = b[k]; b[:, [0,2]] = (b[:, [0,2]] - dx) * w / iw; b[:, [1,3]] = (b[:, [1,3]] - dy) * h / ih
    b[:, [0,2]] = b[:, [0,2]].clip(0, w); b[:, [1,3]] = b[:, [1,3]].clip(0, h)
    return {"image_size": size, "confidence": conf, "boxes": [[round(float(v), 3) for v in r] for r in b], "scores": [round(float(v),5) for v in score[k]], "classes": cls[k].tolist()}
cases = []
for (w, h), size, conf in [((320, 180), 320, .01), ((320, 320), 320, .01), ((224,320),320,.002)]:
    g = run(synthetic(w, h), size, conf); cases.append({"synthetic": [w, h], **g}); print(w, h, len(g["scores"]), g["scores"][:3], max(g["scores"], default=0))
for n in sys.argv[3:]:
    for size in (320, 640):
        g = run(cv2.imread(n)[:, :, ::-1], size, .25); cases.append({"image": n.split("/")[-1], **g}); print(n, size, g["scores"], g["classes"], g["boxes"][:1])
json.dump({"model": "nudenet 3.4.2 320n.onnx", "cases": cases}, open(out, "w"), indent=None)

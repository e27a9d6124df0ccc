"""References for the embedders, from onnxruntime, tokenizers and Pillow: `bge_small.json`, `image_embedders.json` and
the two tiny image encoders that the latter are of.

    pip install onnxruntime==1.24.4 tokenizers onnx pillow numpy
    python scripts/golden/embedders.py BGE_FOLDER crates/tempograph-models/tests/data

BGE_FOLDER holds model.onnx and tokenizer.json of the manifest's `bge-small-en`.
"""
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer

SENTENCES = [
    "And so, my fellow Americans, ask not what your country can do for you.",
    "dog",
    "Bark",
    "sound: Domestic animals, pets",
    "person approaches car",
    "TAXI",
    "Ünïcödé, naïve café — déjà vu!",
    "我们今天去公园。",
    "🐶 🚗 ???",
    "a",
    "The meeting starts at 10:45 on the 3rd of May; bring $20.50 and the blue folder (not the red one).",
    "word " * 600,
]
PREFIX = "Represent this sentence for searching relevant passages: "


def unit(v):
    return v / np.linalg.norm(v)


def texts(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    session = ort.InferenceSession(str(folder / "model.onnx"))

    def embed(text):
        e = tokenizer.encode(text)
        row = lambda a: np.array([a], np.int64)
        feed = {"input_ids": row(e.ids), "attention_mask": row(e.attention_mask), "token_type_ids": row(e.type_ids)}
        return [round(float(x), 5) for x in unit(session.run(None, feed)[0][0, 0])]

    documents = [{"text": s, "vector": embed(s)} for s in SENTENCES]
    return {"documents": documents, "query": {"text": "dog barking", "vector": embed(PREFIX + "dog barking")}}


def encoder(path, height, width, pool, seed):
    """Mean colour of blocks, mixed at random: every pixel's place and channel counts."""
    features = 3 * (height // pool) * (width // pool)
    weights = np.random.default_rng(seed).standard_normal((features, 16)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["pixel_values"], ["blocks"], kernel_shape=[pool] * 2, strides=[pool] * 2),
        helper.make_node("Flatten", ["blocks"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["image_embeds"]),
    ]
    image = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, height, width])
    out = helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["batch", 16])
    graph = helper.make_graph(nodes, "tiny", [image], [out], [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return ort.InferenceSession(str(path))


def picture(width, height):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([(x * 7 + y) % 256, (x * y // 5) % 256, (y * 3 + 40) % 256], -1).astype(np.uint8))


CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALF = ([0.5] * 3, [0.5] * 3)


def shortest(image, side, filter):
    w, h = image.size
    size = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
    return image.resize(size, filter)


def crop(image, side):
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def tensor(image, stats):
    levels = (np.asarray(image, np.float32) / 255 - np.float32(stats[0])) / np.float32(stats[1])
    return levels.transpose(2, 0, 1)[None].astype(np.float32)


PREPARE = {
    "clip": lambda i: tensor(crop(shortest(i, 224, Image.BICUBIC), 224), CLIP),
    "siglip": lambda i: tensor(i.resize((224, 224), Image.BICUBIC), HALF),
    "dino": lambda i: tensor(crop(shortest(i, 256, Image.BICUBIC), 224), IMAGENET),
    "reid": lambda i: tensor(i.resize((128, 256), Image.BILINEAR), IMAGENET),
}


def images(out):
    square = encoder(out / "image_encoder.onnx", 224, 224, 28, 1)
    tall = encoder(out / "reid_encoder.onnx", 256, 128, 16, 2)
    cases = []
    for family, prepare in PREPARE.items():
        session = tall if family == "reid" else square
        for size, region in [((320, 180), None), ((120, 300), None), ((320, 180), [50.0, 20.0, 110.0, 170.0])]:
            image = picture(*size)
            if region:
                image = image.crop(tuple(int(v) for v in region))
            vector = unit(session.run(None, {"pixel_values": prepare(image)})[0][0])
            cases.append({
                "family": family, "width": size[0], "height": size[1], "region": region,
                "vector": [round(float(x), 5) for x in vector],
            })
    return cases


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


bge, out = Path(sys.argv[1]), Path(sys.argv[2])
write(out / "bge_small.json", texts(bge))
write(out / "image_embedders.json", images(out))

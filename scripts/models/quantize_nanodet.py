#!/usr/bin/env python3
"""Quantises NanoDet to 8 bits: static, weights per channel, activations over a set of frames.

    venv/bin/pip install onnx==1.16.2 onnxruntime==1.24.4 numpy==1.26.4 ml_dtypes==0.5.1 \
        opencv-python-headless==4.10.0.84 sympy
    venv/bin/python quantize_nanodet.py nanodet-g-416.onnx nanodet-g-416-int8.onnx MEDIA...

`MEDIA` are pictures and videos, of which a frame a second is used. The heads' last convolutions stay in floating point:
scores and distances are read from them, and they cost little.

Ranges run to the largest value seen. The lower end of what goes into a leaky ReLU is drawn in to where the squared error
after it is least: a tenth of a negative value counts, so the steps are better spent on the rest.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from nanodet_frames import frames, tensor

HEADS = ("convolution_29", "convolution_31", "convolution_33")


SAMPLES = 6000


class Frames(CalibrationDataReader):
    def __init__(self, images):
        self.data = iter(images)

    def get_next(self):
        data = next(self.data, None)
        return None if data is None else {"image": data}


def single_precision(path):
    """The model with its weights in single precision, as the quantiser wants them."""
    model = onnx.load(path)
    weights = {i.name: i for i in model.graph.initializer}
    for node in [n for n in model.graph.node if n.op_type == "Cast"]:
        array = numpy_helper.to_array(weights[node.input[0]]).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        model.graph.initializer.remove(weights[node.input[0]])
        model.graph.node.remove(node)
    return model


def ranges(model, images):
    """The range of each tensor into and out of a convolution."""
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    convolutions = [n for n in model.graph.node if n.op_type == "Conv" and n.name not in HEADS]
    names = list(dict.fromkeys(t for n in convolutions for t in (n.input[0], n.output[0])))
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.helper.make_tensor_value_info(t, 1, None) for t in names if t != "image")
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs, random = [o.name for o in session.get_outputs()], np.random.default_rng(0)
    low, high, samples = {t: 0.0 for t in names}, {t: 0.0 for t in names}, {t: [] for t in names}
    for image in images:
        found = dict(zip(outputs, session.run(None, {"image": image})), image=image)
        for t in names:
            v = found[t].ravel()
            low[t], high[t] = min(low[t], float(v.min())), max(high[t], float(v.max()))
            samples[t].append(v[random.integers(0, len(v), SAMPLES)])
    for t in [t for t in names if "LeakyRelu" in readers.get(t, [])]:
        low[t] *= min(np.arange(0.1, 1.01, 0.1), key=lambda a: error(np.concatenate(samples[t]), low[t] * a, high[t]))
    return {t: [{"rmin": np.float32(low[t]), "rmax": np.float32(high[t])}] for t in names}


def error(values, low, high):
    """Mean squared error after the leaky ReLU of `values` held in 256 steps from `low` to `high`."""
    leaky = lambda v: np.where(v < 0, 0.1 * v, v)
    step = (high - low) / 255
    zero = round(-low / step)
    held = (np.clip(np.round(values / step) + zero, 0, 255) - zero) * step
    return float(np.square(leaky(held) - leaky(values)).mean())


def main(source, target, *media):
    images = [tensor(f)[0] for m in media for _, f in frames(m)]
    with tempfile.TemporaryDirectory() as folder:
        plain, model = Path(folder) / "plain.onnx", single_precision(source)
        onnx.save(model, plain)
        quantize_static(
            # The ranges below stand; the quantiser only wants to see something.
            plain, target, Frames(images[:1]),
            extra_options={"TensorQuantOverrides": ranges(model, images)},
            quant_format=QuantFormat.QDQ, per_channel=True, op_types_to_quantize=["Conv"],
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=list(HEADS),
            calibrate_method=CalibrationMethod.MinMax,
        )
    model = onnx.load(target)
    # The quantiser drops what the file says about itself.
    onnx.helper.set_model_props(model, {p.key: p.value for p in onnx.load(source).metadata_props})
    model.producer_name = "tempograph scripts/models/quantize_nanodet.py"
    Path(target).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])

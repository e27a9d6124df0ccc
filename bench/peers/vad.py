"""Silero VAD window by window, as its package runs it: `vad.py MODEL UTILITIES FILE.wav`.

The package's own loop and segmentation (`get_speech_timestamps`) run unchanged; only its tensors are NumPy arrays, so
that no PyTorch is needed. That makes the peer faster than it is with PyTorch.
"""

import importlib.util
import sys
import types

import numpy as np
from common import Clock, samples_of, session


class Model:
    """What the package's `OnnxWrapper` does, on arrays."""

    def __init__(self, path: str):
        self.session = session(path, 1)
        self.probabilities: list[float] = []
        self.reset_states()

    def reset_states(self) -> None:
        self.state = np.zeros((2, 1, 128), np.float32)
        self.context = np.zeros((1, 64), np.float32)
        self.probabilities.clear()

    def __call__(self, chunk: np.ndarray, rate: int) -> np.float32:
        heard = np.concatenate([self.context, chunk[None]], axis=1)
        inputs = {"input": heard, "state": self.state, "sr": np.array(rate, np.int64)}
        probability, self.state = self.session.run(None, inputs)
        self.context = heard[:, -64:]
        self.probabilities.append(float(probability[0, 0]))
        return probability[0, 0]


def utilities(path: str) -> types.ModuleType:
    """The package's module, with arrays in place of tensors."""
    torch = types.ModuleType("torch")
    torch.Tensor, torch.is_tensor, torch.device = np.ndarray, lambda x: True, lambda name: name
    torch.no_grad = lambda: lambda function: function
    torch.nn = types.SimpleNamespace(functional=types.SimpleNamespace(pad=np.pad))
    sys.modules["torch"] = torch
    spec = importlib.util.spec_from_file_location("silero_utilities", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    tools, model = utilities(sys.argv[2]), Model(sys.argv[1])
    samples = samples_of(sys.argv[3])
    clock = Clock()
    found = tools.get_speech_timestamps(samples, model)
    clock.tell(segments=[[s["start"], s["end"]] for s in found], probabilities=model.probabilities)

"""Everything else a whole analysis perceives, as one writes it in Python: sounds, speakers, pitch, faces, text, meaning.

The networks are the ones we run; around them stands what people use: librosa's pYIN, kaldi-native-fbank, scipy's
clustering, RapidOCR, tokenizers. Speech without anybody, silence and unchanged frames are not spared, except where
the package does so itself.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from common import session

RATE = 16_000


class Sounds:
    """YAMNet over log-mel patches of 0.96 s every 0.48 s."""

    def __init__(self, model: str, threads: int):
        import librosa

        self.session = session(model, threads)
        self.input = self.session.get_inputs()[0].name
        self.mel = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None)
        self.window = np.hanning(401)[:400].astype(np.float32)

    def __call__(self, samples: np.ndarray) -> list[list[int]]:
        """The three likeliest classes of each patch."""
        if len(samples) < 15_600:
            return []
        frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160] * self.window
        spectrum = np.abs(np.fft.rfft(frames, 512)).astype(np.float32)
        logmel = np.log(spectrum @ self.mel.T + 0.001)
        patches = np.lib.stride_tricks.sliding_window_view(logmel, 96, axis=0)[::48].transpose(0, 2, 1)
        scores = self.session.run(None, {self.input: np.ascontiguousarray(patches[:, None], np.float32)})[0]
        return np.argsort(-scores, axis=1)[:, :3].tolist()


class Speakers:
    """Segmentation over windows of 10 s every 2 s, a voice print for each local speaker, average linkage."""

    def __init__(self, segmentation: str, prints: str, threads: int):
        self.segmentation, self.prints = session(segmentation, threads), session(prints, threads)
        self.names = [s.get_inputs()[0].name for s in (self.segmentation, self.prints)]

    def __call__(self, samples: np.ndarray) -> list[int]:
        """The speaker of each local voice."""
        from scipy.cluster.hierarchy import fcluster, linkage

        powerset = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]])
        vectors = []
        for start in range(0, max(len(samples) - 5 * RATE, 1), 2 * RATE):
            window = samples[start : start + 10 * RATE]
            padded = np.zeros((1, 1, 10 * RATE), np.float32)
            padded[0, 0, : len(window)] = window
            classes = self.segmentation.run(None, {self.names[0]: padded})[0][0].argmax(axis=1)
            for voice in range(3):
                alone = (powerset[classes, voice] == 1) & (powerset[classes].sum(axis=1) == 1)
                if alone.sum() < 30:
                    continue
                heard = np.repeat(alone, 271)[: 10 * RATE]
                heard = padded[0, 0, : len(heard)][heard]
                vectors.append(self.print(heard))
        if len(vectors) < 2:
            return [1] * len(vectors)
        return fcluster(linkage(np.stack(vectors), "average", "cosine"), 0.5, "distance").tolist()

    def print(self, heard: np.ndarray) -> np.ndarray:
        import kaldi_native_fbank

        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.dither, options.frame_opts.samp_freq, options.mel_opts.num_bins = 0, RATE, 80
        bank = kaldi_native_fbank.OnlineFbank(options)
        bank.accept_waveform(RATE, (heard * 32768).tolist())
        bank.input_finished()
        features = np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])
        features = (features - features.mean(axis=0))[None].astype(np.float32)
        vector = self.prints.run(None, {self.names[1]: features})[0][0]
        return vector / np.linalg.norm(vector)


def prosody(samples: np.ndarray, stretches: list[tuple[int, int]]) -> list[float]:
    """The mean pitch of each spoken stretch, its level and its zero crossings."""
    import librosa

    means = []
    for start, end in stretches:
        heard = samples[start:end]
        pitch, voiced, _ = librosa.pyin(heard, fmin=65, fmax=500, sr=RATE, frame_length=1024, hop_length=160)
        librosa.feature.rms(y=heard)
        librosa.feature.zero_crossing_rate(heard)
        means.append(float(np.nanmean(pitch)) if voiced.any() else 0.0)
    return means


class Faces:
    """BlazeFace on the letterboxed frame, then an expression for each face."""

    def __init__(self, faces: str, emotions: str, threads: int):
        self.faces, self.emotions = session(faces, threads), session(emotions, threads)
        self.inputs = [s.get_inputs()[0] for s in (self.faces, self.emotions)]
        self.side = int(self.inputs[0].shape[-1])
        cells = self.side // 4
        grid = (np.arange(cells, dtype=np.float32) + 0.5) * 4
        self.anchors = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)

    def __call__(self, image: np.ndarray) -> list[list]:
        """A box, its score and seven expressions for each face."""
        side, scale = self.side, self.side / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas = np.zeros((side, side, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small[:side, :side]
        tensor = cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB).astype(np.float32) / 127.5 - 1
        tensor = np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])
        outputs = self.faces.run(None, {self.inputs[0].name: tensor})
        logits = next(o for o in outputs if o.shape[-1] != 16).reshape(-1)
        offsets = next(o for o in outputs if o.shape[-1] == 16)[0]
        found = np.flatnonzero(logits > 0)
        if not len(found):
            return []
        centres = offsets[found, :2] + self.anchors[found]
        sizes = offsets[found, 2:4]
        scores = 1 / (1 + np.exp(-logits[found]))
        boxes = np.concatenate([centres - sizes / 2, sizes], axis=1) / scale
        faces = []
        for i in np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.5, 0.3), int).reshape(-1):
            x, y, w, h = (max(int(v), 0) for v in boxes[i])
            crop = image[y : y + h, x : x + w]
            if crop.size:
                grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (64, 64)).astype(np.float32)
                shape = [n if isinstance(n, int) else 1 for n in self.inputs[1].shape]
                grey = ((grey / 255 - 0.5) * 2).reshape(shape)
                expressions = self.emotions.run(None, {self.inputs[1].name: grey})[0][0]
                faces.append([boxes[i].tolist(), float(scores[i]), expressions.tolist()])
        return faces


class Text:
    """RapidOCR with its own defaults."""

    def __init__(self, threads: int):
        from rapidocr_onnxruntime import RapidOCR

        self.reader = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)

    def __call__(self, image: np.ndarray) -> list[str]:
        lines, _ = self.reader(image)
        return [line[1] for line in lines or []]


class Meaning:
    """bge-small over sentences."""

    def __init__(self, folder: str, threads: int):
        from tokenizers import Tokenizer

        self.session = session(next(Path(folder).glob("*.onnx")), threads)
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.enable_truncation(512)
        self.tokenizer.enable_padding()

    def __call__(self, sentences: list[str]) -> np.ndarray:
        if not sentences:
            return np.zeros((0, 384), np.float32)
        encoded = self.tokenizer.encode_batch(sentences)
        columns = {
            "input_ids": [e.ids for e in encoded],
            "attention_mask": [e.attention_mask for e in encoded],
            "token_type_ids": [e.type_ids for e in encoded],
        }
        vectors = self.session.run(None, {k: np.asarray(v, np.int64) for k, v in columns.items()})[0][:, 0]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

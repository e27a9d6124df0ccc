"""The handlers without a GPU, without the service's package and without a model.

Each runs whole; what stands in is a small object at the edge of the library that a handler loads. Run with
`python3 -m unittest discover deploy/runpod/tests`.
"""

import base64
import importlib.util
import pathlib
import sys
import unittest
from types import SimpleNamespace

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import common  # noqa: E402


def load(name):
    spec = importlib.util.spec_from_file_location(f"{name}_handler", ROOT / name / "handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def job(task, **given):
    return {"input": {"version": 1, "task": task, **given}}


def coded(data=b"\xff\xd8jpeg"):
    return base64.b64encode(data).decode()


class Array(list):
    """As much of a tensor as the handlers use."""

    def tolist(self):
        return list(self)


class Common(unittest.TestCase):
    def test_jobs_of_another_form_are_refused(self):
        for wrong in (None, {}, {"input": 1}, {"input": {}}, {"input": {"version": 2, "task": "detect"}}, job("dance")):
            with self.assertRaises(common.Refused):
                common.read_task(wrong, ["detect"])

    def test_values_out_of_range_are_refused(self):
        for wrong in (True, "1", 3, None, float("nan")):
            with self.assertRaises(common.Refused):
                common.read_number({"x": wrong}, "x", 0, 0, 2)
        for wrong in (None, 3, "é", "a", "%%%%"):
            with self.assertRaises(common.Refused):
                common.read_bytes(wrong, "it")

    def test_a_model_is_loaded_once_and_only_when_needed(self):
        loads = []
        handle = common.handler(lambda given, model: {"model": model}, ["x"], common.Lazy(lambda: loads.append(1) or "m"))
        self.assertEqual(handle(job("y"))["error"]["code"], "invalid")
        self.assertEqual(loads, [])
        self.assertEqual(handle(job("warm_up")), {"ready": True})
        self.assertEqual(handle(job("x")), {"model": "m"})
        self.assertEqual(loads, [1])

    def test_what_goes_wrong_is_told(self):
        def fails(_given, _model):
            raise RuntimeError("CUDA out of memory")

        told = common.handler(fails, ["x"], common.Lazy(lambda: "m"))(job("x"))
        self.assertEqual(told, {"error": {"code": "failed", "message": "RuntimeError: CUDA out of memory"}})


class Yolo(unittest.TestCase):
    def setUp(self):
        self.handler = load("yolo")

    def test_boxes_have_names_and_times(self):
        asked = {}

        def model(pictures, conf, verbose):
            asked.update(pictures=pictures, conf=conf, verbose=verbose)
            found = SimpleNamespace(xyxy=Array([[1.0, 2.0, 3.0, 4.0]]), cls=Array([16.0]), conf=Array([0.9]))
            none = SimpleNamespace(xyxy=Array(), cls=Array(), conf=Array())
            return [SimpleNamespace(boxes=b, names={16: "dog"}) for b in (found, none)]

        frames = [{"time_s": 0.5, "jpeg": coded(b"a")}, {"time_s": 1.0, "jpeg": coded(b"b")}]
        given = job("detect", frames=frames, score=0.4)["input"]
        out = self.handler.run(given, model, decode=lambda jpeg: jpeg)
        box = {"label": "dog", "score": 0.9, "xyxy": [1.0, 2.0, 3.0, 4.0]}
        self.assertEqual(out, {"frames": [{"time_s": 0.5, "boxes": [box]}, {"time_s": 1.0, "boxes": []}]})
        self.assertEqual(asked, {"pictures": [b"a", b"b"], "conf": 0.4, "verbose": False})

    def test_a_refused_job_is_an_error_with_a_code(self):
        for frames in (None, [], [1], [{"jpeg": 3}], [{"time_s": "x", "jpeg": coded()}]):
            with self.assertRaises(common.Refused):
                self.handler.run({"frames": frames}, None, decode=bytes)
        with self.assertRaises(common.Refused) as caught:
            self.handler.run({"frames": [{"jpeg": coded()}] * 257}, None, decode=bytes)
        self.assertEqual(caught.exception.code, "over_budget")


class Whisper(unittest.TestCase):
    def setUp(self):
        self.handler = load("whisper")

    def test_segments_have_words(self):
        asked = {}

        class Model:
            def transcribe(self, file, **options):
                asked.update(options, bytes=file.read())
                word = SimpleNamespace(start=0.1, end=0.4, word=" Hello", probability=0.8)
                whole = SimpleNamespace(start=0.0, end=1.0, text=" Hello", words=[word])
                bare = SimpleNamespace(start=1.0, end=2.0, text="…", words=None)
                return iter([whole, bare]), SimpleNamespace(language="en")

        out = self.handler.run({"audio": coded(b"RIFF"), "language": None, "beam": 3}, Model())
        word = {"start_s": 0.1, "end_s": 0.4, "text": "Hello", "confidence": 0.8}
        self.assertEqual(out["segments"][0], {"start_s": 0.0, "end_s": 1.0, "text": "Hello", "words": [word]})
        self.assertEqual((out["language"], out["segments"][1]["words"]), ("en", []))
        self.assertEqual(asked, {"bytes": b"RIFF", "language": None, "beam_size": 3, "word_timestamps": True})

    def test_what_is_no_language_is_refused(self):
        for language in ("", "english", "e1", 3):
            with self.assertRaises(common.Refused):
                self.handler.run({"audio": coded(), "language": language}, None)


class Emotion(unittest.TestCase):
    def setUp(self):
        self.handler = load("emotion")

    def test_scores_have_the_engines_names_and_sum_to_one(self):
        def model(pictures):
            return [[{"label": "Happiness", "score": 0.6}, {"label": "sad", "score": 0.2}, {"label": "contempt", "score": 0.2}]]

        [face] = self.handler.run({"faces": [{"jpeg": coded()}]}, model, decode=bytes)["faces"]
        self.assertEqual(face["label"], "happy")
        self.assertAlmostEqual(face["scores"]["happy"], 0.75)
        self.assertAlmostEqual(sum(face["scores"].values()), 1.0)
        self.assertEqual(list(face["scores"]), ["anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"])

    def test_a_model_of_other_things_is_refused(self):
        with self.assertRaises(common.Refused):
            self.handler.face([{"label": "tabby", "score": 1.0}])


class Vlm(unittest.TestCase):
    def setUp(self):
        self.handler = load("vlm")

    class Model:
        context_tokens = 200

        def __init__(self, words):
            self.words = words
            self.closed = False

        def inputs(self, messages, pictures):
            self.messages, self.pictures = messages, pictures
            return messages

        def count(self, inputs):
            return 10 * len(inputs)

        def generate(self, inputs, max_tokens, temperature, top_p, seed):
            self.sampling = (max_tokens, temperature, top_p, seed)
            try:
                for word in self.words[:max_tokens]:
                    yield word
                yield min(len(self.words), max_tokens)
            finally:
                self.closed = True

    def ask(self, content, **given):
        return {"messages": [{"role": "user", "content": content}], **given}

    def test_pieces_are_numbered_and_end_with_their_count(self):
        model = self.Model(["A ", "", "dog."])
        content = [{"type": "frame", "time_s": 1.5, "jpeg": coded(b"p")}, {"type": "text", "text": "What?"}]
        asked = self.ask(content, schema={"name": "w", "schema": {"type": "object"}}, sampling={"max_tokens": 8, "seed": 7})
        out = list(self.handler.pieces(asked, model, decode=lambda jpeg: jpeg))
        end = {"n": 2, "usage": {"tokens_in": 10, "tokens_out": 3}, "finish": "stop"}
        self.assertEqual(out, [{"n": 0, "text": "A "}, {"n": 1, "text": "dog."}, end])
        self.assertEqual(model.pictures, [b"p"])
        said = model.messages[0]["content"]
        self.assertEqual(said[:3], [{"type": "text", "text": "[1.500 s]"}, {"type": "image"}, {"type": "text", "text": "What?"}])
        self.assertIn('{"type": "object"}', said[3]["text"])
        self.assertEqual(model.sampling, (8, 0, 1, 7))

    def test_the_limit_of_tokens_is_told(self):
        out = list(self.handler.pieces(self.ask([{"type": "text", "text": "?"}], sampling={"max_tokens": 2}), self.Model(["a"] * 9)))
        self.assertEqual(out[-1]["finish"], "length")

    def test_what_is_too_long_or_strange_is_refused(self):
        handle = self.handler.answers(lambda: self.Model([]))
        text = [{"type": "text", "text": "?"}]
        cases = [
            ("over_budget", self.ask(text, sampling={"max_tokens": 191})),
            ("over_budget", self.ask([{"type": "image", "jpeg": coded()}] * 65)),
            ("invalid", self.ask([{"type": "video", "url": "https://example.org/v.mp4"}])),
            ("invalid", {"messages": [{"role": "robot", "content": text}]}),
            ("invalid", {"messages": []}),
        ]
        self.handler.pieces.__defaults__ = (bytes,)
        for code, given in cases:
            [told] = list(handle(job("generate", **given)))
            self.assertEqual(told["error"]["code"], code, given)

    def test_a_job_nobody_listens_to_stops(self):
        model = self.Model(["a "] * 100)
        stream = self.handler.pieces(self.ask([{"type": "text", "text": "?"}], sampling={"max_tokens": 100}), model)
        next(stream)
        stream.close()
        self.assertTrue(model.closed)

    def test_a_warm_up_loads(self):
        self.assertEqual(list(self.handler.answers(lambda: "m")(job("warm_up"))), [{"ready": True}])


if __name__ == "__main__":
    unittest.main()

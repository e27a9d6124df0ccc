"""Answers about pictures, piece by piece, by a vision-language model of transformers.

Input: `{"version": 1, "task": "generate", "model", "messages", "schema": {"name", "schema"} or null, "sampling"}`; a
message is `{"role", "content": [part]}`, a part `text`, `image` (`jpeg`), `frame` (`time_s`, `jpeg`).
Output: pieces numbered by `n` from 0: `{"n", "text"}`…, at last `{"n", "usage": {"tokens_in", "tokens_out"}, "finish"}`
with `finish` `stop` or `length`; or `{"error": {"code", "message"}}`.
"""

import json
import os

from common import Lazy, Refused, open_picture, read_bytes, read_list, read_number, read_task, refusal

MAX_PICTURES = 64
ROLES = ("system", "user", "assistant")


class Model:
    """A processor and a model of transformers."""

    def __init__(self, name):
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.processor = AutoProcessor.from_pretrained(name)
        self.model = AutoModelForImageTextToText.from_pretrained(name, dtype="auto", device_map="auto")
        self.context_tokens = getattr(self.model.config.get_text_config(), "max_position_embeddings", 32768)

    def inputs(self, messages, pictures):
        """Tensors of a question."""
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        inputs = self.processor(text=[text], images=pictures or None, return_tensors="pt")
        return inputs.to(self.model.device)

    def count(self, inputs):
        """Tokens of a question."""
        return int(inputs["input_ids"].shape[1])

    def generate(self, inputs, max_tokens, temperature, top_p, seed):
        """Pieces of text, then the number of tokens that were written."""
        from threading import Event, Thread

        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        stop, written = Event(), [0]

        class Watch(StoppingCriteria):
            def __call__(self, ids, _scores, **_):
                written[0] = ids.shape[1] - inputs["input_ids"].shape[1]
                return torch.full((ids.shape[0],), stop.is_set(), dtype=torch.bool, device=ids.device)

        torch.manual_seed(seed)
        streamer = TextIteratorStreamer(self.processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
        drawn = {"do_sample": True, "temperature": temperature, "top_p": top_p} if temperature > 0 else {"do_sample": False}
        options = {"max_new_tokens": max_tokens, "streamer": streamer, "stopping_criteria": StoppingCriteriaList([Watch()])}
        failure = []

        def work():
            try:
                self.model.generate(**inputs, **options, **drawn)
            except Exception as error:  # Told by the thread that listens.
                failure.append(error)
                streamer.end()

        thread = Thread(target=work)
        thread.start()
        try:
            yield from streamer
            if failure:
                raise failure[0]
            yield written[0]
        finally:
            # Reached as well when the job is cancelled and nobody listens any more.
            stop.set()
            thread.join()


def load():
    return Model(os.environ.get("MODEL", "Qwen/Qwen2.5-VL-7B-Instruct"))


def read_question(given, decode):
    """Messages for a chat template, and their pictures in order."""
    messages, pictures = [], []
    for message in read_list(given, "messages", 1000):
        role = message.get("role")
        if role not in ROLES:
            raise Refused("invalid", f"the role {role!r} is none of {', '.join(ROLES)}")
        content = []
        for part in read_list(message, "content", 10_000):
            kind = part.get("type")
            if kind == "text" and isinstance(part.get("text"), str):
                content.append({"type": "text", "text": part["text"]})
                continue
            if kind not in ("image", "frame"):
                raise Refused("invalid", f"this handler takes text, image and frame, not {kind!r}")
            if kind == "frame":
                content.append({"type": "text", "text": f"[{read_number(part, 'time_s', 0, -1e9, 1e9):.3f} s]"})
            pictures.append(decode(read_bytes(part.get("jpeg"), "a picture")))
            content.append({"type": "image"})
        messages.append({"role": role, "content": content})
    if len(pictures) > MAX_PICTURES:
        raise Refused("over_budget", f"{len(pictures)} pictures are more than {MAX_PICTURES}")
    schema = given.get("schema")
    if schema is not None:
        words = "Answer with one JSON value and nothing else. It must fit this JSON Schema:\n"
        text = words + json.dumps(schema.get("schema") if isinstance(schema, dict) else schema)
        messages[-1]["content"].append({"type": "text", "text": text})
    return messages, pictures


def pieces(given, model, decode=open_picture):
    """The answer, piece by piece."""
    messages, pictures = read_question(given, decode)
    sampling = given.get("sampling") or {}
    max_tokens = int(read_number(sampling, "max_tokens", 1024, 1, 65536))
    temperature = read_number(sampling, "temperature", 0, 0, 2)
    top_p = read_number(sampling, "top_p", 1, 0, 1)
    seed = int(read_number(sampling, "seed", 0, 0, 2**63))
    inputs = model.inputs(messages, pictures)
    tokens_in = model.count(inputs)
    if tokens_in + max_tokens > model.context_tokens:
        raise Refused("over_budget", f"{tokens_in} tokens and {max_tokens} to write are more than {model.context_tokens}")
    n, tokens_out = 0, 0
    for piece in model.generate(inputs, max_tokens, temperature, top_p, seed):
        if isinstance(piece, int):
            tokens_out = piece
        elif piece:
            yield {"n": n, "text": piece}
            n += 1
    finish = "length" if tokens_out >= max_tokens else "stop"
    yield {"n": n, "usage": {"tokens_in": tokens_in, "tokens_out": tokens_out}, "finish": finish}


def answers(model):
    """A handler that streams."""

    def handle(job):
        try:
            given, task = read_task(job, ["generate"])
            loaded = model()
            if task == "warm_up":
                yield {"ready": True}
            else:
                yield from pieces(given, loaded)
        except Exception as error:  # Whatever went wrong is told to the client.
            yield refusal(error)

    return handle


handle = answers(Lazy(load))

if __name__ == "__main__":
    import runpod

    runpod.serverless.start({"handler": handle, "return_aggregate_stream": True})

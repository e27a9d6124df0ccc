"""Expressions of faces, by an image classifier of transformers.

Input: `{"version": 1, "task": "emotion", "faces": [{"jpeg"}]}`, each picture one face with a margin.
Output: `{"faces": [{"label", "scores": {label: score}}]}` with the seven labels of `LABELS`; scores sum to 1.
"""

import os

from common import Lazy, Refused, handler, open_picture, read_bytes, read_list

MAX_FACES = 256

# The engine's own names, with those that classifiers use for the same.
LABELS = {
    "anger": ("anger", "angry"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful"),
    "happy": ("happy", "happiness"),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised"),
    "neutral": ("neutral",),
}
MEANING = {name: label for label, names in LABELS.items() for name in names}


def load():
    from transformers import pipeline

    return pipeline("image-classification", model=os.environ.get("MODEL", "trpakov/vit-face-expression"), top_k=None)


def run(given, model, decode=open_picture):
    """`model(pictures)` gives, for each picture, a list of `{"label", "score"}`."""
    faces = read_list(given, "faces", MAX_FACES)
    pictures = [decode(read_bytes(f.get("jpeg"), "a face")) for f in faces]
    return {"faces": [face(scores) for scores in model(pictures)]}


def face(found):
    scores = dict.fromkeys(LABELS, 0.0)
    for one in found:
        label = MEANING.get(one["label"].lower())
        if label:
            scores[label] += one["score"]
    total = sum(scores.values())
    if total <= 0:
        raise Refused("invalid", "the model knows none of the labels")
    scores = {label: score / total for label, score in scores.items()}
    return {"label": max(scores, key=scores.get), "scores": scores}


handle = handler(run, ["emotion"], Lazy(load))

if __name__ == "__main__":
    import runpod

    runpod.serverless.start({"handler": handle})

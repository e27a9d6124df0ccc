"""References for the models that see pictures and read texts in one space, CLIP and SigLIP: tiny checkpoints of their
architectures with random weights, exported as their users publish them (one graph a tower), and what `transformers`
makes of texts and pictures with them.

    pip install torch transformers sentencepiece protobuf onnx onnxscript onnxruntime==1.24.4 pillow
    python scripts/golden/towers_tiny.py crates/tempograph-models/tests/data

writes for FAMILY of `clip` and `siglip` FAMILY_tiny_vision.onnx, FAMILY_tiny_text.onnx and FAMILY_tiny_tokenizer.json,
and towers_tiny.json: token ids and vectors. Made with torch 2.15, transformers 5.23, onnx 1.23, sentencepiece 0.2.3.
"""
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import sentencepiece
import torch
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, SiglipConfig, SiglipModel, SiglipTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

SIDE = 32  # pixels of the tiny models' input: weights and goldens stay small
CORPUS = """a photo of a dog barking in the park
two people ride bikes past a yellow taxi at night
a man in a red coat waits at a door, then he leaves
the red car stops at the traffic light near the bridge
children play football on the green grass while it rains
an old woman reads a newspaper in a quiet kitchen
what can you see from the window of the train""".splitlines()
TEXTS = [
    "a dog",
    "A photo of a DOG, barking!",
    "two people ride bikes -- past (a) taxi...",
    "  red \t car\n\n near the bridge ",
    "Ünïcödé, naïve café — déjà vu!",
    "我们今天去公园。",
    "it's 10:45, don't wait; he'll come",
    "x",
    "a man in a red coat waits " * 40,
]


def picture(width, height):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([(x * 7 + y) % 256, (x * y // 5) % 256, (y * 3 + 40) % 256], -1).astype(np.uint8))


def unit(v):
    return v / np.linalg.norm(v)


def randomised(model, seed):
    """The default scale of 0.02 would map everything to nearly the same vector."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim > 1:
                p.normal_(0, 0.5)
            elif "bias" in name:
                p.normal_(0, 0.05)
    return model.eval()


class Tower(torch.nn.Module):
    """One half of a model with the outputs that the published exports have."""

    def __init__(self, inner, outputs):
        super().__init__()
        self.inner, self.outputs = inner, outputs

    def forward(self, x):
        return self.outputs(self.inner, x)


def export(path, tower, example, name, outputs):
    batch = torch.export.Dim("batch", min=1, max=1024)
    torch.onnx.export(
        tower, (example,), str(path), input_names=[name], output_names=outputs, dynamo=True, opset_version=18,
        dynamic_shapes=({0: batch},), external_data=False, verbose=False,
    )
    model = onnx.load(path)
    for node in model.graph.node:  # where each came from in Python is most of the file
        del node.metadata_props[:]
        node.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    path.write_bytes(model.SerializeToString())
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def clip_tokenizer(path):
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="", fuse_unk=False))
    bpe.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    split = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(split), behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # CLIP's vocabulary has each byte alone and at the end of a word.
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False,
        special_tokens=[a + "</w>" for a in sorted(alphabet)])
    bpe.train_from_iterator(CORPUS, trainer)
    parts = json.loads(bpe.to_str())["model"]
    vocab = dict(parts["vocab"])
    for mark in ["<|startoftext|>", "<|endoftext|>"]:  # last, as in the published one: EOT has the largest id
        vocab[mark] = len(vocab)
    tokenizer = CLIPTokenizer(vocab=vocab, merges=[tuple(m) for m in parts["merges"]], model_max_length=77)
    tokenizer.backend_tokenizer.save(str(path), pretty=False)
    return tokenizer, len(vocab)


def siglip_tokenizer(path):
    """The published tokenizer.json lower-cases and drops punctuation itself. This one leaves it out, so that the family
    has to do what the reference does."""
    folder = Path(tempfile.mkdtemp())
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_prefix=str(folder / "spiece"), vocab_size=160, model_type="unigram",
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, hard_vocab_limit=False)
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"), model_max_length=64)
    pieces = tokenizer.sp_model
    vocab = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(pieces.get_piece_size())]
    fast = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=False))
    fast.normalizer = normalizers.NFKC()
    fast.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    fast.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    fast.add_special_tokens(["</s>", "<unk>"])
    fast.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    fast.save(str(path), pretty=False)
    return tokenizer, len(vocab)


def tower(hidden, vocab, length, **more):
    return dict(hidden_size=hidden, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                vocab_size=vocab, max_position_embeddings=length, **more)


def sight(hidden):
    return dict(hidden_size=hidden, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=8)


def clip(out):
    tokenizer, vocab = clip_tokenizer(out / "clip_tiny_tokenizer.json")
    marks = dict(bos_token_id=vocab - 2, eos_token_id=vocab - 1, pad_token_id=vocab - 1)
    config = CLIPConfig(text_config=tower(16, vocab, 77, **marks), vision_config=sight(16), projection_dim=12)
    model = randomised(CLIPModel(config), 11)
    see = lambda m, x: (m.visual_projection(m.vision_model(pixel_values=x).pooler_output),)
    read = lambda m, x: (m.text_projection(m.text_model(input_ids=x).pooler_output),)
    processor = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    outputs = {"vision": ["image_embeds"], "text": ["text_embeds"]}
    return case(out, "clip", model, tokenizer, processor, see, read, outputs, 77)


def siglip(out):
    tokenizer, vocab = siglip_tokenizer(out / "siglip_tiny_tokenizer.json")
    marks = dict(bos_token_id=None, eos_token_id=1, pad_token_id=1, projection_size=16)
    config = SiglipConfig(text_config=tower(16, vocab, 64, **marks), vision_config=sight(16))
    model = randomised(SiglipModel(config), 13)

    def both(m):
        return m.last_hidden_state, m.pooler_output

    see = lambda m, x: both(m.vision_model(pixel_values=x))
    read = lambda m, x: both(m.text_model(input_ids=x))
    processor = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    outputs = {tower: ["last_hidden_state", "pooler_output"] for tower in ["vision", "text"]}
    return case(out, "siglip", model, tokenizer, processor, see, read, outputs, 64)


def case(out, family, model, tokenizer, processor, see, read, outputs, length):
    ids = lambda t: tokenizer(t, padding="max_length", truncation=True, max_length=length, return_tensors="pt")["input_ids"]
    pixels = lambda p: torch.tensor(np.asarray(processor(images=p)["pixel_values"]))
    text = export(out / f"{family}_tiny_text.onnx", Tower(model, read), ids(TEXTS[:2]), "input_ids", outputs["text"])
    example = pixels([picture(40, 40), picture(50, 40)])
    vision = export(out / f"{family}_tiny_vision.onnx", Tower(model, see), example, "pixel_values", outputs["vision"])

    def vector(towers, session, name, value):
        with torch.no_grad():
            want = towers(model, value)[-1][0].numpy()
        drift = np.abs(session.run(None, {name: value.numpy()})[-1][0] - want).max()
        assert drift < 1e-4, drift
        return [round(float(x), 5) for x in unit(want)]

    texts = [{"text": t, "ids": ids(t)[0].tolist(), "vector": vector(read, text, "input_ids", ids(t))} for t in TEXTS]
    pictures = [
        {"width": w, "height": h, "vector": vector(see, vision, "pixel_values", pixels([picture(w, h)]))}
        for w, h in [(SIDE, SIDE), (320, 180), (120, 300)]
    ]
    apart = [np.dot(a["vector"], b["vector"]) for a in texts for b in texts if a is not b]
    across = [np.dot(a["vector"], b["vector"]) for a in texts for b in pictures]
    print(family, len(tokenizer.get_vocab()), "tokens; cosines of texts", min(apart), "to", max(apart),
          "with pictures", min(across), "to", max(across))
    print([t.shape for t in vision.get_outputs()], [t.shape for t in text.get_outputs()])
    return {"family": family, "length": length, "texts": texts, "pictures": pictures}


if __name__ == "__main__":
    out = Path(sys.argv[1])
    cases = [clip(out), siglip(out)]
    (out / "towers_tiny.json").write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")

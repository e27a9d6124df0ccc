#!/usr/bin/env bash
# Installs what is missing, builds, fetches the default models and analyses the shipped sample.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh
cargo build --release --locked --quiet -p tempograph
tempograph=${CARGO_TARGET_DIR:-target}/release/tempograph
"$tempograph" models pull --default
"$tempograph" analyze assets/demo/demo.mp4 --out tempograph-out/demo
echo "Open $PWD/tempograph-out/demo/report.html"

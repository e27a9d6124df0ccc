#!/usr/bin/env bash
# Makes the pictures in docs/images from the report that `make demo` wrote. Needs Chromium, Node.js and npm.
set -euo pipefail
cd "$(dirname "$0")/.."
report=$PWD/tempograph-out/demo/report.html
[ -s "$report" ] || { echo 'run `make demo` first' >&2; exit 1; }
tools=${XDG_CACHE_HOME:-$HOME/.cache}/tempograph-pictures
mkdir -p "$tools"
[ -d "$tools/node_modules/playwright-core" ] || npm install --silent --prefix "$tools" playwright-core
NODE_PATH=$tools/node_modules node scripts/pictures.cjs "$report" docs/images

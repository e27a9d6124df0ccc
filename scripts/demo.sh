#!/usr/bin/env bash
# Installs what is missing, builds, fetches the default models and analyses the shipped sample.
set -euo pipefail
cd "$(dirname "$0")/.."
tempograph=${CARGO_TARGET_DIR:-target}/release/tempograph
times=()
step() { # what it does, then the command
    local what=$1 begun=$SECONDS
    shift
    "$@"
    times+=("$what $((SECONDS - begun)) s")
}
build() {
    [ -x "$tempograph" ] || echo 'building; the first time takes a few minutes'
    cargo build --release --locked --quiet -p tempograph
}

step 'installing' scripts/bootstrap.sh
step 'building' build
step 'fetching models' "$tempograph" models pull --default
step 'analysing' "$tempograph" analyze assets/demo/demo.mp4 --out tempograph-out/demo
printf '\n%s\n' "Time: $(IFS=,; echo "${times[*]}" | sed 's/,/, /g')."
echo "Open $PWD/tempograph-out/demo/report.html"

#!/usr/bin/env bash
# Makes docs/images/report.png from the report that `make demo` wrote. Needs Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
report=$PWD/tempograph-out/demo/report.html
[ -s "$report" ] || { echo 'run `make demo` first' >&2; exit 1; }
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$profile" --hide-scrollbars \
    --timeout=8000 --window-size=1280,1150 --screenshot="$PWD/docs/images/report.png" "file://$report"

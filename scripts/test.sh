#!/usr/bin/env bash
# Installs what is missing, builds, fetches the models the tests use and runs every test.
#
# Arguments go to the test runner, e.g. `scripts/test.sh tracker`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh test
cargo build --release --locked --quiet -p tempograph
models=${TEMPOGRAPH_MODELS:-${XDG_DATA_HOME:-$HOME/.local/share}/tempograph/models}
TEMPOGRAPH_MODELS=$models "${CARGO_TARGET_DIR:-target}/release/tempograph" models pull --default whisper-tiny.en nudenet-320n

# Where tests look, whichever folder the models are in.
mkdir -p .cache/models target/onnxruntime
for model in "$models"/*/; do
    link=.cache/models/$(basename "$model")
    [ -e "$link" ] && [ ! -L "$link" ] || ln -sfn "${model%/}" "$link"
done
library=$(find "$models/onnxruntime" -name '*onnxruntime*' -type f | head -n 1)
ln -sfn "$library" target/onnxruntime/libonnxruntime.so
export TEMPOGRAPH_TEST_MODELS=$models

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --release --locked --workspace "$@"
else
    cargo test --release --locked --workspace --lib --bins --tests "$@"
fi

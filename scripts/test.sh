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

# Reference readers of the exports, kept from run to run. Where they cannot be had, their test says that it was skipped.
readers=${XDG_CACHE_HOME:-$HOME/.cache}/tempograph-ci/readers
if ! cmp -s scripts/exports.requirements.txt "$readers/requirements.txt"; then
    rm -rf "$readers"
    if python3 -m venv "$readers" && "$readers/bin/pip" install --quiet --retries 1 -r scripts/exports.requirements.txt; then
        cp scripts/exports.requirements.txt "$readers/"requirements.txt
    else
        rm -rf "$readers"
        echo 'note: the reference readers of the exports cannot be installed; their test is skipped' >&2
    fi
fi
export TEMPOGRAPH_TEST_READERS=$readers/bin/python

# A real llama.cpp server to ask, kept from run to run. Where it cannot be had, its tests say that they were skipped.
if python3 scripts/llm_server.py --install; then
    export TEMPOGRAPH_TEST_LLM_SERVER=$PWD/scripts/llm_server.py
else
    echo 'note: the llama.cpp server cannot be installed; its tests are skipped' >&2
fi

python3 -m unittest discover --quiet deploy/runpod/tests

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --release --locked --workspace "$@"
else
    cargo test --release --locked --workspace --lib --bins --tests "$@"
fi

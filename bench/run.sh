#!/bin/sh
# Measures against the named peers; `bench/run.sh --help` says what can be chosen.
exec python3 "$(dirname "$0")/run.py" "$@"

#!/usr/bin/env bash
# Installs what building needs and this machine lacks; `bootstrap.sh test` also what the tests need.
#
# Every need is checked by what it does, not by a package's name, so that this is quick when nothing is missing and right
# on systems that are not Debian.
set -euo pipefail
for_what=${1:-build}
missing=() packages=()

need() { # what a person would call it, Debian's packages, the check
    local name=$1 debian=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        missing+=("$name")
        read -ra names <<<"$debian"
        packages+=("${names[@]}")
    fi
}
libraries() { pkg-config --exists libavcodec libavfilter libavutil libswresample libswscale &&
    pkg-config --atleast-version=59 libavformat; }
libclang() { compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' || ldconfig -p | grep libclang ||
    llvm-config --libdir; }
# Both, and of one kind: llama.cpp gives the options of one to the other.
compilers() { local c cpp
    c=$(cc -dM -E -x c /dev/null) && cpp=$(c++ -dM -E -x c++ /dev/null) &&
    [ "$(grep -c __clang__ <<<"$c")" = "$(grep -c __clang__ <<<"$cpp")" ]; }
certificates() { [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -d /etc/pki ] || [ "$(uname)" = Darwin ]; }

if ! command -v cargo >/dev/null; then
    echo 'Rust is missing: install it with rustup, version 1.92 or newer, then run this again.' >&2
    exit 1
fi
need 'a C and a C++ compiler of one kind' build-essential compilers
need pkg-config pkg-config pkg-config --version
need CMake cmake cmake --version
need 'clang' clang clang --version
need 'libclang' libclang-dev libclang
need 'FFmpeg 5 or newer with its development files' \
    'libavcodec-dev libavfilter-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev' libraries
need 'Python 3 with pip, which fetches weights' 'python3 python3-pip' python3 -m pip --version
need 'CA certificates' ca-certificates certificates
if [ "$for_what" = test ]; then
    need 'the ffmpeg command, which makes test clips' ffmpeg ffmpeg -version
    need 'Python environments, which hold the readers that exports are compared with' python3-venv \
        python3 -c 'import venv, ensurepip'
    need 'git, which knows the files the tidy test reads' git git --version
fi

[ ${#missing[@]} -gt 0 ] || exit 0
printf 'missing: %s\n' "${missing[@]}"

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
    echo "installing: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
else
    echo 'Please install these with your system, then run this again.' >&2
    echo "On Debian and its relatives: apt-get install ${packages[*]}" >&2
    exit 1
fi

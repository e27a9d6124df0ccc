#!/usr/bin/env python3
"""Measures us against named peers in one run and writes a dated table: see README.md beside this file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness import table, units, whole
from harness.environment import BENCH, REPOSITORY, Environment
from harness.measure import Result, Skip

ROWS = {
    "decode": units.decode,
    "scenes": units.scenes,
    "detector": units.detector,
    "tracker": units.tracker,
    "vad": units.vad,
    "speech": units.speech,
    "analyze": whole.analyze,
    "everything": whole.everything,
    "overhead": whole.overhead,
    "memory": whole.memory,
}


def media() -> Path:
    shared = REPOSITORY.parent / "shared" / "media"
    return shared if shared.is_dir() else REPOSITORY / "assets" / "demo"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS, help="this row; may be given again")
    parser.add_argument("--media", type=Path, default=media(), help="folder of media [default: %(default)s]")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs [default: 5]")
    parser.add_argument("--quick", action="store_true", help="two pairs and no hour-long file; writes no table")
    parser.add_argument("--built", action="store_true", help="take our programs as they were last built")
    parser.add_argument("--out", type=Path, default=BENCH / "runs", help="folder of the table [default: bench/runs]")
    options = parser.parse_args()
    rows = options.only or [name for name in ROWS if not (options.quick and name == "memory")]
    pairs = 2 if options.quick else options.pairs
    environment, results, before = Environment(options.media.resolve(), not options.built), [], table.load()
    machine = table.machine()
    for name in rows:
        print(f"{name}:", file=sys.stderr, flush=True)
        try:
            found = ROWS[name](environment, pairs)
        except Skip as why:
            found = [Result(name, ROWS[name].__doc__.split("\n")[0], "", "", notes=[f"not run: {why}"])]
        for result in found:
            verdict = {True: "pass", False: "miss", None: "not run"}[result.passed]
            ratio = "" if result.ratio is None else f"{result.ratio:.2f}× (bar {result.bar})"
            print(f"  {verdict}: {result.what} {ratio}", *result.notes, sep="\n      ", file=sys.stderr, flush=True)
        results += found
        about = {**machine, "pairs": pairs, "load": [before, table.load()]}
        if not options.quick:
            written = table.write(found, about, list(ROWS), options.out)
    if options.quick:
        print("\n".join(table.lines(results, {**about, "date": "quick"})))
    else:
        print(written)
    return int(any(r.passed is False for r in results))


if __name__ == "__main__":
    sys.exit(main())

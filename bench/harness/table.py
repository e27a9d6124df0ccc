"""The dated table."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path

from .measure import CORES, Result


def machine() -> dict:
    """What the figures were taken on."""

    def said(*command: str) -> str:
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
        except OSError:
            return ""

    model = ""
    if (info := Path("/proc/cpuinfo")).exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else ""
    changed = said("git", "status", "--porcelain", "--", "crates", "assets", "Cargo.lock")
    return {
        "processor": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "used": CORES,
        "system": f"{platform.system()} {platform.release()}",
        "rustc": said("rustc", "--version"),
        "python": platform.python_version(),
        "commit": said("git", "rev-parse", "--short", "HEAD") + (" and uncommitted changes" if changed else ""),
    }


def load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    for scale, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * scale >= 1 or scale == 1e6:
            return f"{value * scale:.3g} {name}"
    return str(value)


def lines(results: list[Result], about: dict) -> list[str]:
    out = [
        f"# Bench, {about['date']}",
        "",
        f"{about['processor']}, {about['cores']} cores ({about['used']} used), {about['system']}; {about['rustc']}; "
        f"Python {about['python']}; commit {about['commit']}.",
        "",
        "The ratio is the median over pairs of runs next to each other, with its range; above 1 we are better, except",
        "where the bar reads ≤. Processor time sums all threads and says more where others use the machine as well;",
        "`load` is how many processes wanted its cores when the row ended.",
        "",
        "| row | what | peer | ours | peer's | ratio | in processor time | bar | | pairs | load |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in results:
        ratio = "–" if r.ratio is None else f"{r.ratio:.2f}×"
        if r.spread:
            ratio += f" ({r.spread[0]:.2f}–{r.spread[1]:.2f})"
        cpu = "" if r.cpu is None else f"{r.cpu:.2f}×"
        verdict = {True: "pass", False: "**miss**", None: "not run"}[r.passed]
        cells = [r.row, r.what, r.peer, amount(r.ours, r.unit), amount(r.theirs, r.unit), ratio, cpu, r.bar, verdict, str(r.pairs), f"{r.load:.1f}"]
        out.append("| " + " | ".join(cells) + " |")
    out += ["", "## Notes", ""]
    for r in results:
        out += [f"- {r.row}, {r.what}: {note}" for note in r.notes]
    out += ["", "## Commands", ""]
    seen = dict.fromkeys(command for r in results for command in r.commands)
    return [*out, "```", *seen, "```"]


def write(results: list[Result], about: dict, order: list[str], folder: Path) -> Path:
    """Writes the table and the same as JSON; rows of an earlier run of the day that were not run again stay."""
    name = datetime.date.today().isoformat()
    about = {**about, "date": name}
    for result in results:
        result.load, result.pairs = about["load"][1], about["pairs"]
    kept = []
    data = folder / f"{name}.json"
    if data.exists():
        again = {r.row for r in results}
        kept = [Result(**r) for r in json.loads(data.read_text())["results"] if r["row"] not in again]
    everything = sorted([*kept, *results], key=lambda r: order.index(r.row) if r.row in order else len(order))
    folder.mkdir(parents=True, exist_ok=True)
    data.write_text(json.dumps({"about": about, "results": [asdict(r) for r in everything]}, indent=1) + "\n")
    out = folder / f"{name}.md"
    out.write_text("\n".join(lines(everything, about)) + "\n")
    return out

"""The lines of the benchmark's tables, and how they are printed."""

from __future__ import annotations

import datetime
import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clock import Seconds

RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True)
class Line:
    """One figure: what was measured, its value, and its limit."""

    stage: str
    figure: str
    limit: str
    holds: bool


@dataclass(frozen=True)
class Limit:
    """A limit for a stage, in words, and whether it holds."""

    told: str
    holds: bool


@dataclass(frozen=True)
class Reference:
    """CPU seconds of the reference implementation for a stage, and how they were measured."""

    cpu: float
    how: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage: our time, compared with the floor and with the reference implementation.

    Attributes
    ----------
    name : str
        What was done, on what.
    ours : Seconds
        CPU and wall seconds of our implementation.
    peak : float, optional
        Peak memory of a process that runs only this stage, in MB.
    floor : float, optional
        CPU seconds of the bare products or forward passes.
    reference : Reference, optional
        The reference implementation.
    limits : tuple of Limit
        Limits of the stage.
    """

    name: str
    ours: Seconds
    peak: float | None = None
    floor: float | None = None
    reference: Reference | None = None
    limits: tuple[Limit, ...] = ()


INTRO = """\
The floor is the CPU time of the bare matrix products or forward passes of a stage. The reference is
a straightforward implementation (`benchmarks/reference.py`); where it is slow, part of the stage is
measured and scaled up. Missed limits are listed at the end.
"""

STAGE_HEADER = (
    "| stage | CPU s | wall s | peak MB | floor, CPU s | ours / floor | reference, CPU s "
    "| reference / ours | limits |\n|---|---:|---:|---:|---:|---:|---:|---:|---|"
)
LINE_HEADER = "| figure | measured | limit | |\n|---|---|---|---|"


def at_most(value: float, limit: float, unit: str) -> Limit:
    """Set an upper limit."""
    return Limit(f"at most {limit:g} {unit}", value <= limit)


def times_the_reference(stage_cpu: float, reference: Reference, least: float) -> Limit:
    """Limit a stage to a fraction of the time of the reference."""
    return Limit(f"1/{least:g} of the reference", stage_cpu * least <= reference.cpu)


def stage_row(stage: Stage) -> str:
    """Write a stage as one row of Markdown."""
    over = None if stage.floor is None else stage.ours.cpu / stage.floor
    reference = "–"
    ratio = None
    if stage.reference is not None:
        how = f" ({stage.reference.how})" if stage.reference.how else ""
        reference = f"{number(stage.reference.cpu)}{how}"
        ratio = stage.reference.cpu / stage.ours.cpu if stage.ours.cpu else math.inf
    cells = [
        stage.name,
        number(stage.ours.cpu),
        number(stage.ours.wall),
        number(stage.peak),
        number(stage.floor),
        number(over),
        reference,
        number(ratio),
        "; ".join(f"{limit.told}: {verdict(limit.holds)}" for limit in stage.limits) or "–",
    ]
    return f"| {' | '.join(cells)} |"


def line_row(line: Line) -> str:
    """Write a figure as one row of Markdown."""
    return f"| {line.stage} | {line.figure} | {line.limit} | {verdict(line.holds)} |"


def verdict(holds: bool) -> str:
    """Say whether a limit holds."""
    return "holds" if holds else "MISSED"


def number(value: float | None) -> str:
    """Format a number to three digits, without an exponent; a dash for None."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "∞"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 4)}f}"


def missed(rows: Iterable[Stage | Line]) -> list[str]:
    """List what misses a limit."""
    names = []
    for row in rows:
        if isinstance(row, Line):
            names += [] if row.holds else [f"{row.stage} ({row.limit})"]
        else:
            names += [f"{row.name} ({limit.told})" for limit in row.limits if not limit.holds]
    return names


def machine() -> str:
    """Describe the CPU, its cores and torch."""
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return (
        f"{processor}, {len(names) or os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )


def write_results(printed: Sequence[str], options: str, path: Path | None = None) -> None:
    """Replace the results file with what was printed, atomically."""
    path = path or RESULTS
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = " ".join(["python -m benchmarks", *([options] if options else [])])
    scratch = path.with_suffix(".part")
    text = "\n".join([f"# Latest benchmark run\n\n`{command}`, {today}.\n", INTRO, *printed])
    scratch.write_text(text + "\n", encoding="utf-8")
    scratch.replace(path)

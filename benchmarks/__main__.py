"""Measure speed and memory, and with ``--quality`` the scores too; print one table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.quality import quality
from benchmarks.stages import Line, stages

TREEBANKS = Path(__file__).resolve().parent.parent.parent / "shared" / "treebanks"


def main() -> int:
    """Print a line a stage as it is measured; fail where one misses its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--treebanks",
        type=Path,
        default=os.environ.get("STRUCTPROBE_TREEBANKS", TREEBANKS),
        help="folder that holds UD_English-EWT",
    )
    parser.add_argument(
        "--quality", action="store_true", help="train on all of EWT too (half an hour)"
    )
    parser.add_argument("--quality-only", action="store_true", help="nothing but the scores")
    args = parser.parse_args()
    print(f"{_machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| stage | measured | held to | |\n|---|---|---|---|")
    missed = 0
    for line in _lines(args):
        missed += not line.holds
        mark = "holds" if line.holds else "MISSED"
        print(f"| {line.stage} | {line.figure} | {line.limit} | {mark} |", flush=True)
    return 1 if missed else 0


def _lines(args: argparse.Namespace) -> Iterator[Line]:
    if not args.quality_only:
        yield from stages(args.treebanks)
    if args.quality or args.quality_only:
        yield from quality(args.treebanks)


def _machine() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


if __name__ == "__main__":
    sys.exit(main())

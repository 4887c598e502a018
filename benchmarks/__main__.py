"""Measure speed and memory beside floor and plain way; ``--scale`` growth, ``--quality`` scores."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.behaviour import behaviour
from benchmarks.device import on_device
from benchmarks.family import family
from benchmarks.interventions import interventions
from benchmarks.longer import longer
from benchmarks.one_layer import one_layer
from benchmarks.plan import Plan
from benchmarks.quality import quality
from benchmarks.recipes import recipes
from benchmarks.scale import scale
from benchmarks.stages import stages
from benchmarks.table import (
    LINE_HEADER,
    STAGE_HEADER,
    Line,
    Stage,
    line_row,
    machine,
    missed,
    stage_row,
    write_results,
)

TREEBANKS = Path(__file__).resolve().parent.parent.parent / "shared" / "treebanks"


def main(arguments: list[str] | None = None) -> int:
    """Print a row as each stage is measured; fail where one misses its limit."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = _parser().parse_args(arguments)
    printed: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        printed.append(line)

    say(f"{machine()}\n")
    rows: list[Stage | Line] = []
    with tempfile.TemporaryDirectory() as scratch:
        plan = Plan(args.treebanks, args.cache or scratch, args.every, args.full)
        for row in _rows(args, plan):
            kind = Stage if isinstance(row, Stage) else Line
            if not rows or not isinstance(rows[-1], kind):
                say(("\n" if rows else "") + (STAGE_HEADER if kind is Stage else LINE_HEADER))
            say(stage_row(row) if isinstance(row, Stage) else line_row(row))
            rows.append(row)
    names = missed(rows)
    say("\n" + (f"MISSED: {'; '.join(names)}" if names else "All limits hold."))
    if args.write:
        write_results(printed, shlex.join(arguments))
    return 1 if names else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--treebanks",
        type=Path,
        default=os.environ.get("STRUCTPROBE_TREEBANKS", TREEBANKS),
        help="folder that holds UD_English-EWT",
    )
    parser.add_argument("--cache", help="folder to keep vectors in from run to run")
    parser.add_argument(
        "--every", type=int, default=1, help="take every so-manieth sentence, to try this out"
    )
    parser.add_argument(
        "--full", action="store_true", help="do all of the reference for real (a day)"
    )
    parser.add_argument("--scale", action="store_true", help="measure growth too (half an hour)")
    parser.add_argument("--scale-only", action="store_true", help="nothing but growth")
    parser.add_argument(
        "--quality", action="store_true", help="train on all of EWT too (half an hour)"
    )
    parser.add_argument("--quality-only", action="store_true", help="nothing but the scores")
    parser.add_argument(
        "--longer-only",
        action="store_true",
        help="nothing but the default recipe beside ten times its steps (an hour or more)",
    )
    parser.add_argument(
        "--fits-only", action="store_true", help="nothing but the stages that train (minutes)"
    )
    parser.add_argument(
        "--one-layer-only",
        action="store_true",
        help="nothing but time and memory of passes that end at a layer (minutes)",
    )
    parser.add_argument(
        "--family-only",
        action="store_true",
        help="nothing but the other geometries and the relations (ten minutes)",
    )
    parser.add_argument(
        "--recipes-only",
        action="store_true",
        help="nothing but the recipe that chooses beside its candidates (hours on a CPU)",
    )
    parser.add_argument(
        "--models",
        type=Path,
        default=TREEBANKS.with_name("models"),
        help="for --recipes-only: folder with MPNet and Gemma, from shared/models/get_models.py",
    )
    parser.add_argument(
        "--behaviour-only",
        action="store_true",
        help="nothing but scoring minimal pairs beside a plain script (minutes)",
    )
    parser.add_argument(
        "--interventions-only",
        action="store_true",
        help="nothing but what an intervention costs beside bare passes (minutes)",
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        default=TREEBANKS.with_name("minimal-pairs"),
        help="for --behaviour-only and --interventions-only: folder that holds blimp/",
    )
    parser.add_argument(
        "--device", help="nothing but the stages of a GPU, on that one: cuda, cuda:1, mps"
    )
    parser.add_argument(
        "--write", action="store_true", help="put what is printed into benchmarks/RESULTS.md"
    )
    return parser


def _rows(args: argparse.Namespace, plan: Plan) -> Iterator[Stage | Line]:
    if args.device:
        yield from on_device(plan, args.device)
        return
    if args.one_layer_only:
        yield from one_layer(plan)
        return
    if args.family_only:
        yield from family(plan)
        return
    if args.recipes_only:
        yield from recipes(args.treebanks, args.models)
        return
    if args.behaviour_only:
        yield from behaviour(args.pairs, every=args.every)
        return
    if args.interventions_only:
        yield from interventions(args.pairs)
        return
    if not (args.quality_only or args.scale_only or args.longer_only):
        yield from stages(plan, fits_only=args.fits_only)
    if args.scale or args.scale_only:
        yield from scale(plan)
    if args.quality or args.quality_only:
        yield from quality(args.treebanks)
    if args.longer_only:
        yield from longer(args.treebanks)


if __name__ == "__main__":
    sys.exit(main())

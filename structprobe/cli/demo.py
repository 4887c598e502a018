"""``structprobe demo``: the main job on the embedded treebank and a small encoder."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_rows, progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("-o", "--out", default=None, metavar="DIR", help="keep the results there")
    parser.add_argument(
        "--max-steps", type=options.positive, default=None, help="training steps of each probe"
    )
    parser.add_argument("--device", default="auto", help="auto, or as torch names it")
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Probe all layers; print the table and one sentence with both trees."""
    from structprobe.experiments.demo import STEPS, demonstrate

    rows, drawing = demonstrate(
        folder=args.out,
        steps=args.max_steps or STEPS,
        device=args.device,
        command=args.command_line,
        progress=progress_of(args),
    )
    print_rows(rows, args)
    if not args.json:
        print(f"\n{drawing}")

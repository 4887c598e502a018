"""``structprobe demo``: probe a small model on the bundled treebank."""

from __future__ import annotations

import argparse

from structprobe.cli import options, values
from structprobe.cli.output import print_rows, progress_of
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "-o", "--out", default=None, metavar="DIR", help="folder in which to keep the results"
    )
    parser.add_argument(
        "--max-steps", type=values.positive, default=None, metavar="N", help="maximum number of "
        "training steps per probe",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="auto", help="auto, or a torch device: cpu, cuda:1, mps"
    )
    options.add_output(parser)


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

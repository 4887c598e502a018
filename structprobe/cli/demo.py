"""``structprobe demo``: probe a small model on the bundled treebank."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_rows, printing
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    told = "folder in which to keep the results"
    parser.add_argument("-o", "--out", metavar="DIR", help=told)
    options.add_max_steps(parser, help="maximum number of training steps per probe")
    options.add_device(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Probe all layers; print the table and one sentence with both trees."""
    from structprobe.experiments.demo import STEPS, demonstrate

    how = {"folder": args.out, "steps": args.max_steps or STEPS, "device": args.device}
    rows, drawing = demonstrate(**how, command=args.command_line, progress=args.progress)
    print_rows(rows, args)
    if not args.json:
        with printing():
            print(f"\n{drawing}")

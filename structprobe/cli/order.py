"""``structprobe order``: whether linear probes follow word order or hierarchy, by layer."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    parser.add_argument(
        "--tasks", nargs="+", default=["index", "auxiliary", "subject"], metavar="TASK",
        choices=("index", "auxiliary", "subject"),
        help="what to predict: the position of a word (index), the main auxiliary, the subject; "
        "default: all",
    )  # fmt: skip
    options.add_layers(parser)
    told = "number of items per condition, each of 2 or 4 English sentences"
    parser.add_argument("--items", type=values.positive, default=500, metavar="N", help=told)
    options.add_seed(parser, help="random seed for the sentences")
    options.add_cache(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Train and test the probes, and print the table."""
    from structprobe.experiments.instruments.order import read_order
    from structprobe.show.stimuli_table import format_order

    how = inputs.picked(args, "tasks", "layers", "seed", "cache", "progress")
    rows = read_order(inputs.build_encoder(args), n=args.items, **how)
    print_as(format_order, rows, args)

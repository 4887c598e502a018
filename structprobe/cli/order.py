"""``structprobe order``: read word order and hierarchy where the two disagree, layer by layer."""

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
        help="what is read: the index of a word, the main auxiliary, the subject; default: all",
    )  # fmt: skip
    options.add_layers(parser)
    told = "items of each condition, of 2 and 4 English sentences; default: 500"
    parser.add_argument("--items", type=values.positive, default=500, metavar="N", help=told)
    options.add_seed(parser, help="random seed of the sentences")
    options.add_cache(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Read, and print the table."""
    from structprobe.experiments.instruments.order import read_order
    from structprobe.show.order_table import format_order

    how = inputs.picked(args, "tasks", "layers", "seed", "cache", "progress")
    rows = read_order(inputs.build_encoder(args), n=args.items, **how)
    print_as(format_order, rows, args)

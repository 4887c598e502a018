"""``structprobe axes``: which axes of the vectors tasks have in common."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    from structprobe.treebank.controls import PAPER_TASKS, TASKS

    options.add_model(parser)
    dev, test = "dev set, for choosing the best step", "test set, for the correlations"
    options.add_treebanks(parser, needs=("train", "dev"), dev=dev, test=test)
    add = parser.add_argument
    add(
        "--tasks", nargs="+", metavar="TASK", choices=TASKS,
        default=[*PAPER_TASKS],
        help=f"tasks: {', '.join(TASKS)}; default: those of syntax, linear and random",
    )  # fmt: skip
    add(
        "--coordinates", default="whitened", choices=("whitened", "raw"),
        help="coordinates in which the axes are orthogonal",
    )  # fmt: skip
    add(
        "--l1", type=values.weight, default=0.3, metavar="WEIGHT",
        help="weight of the penalty of scalings; with a higher one, tasks use fewer axes",
    )  # fmt: skip
    add(
        "--threshold", type=values.share, default=0.01, metavar="SHARE",
        help="the weakest axes of a task are left out, up to this share of its predictions",
    )  # fmt: skip
    options.add_layers(parser)
    options.add_seed(parser)
    options.add_max_steps(parser)
    options.add_cache(parser)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Fit the probes, and print the tables."""
    from structprobe.experiments.config import AxesConfig
    from structprobe.experiments.instruments.axes import compare_axes
    from structprobe.show.vector_tables import format_axes

    # Before a model is loaded, which may take long.
    train, dev, test = inputs.read_treebank(args)
    assert dev is not None  # it is needed
    names = "coordinates", "l1", "threshold", "max_steps", "device", "cache", "progress"
    config = AxesConfig(**inputs.picked(args, *names, "allow_withheld"))
    how = inputs.picked(args, "layers", "tasks", "seed")
    found = compare_axes(inputs.build_encoder(args), train, dev, test, **how, config=config)
    print_as(format_axes, [one.values() for one in found], args)

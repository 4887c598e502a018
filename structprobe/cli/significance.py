"""``structprobe significance``: which systems of a results folder differ."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser
from structprobe.results.rows import METRICS


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("results", metavar="RESULTS", help="results folder of sweep or compare, with predictions")
    choices = "layer", "method", "model", "seed"
    add("--by", default="layer", choices=choices, help="what to compare")
    add("--metric", default="uuas", choices=METRICS, help="score to compare by")
    add(
        "--test", default="bootstrap", choices=("bootstrap", "randomisation"),
        help="paired bootstrap or approximate randomisation over sentences",
    )  # fmt: skip
    add(
        "--correction", default="holm", choices=("holm", "bh", "none"),
        help="correction for the number of pairs: Holm (1979), Benjamini & Hochberg (1995) or none",
    )  # fmt: skip
    add(
        "--resamples", type=values.positive, default=10_000, metavar="N", dest="n",
        help="number of resamples or random swaps",
    )  # fmt: skip
    told = "confidence level of the tests and intervals, above 0 and below 1"
    add("--level", type=values.above_zero, default=0.95, metavar="LEVEL", help=told)
    options.add_seed(parser, help="random seed for the resamples or swaps")
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Test all pairs and print the tables."""
    from structprobe.results.significance import significance
    from structprobe.show.significance_table import format_significance

    how = inputs.picked(args, "by", "metric", "test", "correction", "n", "level", "progress")
    how["random_state"] = args.seed
    tables = [table.to_dict() for table in significance(args.results, **how)]
    print_as(format_significance, tables, args)

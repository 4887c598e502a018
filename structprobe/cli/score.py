"""``structprobe score``: score any CoNLL-U parse against a gold treebank."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    parser.add_argument("gold", metavar="GOLD", help="CoNLL-U file with gold trees")
    parser.add_argument("system", metavar="SYSTEM", help="CoNLL-U file with the trees to score")
    parser.epilog = (
        "LAS is omitted if SYSTEM has no relations but dep and root, as written by `structprobe "
        "parse`, and GOLD has others; CLAS is LAS over content words, as the F1 of the official "
        "UD evaluation. The trees in a file cover all words, and the edges between "
        "scored words are counted; `structprobe evaluate` decodes trees over the scored words "
        "only, so its UUAS and root accuracy differ slightly. Heads in SYSTEM that are not a tree "
        "are scored arc by arc, and the result says in how many sentences."
    )
    options.add_punct(parser)
    told = "also print precision, recall and F1 by relation, and which relations were confused"
    parser.add_argument("--relations", action="store_true", help=told)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.experiments.evaluate import score_files
    from structprobe.show.relation_table import format_scored

    how = inputs.picked(args, "punct", "relations", "progress")
    rows = [score_files(args.gold, args.system, **how)]
    print_as(format_scored, rows, args)

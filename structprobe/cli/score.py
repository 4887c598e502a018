"""``structprobe score``: score any CoNLL-U parse against a gold treebank."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_rows
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    parser.add_argument("gold", metavar="GOLD", help="CoNLL-U file with gold trees")
    parser.add_argument("system", metavar="SYSTEM", help="CoNLL-U file with the trees to score")
    parser.epilog = (
        "LAS is omitted if SYSTEM has no relations but dep and root, as written by `structprobe "
        "parse`, and GOLD has others. The trees in a file cover all words, and the edges between "
        "scored words are counted; `structprobe evaluate` decodes trees over the scored words "
        "only, so its UUAS and root accuracy differ slightly. Heads in SYSTEM that are not a tree "
        "are scored arc by arc, and the result says in how many sentences."
    )
    options.add_punct(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.experiments.evaluate import score_files

    row = score_files(args.gold, args.system, punct=args.punct, progress=args.progress)
    print_rows([row], args)

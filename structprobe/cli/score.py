"""``structprobe score``: score any CoNLL-U parse against a gold treebank."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_rows, progress_of
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    parser.add_argument("gold", metavar="GOLD", help="CoNLL-U file with gold trees")
    parser.add_argument("system", metavar="SYSTEM", help="CoNLL-U file with the trees to score")
    parser.epilog = (
        "LAS is omitted if all relations in SYSTEM are dep or root, as `structprobe parse` "
        "writes them, but those in GOLD are not. A file holds one tree over all words, of which "
        "the edges between scored words count; `structprobe evaluate` decodes distances over the "
        "scored words alone, so UUAS and root accuracy differ slightly."
    )
    options.add_punct(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.experiments.evaluate import score_files

    row = score_files(args.gold, args.system, punct=args.punct, progress=progress_of(args))
    print_rows([row], args)

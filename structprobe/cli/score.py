"""``structprobe score``: score a parse file made by anything against a gold treebank."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_rows, progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("gold", metavar="GOLD", help="CoNLL-U with the gold trees")
    parser.add_argument("system", metavar="SYSTEM", help="CoNLL-U with the trees to score")
    parser.epilog = (
        "LAS is left out where all relations of SYSTEM are dep or root, as parse writes them, and "
        "not those of GOLD. Of a file's one tree over all words, the edges between kept words "
        "count; evaluate decodes a probe's distances anew over the kept words, so that UUAS and "
        "root accuracy differ a little."
    )
    options.add_punct(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.experiments.evaluate import score_files

    row = score_files(args.gold, args.system, punct=args.punct, progress=progress_of(args))
    print_rows([row], args)

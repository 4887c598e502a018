"""``structprobe evaluate``: score a saved probe on a treebank, the linear chain beside it."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_rows, progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("probe", metavar="PROBE", help="folder of a saved probe, or a hub id")
    parser.add_argument("files", metavar="TEST", nargs="+", help="CoNLL-U files or globs")
    options.add_skip(parser)
    options.add_punct(parser)
    options.add_saved_model(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.experiments.evaluate import evaluate_probe

    rows = evaluate_probe(
        args.probe,
        options.read_bank(args.files, args),
        punct=args.punct,
        progress=progress_of(args),
        **options.saved_model(args),
    )
    print_rows(rows, args)

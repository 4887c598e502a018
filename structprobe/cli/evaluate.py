"""``structprobe evaluate``: score a saved probe on a treebank, alongside the linear chain."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options
from structprobe.cli.output import print_rows
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_saved_probe(parser)
    told = "CoNLL-U files with gold trees, or quoted globs"
    parser.add_argument("files", metavar="TEST", nargs="*", help=told)
    group = parser.add_argument_group("treebank", "in place of TEST")
    options.add_treebank(group, several=False)
    group.add_argument("--test", nargs="+", metavar="FILE", help="test set")
    options.add_skip(group)
    parser.set_defaults(needs=("test",), needs_scores=False)
    parser.rest = "files"
    parser.rules += [_test_fault, options.one_treebank]
    options.add_punct(parser)
    options.add_stimuli(parser, of="of the probe and the chain")
    options.add_allow_withheld(parser)
    options.add_output(parser)


def _test_fault(args: argparse.Namespace) -> str | None:
    """Say where nothing to score on is named, or more than one thing."""
    given = [bool(args.files), bool(args.test), bool(args.treebank)]
    if not any(given):
        return "missing TEST: name a CoNLL-U file with gold trees, or --treebank"
    return None if sum(given) == 1 else "give only one of TEST, --test and --treebank"


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.experiments.evaluate import evaluate_probe

    inputs.check_probe(args)
    names = "punct", "stimuli", "progress", "allow_withheld"
    how = inputs.saved_model(args) | inputs.picked(args, *names)
    print_rows(evaluate_probe(args.probe, inputs.read_test(args), **how), args)

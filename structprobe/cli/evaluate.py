"""``structprobe evaluate``: score a saved probe on a treebank, alongside the linear chain."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options
from structprobe.cli.output import print_rows
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_saved_probe(parser)
    options.add_test(parser)
    options.add_punct(parser)
    options.add_stimuli(parser, of="of the probe and the chain")
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.experiments.evaluate import evaluate_probe

    inputs.check_probe(args)
    names = "punct", "stimuli", "progress", "allow_withheld"
    how = inputs.saved_model(args) | inputs.picked(args, *names)
    print_rows(evaluate_probe(args.probe, inputs.read_test(args), **how), args)

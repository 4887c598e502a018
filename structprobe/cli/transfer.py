"""``structprobe transfer``: probes of some treebanks on the test sets of others."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from structprobe.cli import inputs, options
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    told = "two or more; those without a training set are used only for testing"
    group = parser.add_argument_group("treebanks", told)
    options.add_treebank(group, several=True, required=True)
    options.add_skip(group)
    parser.set_defaults(train=None, dev=None, test=None, needs=("test",), needs_scores=False)
    parser.set_defaults(without_part="leave it out, or add a test file to its folder")
    parser.rules.append(_treebanks_fault)
    recipe = options.add_recipe(parser)
    options.add_layer(recipe, required=True, help="layer to probe; 0 = embedding output")
    told = "rank of the probes; default: full rank, for which no angles are computed"
    options.add_rank(recipe, help=told)
    options.add_seed(recipe)
    add = parser.add_argument
    told = "also fit a probe on all treebanks and, for each test set, one on all other treebanks"
    add("--pooled", action="store_true", help=told)
    told = "also fit probes on random halves of each training set, as a reference for the angles"
    add("--halves", action="store_true", help=told)
    options.add_cache(parser)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def _treebanks_fault(args: argparse.Namespace) -> str | None:
    """Refuse one treebank alone, and one that is given twice."""
    name, times = Counter(args.treebank).most_common(1)[0]
    if times > 1:
        return f"--treebank: {name} is given {'twice' if times == 2 else f'{times} times'}"
    if len(args.treebank) < 2:
        return "--treebank: 1 given; this command needs two or more"
    return None


def run(args: argparse.Namespace) -> None:
    """Fit the probes, and print the matrices."""
    from structprobe.experiments.config import TransferConfig
    from structprobe.experiments.instruments.transfer import transfer
    from structprobe.show.transfer_table import format_transfer

    # Before a model is loaded, which may take long.
    banks = inputs.read_parts(args)
    folders = {str(name): Path(str(name)).resolve().name for name in banks}
    short = len({*folders.values()}) == len(folders)
    treebanks = {
        folders[str(name)] if short else str(name): (
            parts.get("train"), parts.get("dev"), parts["test"])
        for name, parts in banks.items()
    }  # fmt: skip
    names = "cache", "progress", "allow_withheld"
    config = TransferConfig(inputs.training(args), **inputs.picked(args, *names))
    how = inputs.picked(args, "layer", "rank", "seed", "punct", "pooled", "halves")
    found = transfer(inputs.build_encoder(args), treebanks, **how, config=config)
    print_as(format_transfer, found.values(), args)

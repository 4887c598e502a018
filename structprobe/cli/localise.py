"""``structprobe localise``: locate syntax in a model in three ways."""

from __future__ import annotations

import argparse
from functools import partial

from structprobe.cli import inputs, options
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    dev, test = "dev set, for early stopping", "test set, for the scores; default: the dev set"
    options.add_treebanks(parser, needs=("train", "dev"), dev=dev, test=test)
    options.add_punct(parser, by_sentence=False)
    parser.add_argument(
        "--probe", default="probe", choices=("probe", "probe-tree", "biaffine"),
        help="method to fit on layers and on mixes of layers; see `structprobe compare --list`",
    )  # fmt: skip
    options.add_layers(parser)
    options.add_rank(parser, help="rank of the probe; default: set by the method")
    options.add_seed(parser)
    options.add_max_steps(parser)
    told = "also print the expected layer by relation, edge length and phrase size"
    parser.add_argument("--groups", action="store_true", help=told)
    options.add_cache(parser)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Fit the probes and mixes, and print the table."""
    from structprobe.experiments.config import LocaliseConfig
    from structprobe.experiments.instruments.localise import localise
    from structprobe.show.localise_table import format_localised

    # Before a model is loaded, which may take long.
    train, dev, test = inputs.read_treebank(args)
    assert dev is not None  # it is needed
    names = "max_steps", "device", "cache", "progress", "allow_withheld"
    config = LocaliseConfig(**inputs.picked(args, *names))
    how = inputs.picked(args, "probe", "layers", "rank", "seed", "punct")
    found = localise(inputs.build_encoder(args), train, dev, test, **how, config=config)
    print_as(partial(format_localised, groups=args.groups), found.values(), args)

"""``structprobe decompose``: sentence vectors as sums of filler-role products."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    from structprobe.trees.roles import ROLE_SCHEMES

    schemes = [*ROLE_SCHEMES]
    options.add_model(parser)
    dev, test = "dev set, for choosing the regularisation", "test set, for the errors"
    options.add_treebanks(parser, needs=("train", "dev", "test"), dev=dev, test=test)
    parser.add_argument(
        "--schemes", nargs="+", default=schemes, metavar="SCHEME", choices=schemes,
        help=f"role schemes: {', '.join(schemes)}; default: all five",
    )  # fmt: skip
    parser.add_argument(
        "--sentence-vector", default="mean", choices=("mean", "first", "last"),
        help="vector of a sentence: the mean of its word vectors, or that of its first or last "
        "word",
    )  # fmt: skip
    parser.add_argument(
        "--max-sentences", type=values.positive, default=2000, metavar="N",
        help="maximum number of training sentences; if there are more, N are sampled",
    )  # fmt: skip
    options.add_layers(parser)
    options.add_seed(parser)
    options.add_cache(parser)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Fit all schemes, and print the table."""
    from structprobe.experiments.config import DecomposeConfig
    from structprobe.experiments.instruments.decompose import decompose
    from structprobe.show.vector_tables import format_decompositions

    # Before a model is loaded, which may take long.
    train, dev, test = inputs.read_treebank(args)
    assert dev is not None  # they are needed
    assert test is not None
    names = "max_sentences", "device", "cache", "progress", "allow_withheld"
    config = DecomposeConfig(**inputs.picked(args, *names))
    how = inputs.picked(args, "layers", "schemes", "sentence_vector", "seed")
    found = decompose(inputs.build_encoder(args), train, dev, test, **how, config=config)
    print_as(format_decompositions, [one.values() for one in found], args)

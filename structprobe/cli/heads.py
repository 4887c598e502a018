"""``structprobe heads``: what each attention head looks at, and which relations it follows."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    options.add_treebanks(
        parser, needs=("train", "test"), test="test set, for the scores",
        train="training set, for choosing the best fixed offsets",
        dev="dev set, for choosing heads; default: the training set",
    )  # fmt: skip
    options.add_punct(
        parser, by_sentence=False,
        help="what counts as punctuation: UPOS PUNCT, the Penn punctuation tags, or "
        "nothing (keep); default: upos where the treebank has UPOS",
    )  # fmt: skip
    options.add_seed(parser, help="random seed for shuffling words in the baseline")
    told = "compute targets and patterns on pairs of consecutive sentences, read as two segments"
    parser.add_argument("--pairs", action="store_true", help=told)
    parser.add_argument("-o", "--out", metavar="DIR", help="folder for tables and heat maps")
    parser.add_argument("--force", action="store_true", help="replace existing tables")
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Read the attention of all heads, print the tables, and draw heat maps."""
    from structprobe.experiments.config import HeadsConfig
    from structprobe.experiments.heads import analyse_heads
    from structprobe.show.head_tables import format_heads
    from structprobe.show.pictures.heat_map import save_heat_maps

    # Before a model is loaded, which may take long.
    train, dev, test = inputs.read_treebank(args)
    assert test is not None  # it is needed
    config = HeadsConfig(**inputs.picked(args, "force", "progress", "allow_withheld"))
    how = inputs.picked(args, "punct", "seed", "pairs")
    encoder = inputs.build_encoder(args)
    analysis = analyse_heads(encoder, train, dev, test, folder=args.out, **how, config=config)
    if args.out is not None:
        save_heat_maps(analysis, args.out, args.progress)
    print_as(lambda _: format_heads(analysis), analysis.to_dict(), args)

"""``structprobe codelength``: how many bits gold trees take, given the vectors of a layer."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options
from structprobe.cli.output import print_as, print_rows
from structprobe.cli.parser import Parser
from structprobe.results.folder import check_folder


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    options.add_treebanks(parser, needs=("train",), train="sentences to encode")
    parser.add_argument(
        "--kinds", nargs="+", default=["tree", "distances", "depths"], metavar="KIND",
        choices=("tree", "distances", "depths"),
        help="what to encode: tree, distances, depths; default: all three",
    )  # fmt: skip
    options.add_controls(parser, help="also encode the trees of control tasks")
    options.add_layers(parser)
    options.add_rank(parser, help="rank of the probes; default: hidden size")
    options.add_seed(parser)
    parser.add_argument(
        "--recipe", default="whitened", choices=("auto", "whitened", "published"),
        help="how probes are trained, as in `structprobe fit`",
    )  # fmt: skip
    told = "training steps for the whole treebank, fewer for earlier blocks; default: set by the "
    options.add_max_steps(parser, help=f"{told}recipe")
    told = "results folder, to which codelengths are added as rows; existing rows are skipped"
    parser.add_argument("-o", "--out", metavar="DIR", help=told)
    options.add_cache(parser)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Code the treebank, and print the table."""
    from structprobe.experiments.config import CodelengthConfig
    from structprobe.experiments.instruments.codelength import codelength, codelength_rows
    from structprobe.show.codelength_table import format_codelengths

    # Before a model is loaded, which may take long.
    train, _, _ = inputs.read_treebank(args)
    names = "controls", "recipe", "max_steps", "device", "cache", "progress", "allow_withheld"
    config = CodelengthConfig(**inputs.picked(args, *names), command=args.command_line)
    how = inputs.picked(args, "kinds", "layers", "rank", "seed") | {"config": config}
    if args.out is not None:
        check_folder(args.out)
        rows = codelength_rows(inputs.build_encoder(args), train, folder=args.out, **how)
        print_rows(rows, args)
        return
    found = codelength(inputs.build_encoder(args), train, **how)
    print_as(format_codelengths, [one.values() for one in found], args)

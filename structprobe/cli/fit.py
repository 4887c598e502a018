"""``structprobe fit``: fit distance and depth probes on one layer and save them."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options
from structprobe.cli.output import print_rows
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    dev = "dev set, for early stopping and scores; default: hold out a tenth of the training set "
    dev += "for both"
    options.add_treebanks(parser, needs=("train",), dev=dev)
    recipe = options.add_recipe(parser)
    options.add_relations(recipe)
    options.add_layer(recipe, required=True, help="layer to probe; 0 = embedding output")
    options.add_rank(recipe, help="rank of the probe; default: full rank")
    options.add_seed(recipe)
    told = "folder in which to save the probe"
    parser.add_argument("-o", "--out", required=True, metavar="PROBE", help=told)
    parser.add_argument("--force", action="store_true", help="replace an existing probe")
    options.add_cache(parser)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Fit, score on dev, save."""
    from structprobe.experiments.config import FitConfig
    from structprobe.experiments.fit import fit_probe
    from structprobe.probe.saving.save_load import check_target

    check_target(args.out, replace=args.force)  # this and the treebanks before a model is loaded
    train, dev, _ = inputs.read_treebank(args)
    told = args.force, args.cache, args.command_line, args.progress, args.allow_withheld
    config = FitConfig(inputs.training(args), *told)
    how = inputs.picked(args, "layer", "rank", "seed", "punct", "out")
    _, row = fit_probe(inputs.build_encoder(args), train, dev, **how, config=config)
    print_rows([row], args)

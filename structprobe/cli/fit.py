"""``structprobe fit``: fit a distance and a depth probe on one layer and save them."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_rows, progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    options.add_treebanks(parser, test=False)
    recipe = options.add_recipe(parser)
    recipe.add_argument("--layer", type=int, required=True, help="0 = embedding output")
    recipe.add_argument("--rank", type=options.positive, default=None, help="full if not given")
    recipe.add_argument("--seed", type=int, default=0, help="random state")
    parser.add_argument("-o", "--out", required=True, metavar="PROBE", help="the probe's folder")
    parser.add_argument("--force", action="store_true", help="replace a probe that is there")
    parser.add_argument("--cache", default=None, metavar="DIR", help="keep word vectors there")
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Fit, score on dev, save."""
    from structprobe.experiments.config import FitConfig, Training
    from structprobe.experiments.fit import fit_probe
    from structprobe.probe.saving.pretrained import check_target

    check_target(args.out, replace=args.force)  # this and the treebanks before a model is loaded
    train, dev = options.read_bank(args.train, args), options.read_optional(args.dev, args)
    _, row = fit_probe(
        options.build_encoder(args),
        train,
        dev,
        layer=args.layer,
        rank=args.rank,
        seed=args.seed,
        punct=args.punct,
        out=args.out,
        config=FitConfig(
            Training(args.recipe, args.max_steps, args.products, args.device, args.memory_gb),
            force=args.force,
            cache=args.cache,
            command=args.command_line,
            progress=progress_of(args),
        ),
    )
    print_rows([row], args)

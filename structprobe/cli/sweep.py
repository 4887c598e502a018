"""``structprobe sweep``: one probe per layer, rank and seed; one row per run; resumes."""

from __future__ import annotations

import argparse
from functools import partial

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as, print_rows
from structprobe.cli.parser import Parser

RESUMES = True  # the same command resumes it


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser, several=True)
    dev = "dev set, for early stopping; default: hold out a tenth of the training set (--test is "
    dev, test = f"{dev}then required)", "test set, for the scores; default: the dev set"
    parser.surplus = "; separate values by commas, as in --layers 0,8"
    options.add_treebanks(parser, needs=("train",), several=True, dev=dev, test=test)
    parser.set_defaults(needs_scores=True)
    recipe = options.add_recipe(parser)
    options.add_relations(recipe)
    options.add_layers(recipe)
    add = recipe.add_argument
    add(
        "--ranks", "--rank", dest="ranks", type=values.several(values.positive), metavar="RANKS",
        help="ranks such as 32,128; default: full rank",
    )  # fmt: skip
    add(
        "--seeds", "--seed", dest="seeds", type=values.several(values.seed), default=[0],
        metavar="SEEDS", help="random seeds such as 0,1,2; default: 0",
    )  # fmt: skip
    add("--no-baselines", action="store_true", help="skip the baselines that need no model")
    add(
        "--untrained",
        action="store_true",
        help="also sweep an untrained copy of the model for each seed",
    )
    options.add_controls(recipe, help="also fit each probe on control tasks")
    options.add_stimuli(recipe, of="of each probe")
    add(
        "--train-sentences", type=values.several(values.sample), default=[None], metavar="SIZES",
        help="train on random samples of these sizes, such as 100,300,1000,all; default: all",
    )  # fmt: skip
    add = parser.add_argument
    add("-o", "--out", required=True, metavar="DIR", help="results folder")
    options.add_cache(parser)
    options.add_keep(parser)
    told = "save the probes, for parse, evaluate and serve"
    add("--save-probes", action="store_true", help=told)
    told = "estimate disk space, memory and time, and write nothing"
    add("--dry-run", action="store_true", help=told)
    add = parser.add_argument_group("parallel and distributed runs").add_argument
    add("--jobs", type=values.positive, default=1, metavar="N", help="number of parallel jobs")
    told = "joblib backend: loky (default for parallel jobs), dask, ray or any other that is "
    add("--backend", metavar="NAME", help=told + "registered")
    told = "address of the Dask scheduler, such as tcp://host:8786"
    add("--scheduler", metavar="ADDRESS", help=told)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Do the runs that are not in the folder yet, and print all rows; or estimate the cost."""
    from structprobe.experiments.config import SweepConfig
    from structprobe.experiments.runs.backends import Backend

    names = ("untrained", "controls", "train_sentences", "stimuli", "cache", "keep_predictions",
             "save_probes", "progress", "allow_withheld")  # fmt: skip
    config = SweepConfig(
        inputs.training(args),
        baselines=not args.no_baselines,
        backend=Backend(args.jobs, args.backend, args.scheduler),
        command=args.command_line,
        **inputs.picked(args, *names),
    )
    ranks = [None] if args.ranks is None else args.ranks
    grid = {"folder": args.out, "ranks": ranks, "config": config}
    grid |= inputs.picked(args, "layers", "seeds", "punct")
    banks = inputs.read_treebanks(args)
    if args.dry_run:
        from structprobe.experiments.runs.planning import plan_sweeps
        from structprobe.show.cost_table import format_plan

        loading = "device", "dtype", "batch_tokens", "device_map", "quantize"
        how = inputs.picked(args, *loading, *inputs.SOURCE) | {"part": args.model_part}
        plans = plan_sweeps(args.model, partial(inputs.build_encoder, args), banks, how, **grid)
        print_as(lambda found: "\n\n".join(map(format_plan, found)), plans, args)
        return
    from structprobe.experiments.sweep import sweep_many

    encoders = (inputs.build_encoder(args, model) for model in args.model)
    print_rows(sweep_many(encoders, banks, **grid), args)

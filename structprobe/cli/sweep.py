"""``structprobe sweep``: one probe a layer, rank and seed; one row a run; resumable."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_plans, print_rows, progress_of

RESUMES = True  # the same command goes on where it was interrupted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options.add_model(parser, several=True)
    options.add_treebanks(parser, test=True)
    recipe = options.add_recipe(parser)
    recipe.add_argument("--layers", default="all", help="all, or such as 0,8,16-24")
    recipe.add_argument(
        "--ranks", type=options.int_list, default=None, help="such as 32,128; full if not given"
    )
    recipe.add_argument("--seeds", type=options.int_list, default=[0], help="such as 0,1,2")
    recipe.add_argument(
        "--no-baselines", action="store_true", help="leave out the methods without a model"
    )
    recipe.add_argument(
        "--untrained", action="store_true", help="the same grid on an untrained copy of the model"
    )
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="the folder of results")
    parser.add_argument("--cache", default=None, metavar="DIR", help="keep word vectors there")
    options.add_keep(parser)
    parser.add_argument(
        "--save-probes", action="store_true", help="save each probe too, for `structprobe serve`"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what the sweep will cost in disk, memory and time; nothing is written",
    )
    options.add_backend(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Do the runs that are not in the folder yet, and print all rows; or tell what it costs."""
    from structprobe.experiments.config import SweepConfig, Training

    config = SweepConfig(
        Training(args.recipe, args.max_steps, args.products, args.device, args.memory_gb),
        baselines=not args.no_baselines,
        untrained=args.untrained,
        cache=args.cache,
        keep_predictions=args.keep_predictions,
        save_probes=args.save_probes,
        backend=options.build_backend(args),
        command=args.command_line,
        progress=progress_of(args),
    )
    grid = {
        "folder": args.out,
        "layers": args.layers,
        "ranks": [None] if args.ranks is None else args.ranks,
        "seeds": args.seeds,
        "punct": args.punct,
        "config": config,
    }
    banks = options.read_treebanks(args)
    encoders = (options.build_encoder(args, model) for model in args.model)
    if args.dry_run:
        from structprobe.experiments.runs.planning import plan_sweep

        plans = [plan_sweep(model, *parts, **grid) for model in encoders for parts in banks]
        print_plans(plans, args)
        return
    from structprobe.experiments.sweep import sweep_many

    print_rows(sweep_many(encoders, banks, **grid), args)

"""``structprobe localise``: where in a model the syntax is, three ways."""

from __future__ import annotations

import argparse
import json

from structprobe.cli import options
from structprobe.cli.output import progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    group = parser.add_argument_group("treebanks", "CoNLL-U files or globs; .gz is welcome")
    group.add_argument("--train", nargs="+", required=True, metavar="FILE", help="to learn from")
    group.add_argument("--dev", nargs="+", required=True, metavar="FILE", help="to choose by")
    group.add_argument(
        "--test", nargs="+", default=None, metavar="FILE", help="to report on; dev if not given"
    )
    options.add_skip(group)
    options.add_punct(parser)
    parser.add_argument(
        "--probe",
        default="probe",
        choices=("probe", "probe-tree", "biaffine"),
        help="what is fitted on layers and mixes, as compare names it",
    )
    parser.add_argument("--layers", default="all", help="all, or such as 0,8,16-24")
    parser.add_argument(
        "--rank", type=options.positive, default=None, help="the probe's own if not given"
    )
    parser.add_argument("--seed", type=int, default=0, help="random state")
    parser.add_argument("--max-steps", type=options.positive, default=None, help="of each fit")
    parser.add_argument("--cache", default=None, metavar="DIR", help="keep word vectors there")
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Fit the probes and mixes, and print what they say."""
    from structprobe.experiments.config import LocaliseConfig
    from structprobe.experiments.localise import localise

    # Before a model is loaded, which may take long.
    train, dev = (options.read_bank(files, args) for files in (args.train, args.dev))
    test = options.read_optional(args.test, args)
    found = localise(
        options.build_encoder(args),
        train,
        dev,
        test,
        probe=args.probe,
        layers=args.layers,
        rank=args.rank,
        seed=args.seed,
        punct=args.punct,
        config=LocaliseConfig(args.max_steps, args.device, args.cache, progress_of(args)),
    )
    if args.json:
        print(json.dumps(found.values(), indent=2))
        return
    from structprobe.show.localise_table import format_localised

    print(format_localised(found.values()))

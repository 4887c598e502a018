"""``structprobe heads``: what attention heads look at, and which relations they follow."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_heads, progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    group = parser.add_argument_group("treebanks", "CoNLL-U files or globs; .gz is welcome")
    group.add_argument(
        "--train", nargs="+", required=True, metavar="FILE", help="to choose fixed offsets by"
    )
    group.add_argument(
        "--dev", nargs="+", default=None, metavar="FILE", help="to choose heads by; else train"
    )
    group.add_argument("--test", nargs="+", required=True, metavar="FILE", help="to report on")
    options.add_skip(group)
    parser.add_argument(
        "--punct",
        default=None,
        choices=options.PUNCT,
        help="what counts as punctuation: UPOS PUNCT, the paper's Penn tags, or nothing; upos "
        "where the treebank has it",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled trees")
    parser.add_argument(
        "--pairs",
        action="store_true",
        help="look at patterns in consecutive sentences read two by two, as two segments",
    )
    parser.add_argument(
        "-o", "--out", default=None, metavar="DIR", help="a folder for tables and heat maps"
    )
    parser.add_argument("--force", action="store_true", help="replace tables that are there")
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Read the attention of all heads, print the tables, and draw heat maps."""
    from structprobe.experiments.config import HeadsConfig
    from structprobe.experiments.heads import analyse_heads
    from structprobe.show.heat_map import save_heat_maps

    # Before a model is loaded, which may take long.
    train, test = (options.read_bank(files, args) for files in (args.train, args.test))
    dev = options.read_optional(args.dev, args)
    analysis = analyse_heads(
        options.build_encoder(args),
        train,
        dev,
        test,
        punct=args.punct,
        seed=args.seed,
        pairs=args.pairs,
        out=args.out,
        config=HeadsConfig(force=args.force, progress=progress_of(args)),
    )
    if args.out is not None:
        save_heat_maps(analysis, args.out, progress_of(args))
    print_heads(analysis, args)

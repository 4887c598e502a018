"""``structprobe encode``: fill a cache of word vectors, whole or one shard of it."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_plain, progress_of

RESUMES = True  # the same command goes on where it was interrupted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    parser.add_argument(
        "files",
        metavar="BANK",
        nargs="+",
        help="CoNLL-U file or quoted glob; each is a treebank of its own, such as a sweep's train",
    )
    options.add_skip(parser)
    parser.add_argument("--layers", default="all", help="all, or such as 0,8,16-24")
    parser.add_argument(
        "--shard",
        default=None,
        metavar="i/n",
        help="the i-th of n parts of each treebank, from 1/n to n/n; others do the other parts",
    )
    parser.add_argument(
        "--untrained", action="store_true", help="with an untrained copy of the model too"
    )
    parser.add_argument("--cache", required=True, metavar="DIR", help="keep the vectors there")
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Encode, and print what is there."""
    from structprobe.encoder.cache.shards import Shard
    from structprobe.experiments.encoding import encode_banks

    shard = None if args.shard is None else Shard.parse(args.shard)
    banks = {name: options.read_bank([name], args) for name in args.files}
    done = encode_banks(
        options.build_encoder(args),
        banks,
        cache=args.cache,
        layers=args.layers,
        shard=shard,
        untrained=args.untrained,
        progress=progress_of(args),
    )
    print_plain(done, args)

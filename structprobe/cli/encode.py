"""``structprobe encode``: compute word vectors and cache them, all at once or in shards."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import one_a_line, print_as
from structprobe.cli.parser import Parser

RESUMES = True  # the same command resumes it


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    parser.add_argument(
        "files", metavar="FILE", nargs="*",
        help="CoNLL-U file or quoted glob; each is cached as a separate set, such as the training "
        "set of a sweep",
    )  # fmt: skip
    options.add_treebanks(parser, needs=(), several=True, dev="dev set", test="test set")
    parser.rest = "files"
    parser.rules.append(_nothing_named)
    parser.rules.append(_both_ways)
    options.add_layers(parser)
    told = "encode only the i-th of n parts, such as 3/8; run the other parts separately"
    parser.add_argument("--shard", metavar="i/n", help=told)
    told = "number of parallel processes, each with its own copy of the model"
    parser.add_argument("--jobs", type=values.positive, default=1, metavar="N", help=told)
    told = "also encode with an untrained copy of the model"
    parser.add_argument("--untrained", action="store_true", help=told)
    options.add_cache(parser, required=True)
    options.add_output(parser)


def _nothing_named(args: argparse.Namespace) -> str | None:
    """Ask for what is to be encoded."""
    if args.files or args.treebank or any(getattr(args, part) for part in options.PARTS):
        return None
    return "missing FILE or --treebank: nothing to encode"


def _both_ways(args: argparse.Namespace) -> str | None:
    """Refuse several jobs for one shard."""
    both = args.shard is not None and args.jobs > 1
    return "give either --shard or --jobs: a shard is encoded by one process" if both else None


def run(args: argparse.Namespace) -> None:
    """Encode, and print what the cache holds."""
    from structprobe.encoder.cache.shards import Shard
    from structprobe.experiments.encoding import encode_banks

    shard = None if args.shard is None else Shard.parse(args.shard)
    banks = inputs.read_each(args)  # before a model is loaded, which may take long
    how = inputs.picked(args, "cache", "layers", "untrained", "jobs", "progress")
    done = encode_banks(inputs.build_encoder(args), banks, shard=shard, **how)
    print_as(one_a_line, done, args)

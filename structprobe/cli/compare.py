"""``structprobe compare``: many ways of reading trees out of a model, one row a method."""

from __future__ import annotations

import argparse
from typing import Any

from structprobe.cli import options
from structprobe.cli.output import print_rows, progress_of
from structprobe.errors import StructprobeError

RESUMES = True  # the same command goes on where it was interrupted


class _List(argparse.Action):
    """Prints the methods there are and ends, whatever else is missing on the command line."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **more: Any) -> None:
        from structprobe.recoverers.methods import find_methods

        methods = find_methods().values()
        width = max(len(method.name) for method in methods)
        print(
            "\n".join(f"{method.name:<{width}}  {method.summary}" for method in methods), flush=True
        )
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    group = parser.add_argument_group("treebanks", "CoNLL-U files or globs; .gz is welcome")
    parts = {"train": "to learn from", "dev": "to stop and choose by", "test": "to report on"}
    for part, told in parts.items():
        group.add_argument(f"--{part}", nargs="+", required=True, metavar="FILE", help=told)
    options.add_skip(group)
    method = parser.add_argument_group("methods")
    method.add_argument(
        "--methods",
        default="all",
        help="all, or names parted by commas; module:Class for others; options of a method in "
        "brackets, such as 'attention-max[layer=3,head=9],perturbed[limit=20]'",
    )
    method.add_argument(
        "--list", action=_List, nargs=0, help="print the methods and their options, and end"
    )
    method.add_argument("--seed", type=int, default=0, help="random state of all methods")
    method.add_argument(
        "--disturbed",
        action="store_true",
        help="score on shuffled words, swapped content words and truncated sentences too",
    )
    options.add_punct(method)
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="the folder of results")
    parser.add_argument("--cache", default=None, metavar="DIR", help="keep word vectors there")
    options.add_keep(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Run the methods whose rows are not in the folder yet, and print all rows."""
    from structprobe.experiments.compare import compare
    from structprobe.experiments.config import CompareConfig
    from structprobe.recoverers.methods import choose_methods
    from structprobe.results.folder import check_folder

    chosen = choose_methods(args.methods)  # all that can be refused before a model is loaded
    check_folder(args.out)
    banks = [options.read_bank(files, args) for files in (args.train, args.dev, args.test)]
    rows = compare(
        options.build_encoder(args),
        *banks,
        methods=chosen,
        disturbed=args.disturbed,
        punct=args.punct,
        seed=args.seed,
        out=args.out,
        config=CompareConfig(
            args.device,
            args.cache,
            args.keep_predictions,
            command=args.command_line,
            progress=progress_of(args),
        ),
    )
    print_rows(rows, args)
    if all(row["why_empty"] for row in rows):
        raise StructprobeError("no method gave scores", hint="each row says why")

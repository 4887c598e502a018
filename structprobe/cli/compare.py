"""``structprobe compare``: methods that recover trees from a model, one row per method."""

from __future__ import annotations

import argparse
from typing import Any

from structprobe.cli import inputs, options
from structprobe.cli.output import print_as, print_rows
from structprobe.cli.parser import Parser
from structprobe.errors import StructprobeError

RESUMES = True  # the same command resumes it


class _List(argparse.Action):
    """Asks for the list of methods, for which nothing else has to be on the command line."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: Any
    ) -> None:
        assert isinstance(parser, Parser)
        parser.rules.clear()
        for action in parser._actions:
            action.required = False
        namespace.list = True


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser)
    options.add_treebanks(
        parser, needs=options.PARTS, test="test set, for the scores",
        dev="dev set, for early stopping and choosing layers and heads",
    )  # fmt: skip
    method = parser.add_argument_group("methods")
    parser.surplus = "; separate methods by commas"
    method.add_argument(
        "--methods", default="all",
        help="all, or names separated by commas; module:Class for a method of your own; options "
        "in brackets, such as 'attention-max[layer=3,head=9],perturbed[limit=20]', or "
        "'all[rank=64]' for all methods that take them",
    )  # fmt: skip
    told = "list the methods and their options, and exit"
    method.add_argument("--list", action=_List, nargs=0, default=False, help=told)
    options.add_seed(method)
    for name, example in {"layer": "attention-max[layer=3]", "rank": "probe[rank=64]"}.items():
        told = f"give a method its options in brackets, as in --methods '{example}'"
        parser.instead |= {f"--{name}": told, f"--{name}s": told}
    told = "also score on shuffled words, swapped content words and truncated sentences"
    method.add_argument("--disturbed", action="store_true", help=told)
    options.add_punct(method)
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="results folder")
    options.add_cache(parser)
    options.add_keep(parser)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Run the methods whose rows are not in the folder yet, and print all rows."""
    if args.list:
        from structprobe.recoverers.methods import find_methods

        found = find_methods().values()
        told = [{"name": m.name, "summary": m.summary, "options": [*m.takes]} for m in found]
        width = max(len(method.name) for method in found)
        table = "\n".join(f"{method.name:<{width}}  {method.summary}" for method in found)
        print_as(lambda _: table, told, args)
        return
    from structprobe.experiments.compare import compare
    from structprobe.experiments.config import CompareConfig
    from structprobe.recoverers.methods import choose_methods
    from structprobe.results.folder import check_folder

    chosen = choose_methods(args.methods)  # all that can be refused before a model is loaded
    check_folder(args.out)
    train, dev, test = inputs.read_treebank(args)
    assert dev is not None  # all three are needed
    assert test is not None
    names = "device", "cache", "keep_predictions", "progress", "allow_withheld"
    config = CompareConfig(command=args.command_line, **inputs.picked(args, *names))
    how = inputs.picked(args, "disturbed", "punct", "seed")
    encoder = inputs.build_encoder(args)
    rows = compare(encoder, train, dev, test, folder=args.out, methods=chosen, **how, config=config)
    print_rows(rows, args)
    if all(row["why_empty"] for row in rows):
        raise StructprobeError("no method gave scores", hint="the output above says why")

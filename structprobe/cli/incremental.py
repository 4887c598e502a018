"""``structprobe incremental``: how the trees of a saved probe unfold, word by word."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_saved_probe(parser)
    options.add_test(parser)
    options.add_punct(parser)
    told = "encode and parse each prefix by itself; takes any model, but much longer"
    parser.add_argument("--restart", action="store_true", help=told)
    options.add_allow_withheld(parser)
    group = parser.add_argument_group("figure", "the trees of all prefixes of one sentence")
    add = group.add_argument
    add("-o", "--out", metavar="DIR", help="folder for the figure; default: none is drawn")
    told = "sentence to draw; default: the first of 8 to 20 words"
    add("--sentence", metavar="SENT_ID", help=told)
    formats, told = ("pdf", "svg", "png"), "file formats; default: pdf"
    add("--format", nargs="+", default=["pdf"], choices=formats, help=told)
    told = "also replace files that structprobe did not draw"
    add("--force", action="store_true", help=told)
    parser.rules.append(_sentence_fault)
    options.add_output(parser)


def _sentence_fault(args: argparse.Namespace) -> str | None:
    """Say where a sentence to draw has no folder."""
    if args.out is None and args.sentence is not None:
        return "--sentence names what to draw; add -o DIR"
    return None


def run(args: argparse.Namespace) -> None:
    """Read the prefixes, draw those of one sentence, and print the tables."""
    from structprobe.experiments.instruments.incremental import read_incremental
    from structprobe.output_paths import check_room
    from structprobe.recoverers.probe import ProbeRecoverer
    from structprobe.show.incremental_table import format_incremental

    if args.out is not None:  # before anything is read
        from structprobe.show.pictures.files import check_figures

        check_room(args.out)
        check_figures(args.out)
    inputs.check_probe(args)
    bank = inputs.read_test(args)
    recoverer = ProbeRecoverer.from_pretrained(args.probe, **inputs.saved_model(args))
    recoverer.progress = args.progress
    how = inputs.picked(args, "punct", "restart")
    if args.out is not None:
        from structprobe.show.pictures.unfolding import save_unfolding

        look = {"sent_id": args.sentence, "formats": args.format, "force": args.force}
        save_unfolding(recoverer, bank, args.out, **how, **look)
    how |= inputs.picked(args, "allow_withheld", "progress")
    print_as(format_incremental, read_incremental(recoverer, bank, **how), args)

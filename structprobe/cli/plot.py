"""``structprobe plot``: figures and trees from a results folder."""

from __future__ import annotations

import argparse
import json

from structprobe.cli import options
from structprobe.cli.output import progress_of
from structprobe.cli.parser import Parser

FORMATS = ("pdf", "svg", "png")


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "results", metavar="RESULTS", help="results folder of sweep, compare or heads"
    )
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="folder for the figures")
    parser.add_argument(
        "--format", nargs="+", default=["pdf"], choices=FORMATS, help="file formats; default: pdf"
    )
    parser.add_argument(
        "--sentence",
        default=None,
        metavar="SENT_ID",
        help="sentence to draw; default: the trees of three typical sentences, and the first "
        "sentence of 8 to 20 words in the other figures",
    )
    parser.add_argument(
        "--force", action="store_true", help="also replace files that plot did not write"
    )
    options.add_output(parser, json="print the paths as a JSON array")


def run(args: argparse.Namespace) -> None:
    """Draw the figures and print where they are."""
    from structprobe.output_paths import check_room
    from structprobe.show import plot_folder

    check_room(args.out)  # before anything is drawn
    paths = plot_folder(
        args.results,
        args.out,
        formats=args.format,
        sentence=args.sentence,
        force=args.force,
        progress=progress_of(args),
    )
    if args.json:
        print(json.dumps([*map(str, paths)]))
    else:
        print("\n".join(f"wrote {path}" for path in paths))

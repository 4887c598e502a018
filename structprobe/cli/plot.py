"""``structprobe plot``: the pictures that a folder of results allows."""

from __future__ import annotations

import argparse
import json

from structprobe.cli import options
from structprobe.cli.output import progress_of

FORMATS = ("pdf", "svg", "png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "results", metavar="RESULTS", help="a folder that sweep, compare or heads wrote"
    )
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="where pictures go")
    parser.add_argument(
        "--format", nargs="+", default=["pdf"], choices=FORMATS, help="one file each"
    )
    parser.add_argument(
        "--sentence",
        default=None,
        metavar="SENT_ID",
        help="the sentence to draw; if not given, the first of 8 to 20 words",
    )
    parser.add_argument("--force", action="store_true", help="replace pictures that exist")
    options.add_talk(parser, json="the paths as a JSON array")


def run(args: argparse.Namespace) -> None:
    """Draw the pictures and print where they are."""
    from structprobe.show import plot_folder
    from structprobe.targets import check_room

    check_room(args.out)  # before anything is drawn
    paths = plot_folder(
        args.results,
        args.out,
        formats=args.format,
        sentence=args.sentence,
        force=args.force,
        progress=progress_of(args),
    )
    print(json.dumps([*map(str, paths)]) if args.json else "\n".join(map(str, paths)))

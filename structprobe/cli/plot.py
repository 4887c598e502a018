"""``structprobe plot``: figures and trees from a results folder."""

from __future__ import annotations

import argparse
import json

from structprobe.cli import inputs, options
from structprobe.cli.output import printing
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("results", metavar="RESULTS", help="results folder of sweep, compare or heads")
    add("-o", "--out", required=True, metavar="DIR", help="folder for the figures")
    formats, told = ("pdf", "svg", "png"), "file formats; default: pdf"
    add("--format", nargs="+", default=["pdf"], choices=formats, help=told)
    add(
        "--sentence", metavar="SENT_ID",
        help="sentence to draw; default: the trees of three typical sentences, and the first "
        "sentence of 8 to 20 words in the other figures",
    )  # fmt: skip
    told = "write letters over the points of layer curves: layers that share a letter do not differ"
    add("--letters", action="store_true", help=told)
    add("--force", action="store_true", help="also replace files that plot did not write")
    options.add_output(parser, json="print the paths as a JSON array")


def run(args: argparse.Namespace) -> None:
    """Draw the figures and print where they are."""
    from structprobe.errors import escaped
    from structprobe.output_paths import check_room
    from structprobe.show import plot_folder

    check_room(args.out)  # before anything is drawn
    how = {"formats": args.format, **inputs.picked(args, "sentence", "letters", "force")}
    paths = plot_folder(args.results, args.out, **how, progress=args.progress)
    if args.json:
        text = json.dumps([*map(str, paths)])
    else:
        text = "\n".join(f"wrote {escaped(str(path))}" for path in paths)
    with printing():
        print(text)

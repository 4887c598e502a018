"""``structprobe report``: one page about a results folder or a saved probe."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("folder", metavar="DIR", help="folder written by sweep, compare or fit")
    add("-o", "--out", default="report.html", metavar="FILE", help="HTML file to write")
    add("--title", help="title of the page; default: model and treebank")
    add("--force", action="store_true", help="also replace a file that report did not write")
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Write the page."""
    from structprobe.show.report import write_report
    from structprobe.show.report.writing import check_page

    check_page(args.out, force=args.force)  # before anything is read
    told = {"title": args.title, "force": args.force, "progress": args.progress}
    made = write_report(args.folder, args.out, **told)
    print_as(lambda _: f"wrote {made['report']} ({made['megabytes']:.2f} MB)", [made], args)

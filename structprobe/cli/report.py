"""``structprobe report``: one page of a folder of results or of a saved probe."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_plain, progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", metavar="DIR", help="what sweep, compare or fit wrote")
    parser.add_argument(
        "-o", "--out", default="report.html", metavar="FILE", help="the page, one HTML file"
    )
    parser.add_argument(
        "--title", default=None, help="of the page; model and treebank if not given"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Write the page."""
    from structprobe.show.report import write_report
    from structprobe.targets import check_file

    check_file(args.out, force=args.force)  # before the page is made
    told = {"title": args.title, "force": args.force, "progress": progress_of(args)}
    print_plain([write_report(args.folder, args.out, **told)], args)

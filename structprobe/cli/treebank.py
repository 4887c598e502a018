"""``structprobe treebank``: fetch a treebank of Universal Dependencies by name."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import print_plain, progress_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("name", metavar="NAME", help="such as UD_English-EWT")
    parser.add_argument(
        "--release",
        type=_release,
        default=None,
        metavar="N.N",
        help="such as 2.16; if not given, the newest that this version knows",
    )
    parser.add_argument(
        "-o", "--out", required=True, metavar="DIR", help="folder to make, with licence and README"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the folder of a treebank that is there"
    )
    parser.epilog = (
        "It comes from github.com/UniversalDependencies, or from the mirror whose address the "
        "environment variable STRUCTPROBE_UD_URL names; proxies are taken from the environment."
    )
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Fetch, check and print the counts."""
    from structprobe.treebank.fetch import RELEASE, fetch_treebank, require_clean

    parts = fetch_treebank(
        args.name,
        args.out,
        release=args.release or RELEASE,
        force=args.force,
        progress=progress_of(args),
    )
    print_plain([part.to_dict() for part in parts.values()], args)
    require_clean(parts)


def _release(text: str) -> str:
    """Read the number of a release."""
    from structprobe.errors import TreebankError
    from structprobe.treebank.fetch import check_release

    try:
        return check_release(text)
    except TreebankError as error:
        raise argparse.ArgumentTypeError(str(error)) from None

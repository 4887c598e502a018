"""``structprobe treebank``: download a Universal Dependencies treebank by name."""

from __future__ import annotations

import argparse

from structprobe.cli import options
from structprobe.cli.output import one_a_line, print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the treebank, such as UD_English-EWT")
    told = "UD release such as 2.16; default: the newest that this version of structprobe knows"
    add("--release", type=_release, metavar="N.N", help=told)
    add(
        "-o", "--out", metavar="DIR",
        help="folder to create; default: NAME in the current folder, or in the folder that the "
        "environment variable STRUCTPROBE_TREEBANKS names",
    )  # fmt: skip
    add("--force", action="store_true", help="replace an existing treebank")
    parser.epilog = (
        "Other commands then accept --treebank NAME. Treebanks are downloaded from "
        "github.com/UniversalDependencies, or from a mirror if the environment variable "
        "STRUCTPROBE_UD_URL is set to its address; proxy settings are read from the environment."
    )
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Fetch, check and print the counts."""
    from structprobe.treebank.fetch import RELEASE, fetch_treebank, require_clean
    from structprobe.treebank.files import kept_folder

    folder, release = args.out or kept_folder(args.name), args.release or RELEASE
    how = {"release": release, "force": args.force, "progress": args.progress}
    parts = fetch_treebank(args.name, folder, **how)
    print_as(one_a_line, [part.to_dict() for part in parts.values()], args)
    require_clean(parts)


def _release(text: str) -> str:
    """Read the number of a release."""
    from structprobe.errors import TreebankError
    from structprobe.treebank.fetch import check_release

    try:
        return check_release(text)
    except TreebankError as error:
        raise argparse.ArgumentTypeError(str(error)) from None

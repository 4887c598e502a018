"""The front door of the command line: which command runs, and what a fault looks like."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from structprobe._version import __version__
from structprobe.cli.parser import HelpFormatter, refuse_unknown
from structprobe.errors import StructprobeError

COMMANDS = {
    "treebank": "fetch a treebank of Universal Dependencies by name, and check it",
    "fit": "fit a distance and a depth probe on one layer and save them",
    "evaluate": "score a saved probe on a treebank, the linear chain beside it",
    "score": "score a parse file made by anything against a gold treebank",
    "parse": "write CoNLL-U with recovered heads, or draw the trees of plain text",
    "encode": "fill a cache of word vectors, whole or one shard of it",
    "sweep": "one probe a layer, rank and seed; one row a run; resumable",
    "localise": "where in a model the syntax is: by layer, by a learned mix, and from below",
    "heads": "what the attention heads of a model look at, and which relations they follow",
    "compare": "many ways of reading trees out of a model; one row a method; resumable",
    "plot": "the pictures that a folder of results allows, as PDF, SVG or PNG",
    "report": "one page of a sweep, a comparison or a fit: tables, curves, every sentence",
    "serve": "a page on this machine that parses what is typed, layer by layer",
    "demo": "the main job on the embedded treebank and a small encoder",
}

DATA_FAULT, INTERRUPTED = 1, 130

# How long a thread of torch's waits busily for the next small operation. The default of GNU's
# OpenMP is so long that on two cores, one of them taken by another process, training takes 16
# times as long; with this it takes 4 times, and just as long as before on a quiet machine.
SPIN_COUNT = "10000"


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands; cheap, since no command's own imports are made."""
    parser = argparse.ArgumentParser(
        prog="structprobe",
        description="How much syntax is in the layers of a language model, and can the tree be "
        "read out of it?",
        epilog="Results go to stdout, logs and progress to stderr. Exit status: 0 done, 1 a fault "
        "in the data, 2 a fault in the usage.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"structprobe {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            allow_abbrev=False,
            formatter_class=HelpFormatter,
        )
        module = importlib.import_module(f"structprobe.cli.{name}")
        module.add_arguments(command)
        resumes = getattr(module, "RESUMES", False)
        command.set_defaults(run=module.run, resumes=resumes, parser=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    _open_closed_streams()
    given = sys.argv[1:] if argv is None else argv
    try:
        args, unknown = build_parser().parse_known_args(given)
        refuse_unknown(args.parser, unknown)
    except BrokenPipeError:  # of what an option prints, as compare's --list
        return _stop_writing()
    except KeyboardInterrupt:  # while a command's options are imported
        print("structprobe: interrupted; nothing was done", file=sys.stderr)
        return INTERRUPTED
    args.command_line = shlex.join(["structprobe", *given])
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when torch is first loaded
    if sys.stdout is None:
        return _fault("standard output is closed; give it a file or a pipe")
    try:
        with _log_to_stderr(args):
            args.run(args)
        sys.stdout.flush()
    except StructprobeError as error:
        return _fault(error.for_shell())
    except BrokenPipeError:
        return _stop_writing()
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fault(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        print(f"structprobe: interrupted; {_what_is_kept(args)}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _what_is_kept(args: argparse.Namespace) -> str:
    """Say what an interrupted command leaves, and how it goes on."""
    if args.resumes:
        return f"what was done is kept; go on with: {args.command_line}"
    return "nothing was written; what is in a cache of vectors is kept"


def _open_closed_streams() -> None:
    """Open what the shell closed (``<&-``, ``2>&-``), where Python has None, onto nothing."""
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 -- open until we end
            setattr(sys, name, stream)


def _stop_writing() -> int:
    """Write to nobody: the reader of our output (`head`, say) has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fault(message: str) -> int:
    print(f"structprobe: error: {' '.join(message.split())}", file=sys.stderr)
    return DATA_FAULT


@contextmanager
def _log_to_stderr(args: argparse.Namespace) -> Iterator[None]:
    """Send the log to stderr while a command runs, and leave the logger as it was."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("structprobe: %(message)s"))
    logger = logging.getLogger("structprobe")
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(
        logging.ERROR if args.quiet else logging.DEBUG if args.verbose else logging.INFO
    )
    try:
        with logging_redirect_tqdm([logger]):  # a line goes above the bars, not into them
            yield
    finally:
        logger.handlers, logger.propagate, level = before
        logger.setLevel(level)

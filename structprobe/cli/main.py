"""The front door of the command line: which command runs, and what an error looks like."""

from __future__ import annotations

import _thread
import argparse
import importlib
import logging
import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper

from structprobe._version import __version__
from structprobe.cli.output import printing
from structprobe.cli.parser import SHELLS, Parser, PrintCompletion
from structprobe.errors import StructprobeError, escaped
from structprobe.memory import is_out_of_memory
from structprobe.output_paths import disk_hint

COMMANDS = {
    "treebank": "download a Universal Dependencies treebank and check it",
    "fit": "fit distance and depth probes on one layer and save them",
    "evaluate": "score a saved probe on a treebank, alongside the linear chain",
    "stimuli": "score a saved probe on controlled stimuli, or on matches of a pattern",
    "score": "score any CoNLL-U parse against a gold treebank",
    "parse": "parse CoNLL-U or plain text with a saved probe",
    "encode": "compute word vectors and cache them, all at once or in shards",
    "sweep": "fit one probe per layer, rank and seed; one row per run; resumes if interrupted",
    "localise": "locate syntax in a model: by layer, by a learned mix of layers, and cumulatively",
    "codelength": "measure how many bits encode the gold trees, given the vectors of a layer",
    "decompose": "approximate sentence vectors by sums of words bound to roles, by layer",
    "axes": "find which axes of the vectors serve syntax, word order and control tasks, by layer",
    "order": "test whether linear probes follow word order or hierarchy, by layer",
    "incremental": "follow the trees of a saved probe word by word, and when gold edges are found",
    "transfer": "score probes of several treebanks on each other, and compare their subspaces",
    "heads": "report what each attention head looks at and which relations it follows",
    "compare": "compare methods that recover trees; one row per method; resumes if interrupted",
    "behave": "score which sentence of minimal pairs a language model prefers, by phenomenon",
    "intervene": "measure what a model loses without what a probe reads, beside controls",
    "outcomes": "compare what probes find in models with what the models do; resumes",
    "significance": "test which layers, methods, models or seeds of a results folder differ",
    "plot": "draw figures and trees from a results folder, as PDF, SVG or PNG",
    "report": "write one HTML page about a sweep, a comparison or a saved probe",
    "serve": "serve a local page that parses the sentences you type, layer by layer",
    "demo": "probe a small model on the bundled treebank",
}

DATA_FAULT, INTERRUPTED = 1, 130
_TRACKERS = "ignore:resource_tracker:UserWarning"  # a filter: how the message begins

# How long a thread of torch's waits busily for the next small operation. The default of GNU's
# OpenMP is so long that on two cores, one of them taken by another process, training takes 16
# times as long; with this it takes 4 times, and just as long as before on a quiet machine.
SPIN_COUNT = "10000"


def build_parser(only: str | None = None) -> Parser:
    """Build the parser of all commands, with the options of all or of one alone."""
    parser = Parser(
        prog="structprobe",
        description="How much syntax do the layers of a language model encode, and can "
        "dependency trees be recovered from them?",
        epilog="`structprobe help COMMAND` shows the options of a command. Results go to stdout, "
        "logs and progress to stderr. Exit status: 0 for success, 2 for an invalid command line, "
        "130 if interrupted, 1 for any other error.",
    )
    parser.add_argument("--version", action="version", version=f"structprobe {__version__}")
    told = "print a completion script for your shell (needs the extra completion)"
    parser.add_argument("--print-completion", action=PrintCompletion, choices=SHELLS, help=told)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        told = f"{summary[0].upper()}{summary[1:]}."
        command = commands.add_parser(name, help=summary, description=told)
        if only not in (None, name):
            continue
        module = importlib.import_module(f"structprobe.cli.{name}")
        module.add_arguments(command)
        command.elsewhere = _with_option
        command.set_defaults(run=module.run, resumes=getattr(module, "RESUMES", False))
    return parser


def _with_option(option: str) -> list[str]:
    """Name the commands that have an option."""
    commands = build_parser().commands().items()
    return [name for name, command in commands if option in command._option_string_actions]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    _prepare_streams()
    if argv is None:  # a process of our own
        _quieten_trackers()
    given = list(sys.argv[1:] if argv is None else argv)
    args: argparse.Namespace | None = None
    try:
        with _heeding_interrupts(argv), _flushed():
            args = _parse(given)
            args.command_line = shlex.join(["structprobe", *given])
            # Otherwise bars are drawn where stderr is a terminal.
            args.progress = False if args.quiet else None
            os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when torch is first loaded
            if sys.stdout is None:
                return _fault("standard output is closed; redirect it to a file or a pipe")
            with _log_to_stderr(args):
                args.run(args)
    except StructprobeError as error:
        return _fault(error.for_shell())
    except BrokenPipeError:  # the reader of our output (`head`, say) has gone
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        told = f"{place}{error.strerror or error}"
        return _fault("; ".join(filter(None, (told, disk_hint(error)))))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        told = str(error) or type(error).__name__
        return _fault(f"there is not enough memory; use shorter sentences or fewer layers ({told})")
    except KeyboardInterrupt:
        _heed_no_more(argv)
        kept = "nothing was written; cached word vectors are kept"
        if args is None:  # while a command's options are imported
            kept = "nothing was done"
        elif args.resumes:
            kept = f"finished work is kept; resume with: {args.command_line}"
        _tell(f"structprobe: interrupted; {kept}")
        return INTERRUPTED
    finally:
        _heed_no_more(argv)
        _stop_writing()
    return 0


def _quieten_trackers() -> None:
    """Let Python's trackers of semaphores, processes of their own, only remove what was left.

    Workers that are ended by Ctrl-C leave semaphores, such as those of progress bars.
    """
    given = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (given, _TRACKERS)))


def _heed_no_more(argv: Sequence[str] | None) -> None:
    """Let no Ctrl-C, first or second, break into the end of the process."""
    if argv is None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _parse(given: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; ``help COMMAND`` is ``COMMAND --help``."""
    words = [*given[1:2], "--help"] if given[:1] == ["help"] else given
    named = next(iter(words), None)
    parser = build_parser(named if named in COMMANDS else None)
    args = parser.parse_args(words)
    if args.command is None:
        parser.error(f"no command given; choose from {', '.join(map(repr, COMMANDS))}")
    return args


def _prepare_streams() -> None:
    """Open what the shell closed (``<&-``, ``2>&-``), and escape what a stream cannot encode."""
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 -- open until we end
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        # What was chosen with PYTHONIOENCODING, such as `ascii:replace`, stays.
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


class _Interrupts:
    """Raises KeyboardInterrupt on Ctrl-C, once a second: the next may come while one is told."""

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, *_: object) -> None:
        now = time.monotonic()
        if now - self._last >= 1:
            self._last = now
            raise KeyboardInterrupt

    def repeat(self) -> None:
        """Raise it again, where it was lost."""
        self._last = -math.inf
        _thread.interrupt_main()


@contextmanager
def _heeding_interrupts(argv: Sequence[str] | None) -> Iterator[None]:
    """Repeat a Ctrl-C that came while an object was deleted: Python prints it and goes on."""
    before, interrupts = sys.unraisablehook, _Interrupts()
    if argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupts)

    def hook(found: sys.UnraisableHookArgs) -> None:
        again = issubclass(found.exc_type, KeyboardInterrupt)
        try:
            if not again:
                before(found)
        except KeyboardInterrupt:  # while the hook runs
            again = True
        if again:
            threading.Timer(0.01, interrupts.repeat).start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        if argv is not None:  # else objects are deleted, and Ctrl-C may come, until the end
            sys.unraisablehook = before


@contextmanager
def _flushed() -> Iterator[None]:
    """Write out what was printed, also before `--help` exits: Python would end in a traceback."""
    try:
        yield
    except SystemExit:
        _flush()
        raise
    _flush()


def _flush() -> None:
    """Write out what was printed."""
    with printing():
        if sys.stdout is not None:
            sys.stdout.flush()


def _stop_writing() -> None:
    """Write to nobody what could not be written, so that Python does not try again at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(line: str) -> None:
    """Print a line to stderr, if there is anybody to read it."""
    with suppress(OSError):
        print(escaped(line), file=sys.stderr, flush=True)


def _fault(message: str) -> int:
    _tell(f"structprobe: error: {' '.join(message.split())}")
    return DATA_FAULT


class _Escaping(logging.Formatter):
    """Keeps what a terminal would act on, in names of files and words, out of the log."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record), keep="\n")


@contextmanager
def _log_to_stderr(args: argparse.Namespace) -> Iterator[None]:
    """Send the log to stderr while a command runs, and leave the logger as it was."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Escaping("structprobe: %(message)s"))
    logger = logging.getLogger("structprobe")
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [handler], False
    usual = logging.DEBUG if args.verbose else logging.INFO
    logger.setLevel(logging.ERROR if args.quiet else usual)
    try:
        with logging_redirect_tqdm([logger]):  # a line goes above the bars, not into them
            yield
    finally:
        logger.handlers, logger.propagate, level = before
        logger.setLevel(level)

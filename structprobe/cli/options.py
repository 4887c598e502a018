"""Options that several commands share, and what is built from them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from structprobe.cli.output import progress_of

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.experiments.runs.backends import Backend
    from structprobe.treebank import Treebank

PUNCT = ("upos", "xpos", "keep")
PRODUCTS = ("float32", "bfloat16", "auto")
DTYPES = ("float32", "bfloat16", "float16")


def int_list(text: str) -> list[int]:
    """Read whole numbers parted by commas, as in ``32,128``."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of whole numbers such as 32,128"
        ) from None


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def port(text: str) -> int:
    """Read the number of a port, 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number up to 65535")
    return int(text)


def above_zero(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def add_talk(parser: argparse.ArgumentParser, *, json: str = "results as JSON") -> None:
    """Add the options that say how results and logs are written."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help=json)
    loudness = group.add_mutually_exclusive_group()
    loudness.add_argument(
        "-q", "--quiet", action="store_true", help="errors only, and no progress bars"
    )
    loudness.add_argument("-v", "--verbose", action="store_true", help="more of what is going on")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add where the model runs and what a batch may hold."""
    group = parser.add_argument_group("machine")
    group.add_argument(
        "--device", default="auto", help="auto, or as torch names it: cpu, cuda:1, mps"
    )
    group.add_argument(
        "--batch-tokens", type=positive, default=None, help="padded tokens in one forward pass"
    )


def add_model(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add which model is encoded with, and how."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        required=True,
        nargs="+" if several else None,
        help="hub id, local folder, or a .gguf file in a folder" + "; or several" * several,
    )
    group.add_argument("--revision", default=None, help="branch, tag or commit of the hub id")
    group.add_argument("--gguf-file", default=None, help="the .gguf file in the model's folder")
    group.add_argument(
        "--trust-remote-code", action="store_true", help="run code that comes with the model"
    )
    group.add_argument("--dtype", default="float32", choices=DTYPES, help="precision")
    group.add_argument(
        "--pooling", default="mean", choices=("mean", "first", "last"), help="pieces to a word"
    )
    group.add_argument(
        "--spacing",
        default="words",
        choices=("words", "original"),
        help="words joined by single spaces, or spaced as in the treebank",
    )
    group.add_argument(
        "--bos", action="store_true", help="put a beginning-of-sequence token in front"
    )
    add_device(parser)


def add_saved_model(parser: argparse.ArgumentParser) -> None:
    """Add where the model of a saved probe is, if not where the probe says, and where it runs."""
    group = parser.add_argument_group("model", "by default the one that the probe was fitted on")
    group.add_argument("--model", default=None, help="where it is now, if it has moved")
    group.add_argument("--gguf-file", default=None, help="the .gguf file in its folder")
    group.add_argument(
        "--trust-remote-code", action="store_true", help="run code that comes with the model"
    )
    group.add_argument(
        "--dtype", default=None, choices=DTYPES, help="precision, if not that of the fit"
    )
    group.add_argument("--revision", default=None, help="of the probe, where it is a hub id")
    group.add_argument("--cache", default=None, metavar="DIR", help="keep word vectors there")
    add_device(parser)


def add_treebanks(parser: argparse.ArgumentParser, *, test: bool) -> None:
    """Add the files to learn from, to choose by and, for `sweep`, to report on."""
    group = parser.add_argument_group("treebanks", "CoNLL-U files or globs; .gz is welcome")
    learnt: argparse._ActionsContainer = group
    if test:
        learnt = group.add_mutually_exclusive_group(required=True)
        learnt.add_argument(
            "--treebank",
            nargs="+",
            default=None,
            metavar="DIR",
            help="folders of UD treebanks, with all their parts; each is swept over",
        )
    learnt.add_argument(
        "--train", nargs="+", required=not test, metavar="FILE", help="to learn from"
    )
    group.add_argument(
        "--dev",
        nargs="+",
        default=None,
        metavar="FILE",
        help="to stop by; else a tenth of train" + ", and --test is needed to score on" * test,
    )
    if test:
        group.add_argument(
            "--test", nargs="+", default=None, metavar="FILE", help="to report on; else dev"
        )
    add_skip(group)


def add_skip(parser: argparse._ActionsContainer) -> None:
    """Add what to do with faulty sentences."""
    parser.add_argument(
        "--skip-faults",
        action="store_true",
        help="leave sentences with faults out, and count them, in place of stopping",
    )


def add_recipe(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add how a probe is trained and which words its trees are scored over."""
    group = parser.add_argument_group("probe")
    group.add_argument(
        "--recipe",
        default="whitened",
        choices=("whitened", "published"),
        help="how the probe's matrix is found",
    )
    group.add_argument(
        "--max-steps",
        type=positive,
        default=None,
        help="training steps; the recipe's own if not given",
    )
    group.add_argument(
        "--products",
        default="float32",
        choices=PRODUCTS,
        help="type of a step's two large products; auto is the faster one on this machine",
    )
    group.add_argument(
        "--memory-gb",
        type=above_zero,
        default=None,
        metavar="GB",
        help="room for vectors in training, 4 if not given; a layer that does not fit is streamed "
        "from the temporary folder (TMPDIR)",
    )
    add_punct(group)
    return group


def add_punct(parser: argparse._ActionsContainer) -> None:
    """Add which words UUAS and root accuracy leave out."""
    parser.add_argument(
        "--punct",
        default=None,
        choices=PUNCT,
        help="words left out of UUAS and root: UPOS PUNCT, the paper's Penn tags, or none; "
        "upos where the treebank has it",
    )


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add where the runs of a grid are done."""
    group = parser.add_argument_group("where the runs are done")
    group.add_argument(
        "--jobs", type=positive, default=1, help="so many at once, which share the processors"
    )
    group.add_argument(
        "--backend",
        default=None,
        metavar="NAME",
        help="of joblib: loky (the default of several jobs), dask, ray or any registered one",
    )
    group.add_argument(
        "--scheduler", default=None, metavar="ADDRESS", help="of Dask, such as tcp://host:8786"
    )


def add_keep(parser: argparse.ArgumentParser) -> None:
    """Add whether predictions are kept, from which `report` makes its explorer."""
    parser.add_argument(
        "--keep-predictions",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep each run's trees and distances beside its row, for `structprobe report`",
    )


def build_backend(args: argparse.Namespace) -> Backend:
    """Name the backend that the options name."""
    from structprobe.experiments.runs.backends import Backend

    return Backend(args.jobs, args.backend, args.scheduler)


def build_encoder(args: argparse.Namespace, model: str | None = None) -> Encoder:
    """Load the model that the options name, or that one of several."""
    from structprobe.encoder.encoder import Encoder

    optional = {} if args.batch_tokens is None else {"batch_tokens": args.batch_tokens}
    return Encoder(
        model or args.model,
        revision=args.revision,
        trust_remote_code=args.trust_remote_code,
        gguf_file=args.gguf_file,
        device=args.device,
        dtype=args.dtype,
        pooling=args.pooling,
        spacing=args.spacing,
        bos=args.bos,
        **optional,
    )


def saved_model(args: argparse.Namespace) -> dict[str, Any]:
    """Give the arguments of `ProbeRecoverer.from_pretrained` that were named."""
    names = ("model", "gguf_file", "dtype", "revision", "cache", "batch_tokens", "device")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return given | ({"trust_remote_code": True} if args.trust_remote_code else {})


def read_bank(files: Sequence[str | Path], args: argparse.Namespace) -> Treebank:
    """Read one treebank."""
    from structprobe.treebank import Treebank

    on_error: Literal["skip", "raise"] = "skip" if args.skip_faults else "raise"
    return Treebank.read(files, on_error=on_error, progress=progress_of(args))


def read_optional(files: Sequence[str | Path] | None, args: argparse.Namespace) -> Treebank | None:
    """Read a treebank, if one was named."""
    return None if files is None else read_bank(files, args)


def read_treebanks(
    args: argparse.Namespace,
) -> list[tuple[Treebank, Treebank | None, Treebank | None]]:
    """Read train, dev and test of each treebank that a sweep goes over."""
    from structprobe.errors import ScoreError, TreebankError
    from structprobe.treebank.files import find_parts

    if args.train is not None:
        files = [{"train": args.train, "dev": args.dev, "test": args.test}]
    elif args.dev or args.test:
        raise TreebankError("--dev and --test go with --train; --treebank has its own")
    else:
        files = [find_parts(folder) for folder in args.treebank]
    for parts, folder in zip(files, args.treebank or [None], strict=True):
        if "train" not in parts:
            raise TreebankError("there is no train part to learn from", path=folder)
        if not parts.get("dev") and not parts.get("test"):  # before anything is loaded
            hint = "give a dev or a test treebank"
            raise ScoreError("there is nothing to score on", where=folder, hint=hint)
    return [
        (
            read_bank(parts["train"], args),
            read_optional(parts.get("dev"), args),
            read_optional(parts.get("test"), args),
        )
        for parts in files
    ]

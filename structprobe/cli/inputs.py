"""From what the options name to models and treebanks."""

from __future__ import annotations

import argparse
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from structprobe.cli.options import LARGE, PARTS

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.experiments.config import Training
    from structprobe.experiments.sweep import Parts
    from structprobe.treebank import Treebank
    from structprobe.treebank.reading import Heads

# What says where a model is, beside its name.
SOURCE = ("revision", "trust_remote_code", "gguf_file")

_log = logging.getLogger(__name__)


def picked(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Give the values of some options by name."""
    return {name: getattr(args, name) for name in names}


def build_encoder(args: argparse.Namespace, model: str | None = None) -> Encoder:
    """Load the model that the options name, or that one of several."""
    from structprobe.encoder.encoder import Encoder

    name = model or args.model
    where = picked(args, *SOURCE)
    layers = getattr(args, "layers", None) or [getattr(args, "layer", None)]
    if layers not in ("all", [None]):  # refused before the weights are loaded
        from structprobe.experiments.layers_ranks_seeds import parse_layers
        from structprobe.models.loading import layers_from_config

        highest = None if args.model_part else layers_from_config(name, **where)
        if highest is not None:
            parse_layers(layers, highest)
    how = picked(args, "device", "dtype", "pooling", "spacing", "bos", "lang", "window", "site")
    how["part"] = args.model_part
    options = picked(args, *LARGE, "batch_tokens", "max_unknown")
    how |= {option: value for option, value in options.items() if value is not None}
    return Encoder(name, **where, **how)


def check_probe(args: argparse.Namespace) -> None:
    """Refuse a file in the place of a saved probe: the two are easily swapped."""
    from structprobe.errors import ProbeError

    if os.path.isfile(args.probe):
        hint = "PROBE comes first, then the file"
        if os.path.isfile(folder := os.path.join(os.path.dirname(args.probe), "config.json")):
            hint = f"name its folder, {os.path.dirname(folder) or '.'}"
        raise ProbeError("is a file, not a saved probe", where=args.probe, hint=hint)


def saved_model(args: argparse.Namespace) -> dict[str, Any]:
    """Give what options say about the choice and the loading of a saved probe."""
    names = ("layer", "layers", "rank", "seed", "model", "gguf_file", "dtype", "revision", "cache",
             "batch_tokens", "max_unknown", "device", *LARGE)  # fmt: skip
    given: dict[str, Any] = {"trust_remote_code": args.trust_remote_code or None}
    given |= {name: getattr(args, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def training(args: argparse.Namespace) -> Training:
    """Give what options say about the training of probes."""
    from structprobe.experiments.config import Training

    given = args.recipe, args.max_steps, args.products, args.device, args.memory_gb
    relations = {name: getattr(args, name) for name in ("relations", "decoding") if name in args}
    return Training(*given, select=args.select, **relations)


def read_bank(
    files: Sequence[str | Path], args: argparse.Namespace, *, heads: Heads = "tree"
) -> Treebank:
    """Read the files of one treebank, or of one part of it."""
    from structprobe.errors import TreebankError
    from structprobe.treebank import Treebank

    for name in map(str, files):  # the name of a treebank and that of a file are easily swapped
        if re.fullmatch(r"sample|UD_[\w-]+", name) and not os.path.exists(name):
            hint = f"for a treebank by name, use --treebank {name}"
            raise TreebankError("no such file", path=name, hint=hint)
    on_error: Literal["skip", "raise"] = "skip" if args.skip_faults else "raise"
    return Treebank.read(files, on_error=on_error, heads=heads, progress=args.progress)


def read_treebank(args: argparse.Namespace) -> Parts:
    """Read the one treebank that the options name."""
    (parts,) = read_treebanks(args)
    return parts


def read_treebanks(args: argparse.Namespace) -> list[Parts]:
    """Read the parts of each treebank that the options name, once all of them are found."""
    return [(banks["train"], banks.get("dev"), banks.get("test"))
            for banks in read_parts(args).values()]  # fmt: skip


def read_parts(args: argparse.Namespace) -> dict[str | None, dict[str, Treebank]]:
    """Read treebanks by part, under their names as given."""
    found = {}
    for name, files in _files(args).items():
        banks = {part: _read_text(paths, args, part) for part, paths in files.items()}
        if "train" in banks and len(banks.get("dev", ())) > len(banks["train"]):
            told = "the dev set has more sentences than the training set (%d and %d); "
            counts = len(banks["dev"]), len(banks["train"])
            _log.warning(told + "were they swapped?", *counts)
        found[name] = banks
    return found


def read_each(args: argparse.Namespace) -> dict[str, Treebank]:
    """Read files, and the parts of treebanks, as a treebank each."""
    found = {name: read_bank([name], args) for name in args.files}
    for name, files in _files(args, needs=()).items():
        for part, paths in files.items():
            found[" ".join([*filter(None, [name]), part])] = read_bank(paths, args)
    return found


def read_test(args: argparse.Namespace) -> Treebank:
    """Read what to score on: files, or the test part of a treebank."""
    if args.files or args.test:
        return _read_text(args.files or args.test, args, "test")
    ((_, files),) = _files(args, needs=("test",)).items()
    return _read_text(files["test"], args, "test")


def _read_text(files: Sequence[str | Path], args: argparse.Namespace, part: str) -> Treebank:
    """Read what a model is to learn from or to be scored on: refused without its text."""
    from structprobe.treebank.withheld import check_not_withheld

    bank = read_bank(files, args)
    if not args.allow_withheld:
        check_not_withheld(bank, part)
    return bank


def _files(
    args: argparse.Namespace, needs: Sequence[str] | None = None
) -> dict[str | None, Mapping[str, Sequence[str | Path]]]:
    """List the files of each treebank by part, those in use alone, under the treebank's name."""
    from structprobe.errors import ScoreError, TreebankError
    from structprobe.treebank.files import find_parts

    named = {part: getattr(args, part, None) for part in PARTS}
    given = {part: files for part, files in named.items() if files}
    found: dict[str | None, Mapping[str, Sequence[str | Path]]] = {None: given} if given else {}
    for name in args.treebank or ():
        parts = find_parts(name)
        found[name] = {part: parts[part] for part in parts if hasattr(args, part)}
        for part in args.needs if needs is None else needs:
            if part not in parts:
                usual = "name the files with --train, --dev and --test"
                hint = getattr(args, "without_part", usual)
                raise TreebankError(f"the treebank has no {part} set", path=name, hint=hint)
    for name, files in found.items():
        if args.needs_scores and not files.keys() & {"dev", "test"}:
            hint = "give a dev or a test set"
            raise ScoreError("there is nothing to score on", where=name, hint=hint)
    return found

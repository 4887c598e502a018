"""Interventions in a results folder: one row for what is done to a model, all numbers beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from structprobe.checksums import checksum
from structprobe.experiments.behaviour.behave import MASKED
from structprobe.experiments.behaviour.intervene import pairs_of, read_interventions
from structprobe.experiments.config import InterveneConfig, checked_config
from structprobe.experiments.sweep import Parts
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.interventions import as_condition, saved_interventions
from structprobe.results.rows import INTERVENTION, Row, bank_name, make_row, run_key
from structprobe.stimuli.suites.reading import SuiteGroup

if TYPE_CHECKING:
    from structprobe.behaviour.language_model import LanguageModel
    from structprobe.encoder.encoder import Encoder
    from structprobe.probe.estimator import StructuralProbe

_VERSION = 1  # of what is measured, part of the key of a row
_ELSEWHERE = ("device", "cache", "progress", "allow_withheld")  # options without effect on numbers


def intervention_rows(
    model: LanguageModel | Encoder,
    treebank: Parts,
    suites: Sequence[SuiteGroup],
    *,
    folder: str | os.PathLike[str],
    layer: int | None = None,
    rank: int | None = None,
    probe: StructuralProbe | None = None,
    config: InterveneConfig | None = None,
    command: str | None = None,
) -> list[dict[str, Any]]:
    """Read interventions as `read_interventions` does, and save them in a results folder.

    One row is added for all of them, and all measures, phenomena and controls lie beside it, from
    where `structprobe report` shows them. What is there already is not done again.

    Parameters
    ----------
    model : LanguageModel or Encoder
        The model.
    treebank : tuple of train, dev and test
        Treebanks with trees; dev and test may be None.
    suites : sequence of SuiteGroup
        Minimal pairs, as `read_suites` gives them; those of SyntaxGym are left out.
    folder : path
        The results folder: new, empty, or from structprobe.
    layer, rank, probe, config
        As for `read_interventions`.
    command : str, optional
        The command line, which the folder keeps.

    Returns
    -------
    list of dict
        The rows, as from `read_interventions`, each with the ``key`` of the run.

    Raises
    ------
    ProbeError, StructprobeError
        As for `read_interventions`.
    ResultError
        If the folder is not a results folder or cannot be written.
    """
    config = checked_config(config, InterveneConfig)
    check_folder(folder)
    results = ResultsFolder(folder)
    results.tell_command(command)
    values = _values(model, treebank, suites, layer, rank, probe, config)
    if values["key"] not in results.keys:
        pairs = pairs_of(suites)
        found = read_interventions(
            model, *treebank, pairs=pairs, layer=layer, rank=rank, probe=probe, config=config
        )
        first = found[0]
        told = {"layer": first["layer"], "rank": first["rank"], "n_pairs": len(pairs) or None}
        kind = getattr(model, "kind", None)
        results.add(
            make_row(**{**values, **told, "lm_kind": kind}), conditions=[*map(as_condition, found)]
        )
    return [one for one in saved_interventions(folder) if one["key"] == values["key"]]


def _values(
    model: LanguageModel | Encoder,
    treebank: Parts,
    suites: Sequence[SuiteGroup],
    layer: int | None,
    rank: int | None,
    probe: StructuralProbe | None,
    config: InterveneConfig,
) -> Row:
    """Give the known values of a row, and its key."""
    encoder: Any = getattr(model, "encoder", model)
    origin = encoder.origin(0)
    values: Row = {key: value for key, value in origin.items() if key != "layer"}
    values |= {"method": INTERVENTION, "uses_gold": False, "seed": config.seed}
    train, dev, test = treebank
    scored = test or dev
    values |= {"train": bank_name(train), "train_fingerprint": train.fingerprint}
    if dev is not None:
        values |= {"dev": bank_name(dev), "dev_fingerprint": dev.fingerprint}
    if scored is not None:
        values |= {"treebank": bank_name(scored), "treebank_fingerprint": scored.fingerprint}
    values["suite"] = ", ".join(one.name for one in suites) or None
    values["suite_fingerprint"] = run_key(suites=[one.fingerprint for one in suites])
    options = {one.name: getattr(config, one.name) for one in fields(config)}
    options = {name: value for name, value in options.items() if name not in _ELSEWHERE}
    told: dict[str, Any] = {"layer": layer, "rank": rank}
    if probe is not None:
        read = ("distance",) if config.part == "distance" else ("distance", "depth")
        matrices = [getattr(probe, f"{one}_components_") for one in read]
        told["probe"] = int(checksum("probe", matrices))
    if getattr(model, "kind", None) == MASKED:
        told["lm_kind"] = MASKED
    told["options"] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in options.items()
    }
    key = run_key(**{**values, **told}, interventions_version=_VERSION)
    return {"key": key, **values}

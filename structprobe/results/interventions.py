"""What interventions changed, as a results folder keeps it beside their rows."""

from __future__ import annotations

import os
from typing import Any

from structprobe.results.folder import read_rows
from structprobe.results.rows import INTERVENTION
from structprobe.results.saved_runs import read_stimuli

_OTHERWISE = ("measure", "phenomenon", "value")  # called otherwise where scores are saved
_KEPT = ("condition", "changed")


def as_condition(row: dict[str, Any]) -> dict[str, Any]:
    """Give a row of `read_interventions` as scores by condition are saved: measure, phenomenon."""
    told = {key: value for key, value in row.items() if key not in _OTHERWISE}
    named = {"condition": row["measure"], "value": row["phenomenon"] or ""}
    return {**named, "changed": row["value"], **told}


def saved_interventions(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read what all interventions changed; nothing if the folder has none."""
    found = []
    for row in read_rows(folder):
        if row["method"] != INTERVENTION:
            continue
        for one in read_stimuli(folder, row["key"]):
            named = {"measure": one["condition"], "phenomenon": one["value"] or None}
            told = {**one, **named, "value": one["changed"], "key": row["key"]}
            found.append({name: told[name] for name in told if name not in _KEPT})
    return found

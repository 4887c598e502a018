"""How result rows are named: scores, models, protocols, and treebanks, many called test.conllu."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from structprobe.results.rows import Row
from structprobe.scores.protocol import Protocol

SCORES = {"uuas": "UUAS", "uas": "UAS", "las": "LAS", "root_acc": "root", "dspr": "DSpr.",
          "nspr": "NSpr."}  # fmt: skip

_DIGITS = 6  # of a fingerprint, enough to tell a few treebanks apart


def name_banks(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Name treebanks so that two never share a name."""
    named = [dict(row) for row in rows]
    for name in ("treebank", "train"):
        # How words are disturbed changes the fingerprint, but is no other treebank.
        found: dict[tuple[object, object], list[Row]] = {}
        for row in named:
            if row.get(f"{name}_fingerprint") is not None:
                found.setdefault((row.get(name), row.get("words_as")), []).append(row)
        for alike in found.values():
            if len({row[f"{name}_fingerprint"] for row in alike}) > 1:
                for row in alike:
                    row[name] = f"{row[name]} ({row[f'{name}_fingerprint'][:_DIGITS]})"
    return named


def short_model(model: str) -> str:
    """Give a model's name without most of the folders that it lies in."""
    return "/".join(PurePath(model).parts[-2:]) if PurePath(model).parts[2:] else model


def protocols_of(rows: Iterable[Mapping[str, Any]]) -> list[Protocol]:
    """Give the protocols by which rows were scored, each once."""
    values = [[row.get(key) for key in ("punct", "min_length", "max_length")] for row in rows]
    return list(dict.fromkeys(Protocol(*one) for one in values if None not in one))  # type: ignore[arg-type]

"""Treebanks told apart by what is in them: many are called test.conllu."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from structprobe.results.rows import Row

_DIGITS = 6  # of a fingerprint, enough to tell a few treebanks apart


def name_banks(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Name treebanks so that two never share a name."""
    named = [dict(row) for row in rows]
    for name, fingerprint in (
        ("treebank", "treebank_fingerprint"),
        ("train", "train_fingerprint"),
    ):
        found: dict[object, set[object]] = {}
        for row in named:
            if row.get(fingerprint) is not None:
                found.setdefault(_as_scored(row, name), set()).add(row[fingerprint])
        for row in named:
            if row.get(fingerprint) is not None and len(found[_as_scored(row, name)]) > 1:
                row[name] = f"{row[name]} ({row[fingerprint][:_DIGITS]})"
    return named


def _as_scored(row: Mapping[str, Any], name: str) -> tuple[object, object]:
    """Give the name and how words are disturbed, which changes the fingerprint but no treebank."""
    return row.get(name), row.get("words_as")


def banks_of(rows: Iterable[Row]) -> dict[object, str]:
    """Give the treebanks that rows are scored on."""
    return {
        row["treebank_fingerprint"]: str(row["treebank"])
        for row in rows
        if row["treebank_fingerprint"] is not None
    }

"""How result rows are named: scores, models, protocols, and treebanks, many called test.conllu."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from structprobe.results.settings import protocol_of
from structprobe.scores.protocol import Protocol

SCORES = {"uuas": "UUAS", "uas": "UAS", "las": "LAS", "clas": "CLAS", "root_acc": "root",
          "dspr": "DSpr.", "nspr": "NSpr."}  # fmt: skip


def short_model(model: str) -> str:
    """Give a model's name without most of the folders that it lies in."""
    return "/".join(PurePath(model).parts[-2:]) if PurePath(model).parts[2:] else model


def protocols_of(rows: Iterable[Mapping[str, Any]]) -> list[Protocol]:
    """Give the protocols by which rows were scored, each once."""
    keys = ("punct", "min_length", "max_length")
    values: list[list[Any]] = [[row.get(key) for key in keys] for row in rows]
    return list(dict.fromkeys(Protocol(*one) for one in values if None not in one))


def partly_scored(
    rows: Iterable[Mapping[str, Any]], metrics: Iterable[str] = tuple(SCORES)
) -> list[str]:
    """Tell scores that were taken on fewer sentences than those of other rows on the treebank."""
    banks: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        # The trees of a control task are others, on the same sentences.
        banks.setdefault((*protocol_of(row), row.get("control")), []).append(row)
    told = []
    for own in banks.values():
        for metric in metrics:
            # Both correlations are over the sentences of the protocol's lengths.
            alike = ("dspr", "nspr") if metric in ("dspr", "nspr") else (metric,)
            most = max(row.get(f"{one}_sentences") or 0 for row in own for one in alike)
            told += [
                f"{SCORES[metric]} of {row['method']} is over {n:,} sentences, not {most:,}."
                for row in own
                if 0 < (n := row.get(f"{metric}_sentences") or 0) < most
            ]
    return list(dict.fromkeys(told))

"""How each relation was predicted, and which were confused, as plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.results.rows import per_cent
from structprobe.show.table import format_table, lay_out

_MOST = 20  # confusions: most of the others are of few words


def format_scored(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out rows of `structprobe.experiments.evaluate.score_files`."""
    of_relations = [_format_relations(row) for row in rows if "relations" in row]
    return "\n\n".join([format_table(rows), *of_relations])


def _format_relations(row: Mapping[str, Any]) -> str:
    """Lay out how each relation was predicted, and which were confused."""
    lines = [["relation", "gold", "predicted", "correct", "precision", "recall", "F1"]]
    lines += [
        [one["relation"], *(f"{one[key]:,}" for key in ("gold", "predicted", "correct")),
         *(per_cent(one[key]) for key in ("precision", "recall", "f1"))]
        for one in row["relations"]
    ]  # fmt: skip
    wrong = [one for one in row["confusion"] if one["gold"] != one["predicted"]]
    pairs = [["gold", "predicted", "words", "correct heads"]]
    pairs += [
        [one["gold"], one["predicted"], f"{one['words']:,}", f"{one['right_heads']:,}"]
        for one in wrong[:_MOST]
    ]
    shown = f"The {_MOST} most frequent of " if len(wrong) > _MOST else ""
    confused = f"{shown}{counted(len(wrong), 'pair')} of relations that were confused."
    return "\n".join(
        [
            *lay_out(lines, [True, *[False] * 6]),
            "Correct: head and relation, as LAS counts them; precision, recall and F1 in per cent.",
            *(["", *lay_out(pairs, [True, True, False, False])] if wrong else []),
            confused,
        ]
    )

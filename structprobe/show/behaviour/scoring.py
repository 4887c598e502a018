"""How a language model was asked, in words: every choice that moves its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.row_labels import short_model

_MASKED = (
    "the pseudo-log-likelihood of a masked model, the sum over tokens, each predicted with itself "
    "and the later tokens of its word masked (Kauf & Ivanova 2023)"
)
_CAUSAL = "the log-probability by a causal model, the sum over all tokens"
_FIRST = {
    True: "behind a beginning-of-sequence token",
    False: "but for the first, since the model has no beginning-of-sequence token",
}
_PER = {None: "not divided by length", "token": "divided by the number of tokens",
        "word": "divided by the number of words"}  # fmt: skip
_SPACING = {"words": "words joined by single spaces", "original": "spaced as in the text"}


def scoring_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell how models were asked, each way once."""
    return list(dict.fromkeys(map(_scoring, rows)))


def _scoring(row: Mapping[str, Any]) -> str:
    score = _MASKED
    if (row.get("kind") or row.get("lm_kind")) != "masked":
        score = f"{_CAUSAL} {_FIRST[row['scores_first']]}, the final stop included"
    name = short_model(str(row["model"]))
    told = f"{name}: the score of a sentence is {score}, {_PER[row['per']]}"
    return f"{told}; made pairs: {_SPACING[row['spacing']]}." if row.get("spacing") else f"{told}."

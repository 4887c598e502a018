"""Small suites for tests: files as BLiMP and SyntaxGym write them, and models of known taste."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from structprobe.errors import EncoderError


def write_blimp(path: Path, pairs: Sequence[tuple[str, str]], term: str = "agreement") -> Path:
    """Write pairs as BLiMP does, under the name of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        {"sentence_good": good, "sentence_bad": bad, "linguistics_term": term, "UID": path.stem,
         "pairID": str(number), "simple_LM_method": True}
        for number, (good, bad) in enumerate(pairs)
    )  # fmt: skip
    path.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    return path


def suite_of(
    formulas: Sequence[str], *items: Mapping[str, Sequence[str]], name: str = "toy"
) -> dict[str, Any]:
    """Make the JSON of a suite: for each item, the regions of each condition."""
    return {
        "meta": {"name": name, "metric": "sum"},
        "region_meta": {},
        "predictions": [{"type": "formula", "formula": one} for one in formulas],
        "items": [
            {
                "item_number": number,
                "conditions": [
                    {
                        "condition_name": condition,
                        "regions": [
                            {"region_number": place, "content": text}
                            for place, text in enumerate(regions, 1)
                        ],
                    }
                    for condition, regions in item.items()
                ],
            }
            for number, item in enumerate(items, 1)
        ],
    }


def write_suite(path: Path, told: object) -> Path:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))
    return path


class Bigrams:
    """A language model, as `LanguageModel` is one, whose preferences are set by hand.

    A word costs one bit behind any other, unless the pair of the two is among `costs`; in front of
    the first one stands ``"<s>"``.
    """

    kind = "causal"

    def __init__(
        self,
        costs: Mapping[tuple[str, str], float],
        *,
        scores_first: bool = True,
        longest: int = 99,
    ) -> None:
        self.costs, self.scores_first, self.longest = costs, scores_first, longest
        self.encoder = SimpleNamespace(origin=lambda layer: {"model": "bigrams"}, spacing="words")
        self.calls: list[int] = []

    def surprisals(self, texts: Sequence[Any], *, progress: bool | None = None) -> list[Any]:
        found = []
        for text in texts:
            words = ["<s>", *text.words]
            if len(words) > self.longest:
                raise EncoderError(f"{len(words)} words", where=text.where)
            bits = [self.costs.get(both, 1.0) for both in pairwise(words)]
            found.append(np.array(bits if self.scores_first else [math.nan, *bits[1:]]))
        return found

    def log_probs(
        self, texts: Sequence[Any], *, per: str | None = None, progress: bool | None = None
    ) -> Any:
        sums = [np.nansum(one) for one in self.surprisals(texts)]
        lengths = [len(one.words) - (per == "token" and not self.scores_first) for one in texts]
        return -np.log(2) * np.array(sums) / (1 if per is None else np.array(lengths))

    def pair_log_probs(
        self, pairs: Sequence[Any], *, per: str | None = None, progress: bool | None = None
    ) -> Any:
        self.calls.append(len(pairs))
        return self.log_probs([one for both in pairs for one in both], per=per).reshape(-1, 2)


class Masked(Bigrams):
    """The same, but a masked one, which has no surprisals to give."""

    kind = "masked"

    def surprisals(self, texts: Sequence[Any], *, progress: bool | None = None) -> list[Any]:
        raise EncoderError("'bigrams' is a masked model, which has no surprisal")

    def log_probs(
        self, texts: Sequence[Any], *, per: str | None = None, progress: bool | None = None
    ) -> Any:
        return Bigrams(self.costs).log_probs(texts, per=per)

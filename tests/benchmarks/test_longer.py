"""How far the default is behind the best of its rivals, by numbers worked out by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import longer

# By steps, then by layer: L1 and UUAS.
SCORES = {
    2: {0: (0.5, 0.6), 4: (0.7, 0.55), 6: (0.4, 0.5)},
    9: {0: (0.497, 0.61), 4: (0.699, 0.54), 6: (0.5, 0.504)},
}


def test_each_score_is_held_to_the_best_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def scores(*_: Any, max_steps: int = 2, **__: Any) -> Any:
        return SCORES[max_steps]

    monkeypatch.setattr(longer, "distance_scores", scores)
    encoder: Any = SimpleNamespace(encode=lambda bank, **_: bank)
    none: Any = None
    pair = longer.Pair("EWT", none, none, "xpos")
    rivals = {"longer": {"max_steps": 9}}
    lines = [*longer._lines("model", encoder, (0, 4, 6), 8, pair, rivals)]
    assert [line.holds for line in lines] == [False, True, False]
    assert lines[0].figure == "default 0.5000 / 60.0; longer 0.4970 / 61.0; behind 0.0030 / 1.0"
    assert lines[1].figure.endswith("behind 0.0010 / 0.0")
    assert lines[2].figure.endswith("behind 0.0000 / 0.4")  # UUAS alone


def test_the_treebanks_are_cut_as_the_notes_say(
    treebanks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> list[str]:
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")

    bare: Any = SimpleNamespace(read=cache(read))  # how they are cut does not need their words
    monkeypatch.setattr(longer, "Treebank", bare)
    sizes = [
        [(pair.name, len(pair.train), len(pair.dev)) for pair in longer._pairs(treebanks, every)]
        for every in (1, 5)
    ]
    small = [("VTB", 1400, 1123), ("GSD", 738, 738)]
    assert sizes == [[("EWT", 12544, 2001), *small], [("EWT", 2509, 1001), *small]]

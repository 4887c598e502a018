"""The result row: fixed keys, and a digest of what decides the result."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from support.tiny_trees import tiny_bank, tiny_file, tiny_text

from structprobe import LinearChain, Prediction, Treebank, __version__, score
from structprobe.results.rows import (
    METRICS,
    ROW_KEYS,
    bank_name,
    make_row,
    run_key,
    score_values,
)


def test_all_keys_in_order() -> None:
    row = make_row(uuas=0.5, method="linear")
    assert list(row) == list(ROW_KEYS)
    assert (row["uuas"], row["method"], row["layer"]) == (0.5, "linear", None)
    assert row["version"] == __version__
    packages = "torch", "transformers"
    assert [row[f"{name}_version"] for name in packages] == [*map(version, packages)]
    assert all(ROW_KEYS.values())


def test_unknown_key_is_a_slip() -> None:
    with pytest.raises(TypeError, match="not keys of a result row: layers, uus"):
        make_row(uus=0.5, layers=3)


def test_scores_with_intervals_and_protocol() -> None:
    bank = tiny_bank(30)
    scores = score(bank, LinearChain().predict(bank))
    values = score_values(scores)
    assert set(values) <= set(ROW_KEYS)
    assert (values["punct"], values["min_length"], values["max_length"]) == ("upos", 5, 50)
    for metric in METRICS:
        assert values[metric] == getattr(scores, metric)
    assert (values["uuas_low"], values["uuas_high"]) == scores.interval("uuas")
    assert values["uuas_low"] < values["uuas"] < values["uuas_high"]
    assert values["las"] is values["las_low"] is values["nspr_high"] is None


def test_nothing_scored_is_none() -> None:
    scores = score([[0]], [Prediction(np.array([0]))])
    values = score_values(scores)
    assert values["uuas"] is values["uuas_low"] is None
    assert values["uas"] == 1


@pytest.mark.fault_class("stale")
def test_key_depends_on_what_decides_alone() -> None:
    assert run_key(layer=1, rank=2) == run_key(rank=2, layer=1, seed=None)
    assert run_key(layer=1, rank=2) != run_key(layer=2, rank=1)
    assert run_key(layer=1) != run_key(layer="1")
    assert len(run_key()) == 16


def test_name_of_a_treebank(tmp_path: Path) -> None:
    assert bank_name(tiny_file(tmp_path / "a.conllu")) == "a.conllu"
    (tmp_path / "b.conllu").write_text(tiny_text(3, 1))
    both = Treebank.read([tmp_path / "a.conllu", tmp_path / "b.conllu"])
    assert bank_name(both) == "a.conllu+b.conllu"
    assert bank_name(tiny_bank()) is None

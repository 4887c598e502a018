"""Which runs a sweep is made of, and what makes two of them the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_trees import tiny_bank

from structprobe.errors import ProbeError, ScoreError
from structprobe.experiments.config import Training
from structprobe.experiments.runs.grid import (
    Grid,
    check_ranks,
    check_seeds,
    parse_layers,
    probe_runs,
)
from structprobe.experiments.runs.run import Banks
from structprobe.experiments.sweep import baseline_methods


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ("all", (0, 1, 2, 3, 4, 5, 6)),
        (" all ", (0, 1, 2, 3, 4, 5, 6)),
        ("0", (0,)),
        ("6, 0,2-4", (0, 2, 3, 4, 6)),
        ("2-2,2", (2,)),
        ([5, 1], (1, 5)),
        (range(2, 4), (2, 3)),
    ],
)
def test_layers(layers: object, wanted: tuple[int, ...]) -> None:
    assert parse_layers(layers, 6) == wanted


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("7", "layer 7 is out of range; the model has layers 0 to 6"),
        ("0,4-9", "layer 9 is out of range"),
        ("-1", "layer -1 is out of range"),
        ([-2], "layer -2 is out of range"),
        ("4-2", "the range of layers '4-2' is reversed"),
        ("first", "'first' is not a layer or a range of layers"),
        ("1,,2", "'' is not a layer"),
        ("1.5", r"'1\.5' is not a layer"),
        ([], "no layer was given"),
    ],
)
def test_layers_that_are_none(layers: object, words: str) -> None:
    with pytest.raises(ProbeError, match=words) as caught:
        parse_layers(layers, 6)
    assert "0 to 6" in str(caught.value)


@given(st.sets(st.integers(0, 40), min_size=1))
def test_layers_written_out_and_read(layers: set[int]) -> None:
    assert parse_layers(",".join(map(str, layers)), 40) == tuple(sorted(layers))


def test_ranks() -> None:
    assert check_ranks([None, 8, 2, 2], 8) == (8, 2)
    for rank in (0, 9):
        with pytest.raises(ProbeError, match=f"rank {rank} is out of range; choose from 1 to 8"):
            check_ranks([4, rank], 8)
    with pytest.raises(ProbeError, match="no rank was given"):
        check_ranks([], 8)


def test_seeds() -> None:
    assert check_seeds([3, 0, 3, None]) == (3, 0, None)
    with pytest.raises(ProbeError, match="seed -1 is out of range; use integers, 0 or more"):
        check_seeds([0, -1])
    with pytest.raises(ProbeError, match="no seed was given"):
        check_seeds([])


class Named:
    """Stands for an encoder whose folder has a name."""

    def __init__(self, model: str = "here", fingerprint: str = "f") -> None:
        self.told = {"model": model, "revision": None, "fingerprint": fingerprint}

    def origin(self, layer: int) -> dict[str, object]:
        rest = {"pooling": "mean", "spacing": "words", "bos": False, "dtype": "float32"}
        return {**self.told, **rest, "layer": layer}


def keys(
    encoder: Named | None = None, banks: Banks | None = None, method: str = "probe", **changes: Any
) -> list[str]:
    grid = Grid((0, 1), (2, 4), (0, 1, 2))
    banks = banks or Banks.of(tiny_bank(5), tiny_bank(5, 1), tiny_bank(5, 2))
    runs = probe_runs(encoder or Named(), banks, grid, Training(**changes), method)
    return [run.key for run in runs]


def test_each_point_of_the_grid_has_its_key() -> None:
    runs = probe_runs(
        Named(), Banks.of(tiny_bank(5), tiny_bank(5, 1)),
        Grid((0, 1), (2, 4)), Training(recipe="published", max_steps=3),
    )  # fmt: skip
    assert [str(run) for run in runs] == [
        "probe, layer 0, rank 2, seed 0",
        "probe, layer 0, rank 4, seed 0",
        "probe, layer 1, rank 2, seed 0",
        "probe, layer 1, rank 4, seed 0",
    ]
    assert len(set(keys())) == 12


def test_what_decides_the_result_changes_the_key() -> None:
    def banks(*seeds: int, punct: str | None = None) -> Banks:
        return Banks.of(*(tiny_bank(5, seed) for seed in seeds), punct=punct)

    wanted = keys()
    assert keys(Named("moved elsewhere")) == wanted
    assert keys(banks=banks(0, 1, 2, punct="upos")) == wanted
    assert keys(products="float32") == wanted
    changed = [
        keys(Named(fingerprint="g")),
        keys(recipe="published"),
        keys(max_steps=3),
        keys(products="bfloat16"),
        keys(method="probe-untrained"),
        keys(banks=banks(3, 1, 2)),
        keys(banks=banks(0, 3, 2)),
        keys(banks=banks(0, 1, 3)),
        keys(banks=banks(0, 1)),
        keys(banks=banks(0, 1, 2, punct="keep")),
    ]
    for other in changed:
        assert not set(other) & set(wanted)


def test_baseline_tells_its_seed() -> None:
    banks = Banks.of(tiny_bank(5), tiny_bank(5, 1))
    told = [str(run) for run, _ in baseline_methods((3,), banks)]
    assert told[0] == "linear"
    assert told[-1] == "random, seed 3"


def test_unknown_recipe() -> None:
    with pytest.raises(ProbeError, match=r"unknown recipe 'whitend' .*'whitened'"):
        keys(recipe="whitend")


def test_treebanks_are_checked(tmp_path: Path) -> None:
    good = tiny_bank(3)
    with pytest.raises(ScoreError, match="the dev treebank has no sentence"):
        Banks.of(good, [])
    bare = [*good, type(good).from_words([["the", "dog"]])[0]]
    with pytest.raises(ScoreError, match="'the dog': a sentence in the train treebank has no head"):
        Banks.of(bare)
    with pytest.raises(ScoreError, match="unknown punct 'penn'"):
        Banks.of(good, punct="penn")
    assert Banks.of(list(good)).train.fingerprint == good.fingerprint

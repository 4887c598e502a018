"""Vectors standardised by position: against a plain computation, and told apart from others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from structprobe import StructuralProbe, WordVectors
from structprobe.errors import ProbeError
from structprobe.probe import NotFittedError
from structprobe.probe.data import ragged_vectors
from structprobe.probe.position_scaler import PositionScaler

LENGTHS = [1, 3, 3, 5, 2, 4, 3, 5, 6, 2, 9]


def sentences(seed: int = 0, width: int = 4) -> list[np.ndarray]:
    """Vectors whose mean and spread depend on the position, and one dimension that is constant."""
    generator = np.random.default_rng(seed)
    made = []
    for n in LENGTHS:
        place = np.arange(n)[:, None]
        one = 1000 + 10 * place + (1 + place) * generator.normal(size=(n, width))
        one[:, -1] = 7.25
        made.append(one)
    return made


def rows_of(position: int, last: int) -> int:
    return min(position, last)


@pytest.mark.parametrize("least", [2, 4, 6, 11, 30])
@pytest.mark.parametrize("chunk", [8, 1 << 20])
def test_each_position_has_the_mean_and_deviation_of_its_words(
    least: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ragged_vectors, "CHUNK_SIZE", chunk)
    given = sentences()
    scaler = PositionScaler(least=least).fit(given)
    last = len(scaler.mean_) - 1
    for row in range(last + 1):
        own = np.array(
            [one[p] for one in given for p in range(len(one)) if rows_of(p, last) == row]
        )
        assert len(own) >= least
        np.testing.assert_allclose(scaler.mean_[row], own.mean(axis=0), rtol=1e-6)
        wanted = np.where(own.std(axis=0) > 0, own.std(axis=0), 1)
        np.testing.assert_allclose(scaler.scale_[row], wanted, rtol=1e-4)
    scaled = scaler.transform(given)
    assert [one.shape for one in scaled] == [one.shape for one in given]
    for one, other in zip(given, scaled, strict=True):
        rows = [rows_of(p, last) for p in range(len(one))]
        wanted = (one - scaler.mean_[rows]) / scaler.scale_[rows]
        np.testing.assert_allclose(other, wanted, rtol=1e-4, atol=1e-4)
        assert other.dtype == np.float32


def test_as_many_positions_as_enough_words_allow() -> None:
    # 11 sentences reach the first position, 10 the second, then 8, 5, 4, 2, 1, 1 and 1.
    given = sentences()
    counts = {least: len(PositionScaler(least=least).fit(given).mean_) for least in (2, 8, 12)}
    assert counts == {2: 7, 8: 4, 12: 1}


def test_later_positions_than_those_of_the_fit() -> None:
    scaler = PositionScaler(least=2).fit(sentences())
    (longer,) = scaler.transform([np.repeat(scaler.mean_[-1:], 40, axis=0)])
    assert np.array_equal(longer[20:], np.zeros((20, 4)))


def test_a_probe_takes_them_for_other_vectors() -> None:
    given = sentences()
    origin = {"model": "m", "fingerprint": "f", "layer": 3}
    bank = WordVectors(np.concatenate(given), np.cumsum([0, *LENGTHS]), origin)
    scaler = PositionScaler(least=4).fit(bank)
    scaled = scaler.transform(bank)
    heads = [np.arange(n) for n in LENGTHS]
    probe = StructuralProbe(max_steps=3, random_state=0).fit(scaled, heads)
    assert probe.origin_["positions"] == "standardised"
    assert len(probe.predict(scaled)) == len(given)
    with pytest.raises(ProbeError, match="positions"):
        probe.predict(bank)
    other = WordVectors(bank.values, bank.offsets, {**origin, "layer": 4})
    with pytest.raises(ProbeError, match="layer"):
        scaler.transform(other)
    with pytest.raises(ProbeError, match="positions"):
        scaler.transform(scaled)


def test_in_a_pipeline() -> None:
    heads = [np.arange(n) for n in LENGTHS]
    pipeline = make_pipeline(PositionScaler(least=4), StructuralProbe(max_steps=3, random_state=0))
    trees = clone(pipeline).fit(sentences(), heads).predict(sentences(1))
    assert [len(tree) for tree in trees] == LENGTHS


def test_least_may_be_a_number_of_numpy() -> None:
    given = sentences()
    known, other = (PositionScaler(least=least).fit(given) for least in (4, np.int64(4)))
    assert np.array_equal(known.mean_, other.mean_)


@pytest.mark.parametrize(
    ("least", "message"),
    [
        (1000, r"X has 43 words, fewer than least=1000"),
        (1, "least must be a whole number of at least 2, got 1"),
        (2.5, "least must be a whole number of at least 2, got 2.5"),
        (True, "least must be a whole number of at least 2, got True"),
    ],
)
def test_what_cannot_be_measured(least: Any, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        PositionScaler(least=least).fit(sentences())


def test_vectors_that_do_not_fit() -> None:
    with pytest.raises(NotFittedError, match="this PositionScaler is not fitted"):
        PositionScaler().transform(sentences())
    scaler = PositionScaler(least=4).fit(sentences())
    with pytest.raises(ProbeError, match="width 3"):
        scaler.transform(sentences(width=3))
    broken = sentences()
    broken[2][1, 0] = np.nan
    with pytest.raises(ProbeError, match="NaN"):
        PositionScaler(least=4).fit(broken)

"""Predictions by length, many sentences at a time, against one sentence and one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe import StructuralProbe
from structprobe.probe.data import ragged_vectors as words_module
from structprobe.probe.data.inputs import check_finite
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.losses.geometries import EUCLIDEAN
from structprobe.probe.projecting import predict_depths, predict_distances, project
from structprobe.trees import spanning_tree

LENGTHS = np.array([3, 1, 7, 3, 2, 7, 7, 1, 12, 3])


def make_words(dtype: type = np.float32) -> Words:
    """Ten sentences of six lengths, far from the origin, with one word that is there twice."""
    values = np.random.default_rng(0).normal(size=(LENGTHS.sum(), 6)).astype(dtype) + dtype(8)
    values[1] = values[0]
    return Words(values, np.cumsum(LENGTHS) - LENGTHS, LENGTHS)


def components(rank: int = 4) -> NDArray[np.float32]:
    """A projection."""
    return np.random.default_rng(1).normal(size=(rank, 6)).astype(np.float32)


def plain(words: Words, B: NDArray[np.float32]) -> list[tuple[NDArray[np.float64], ...]]:
    """Projected words, distances and depths of each sentence, pair by pair."""
    found = []
    for start, n in zip(words.starts, words.lengths, strict=True):
        rows = words.values[start : start + n].astype(np.float64)
        projected = np.array([B.astype(np.float64) @ row for row in rows])
        distances = [[np.sum((one - two) ** 2) for two in projected] for one in projected]
        depths = [np.sum(one**2) for one in projected]
        found.append((projected, np.array(distances), np.array(depths)))
    return found


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("chunk_words", [1, 8, 10_000])
def test_projections_distances_and_depths(
    monkeypatch: pytest.MonkeyPatch, dtype: type, chunk_words: int
) -> None:
    monkeypatch.setattr(words_module, "CHUNK_SIZE", 6 * chunk_words)
    B = components()
    for words in (make_words(dtype), make_words(dtype).take(np.array([8, 2, 1, 0, 5]))):
        before = words.values.copy()
        found = zip(
            project(words, B),
            predict_distances(words, B, EUCLIDEAN),
            predict_depths(words, B),
            strict=True,
        )
        for ours, expected in zip(found, plain(words, B), strict=True):
            for one, other in zip(ours, expected, strict=True):
                assert one.dtype == np.float32
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
        assert np.array_equal(words.values, before)


def test_heads_are_those_of_each_sentence_alone() -> None:
    words = make_words()
    X = [words.values[start : start + n] for start, n in zip(words.starts, LENGTHS, strict=True)]
    probe = StructuralProbe(max_steps=5, random_state=0, device="cpu")
    probe.fit(X, [np.arange(n) for n in LENGTHS])
    predictions = probe.predictions(X)
    assert predictions[0].distances[0, 1] == 0
    for one in predictions:
        root = min(range(len(one)), key=lambda word: one.depths[word])
        assert one.heads.tolist() == spanning_tree(one.distances, root).tolist()


@pytest.mark.fault_class("non-finite")
def test_only_the_words_asked_for_must_be_finite() -> None:
    words = make_words()
    words.values[words.starts[2] + 1, 3] = np.nan
    words.values[words.starts[8], 0] = np.inf
    for others in ([0, 1], [3, 4, 5], [9, 0], [9]):
        check_finite(words.take(np.array(others)), "X")
    for faulty, where in (([0, 1, 2], "2"), ([8], "0"), ([9, 8, 2], "1"), (range(10), "2")):
        with pytest.raises(ProbeError, match=rf"^X\[{where}\], word \d: the vector contains NaN"):
            check_finite(words.take(np.array(faulty)), "X")

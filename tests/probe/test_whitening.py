"""Words are walked in order; whitened coordinates have the identity as their second moment."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from structprobe.probe import words as words_module
from structprobe.probe.whitening import coordinates, whitening
from structprobe.probe.words import Words, ragged


def make_words(seed: int = 0, hidden_size: int = 6, scale: object = 1.0) -> Words:
    """Sixty sentences of 1 to 9 words, away from the origin."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 10, 60)
    values = (rng.normal(size=(lengths.sum(), hidden_size)) * scale + 3).astype(np.float32)
    return Words(values, np.cumsum(lengths) - lengths, lengths)


@pytest.mark.parametrize("chunk_words", [1, 7, 10_000])
def test_chunks_give_whole_sentences_in_the_order_asked_for(
    monkeypatch: pytest.MonkeyPatch, chunk_words: int
) -> None:
    monkeypatch.setattr(words_module, "CHUNK_WORDS", chunk_words)
    words = make_words().take(np.array([5, 0, 33]))
    rows = [
        words.values[start : start + n]
        for start, n in zip(words.starts, words.lengths, strict=True)
    ]
    plain, centred = torch.cat(list(words.chunks())), torch.cat(list(words.chunks(centred=True)))
    assert np.array_equal(plain, np.concatenate(rows).astype(np.float64))
    expected = np.concatenate([row - row.mean(0, dtype=np.float64) for row in rows])
    assert np.allclose(centred, expected, atol=1e-12)


def test_ragged_by_hand() -> None:
    sentence, inside = ragged(np.array([2, 1, 3]))
    assert sentence.tolist() == [0, 0, 1, 2, 2, 2]
    assert inside.tolist() == [0, 1, 0, 0, 1, 2]


@pytest.mark.parametrize("centred", [True, False])
def test_whitened_coordinates_have_the_identity_as_second_moment(centred: bool) -> None:
    words = make_words(scale=np.logspace(0, -3, 6))
    basis = whitening(words, centred=centred)
    white = coordinates(words, basis, centred=centred).double()
    assert white.shape == (words.lengths.sum(), 6)
    assert np.allclose(white.T @ white / len(white), np.eye(6), atol=1e-4)


def test_the_moment_about_the_origin_sees_an_offset_and_the_covariance_does_not() -> None:
    near = make_words()
    far = Words(near.values + 50, near.starts, near.lengths)
    assert np.allclose(
        whitening(near, centred=True).abs(), whitening(far, centred=True).abs(), atol=1e-3
    )
    assert whitening(far, centred=False).norm(dim=1).min() < 0.1  # the direction of the offset
    assert whitening(near, centred=True).norm(dim=1).min() > 0.5


def test_directions_that_hold_only_rounding_are_dropped() -> None:
    words = make_words()
    values = words.values.copy()
    values[:, 5] = -values[:, :5].sum(1)  # as layer norm leaves it: the vectors sum to zero
    assert whitening(Words(values, words.starts, words.lengths), centred=True).shape == (5, 6)


def test_a_direction_above_the_resolution_is_kept() -> None:
    words = make_words(scale=np.array([1, 1, 1, 1, 1, 1e-5]))
    centred = Words(words.values - 3, words.starts, words.lengths)
    assert whitening(centred, centred=True).shape == (6, 6)


def test_without_a_basis_the_coordinates_are_the_vectors() -> None:
    words = make_words().take(np.array([3, 1]))
    expected = torch.cat(list(words.chunks())).float()
    assert torch.equal(coordinates(words, None, centred=False), expected)

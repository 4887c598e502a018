"""Words are walked in order; whitened coordinates have the identity as their second moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.planted import planted
from torch import Tensor

from structprobe.encoder.vectors import WordVectors
from structprobe.probe.data import ragged_vectors as words_module
from structprobe.probe.data.examples import Gold
from structprobe.probe.data.inputs import read_words
from structprobe.probe.data.ragged_vectors import Words, ragged
from structprobe.probe.data.whitening import (
    SharedMoments,
    lay_out,
    second_moments,
    tree_axes,
    whitening,
)
from structprobe.trees import edges, gold_distances, tree_depths


def basis_of(words: Words, *, centred: bool) -> Tensor:
    """The whitening map of word vectors."""
    return whitening(second_moments(words), centred=centred)


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
    monkeypatch.setattr(words_module, "CHUNK_SIZE", 6 * chunk_words)
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
    basis = basis_of(words, centred=centred)
    n_words = int(words.lengths.sum())
    white = torch.empty(n_words, 6, dtype=torch.float64)
    lay_out(words, basis, white, words.starts, centred=centred)
    assert np.allclose(white.T @ white / len(white), np.eye(6), atol=1e-4)


def test_the_moment_about_the_origin_sees_an_offset_and_the_covariance_does_not() -> None:
    near = make_words()
    far = Words(near.values + 50, near.starts, near.lengths)
    assert np.allclose(
        basis_of(near, centred=True).abs(), basis_of(far, centred=True).abs(), atol=1e-3
    )
    assert basis_of(far, centred=False).norm(dim=1).min() < 0.1  # the direction of the offset
    assert basis_of(near, centred=True).norm(dim=1).min() > 0.5


def test_directions_that_hold_only_rounding_are_dropped() -> None:
    words = make_words()
    values = words.values.copy()
    values[:, 5] = -values[:, :5].sum(1)  # as layer norm leaves it: the vectors sum to zero
    assert basis_of(Words(values, words.starts, words.lengths), centred=True).shape == (5, 6)


def test_a_direction_above_the_resolution_is_kept() -> None:
    words = make_words(scale=np.array([1, 1, 1, 1, 1, 1e-5]))
    centred = Words(words.values - 3, words.starts, words.lengths)
    assert basis_of(centred, centred=True).shape == (6, 6)


def test_both_moments_are_those_of_the_plain_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "CHUNK_SIZE", 6 * 30)
    words = make_words()
    moments, n_words = second_moments(words), int(words.lengths.sum())
    plain, centred = (torch.cat(list(words.chunks(centred=centre))) for centre in (False, True))
    assert np.allclose(moments.about_origin, plain.T @ plain / n_words, atol=1e-12)
    assert np.allclose(moments.within, centred.T @ centred / n_words, atol=1e-12)
    assert moments.squared_norm == pytest.approx(float(plain.square().sum(1).mean()))


def test_words_are_laid_out_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "CHUNK_SIZE", 2 * 2)
    words = Words(np.arange(10.0).reshape(5, 2), np.array([0, 1, 3]), np.array([1, 2, 2]))
    out = torch.full((6, 3), 7.0)
    lay_out(words, None, out, np.array([-1, 4, 1]), centred=False)
    # The first sentence is left out; rows 0 and 3 and the third column are nobody's.
    expected = [[7, 7, 7], [6, 7, 7], [8, 9, 7], [7, 7, 7], [2, 3, 7], [4, 5, 7]]
    assert out.tolist() == expected


def layer_norm(dtype: torch.dtype, *, outlier: bool = False) -> Tensor:
    """Vectors as a layer norm with weights leaves them in a type: one direction holds nothing."""
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(2000, 48, generator=rng)
    if outlier:
        hidden[::100, 7] = 400.0
    norm = torch.nn.LayerNorm(48)
    with torch.no_grad():
        norm.weight.copy_(1 + 0.3 * torch.randn(48, generator=rng))
        norm.bias.copy_(0.3 * torch.randn(48, generator=rng))
        return norm.to(dtype)(hidden.to(dtype))


def bases_of(vectors: Any) -> list[Tensor]:
    words = read_words(vectors)
    return [basis_of(words, centred=centred) for centred in (True, False)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("outlier", [False, True])
def test_what_layer_norm_leaves_empty_is_dropped_in_every_type(
    dtype: torch.dtype, outlier: bool
) -> None:
    """By float32's resolution the empty direction of float16 is kept, at thousands of times."""
    normed = layer_norm(dtype, outlier=outlier)
    name = str(dtype).removeprefix("torch.")
    tensors = [*normed.split(10)]
    values = (normed.float() if dtype == torch.bfloat16 else normed).numpy()
    encoded = WordVectors(values, np.arange(0, 2001, 10), {"dtype": name})
    for basis in bases_of(tensors) + bases_of(encoded):
        # Centred, the bias falls away too, so that the weights' reciprocals are left empty; about
        # the origin the bias fills them, evenly.
        assert basis.norm(dim=1).max() < 100
    assert bases_of(encoded)[0].shape == (47, 48)
    if dtype != torch.float32:
        assert bases_of([values.astype(np.float32)[i : i + 10] for i in range(0, 2000, 10)])[
            0
        ].norm(dim=1).max() > (1000 if dtype == torch.float16 else 100)


def test_a_large_coordinate_costs_no_other_direction_in_half_precision() -> None:
    """Rounding goes by each number's own size, and not by that of the vector's largest."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 48))
    values[::20, 3] = 30_000
    offsets = np.arange(0, 2001, 10)
    for name in ("float16", "bfloat16"):
        rounded = torch.from_numpy(values).to(getattr(torch, name)).float().numpy()
        for basis in bases_of(WordVectors(rounded, offsets, {"dtype": name})):
            assert basis.shape == (48, 48)


def trees_and_words(seed: int = 0) -> tuple[Words, Gold, list[NDArray[np.int64]]]:
    """Words of 6 numbers whose heads and dependents share the first two, which vary otherwise."""
    rng = np.random.default_rng(seed)
    _, heads = planted(60, seed=seed, longest=9)
    lengths = np.array([*map(len, heads)])
    values = rng.normal(size=(lengths.sum(), 6))
    starts = np.cumsum(lengths) - lengths
    for start, tree in zip(starts, heads, strict=True):
        for word in np.argsort(tree_depths(tree), kind="stable"):
            if tree[word]:
                values[start + word, :2] = values[start + tree[word] - 1, :2]
                values[start + word, :2] += 0.1 * rng.normal(size=2)
    distances = gold_distances(heads)
    flat = np.concatenate([one.ravel() for one in distances])
    gold = Gold(flat, np.cumsum(lengths**2) - lengths**2)
    return Words(values.astype(np.float32), starts, lengths), gold, heads


def test_moments_of_edges_are_those_of_the_plain_definition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(words_module, "CHUNK_SIZE", 6 * 30)
    words, gold, heads = trees_and_words()
    found = second_moments(words, distances=gold).neighbours
    assert found is not None
    second, first = np.zeros((6, 6)), np.zeros(6)
    for start, tree in zip(words.starts, heads, strict=True):
        for i, j in edges(tree):
            step = words.values[start + j].astype(float) - words.values[start + i]
            second += np.outer(step, step) / (2 * words.lengths.sum())
            first += step
    assert np.allclose(found.second.numpy(), second, atol=1e-12)
    assert np.allclose(found.first.numpy(), first, atol=1e-9)
    assert second_moments(words).neighbours is None


def test_moments_of_the_same_words_are_taken_for_other_edges() -> None:
    words, gold, heads = trees_and_words()
    chains = gold_distances([np.arange(len(tree)) for tree in heads])
    other = Gold(np.concatenate([one.ravel() for one in chains]), gold.starts)
    shared = SharedMoments(2 * 36 * 8)
    shared.keep("a", second_moments(words, distances=gold))
    assert shared.of["a"].neighbours is None
    found, plain = (
        second_moments(words, None, other, shared.of["a"]),
        second_moments(words, None, other),
    )
    assert found.within is shared.of["a"].within
    for moments in (found, plain):
        assert moments.neighbours is not None
    for name in ("about_origin", "within"):
        assert torch.equal(getattr(found, name), getattr(plain, name))
    assert torch.equal(found.neighbours.second, plain.neighbours.second)
    assert torch.equal(found.neighbours.first, plain.neighbours.first)
    shared.keep("b", plain)  # there is no room for a second layer
    assert [*shared.of] == ["a"]


def test_edges_like_any_pair_have_the_moment_of_all_words() -> None:
    """In sentences of two words, the only pair is an edge: no axis is closer than another."""
    rng = np.random.default_rng(0)
    lengths = np.full(40, 2)
    words = Words(rng.normal(size=(80, 5)).astype(np.float32), np.arange(0, 80, 2), lengths)
    gold = Gold(np.tile([0, 1, 1, 0], 40), np.arange(0, 160, 4))
    moments = second_moments(words, distances=gold)
    assert moments.neighbours is not None
    assert np.allclose(moments.neighbours.second, moments.within, atol=1e-12)
    assert tree_axes(moments)[1].isfinite().all()


def test_tree_axes_are_white_and_do_not_change_under_a_linear_map() -> None:
    words, gold, _ = trees_and_words()
    basis, closeness = tree_axes(second_moments(words, distances=gold))
    assert closeness[0] == 1
    assert closeness.diff().max() <= 0
    assert closeness[2] < 0.5  # the two that heads and dependents share are far ahead
    white = torch.empty(len(words.values), 6, dtype=torch.float64)
    lay_out(words, basis, white, words.starts, centred=True)
    assert np.allclose(white.T @ white / len(white), np.eye(6), atol=1e-4)
    rng = np.random.default_rng(1)
    left, right = (np.linalg.qr(rng.normal(size=(6, 6)))[0] for _ in range(2))
    matrix = left * np.logspace(2, -2, 6) @ right
    mapped = Words(words.values.astype(float) @ matrix + 9, words.starts, words.lengths)
    other, other_closeness = tree_axes(second_moments(mapped, distances=gold))
    assert np.allclose(other_closeness, closeness, atol=1e-6)
    again = torch.empty_like(white)
    lay_out(mapped, other, again, words.starts, centred=True)
    assert np.allclose(again, white, atol=1e-2)

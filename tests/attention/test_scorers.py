"""The scores of attention probes against the sums of the paper, one number at a time."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.decomposition import PCA

from structprobe.attention.scorers import AttentionScorer, AttentionWordsScorer
from structprobe.encoder.form_vectors import FormVectors

B, N, K, WIDTH, N_AXES = 2, 4, 3, 5, 2


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def fill(module: torch.nn.Module, seed: int) -> None:
    """Give a module's parameters random values."""
    for place, parameter in enumerate(module.parameters()):
        parameter.data = drawn(*parameter.shape, seed=seed + place)


def test_all_weights_start_at_zero() -> None:
    words = torch.ones(WIDTH), torch.ones(WIDTH, N_AXES)
    for module in (
        AttentionScorer(torch.ones(2, K)),
        AttentionWordsScorer(torch.ones(2, K), *words),
    ):
        found = module((drawn(B, N, N + 1, K, seed=0), drawn(B, N, WIDTH, seed=1)))
        assert found.shape == (B, N, N + 1)
        assert not found.any()


def test_a_weight_for_each_head_and_direction() -> None:
    scorer = AttentionScorer(drawn(2, K, seed=9).abs())
    fill(scorer, 3)
    attention = drawn(B, N, N + 1, K, seed=0)
    found = scorer((attention, None)).detach().numpy()
    to_root, to_words = (weights.detach().numpy() for weights in scorer.weights())
    for s in range(B):
        a = attention[s].numpy()
        for i in range(N):
            root = scorer.constant.item() + sum(to_root[k] * a[i, 0, k] for k in range(K))
            np.testing.assert_allclose(found[s, i, 0], root, rtol=1e-4)
            for j in range(N):
                wanted = sum(
                    to_words[k, 0] * a[i, j + 1, k] + to_words[k, 1] * a[j, i + 1, k]
                    for k in range(K)
                )
                np.testing.assert_allclose(found[s, i, j + 1], wanted, rtol=1e-4, atol=1e-5)


def test_weights_from_the_two_words() -> None:
    scales = drawn(2, K, seed=9).abs()
    mean, axes = drawn(WIDTH, seed=10), drawn(WIDTH, N_AXES, seed=11)
    scorer = AttentionWordsScorer(scales, mean, axes)
    fill(scorer, 3)
    attention, vectors = drawn(B, N, N + 1, K, seed=0), drawn(B, N, WIDTH, seed=1)
    found = scorer((attention, vectors)).detach().numpy()
    by_row, by_column, root, constant = (one.detach().numpy() for one in scorer.parameters())
    for s in range(B):
        a = attention[s].numpy() * np.insert(np.tile(scales[1], (N, 1)), 0, scales[0], axis=0)
        v = [[sum((one - mean) * axis) for axis in axes.T] + [1] for one in vectors[s]]
        v = np.array(v)  # (N, N_AXES + 1)
        for i in range(N):
            wanted = constant @ v[i] + sum(root[:, k] @ v[i] * a[i, 0, k] for k in range(K))
            np.testing.assert_allclose(found[s, i, 0], wanted, rtol=1e-3)
            for j in range(N):
                # W_k and U_k of the paper: a part for the dependent i, a part for the head j.
                wanted = sum(
                    (by_row[:, k, 0] @ v[i] + by_column[:, k, 0] @ v[j]) * a[i, j + 1, k]
                    + (by_column[:, k, 1] @ v[i] + by_row[:, k, 1] @ v[j]) * a[j, i + 1, k]
                    for k in range(K)
                )
                np.testing.assert_allclose(found[s, i, j + 1], wanted, rtol=1e-3, atol=1e-3)


def test_weights_that_do_not_look_at_words() -> None:
    scales, axes = drawn(2, K, seed=9).abs(), torch.ones(WIDTH, N_AXES)
    alone, together = AttentionScorer(scales), AttentionWordsScorer(scales, axes[:, 0], axes)
    fill(alone, 3)
    with torch.no_grad():
        together.by_row[-1] = alone.between / 2
        together.by_column[-1] = alone.between / 2
        together.root[-1] = alone.root
        together.constant[-1] = alone.constant
    inputs = drawn(B, N, N + 1, K, seed=0), drawn(B, N, WIDTH, seed=1)
    torch.testing.assert_close(together(inputs), alone(inputs), rtol=1e-4, atol=1e-4)


def test_axes_are_those_of_all_words_written_out() -> None:
    forms = np.random.default_rng(0).normal(3, [4, 2, 1], size=(40, 3)).astype(np.float32)
    forms = np.insert(forms, 1, 0.1, axis=1)  # the same in all words: no axis of its own
    counts = np.random.default_rng(1).integers(1, 9, size=40)
    words = np.repeat(forms, counts, axis=0)
    vectors = FormVectors(forms, np.array_split(np.repeat(np.arange(40), counts), 5))
    mean, axes = vectors.main_axes(4)
    np.testing.assert_allclose(mean, words.mean(axis=0), rtol=1e-5)
    coordinates = (words - mean.numpy()) @ axes.numpy()
    second = coordinates.T @ coordinates / len(words)
    np.testing.assert_allclose(second, np.eye(3) / 3, atol=1e-4)
    # Fewer axes are those of most variance: what scikit-learn finds, but for signs and order.
    few = vectors.main_axes(2)[1].numpy()
    wanted = PCA(n_components=2, whiten=True).fit_transform(words.astype(np.float64))
    found = (words - mean.numpy()) @ few[:, ::-1] * 2**0.5
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=0.01, atol=0.01)


def test_one_form_alone_has_no_axes() -> None:
    form = np.full((1, 3), 0.1, dtype=np.float32)
    mean, axes = FormVectors(form, [np.zeros(7, dtype=np.int64)]).main_axes(128)
    assert axes.shape == (3, 0)
    scorer = AttentionWordsScorer(torch.ones(2, K), mean, axes)
    assert scorer((drawn(B, N, N + 1, K, seed=0), drawn(B, N, 3, seed=1))).shape == (B, N, N + 1)

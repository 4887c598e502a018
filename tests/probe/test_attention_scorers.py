"""The scores of attention probes against the sums of the paper, one number at a time."""

from __future__ import annotations

import numpy as np
import torch

from structprobe.probe.attention_scorers import AttentionScorer, AttentionWordsScorer, standards
from structprobe.probe.words import Words

B, N, K, WIDTH = 2, 4, 3, 5


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def fill(module: torch.nn.Module, seed: int) -> None:
    """Give a module's parameters random values."""
    for place, parameter in enumerate(module.parameters()):
        parameter.data = drawn(*parameter.shape, seed=seed + place)


def test_all_weights_start_at_zero() -> None:
    ones = torch.ones(WIDTH)
    for module in (
        AttentionScorer(torch.ones(2, K)),
        AttentionWordsScorer(torch.ones(2, K), ones, ones),
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
    mean, deviation = drawn(WIDTH, seed=10), drawn(WIDTH, seed=11).abs() + 0.5
    scorer = AttentionWordsScorer(scales, mean, deviation)
    fill(scorer, 3)
    attention, vectors = drawn(B, N, N + 1, K, seed=0), drawn(B, N, WIDTH, seed=1)
    found = scorer((attention, vectors)).detach().numpy()
    by_row, by_column, root, constant = (one.detach().numpy() for one in scorer.parameters())
    for s in range(B):
        a = attention[s].numpy() * np.insert(np.tile(scales[1], (N, 1)), 0, scales[0], axis=0)
        v = np.append((vectors[s] - mean) / deviation, np.ones((N, 1)), axis=1)
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
    scales, ones = drawn(2, K, seed=9).abs(), torch.ones(WIDTH)
    alone, together = AttentionScorer(scales), AttentionWordsScorer(scales, ones, ones)
    fill(alone, 3)
    with torch.no_grad():
        together.by_row[-1] = alone.between / 2
        together.by_column[-1] = alone.between / 2
        together.root[-1] = alone.root
        together.constant[-1] = alone.constant
    inputs = drawn(B, N, N + 1, K, seed=0), drawn(B, N, WIDTH, seed=1)
    torch.testing.assert_close(together(inputs), alone(inputs), rtol=1e-4, atol=1e-4)


def test_words_are_standardised_over_all_sentences() -> None:
    vectors = np.random.default_rng(0).normal(3, 2, size=(40, 3)).astype(np.float32)
    vectors[:, 1] = 0.1
    lengths = np.array([4, 16, 20])
    mean, deviation = standards(Words(vectors, np.array([0, 4, 20]), lengths))
    np.testing.assert_allclose(mean, vectors.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation[[0, 2]], vectors[:, [0, 2]].std(axis=0), rtol=1e-5)
    assert deviation[1] == 1

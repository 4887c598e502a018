"""The incremental probe: its probabilities against loops, what it finds, what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.planted import planted

from structprobe import StructuralProbe, score
from structprobe.probe.readers.head_choice import HeadBlock, head_loss
from structprobe.probe.readers.incremental_probe import (
    IncrementalProbe,
    attachment_log_probabilities,
)
from structprobe.recoverers.random_tree import random_heads


def slow_loss(scores: torch.Tensor, heads: list[int]) -> torch.Tensor:
    """Minus the log-probability of all decisions about a sentence, word by word."""
    total = torch.zeros((), dtype=scores.dtype)
    for j, head in enumerate(heads):
        options = torch.stack([scores[j, 0], *(scores[j, i + 1] for i in range(j))])
        choice = head if 0 < head <= j else 0
        total = total - torch.log(options.exp()[choice] / options.exp().sum())
        for i in range(j):
            waits = heads[i] == 0 or heads[i] > i + 1
            if waits and (heads[i] == 0 or heads[i] >= j + 1):  # not attached before
                attach, wait = scores[i, j + 1].exp(), scores[i, 0].exp()
                total = total - torch.log((attach if heads[i] == j + 1 else wait) / (attach + wait))
    return total


def test_the_loss_and_its_gradient_against_loops() -> None:
    rng = np.random.default_rng(0)
    trees = [random_heads(n, rng) for n in (1, 2, 4, 5)]
    padded = torch.full((4, 5), -1)
    for row, tree in zip(padded, trees, strict=True):
        row[: len(tree)] = torch.from_numpy(np.array(tree))
    scores = torch.from_numpy(rng.normal(size=(4, 5, 6)) * 2).requires_grad_()
    block = HeadBlock(scores, padded)
    found = head_loss(lambda given: given, [block], attachment_log_probabilities)
    (gradient,) = torch.autograd.grad(found, scores)
    other = sum(slow_loss(own, [*map(int, tree)]) for own, tree in zip(scores, trees, strict=True))
    other = other / sum(map(len, trees))
    (expected,) = torch.autograd.grad(other, scores)
    assert found.item() == pytest.approx(other.item(), rel=1e-10)
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)
    logs = attachment_log_probabilities(scores.detach(), padded >= 0)
    for own, tree in zip(logs.exp(), trees, strict=True):
        n = len(tree)
        torch.testing.assert_close(own[:n].sum(1), torch.ones(n, dtype=torch.float64))
        assert not own[:n, n + 1 :].any()


def test_probabilities_of_extreme_scores_are_finite() -> None:
    scores = torch.tensor([[[0.0, 0, 300, -300], [300, -300, 0, 300], [-300, 0, 0, 0]]])
    logs = attachment_log_probabilities(scores, torch.ones(1, 3, dtype=torch.bool))
    assert torch.isfinite(logs[:, ~torch.eye(3, 4, dtype=torch.bool).roll(1, 1)]).all()


WIDTH = 8


def as_words_come(n_sentences: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Vectors with the place of each word, of its head, and of its dependents, of those before it.

    What comes later is in none of them: the arc of two words is in the vector of the second.
    """
    rng = np.random.default_rng(seed)
    vectors, heads = [], []
    for _ in range(n_sentences):
        tree = np.array(random_heads(int(rng.integers(2, WIDTH + 1)), rng))
        own = np.zeros((len(tree), 3 * WIDTH), dtype=np.float32)
        for word, head in enumerate(tree):
            own[word, word] = 1
            if 0 < head <= word:
                own[word, WIDTH + head - 1] = 1
            elif head:
                own[head - 1, 2 * WIDTH + word] = 1
        vectors.append(own)
        heads.append(tree)
    return vectors, heads


@pytest.fixture(scope="module")
def fitted() -> IncrementalProbe:
    train, dev = (as_words_come(300, seed) for seed in range(2))
    probe = IncrementalProbe(max_steps=400, dropout=0, random_state=0, device="cpu")
    return probe.fit(*train, dev=dev)


def test_planted_attachments_are_found(fitted: IncrementalProbe) -> None:
    X, heads = as_words_come(150, 2)
    scores = score(heads, fitted.predictions(X))
    assert scores.uas is not None
    assert scores.uas > 0.97
    assert fitted.unattached(X) < 0.01
    logs = fitted.predict_log_proba(X)
    gold = [own[np.arange(len(tree)), tree] for own, tree in zip(logs, heads, strict=True)]
    assert np.exp(np.concatenate(gold)).mean() > 0.9


def test_a_structural_probe_finds_their_edges_but_not_the_heads() -> None:
    train, dev, (X, heads) = (as_words_come(n, seed) for seed, n in enumerate((300, 300, 150)))
    probe = StructuralProbe(max_steps=400, random_state=0, device="cpu").fit(*train, dev=dev)
    scores = score(heads, probe.predictions(X))
    assert scores.uas is not None
    assert scores.uas < 0.8


def test_words_that_follow_change_nothing(fitted: IncrementalProbe) -> None:
    X, _ = as_words_come(60, 3)
    cut = [own[: len(own) // 2 + 1] for own in X]
    for whole, part in zip(fitted.predict_log_proba(X), fitted.predict_log_proba(cut), strict=True):
        k = len(part)
        known = ~np.eye(k, k + 1, 1, dtype=bool)
        known[:, 0] = False
        np.testing.assert_allclose(whole[:k, : k + 1][known], part[known], rtol=1e-3, atol=1e-3)
        left = np.logaddexp.reduce(whole[:k, [0, *range(k + 1, whole.shape[1])]], axis=1)
        np.testing.assert_allclose(left, part[:, 0], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_an_invertible_map_of_the_vectors_does_not_matter(fitted: IncrementalProbe) -> None:
    rng = np.random.default_rng(5)
    matrix = np.linalg.qr(rng.normal(size=(3 * WIDTH, 3 * WIDTH)))[0] * rng.uniform(
        0.1, 9, 3 * WIDTH
    )
    train, dev, (X, heads) = (as_words_come(n, seed) for seed, n in enumerate((300, 300, 150)))
    mapped = IncrementalProbe(max_steps=400, dropout=0, random_state=0, device="cpu").fit(
        [x @ matrix for x in train[0]], train[1], dev=([x @ matrix for x in dev[0]], dev[1])
    )
    found = score(heads, mapped.predictions([x @ matrix for x in X])).uas
    assert found == pytest.approx(score(heads, fitted.predictions(X)).uas, abs=0.03)


def test_equal_words_have_equal_scores_in_any_batch(fitted: IncrementalProbe) -> None:
    rng = np.random.default_rng(0)
    X, _ = planted(20, seed=4)
    forms = rng.normal(size=(3, 3 * WIDTH)).astype(np.float32)
    twins = [forms[rng.integers(3, size=len(own))] for own in X]
    together = fitted.predictions(twins)
    for own, one in zip(twins, together, strict=True):
        assert fitted.predictions([own])[0].heads.tolist() == one.heads.tolist()

"""The biaffine head selector: its form against loops, and what it finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from support.planted import planted

from structprobe import NotFittedError, score
from structprobe.errors import ProbeError, TreeError
from structprobe.probe.data.inputs import read_words
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.probe.readers.biaffine_probe import (
    BiaffineProbe,
    arc_log_probabilities,
    head_batches,
    head_blocks,
)
from structprobe.probe.readers.biaffine_scorers import BiaffineScorer
from structprobe.trees import arborescence


def scorer_of(width: int, rank: int, seed: int = 0, dropout: float = 0.0) -> BiaffineScorer:
    return BiaffineScorer(width, rank, np.random.default_rng(seed), dropout)


def test_scores_against_loops() -> None:
    scorer = scorer_of(4, 3)
    with torch.no_grad():
        scorer.dependent_bias += 0.1
        scorer.head_bias -= 0.2
    words = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 4))).float()
    D, H, U = (
        one.detach().numpy() for one in (scorer.to_dependent, scorer.to_head, scorer.between)
    )
    u, root = scorer.alone.detach().numpy(), scorer.root.detach().numpy()
    found = scorer(words).detach().numpy()
    for s, sentence in enumerate(words.numpy()):
        for i in range(3):
            d = np.maximum(D @ sentence[i] + 0.1, 0)
            heads = [root, *(np.maximum(H @ word - 0.2, 0) for word in sentence)]
            expected = [d @ U @ h + u @ h for h in heads]
            np.testing.assert_allclose(found[s, i], expected, rtol=1e-4, atol=1e-6)


def test_dropout_is_drawn_and_only_for_training() -> None:
    words = torch.ones(1, 2, 4)
    first, second, none = (scorer_of(4, 3, dropout=share) for share in (0.5, 0.5, 0.0))
    again = [first(words), first(words)]
    assert not torch.equal(*again)
    assert torch.equal(again[0], second(words))  # by the seed
    first.eval()
    assert torch.equal(first(words), none(words))
    left = first.train()._drop(torch.ones(10_000))
    assert set(left.tolist()) == {0.0, 2.0}
    assert left.mean().item() == pytest.approx(1, abs=0.05)


def test_batches_hold_every_sentence_once_whitened() -> None:
    X, heads = planted(37, seed=0, noise=0.5)
    words = read_words(X)
    basis = whitening(second_moments(words), centred=False)
    batches = head_batches(words, heads, basis, 8, np.random.default_rng(0), torch.device("cpu"))
    assert [len(blocks) for blocks in batches] != [1] * len(batches)
    expected = [(x @ basis.numpy().T, tree) for x, tree in zip(X, heads, strict=True)]
    for given in (batches, [head_blocks(words, heads, basis, torch.device("cpu"))]):
        found = []
        for block in (block for blocks in given for block in blocks):
            for vectors, row in zip(block.inputs.numpy(), block.heads.numpy(), strict=True):
                n = int((row >= 0).sum())
                assert not vectors[n:].any()
                found.append((vectors[:n], row[:n]))
        assert len(found) == len(X)
        for vectors, row in expected:
            assert any(
                np.array_equal(row, other) and np.allclose(vectors, its, atol=1e-4)
                for its, other in found
            )


def test_padding_changes_no_probability() -> None:
    X, _ = planted(30, seed=1, noise=0.5)
    words = read_words(X)
    basis = whitening(second_moments(words), centred=False)
    scorer = scorer_of(len(basis), 5).eval()
    seen = set()
    for sentences, told in arc_log_probabilities(scorer, words, basis):
        for index, rows in zip(sentences.tolist(), told, strict=True):
            n = len(X[index])
            ((_, alone),) = arc_log_probabilities(scorer, read_words([X[index]]), basis)
            np.testing.assert_allclose(rows[:n, : n + 1], alone[0], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(np.exp(rows[:n]).sum(1), 1, rtol=1e-5)
            seen.add(index)
    assert seen == set(range(30))


@pytest.fixture(scope="module")
def fitted() -> BiaffineProbe:
    train, dev = (planted(400, seed=seed) for seed in range(2))
    probe = BiaffineProbe(max_steps=1000, dropout=0, random_state=0, device="cpu")
    return probe.fit(*train, dev=dev)


def test_the_planted_trees_are_found(fitted: BiaffineProbe) -> None:
    X, heads = planted(200, seed=2)
    predictions = fitted.predictions(X)
    scores = score(heads, predictions)
    assert scores.uuas is not None
    assert scores.uuas > 0.97
    assert scores.uas > 0.95
    for one in predictions[:30]:  # the best tree over its own scores
        assert one.heads.tolist() == arborescence(one.arc_scores).tolist()


def test_noise_alone_tells_nothing() -> None:
    rng = np.random.default_rng(5)
    train, dev, test = (planted(100, seed=seed) for seed in range(3))
    noise = [[rng.normal(size=x.shape) for x in part[0]] for part in (train, dev, test)]
    probe = BiaffineProbe(max_steps=60, random_state=0, device="cpu")
    probe.fit(noise[0], train[1], dev=(noise[1], dev[1]))
    uuas = score(test[1], probe.predictions(noise[2])).uuas
    assert uuas is not None
    assert uuas < 0.5


def test_scale_of_a_direction_does_not_matter(fitted: BiaffineProbe) -> None:
    train, dev, (X, heads) = (planted(400, seed=seed) for seed in range(3))
    scales = np.ones(24, dtype=np.float32)
    scales[5] = 1e3
    scaled = BiaffineProbe(max_steps=1000, dropout=0, random_state=0, device="cpu").fit(
        [x * scales for x in train[0]], train[1], dev=([x * scales for x in dev[0]], dev[1])
    )
    found = score(heads, scaled.predictions([x * scales for x in X])).uas
    assert found == pytest.approx(score(heads, fitted.predictions(X)).uas, abs=0.03)


def test_one_seed_gives_one_probe() -> None:
    (X, y), dev = (planted(40, seed=seed, noise=0.3) for seed in range(2))
    one = BiaffineProbe(rank=4, max_steps=20, random_state=3, device="cpu")
    other, third = clone(one), clone(one).set_params(random_state=4)
    tables = [
        np.concatenate([p.arc_scores.ravel() for p in probe.fit(X, y, dev=dev).predictions(X)])
        for probe in (one, other, third)
    ]
    np.testing.assert_array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])
    assert one.scorer_.to_head.shape == (4, 24)
    assert len(one.history_) == 10


VECTORS, HEADS = planted(6, seed=0)


@pytest.mark.parametrize(
    ("changes", "X", "y", "message"),
    [
        ({"rank": 129}, VECTORS, HEADS, "rank must be an integer from 1 to 128, got 129"),
        ({"dropout": 1.0}, VECTORS, HEADS, "dropout must be .* below 1, got 1.0"),
        ({"max_steps": 0}, VECTORS, HEADS, "max_steps must be a positive integer, got 0"),
        ({"device": "abacus"}, VECTORS, HEADS, "unknown device 'abacus'"),
        ({}, VECTORS, HEADS[:-1], "X has 6 sentences, y has 5"),
        ({}, [x * np.nan for x in VECTORS], HEADS, "NaN or infinity"),
        ({}, [x[:, :7] for x in VECTORS], HEADS, "X_dev has width 24"),
    ],
)
def test_bad_input_is_named(changes: dict[str, Any], X: Any, y: Any, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        BiaffineProbe(**changes).fit(X, y, dev=(VECTORS, HEADS))


def test_no_tree_and_not_fitted() -> None:
    loop = [np.array([2, 1]), np.array([0])]
    X = [np.ones((2, 3)), np.ones((1, 3))]
    with pytest.raises(TreeError):
        BiaffineProbe().fit(X, loop, dev=(X, loop))
    with pytest.raises(NotFittedError, match="BiaffineProbe is not fitted; call fit first"):
        BiaffineProbe().predictions(X)

"""The choice of a head, its loss and its training, on modules that are not about words."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from structprobe.errors import ProbeError
from structprobe.probe.readers.head_choice import (
    HeadBlock,
    head_log_probabilities,
    head_loss,
    train_heads,
)
from structprobe.probe.training.loop import Cosine
from structprobe.probe.training.recipes import Whitened
from structprobe.recoverers.random_tree import random_heads
from structprobe.trees.padding import pad


class Mixture(nn.Module):
    """A weight for each of several matrices of scores, as of attention heads."""

    def __init__(self, n_matrices: int, start: float = 0.0) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((n_matrices,), start))
        self.modes: list[bool] = []

    def forward(self, matrices: Tensor) -> Tensor:
        self.modes.append(self.training)
        return matrices @ self.weights  # (b, n, n + 1, k) -> (b, n, n + 1)


def block_of(n_sentences: int, seed: int, *, n_matrices: int = 3, right: int = 1) -> HeadBlock:
    """Random matrices of which one copies the gold heads."""
    rng = np.random.default_rng(seed)
    heads = pad(
        [random_heads(int(rng.integers(3, 5)), rng) for _ in range(n_sentences)],
        fill=-1,
        dtype=np.int64,
    )
    b, n = heads.shape
    matrices = rng.normal(size=(b, n, n + 1, n_matrices))
    matrices[..., right] = heads[..., None] == np.arange(n + 1)
    return HeadBlock(torch.from_numpy(matrices).float(), torch.from_numpy(heads))


def test_log_probabilities_against_loops() -> None:
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 4, 5)))
    lengths = [4, 2]
    is_word = torch.arange(4) < torch.tensor(lengths)[:, None]
    found = head_log_probabilities(scores, is_word)
    for s, n in enumerate(lengths):
        for i in range(n):
            allowed = [h for h in range(n + 1) if h != i + 1]
            total = sum(math.exp(scores[s, i, h]) for h in allowed)
            for h in range(5):
                if h in allowed:
                    share = math.exp(scores[s, i, h]) / total
                    assert found[s, i, h].exp().item() == pytest.approx(share)
                else:
                    assert found[s, i, h] == -torch.inf
    assert not found.isnan().any()


def test_loss_by_hand() -> None:
    """With equal scores a word of n chooses among n: the root and n - 1 others."""
    block = HeadBlock(torch.zeros(2, 3, 4, 1), torch.tensor([[2, 0, 2], [0, -1, -1]]))
    other = HeadBlock(torch.zeros(1, 2, 3, 1), torch.tensor([[0, 1]]))
    expected = (3 * math.log(3) + 0 + 2 * math.log(2)) / 6
    loss = head_loss(Mixture(1, start=1.0), [block, other])
    assert loss.item() == pytest.approx(expected)


def fit(steps: int, rate: float = 0.2, dev: HeadBlock | None = None) -> tuple[Mixture, list]:
    module = Mixture(3)
    batches = [[block_of(6, seed), block_of(3, seed + 50)] for seed in range(4)]
    held = block_of(20, 99) if dev is None else dev
    return module, train_heads(module, lambda: batches, [held], Cosine(Whitened(), rate, steps))


def test_the_right_matrix_is_found() -> None:
    module, history = fit(200)
    test = block_of(40, 7)
    is_word = test.heads >= 0
    found = head_log_probabilities(module(test.inputs), is_word).argmax(-1)
    assert torch.equal(found[is_word], test.heads[is_word])
    weights = module.weights.tolist()
    assert weights[1] > 5 * max(abs(weights[0]), abs(weights[2]))
    assert history[-1]["step"] == 200
    assert len(history) == 10


def test_the_best_by_dev_is_kept() -> None:
    """On a dev set where another matrix is right, the start is the nearest it gets."""
    dev = block_of(30, 98, right=2)
    module, history = fit(60, dev=dev)
    losses = [entry["dev_loss"] for entry in history]
    assert losses[0] == min(losses) < losses[-1]
    with torch.no_grad():
        assert head_loss(module, [dev]).item() == pytest.approx(min(losses), abs=1e-6)


def test_modes_and_repetition() -> None:
    module, history = fit(10)
    assert set(module.modes[:2]) == {True}
    assert not module.training
    assert module.modes.count(False) == 10  # one block of dev at each evaluation
    again, same = fit(10)
    assert torch.equal(module.weights, again.weights)
    assert history == same


def test_steps_are_counted() -> None:
    seen: list[int] = []
    module = Mixture(3)
    train_heads(
        module,
        lambda: [[block_of(2, 0)]],
        [block_of(2, 1)],
        Cosine(Whitened(), 0.1, 7),
        seen.append,
    )
    assert seen == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.fault_class("non-finite")
def test_a_loss_that_is_not_finite_names_its_step() -> None:
    good, bad = block_of(2, 0), block_of(2, 1)
    bad.inputs[:] = torch.nan
    with pytest.raises(ProbeError, match="no longer finite at step 2"):
        train_heads(
            Mixture(3), lambda: [[good], [bad]], [good], Cosine(Whitened(evaluations=1), 0.1, 4)
        )

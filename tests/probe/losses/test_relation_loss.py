"""The cross-entropy of relations: by autograd over arcs written out one by one, and in parts."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from structprobe.probe.data.batches import ArcBatch, Pool, halve
from structprobe.probe.losses.relations import READS, RelationForm, RelationLoss

WIDTH = 5
ALLOWED = torch.tensor([[True, True, True, False], [True, False, False, True]])
HEADS = [[2, 0, 2], [0], [3, 3, 4, 0]]
# A word of the last sentence has a relation that the training set never had.
CODES = [[1, 3, 2], [0], [0, -1, 2, 3]]


def batch() -> ArcBatch:
    lengths = np.array([len(one) for one in HEADS])
    gold, heads = (torch.tensor([*chain(*some)]) for some in (CODES, HEADS))
    pool = Pool(lengths, gold, pairs=False, dtype=torch.float64, heads=heads)
    found = pool.batch(np.arange(3), 0)
    assert isinstance(found, ArcBatch)
    return found


def drawn(form: RelationForm, *leading: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    told = {"generator": generator, "dtype": torch.float64}
    components = torch.randn(*leading, form.n_rows, WIDTH + 2, **told)
    return components, torch.randn(*leading, 8, WIDTH, **told)


def plain(reads: str, components: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The loss by its definition; a batch orders its sentences by length."""
    n, total, place = 4, torch.zeros((), dtype=torch.float64), 0
    maps, biases = components[:, :WIDTH], components[:, WIDTH:]
    for heads, codes in sorted(zip(HEADS, CODES, strict=True), key=lambda pair: len(pair[0])):
        words = rows[place : place + len(heads)]
        place += len(heads)
        for word, head, code in zip(words, heads, codes, strict=True):
            if code < 0:
                continue
            alone = maps[:n] @ word + biases[:n, 0]
            total = total - alone.log_softmax(0)[code]
            if reads == "dependent":
                continue
            logits = maps[n : 2 * n] @ word + biases[n : 2 * n, int(head == 0)]
            if head and reads == "pair":
                logits = logits + maps[2 * n :] @ words[head - 1]
            elif head:
                logits = logits - maps[n : 2 * n] @ words[head - 1]
            logits = logits.masked_fill(~ALLOWED[int(head == 0)], -torch.inf)
            total = total - logits.log_softmax(0)[code]
    return total / 8


@pytest.mark.parametrize("reads", READS)
def test_loss_and_gradient_by_definition(reads: str) -> None:
    form = RelationForm(reads, ALLOWED)
    components, rows = drawn(form)
    gradient = torch.full_like(components, 7.0)
    loss = RelationLoss(form)(components, rows, batch(), gradient)
    asked = components.clone().requires_grad_()
    expected = plain(reads, asked, rows)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    assert asked.grad is not None
    torch.testing.assert_close(gradient, asked.grad)


@pytest.mark.parametrize("reads", READS)
def test_layers_are_read_together_and_halves_sum_up(reads: str) -> None:
    form = RelationForm(reads, ALLOWED)
    components, rows = drawn(form, 2)
    whole, loss = torch.empty_like(components), RelationLoss(form)
    losses = loss(components, rows, batch(), whole)
    sums, total = torch.zeros_like(whole), torch.zeros_like(losses)
    halves = halve(batch())
    assert [half.n_sentences for half in halves] == [1, 2]
    for half in halves:
        gradient = torch.empty_like(components)
        total += loss(components, rows[:, half.rows], half, gradient)
        sums += gradient
    torch.testing.assert_close(total, losses)
    torch.testing.assert_close(sums, whole)
    for layer in range(2):
        own = torch.empty_like(components[layer])
        found = loss(components[layer].contiguous(), rows[layer], batch(), own)
        torch.testing.assert_close(found, losses[layer])
        torch.testing.assert_close(own, whole[layer])
    (single,) = [half for half in halves if half.n_sentences == 1]
    assert halve(single) == []

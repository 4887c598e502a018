"""Train anything that scores the heads a word may have: each word chooses among n + 1 of them.

The module gives scores, this file all else: what may be chosen, the loss, the steps. It knows
neither where the scores come from (pairs of word vectors, attention) nor sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from structprobe.probe.training.loop import Adam, Problem, Schedule


@dataclass(frozen=True, slots=True)
class HeadBlock:
    """Sentences of like length with their gold heads: b of them, of n words or few less."""

    inputs: Any  # What the module scores
    heads: Tensor  # (b, n)


def head_log_probabilities(scores: Tensor, is_word: Tensor) -> Tensor:
    """Turn scores into log-probabilities over the heads that a word may have."""
    # scores (b, n, n + 1), is_word (b, n) -> (b, n, n + 1)
    n = is_word.shape[-1]
    itself = torch.eye(n, n + 1, dtype=torch.bool, device=scores.device).roll(1, 1)
    padding = torch.nn.functional.pad(~is_word, (1, 0)).unsqueeze(-2)  # (b, 1, n + 1)
    return scores.masked_fill(itself | padding, -torch.inf).log_softmax(-1)


def head_loss(module: Callable[[Any], Tensor], blocks: Iterable[HeadBlock]) -> Tensor:
    """Cross-entropy of the gold heads, as a mean over the words of all blocks."""
    # -> ()
    sums, n_words = [], 0
    for block in blocks:
        is_word = block.heads >= 0  # (b, n)
        log_probabilities = head_log_probabilities(module(block.inputs), is_word)  # (b, n, n + 1)
        gold = log_probabilities.gather(-1, block.heads.clamp(min=0).unsqueeze(-1)).squeeze(
            -1
        )  # (b, n)
        sums.append(-gold[is_word].sum())
        n_words += int(is_word.sum())
    return torch.stack(sums).sum() / n_words


def train_heads(
    module: torch.nn.Module,
    epoch: Callable[[], Iterable[Sequence[HeadBlock]]],
    dev: Iterable[HeadBlock],
    schedule: Schedule,
    on_step: Callable[[int], None] | None = None,
) -> list[dict[str, float]]:
    """Minimise `head_loss` with Adam; the module is left with the lowest dev loss it had.

    Nothing is drawn here: a module that starts alike, with batches that come alike, ends alike. It
    is in training mode for the steps and in evaluation mode for dev and at the end.
    """
    parameters = [*module.parameters()]
    current = parameters_to_vector(parameters).detach()  # (n_parameters,)
    vector_to_parameters(current, parameters)  # views of it from here on
    problem, adam, losses = Problem(current, schedule), Adam(current), []
    module.train()
    for step, batch in enumerate(chain.from_iterable(iter(epoch, None)), 1):
        loss = head_loss(module, batch)
        gradient = parameters_to_vector(torch.autograd.grad(loss, parameters))
        losses.append(loss.detach())
        adam.step(current, gradient, schedule.learning_rate(step))
        if on_step:
            on_step(step)
        if schedule.evaluates_at(step):
            module.eval()
            with torch.no_grad():
                dev_loss = float(head_loss(module, dev))
            module.train()
            if problem.note(step, torch.stack(losses).cpu(), dev_loss, current):
                break
            losses = []
    vector_to_parameters(problem.components, parameters)
    module.eval()
    return problem.history

"""Train any module that scores the possible heads of a word: each word chooses among n + 1.

The module gives the scores; this file defines which heads are possible, the loss and the training
loop. It does not know where the scores come from (pairs of word vectors, attention).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from structprobe.probe.training.loop import Adam, Problem, Schedule, endless


@dataclass(frozen=True, slots=True)
class HeadBlock:
    """Sentences of similar length with their gold heads: b of them, of at most n words."""

    inputs: Any  # Of the module
    heads: Tensor  # (b, n)


def head_log_probabilities(scores: Tensor, is_word: Tensor) -> Tensor:
    """Turn scores into log-probabilities over the possible heads of each word."""
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
        heads = block.heads.clamp(min=0).unsqueeze(-1)
        gold = log_probabilities.gather(-1, heads).squeeze(-1)  # (b, n)
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
    """Minimise `head_loss` with Adam; the module keeps the parameters of the lowest dev loss."""
    parameters = [*module.parameters()]
    current = parameters_to_vector(parameters).detach()  # (n_parameters,)
    vector_to_parameters(current, parameters)  # from here on, they are views of it
    problem, adam, losses = Problem(current, schedule), Adam(current), []
    module.train()
    for step, batch in enumerate(endless(epoch), 1):
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

"""Train any module that scores the possible heads of a word: each word chooses among n + 1.

The module gives the scores; this file defines which heads are possible, the loss and the training
loop. It does not know where the scores come from (pairs of word vectors, attention). In place of
heads, words can choose among anything else that has numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from structprobe.probe.training.loop import Adam, Problem, Schedule, endless, make_halving

Module = Callable[[Any], Tensor]
Choice = Callable[[Tensor, Tensor], Tensor]  # From scores to log-probabilities


@dataclass(frozen=True, slots=True)
class HeadBlock:
    """Sentences of similar length with their gold heads: b of them, of at most n words."""

    inputs: Any  # Of the module
    heads: Tensor  # (b, n): or what else is chosen; -1 where nothing is


def head_log_probabilities(scores: Tensor, is_word: Tensor) -> Tensor:
    """Turn scores into log-probabilities over the possible heads of each word."""
    # scores (b, n, n + 1), is_word (b, n) -> (b, n, n + 1)
    n = is_word.shape[-1]
    itself = torch.eye(n, n + 1, dtype=torch.bool, device=scores.device).roll(1, 1)
    padding = torch.nn.functional.pad(~is_word, (1, 0)).unsqueeze(-2)  # (b, 1, n + 1)
    return scores.masked_fill(itself | padding, -torch.inf).log_softmax(-1)


def head_loss(
    module: Module, blocks: Iterable[HeadBlock], choice: Choice = head_log_probabilities
) -> Tensor:
    """Cross-entropy of the gold heads, as a mean over the words of all blocks."""
    # -> ()
    sums, n_words = [], 0
    for block in blocks:
        sums.append(_sum_of(module, block, choice))
        n_words += _n_words(block)
    return torch.stack(sums).sum() / n_words


def _sum_of(module: Module, block: HeadBlock, choice: Choice) -> Tensor:
    """Sum the cross-entropies of the gold heads of a block."""
    is_word = block.heads >= 0  # (b, n)
    log_probabilities = choice(module(block.inputs), is_word)  # (b, n, n + 1)
    heads = block.heads.clamp(min=0).unsqueeze(-1)
    gold = log_probabilities.gather(-1, heads).squeeze(-1)  # (b, n)
    return -gold[is_word].sum()


def _n_words(block: HeadBlock) -> int:
    return int((block.heads >= 0).sum())


def _halve(blocks: Sequence[HeadBlock]) -> list[Sequence[HeadBlock]]:
    """Divide a batch between its blocks, which are small."""
    middle = len(blocks) // 2
    return [blocks[:middle], blocks[middle:]] if middle else []


def _generators(module: torch.nn.Module) -> list[np.random.Generator]:
    """List the generators from which the parts of a module draw."""
    found = (getattr(one, "generator", None) for one in module.modules())
    return [one for one in found if isinstance(one, np.random.Generator)]


def train_heads(
    module: torch.nn.Module,
    epoch: Callable[[], Iterable[Sequence[HeadBlock]]],
    dev: Iterable[HeadBlock],
    schedule: Schedule,
    on_step: Callable[[int], None] | None = None,
    choice: Choice = head_log_probabilities,
) -> list[dict[str, float]]:
    """Minimise `head_loss` with Adam; the module keeps the parameters of the lowest dev loss."""
    parameters = [*module.parameters()]
    current = parameters_to_vector(parameters).detach()  # (n_parameters,)
    vector_to_parameters(current, parameters)  # from here on, they are views of it
    problem, adam, losses = Problem(current, schedule), Adam(current), []
    module.train()
    halving, generators = make_halving(), _generators(module)

    def take(blocks: Sequence[HeadBlock]) -> tuple[Tensor, Tensor]:
        drawn = [generator.bit_generator.state for generator in generators]
        try:
            sums = [_sum_of(module, block, choice) for block in blocks]
            loss = torch.stack(sums).sum() / n_words
            return loss.detach(), parameters_to_vector(torch.autograd.grad(loss, parameters))
        except Exception:  # if memory does not suffice, the same is dropped in smaller batches
            for generator, state in zip(generators, drawn, strict=True):
                generator.bit_generator.state = state
            raise

    for step, batch in enumerate(endless(epoch), 1):
        n_words = sum(map(_n_words, batch))
        found = halving.run(take, batch, _halve)
        loss, gradient = (torch.stack(some).sum(0) for some in zip(*found, strict=True))
        losses.append(loss)
        adam.step(current, gradient, schedule.learning_rate(step))
        if on_step:
            on_step(step)
        if schedule.evaluates_at(step):
            module.eval()
            with torch.no_grad():
                dev_loss = float(head_loss(module, dev, choice))
            module.train()
            if problem.note(step, torch.stack(losses).cpu(), dev_loss, current):
                break
            losses = []
    vector_to_parameters(problem.components, parameters)
    module.eval()
    return problem.history

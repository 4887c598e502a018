"""Head selection by a biaffine function of two words: what a parser can read from frozen vectors.

Dozat and Manning 2017, Deep Biaffine Attention for Neural Dependency Parsing, equations 4 to 6
and 9, without their encoder. As a probe of word pairs it corresponds to the arc prediction of
Liu et al. 2019, Linguistic Knowledge and Transferability of Contextual Representations, with all
candidates of a word scored together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from structprobe.probe.data.batches import SLACK, mixed_batches
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.whitening import lay_out
from structprobe.probe.readers.head_choice import HeadBlock, head_log_probabilities
from structprobe.trees.padding import group_by_length, pad

# Dropout rate of the word vectors and of both projections (Dozat and Manning 2017, table 1).
# Without dropout, the scorer memorises the training set.
DROPOUT = 0.33


class BiaffineScorer(nn.Module):
    """Scores every head of every word with a biaffine function.

    ``score(i, j) = d_i^T U h_j + u^T h_j`` with ``d_i = relu(D x_i + b)`` for the dependent and
    ``h_j = relu(H x_j + c)`` for the head; the root has a learned h.
    """

    def __init__(
        self, width: int, rank: int, generator: np.random.Generator, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        self.generator, self.dropout = generator, dropout

        def drawn(*shape: int) -> nn.Parameter:
            spread = shape[-1] ** -0.5
            return nn.Parameter(torch.from_numpy(generator.uniform(-spread, spread, shape)).float())

        self.to_dependent, self.to_head = drawn(rank, width), drawn(rank, width)  # D, H
        self.dependent_bias, self.head_bias = (nn.Parameter(torch.zeros(rank)) for _ in range(2))
        self.between, self.alone, self.root = drawn(rank, rank), drawn(rank), drawn(rank)  # U, u

    def forward(self, words: Tensor) -> Tensor:
        """Score all heads."""
        # words (b, n, width) -> (b, n, n + 1)
        words = self._drop(words)
        dependents = self._drop((words @ self.to_dependent.T + self.dependent_bias).relu())
        heads = self._drop((words @ self.to_head.T + self.head_bias).relu())  # (b, n, rank)
        heads = torch.cat([self.root.expand(len(words), 1, -1), heads], 1)  # (b, n + 1, rank)
        return (dependents @ self.between + self.alone) @ heads.mT

    def _drop(self, values: Tensor) -> Tensor:
        """Apply dropout while training, drawn from the own generator."""
        if not self.training or not self.dropout:
            return values
        drawn = self.generator.random(values.shape, dtype=np.float32)
        kept = torch.from_numpy(drawn >= self.dropout).to(values.device)
        return values * kept / (1 - self.dropout)


def head_batches(
    words: Words,
    heads: Sequence[NDArray[np.integer]],
    basis: Tensor,
    batch_size: int,
    generator: np.random.Generator,
    device: torch.device,
) -> list[list[HeadBlock]]:
    """Compose batches that mix lengths, each of blocks of similar length."""
    # heads (n_words,), basis (n_kept, hidden_size)
    return [
        head_blocks(words.take(part), [heads[index] for index in part], basis, device, SLACK)
        for part in mixed_batches(words.lengths, batch_size, generator)
    ]


def head_blocks(
    words: Words,
    heads: Sequence[NDArray[np.integer]],
    basis: Tensor,
    device: torch.device,
    slack: float = 0.1,
) -> list[HeadBlock]:
    """Group sentences into padded blocks of similar length."""
    blocks = []
    for group in group_by_length(words.lengths, slack=slack):
        gold = pad([heads[index] for index in group], fill=-1, dtype=np.int64)  # (b, n)
        padded = _whitened(words.take(group), basis, device)
        blocks.append(HeadBlock(padded, torch.from_numpy(gold).to(device)))
    return blocks


@torch.no_grad()
def arc_log_probabilities(
    scorer: BiaffineScorer, words: Words, basis: Tensor
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Predict the head of every word, for sentences of similar length together."""
    # basis (n_kept, hidden_size) -> (b,), (b, n, n + 1)
    for group in group_by_length(words.lengths):
        lengths = words.lengths[group]
        padded = _whitened(words.take(group), basis, scorer.root.device)  # (b, n, n_kept)
        is_word = torch.from_numpy(np.arange(padded.shape[1]) < lengths[:, None])
        log_probabilities = head_log_probabilities(scorer(padded), is_word.to(padded.device))
        yield group, log_probabilities.cpu().numpy()


def _whitened(words: Words, basis: Tensor, device: torch.device) -> Tensor:
    """Whiten the words of some sentences, padded with zeros: (b, n, n_kept)."""
    b, n = len(words), int(words.lengths.max())
    out = torch.zeros(b * n, len(basis), device=device)
    lay_out(words, basis, out, np.arange(b) * n, centred=False)
    return out.view(b, n, -1)

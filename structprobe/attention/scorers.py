"""Scores of syntactic heads from the attention of all heads of a model.

Clark et al. (2019), 'What does BERT look at? An analysis of BERT's attention', section 4.3 on
probing combinations of heads: the attention-only and the attention-and-words probe. The root is a
separate candidate: its features are the word's attention to special tokens, with separate weights,
and a constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Peak learning rates of Adam, for features of mean square 1: of weights, and of weights by word,
# which overshoot at the higher rate, since many coordinates add up to one weight.
LEARNING_RATE, WORDS_RATE = 0.02, 0.005
# Coordinates of a word: of 32 to 384, the best on EWT dev with a small BERT. With all coordinates,
# the training words are memorised.
AXES = 128

Inputs = tuple[Tensor, Tensor | None]


class AttentionScorer(torch.nn.Module):
    """A weight for each head and direction: the attention-only probe.

    The score of head j for word i is ``sum_k w_k a_k[i, j] + u_k a_k[j, i]`` over the attention
    heads k; that of the root is ``c + sum_k r_k a_k[i, special]``. All weights start at 0.
    """

    scales: Tensor  # (2, n_features)

    def __init__(self, scales: Tensor) -> None:
        super().__init__()
        self.register_buffer("scales", scales)
        n_features = scales.shape[1]
        self.between = torch.nn.Parameter(torch.zeros(n_features, 2))
        self.root = torch.nn.Parameter(torch.zeros(n_features))
        self.constant = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Inputs) -> Tensor:
        """Score all heads of all words."""
        # -> (b, n, n + 1)
        attention = inputs[0]
        to_root, to_words = self.weights()
        both = attention[:, :, 1:] @ to_words  # (b, n, n, 2)
        root = attention[:, :, 0] @ to_root + self.constant  # (b, n)
        return torch.cat([root[..., None], both[..., 0] + both[..., 1].mT], dim=-1)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Give the weights of the unscaled attention."""
        # -> (n_features,), (n_features, 2)
        return self.scales[0] * self.root, self.scales[1, :, None] * self.between


class AttentionWordsScorer(torch.nn.Module):
    """Weights from the two words for each head and direction: the attention-and-words probe."""

    scales: Tensor  # (2, n_features): as for `AttentionScorer`
    mean: Tensor  # (hidden_size,): of the word vectors
    axes: Tensor  # (hidden_size, n_axes)

    def __init__(self, scales: Tensor, mean: Tensor, axes: Tensor) -> None:
        super().__init__()
        for name, value in (("scales", scales), ("mean", mean), ("axes", axes)):
            self.register_buffer(name, value)
        width, n_features = axes.shape[1] + 1, scales.shape[1]
        # By the word whose row of attention is weighted, and by the one whose column is.
        self.by_row = torch.nn.Parameter(torch.zeros(width, n_features, 2))
        self.by_column = torch.nn.Parameter(torch.zeros(width, n_features, 2))
        self.root = torch.nn.Parameter(torch.zeros(width, n_features))
        self.constant = torch.nn.Parameter(torch.zeros(width))

    def forward(self, inputs: Inputs) -> Tensor:
        """Score all heads of all words."""
        # -> (b, n, n + 1)
        attention, vectors = inputs
        assert vectors is not None
        words = (vectors - self.mean) @ self.axes  # (b, n, n_axes)
        words = torch.nn.functional.pad(words, (0, 1), value=1.0)
        between = attention[:, :, 1:]  # (b, n, n, n_features)
        rows = between @ self._weights(words, self.by_row)  # (b, n, n, 2), by row and column
        columns = between.transpose(1, 2) @ self._weights(words, self.by_column)  # column and row
        forth = rows[..., 0] + columns[..., 0].mT  # (b, n, n), from the word to the head
        back = rows[..., 1] + columns[..., 1].mT  # from the head to the word
        to_special = attention[:, :, 0] * self.scales[0]  # (b, n, n_features)
        root = ((words @ self.root) * to_special).sum(-1) + words @ self.constant  # (b, n)
        return torch.cat([root[..., None], forth + back.mT], dim=-1)

    def _weights(self, words: Tensor, parameters: Tensor) -> Tensor:
        """Give the weights of each word for each head (b, n, n_features, 2)."""
        flat = words @ parameters.flatten(1)
        weights = flat.view(*flat.shape[:-1], *parameters.shape[1:])
        return weights * self.scales[1, :, None]

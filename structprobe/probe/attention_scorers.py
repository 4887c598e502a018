"""Scores of heads from the attention of all heads of a model together.

Clark et al. (2019), 'What does BERT look at? An analysis of BERT's attention', section 4.3 on
probing combinations of heads: the attention-only and the attention-and-words probe. The root is a
candidate of its own: its features are the word's attention to special tokens, with weights of their
own, and a constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

from structprobe.probe.words import Words

LEARNING_RATE = 0.02  # Adam's step at its highest, for features of mean square 1

Inputs = tuple[Tensor, Tensor | None]


class AttentionScorer(torch.nn.Module):
    """A weight for each head and direction: the attention-only probe.

    The score of head j for word i is ``sum_k w_k a_k[i, j] + u_k a_k[j, i]``, over the attention
    heads k; of the root ``c + sum_k r_k a_k[i, special]``. All weights start at 0.

    Parameters
    ----------
    scales : Tensor of float32, shape (2, n_features)
        What attention is multiplied by, to the root's candidate and to words, so that one learning
        rate suits all weights.
    """

    scales: Tensor

    def __init__(self, scales: Tensor) -> None:
        super().__init__()
        self.register_buffer("scales", scales)
        n_features = scales.shape[1]
        self.between = torch.nn.Parameter(torch.zeros(n_features, 2))
        self.root = torch.nn.Parameter(torch.zeros(n_features))
        self.constant = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Inputs) -> Tensor:
        """Score all heads of all words.

        Parameters
        ----------
        inputs : tuple
            Attention of shape (b, n, n + 1, n_features), column 0 that to special tokens; the rest
            is not looked at.

        Returns
        -------
        Tensor, shape (b, n, n + 1)
            ``[s, i, h]`` is the score of head `h` (1-based, 0 = root) for word `i`.
        """
        attention = inputs[0]
        to_root, to_words = self.weights()
        both = attention[:, :, 1:] @ to_words  # (b, n, n, 2)
        root = attention[:, :, 0] @ to_root + self.constant  # (b, n)
        return torch.cat([root[..., None], both[..., 0] + both[..., 1].mT], dim=-1)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Give the weights of attention as it is.

        Returns
        -------
        to_root : Tensor, shape (n_features,)
            ``r``.
        to_words : Tensor, shape (n_features, 2)
            ``w`` and ``u``.
        """
        return self.scales[0] * self.root, self.scales[1, :, None] * self.between


class AttentionWordsScorer(torch.nn.Module):
    """Weights from the two words for each head and direction: the attention-and-words probe.

    The score of head j for word i is ``sum_k (W_k x) a_k[i, j] + (U_k x) a_k[j, i]``, where x is
    ``v_i`` and ``v_j`` one behind the other; of the root
    ``C v_i + sum_k (R_k v_i) a_k[i, special]``. The vectors v are standardised and have a constant
    1 behind them, so that `AttentionScorer` is a special case. All weights start at 0.

    Parameters
    ----------
    scales : Tensor of float32, shape (2, n_features)
        As for `AttentionScorer`.
    mean, deviation : Tensor of float32, shape (hidden_size,)
        Of the word vectors.
    """

    scales: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, scales: Tensor, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        for name, value in (("scales", scales), ("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, value)
        width, n_features = len(mean) + 1, scales.shape[1]
        # By the word whose row of attention is weighed, and by the one whose column it is.
        self.by_row = torch.nn.Parameter(torch.zeros(width, n_features, 2))
        self.by_column = torch.nn.Parameter(torch.zeros(width, n_features, 2))
        self.root = torch.nn.Parameter(torch.zeros(width, n_features))
        self.constant = torch.nn.Parameter(torch.zeros(width))

    def forward(self, inputs: Inputs) -> Tensor:
        """Score all heads of all words.

        Parameters
        ----------
        inputs : tuple
            Attention of shape (b, n, n + 1, n_features), column 0 that to special tokens, and word
            vectors of shape (b, n, hidden_size).

        Returns
        -------
        Tensor, shape (b, n, n + 1)
            ``[s, i, h]`` is the score of head `h` (1-based, 0 = root) for word `i`.
        """
        attention, vectors = inputs
        assert vectors is not None
        words = torch.nn.functional.pad((vectors - self.mean) / self.deviation, (0, 1), value=1.0)
        between = attention[:, :, 1:]  # (b, n, n, n_features)
        rows = between @ self._weights(words, self.by_row)  # (b, n, n, 2), by row and column
        columns = between.transpose(1, 2) @ self._weights(words, self.by_column)  # column and row
        forth = rows[..., 0] + columns[..., 0].mT  # (b, n, n), from the word to the head
        back = rows[..., 1] + columns[..., 1].mT  # from the head to the word
        to_special = attention[:, :, 0] * self.scales[0]  # (b, n, n_features)
        root = ((words @ self.root) * to_special).sum(-1) + words @ self.constant  # (b, n)
        return torch.cat([root[..., None], forth + back.mT], dim=-1)

    def _weights(self, words: Tensor, parameters: Tensor) -> Tensor:
        """Give the weights (b, n, n_features, 2) that each word has for each head."""
        weights = (words @ parameters.flatten(1)).unflatten(-1, parameters.shape[1:])
        return weights * self.scales[1, :, None]


def standards(words: Words) -> tuple[Tensor, Tensor]:
    """Give what standardises word vectors.

    Parameters
    ----------
    words : Words
        The vectors.

    Returns
    -------
    mean, deviation : Tensor of float32, shape (hidden_size,)
        Of each coordinate over all words; a deviation of 1 where a coordinate is the same in all.
    """
    moments = torch.zeros(2, words.hidden_size, dtype=torch.float64)
    for chunk in words.chunks():
        moments += torch.stack([chunk.sum(0), chunk.square().sum(0)])
    mean, square = moments / int(words.lengths.sum())
    deviation = (square - mean.square()).clamp(min=0).sqrt()
    # What rounding leaves of a coordinate that is the same in all words is no deviation.
    same = deviation <= 1e-6 * square.sqrt()
    return mean.float(), torch.where(same, 1.0, deviation).float()

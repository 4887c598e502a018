"""`BiaffineMix`: the biaffine head selector on a learned weighted sum of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from structprobe.probe.base import LayersEstimator
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.readers.biaffine_probe import (
    RATE,
    head_batches,
    head_blocks,
    predictions_of,
    read_head_sets,
    train_scorer,
)
from structprobe.probe.readers.biaffine_scorers import BiaffineScorer
from structprobe.probe.readers.head_choice import HeadBlock
from structprobe.probe.readers.layer_mix import MIX_RATE, mix_words, whiten_mix
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.types import DevByLayer, Layer, RandomState, TreesLike, VectorsByLayer
from structprobe.scores.prediction import Prediction


class BiaffineMix(LayersEstimator):
    """A biaffine head selector on a weighted sum of layers, with weights learned together with it.

    The layers are mixed as in `LayerMix`; the scorer and its training are those of `BiaffineProbe`.

    Parameters
    ----------
    rank, max_steps, validation_fraction, random_state, device, verbose
        As for `BiaffineProbe`.

    Attributes
    ----------
    layers_ : tuple
        The layers that are mixed.
    heads_weights_ : ndarray of float64, shape (n_layers,)
        The weights of the layers at unit scale, which sum to 1.
    heads_factors_ : ndarray of float64, shape (n_layers,)
        The factors by which the raw vectors of each layer are multiplied.
    history_ : list of dict
        One entry per evaluation, as for `BiaffineProbe`.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origins_ : dict of dict
        The model and settings of each layer's vectors, if known; others are then rejected.
    """

    def __init__(
        self,
        *,
        rank: int | None = None,
        max_steps: int | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps = rank, max_steps
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        parts, settings, generator, _ = read_head_sets(self.get_params(), X, y, dev)
        size, device = Whitened().batch_size, settings.device
        words, dev_words = ([*part.layers.values()] for part in (parts.train, parts.dev))
        scales, basis = whiten_mix(parts.train.layers, centred=False)
        seed = int(generator.integers(2**31))  # the same batches of every layer
        batches, dev_blocks = [], []
        for own, own_dev, scale in zip(words, dev_words, scales, strict=True):
            mapped, own_generator = basis * scale, np.random.default_rng(seed)
            given = own, parts.train.heads, mapped, size, own_generator, device
            batches.append(head_batches(*given))
            dev_blocks.append(head_blocks(own_dev, parts.dev.heads, mapped, device))
        mixed = [_stacked(same) for same in zip(*batches, strict=True)]
        scorer = BiaffineScorer(len(basis), settings.rank, generator)
        module = _MixedScorer(scorer, len(scales)).to(device)
        given_dev, shown = _stacked(dev_blocks), ("biaffine mix", self.verbose)
        self.history_ = train_scorer(module, mixed, given_dev, settings, generator, shown)
        self.scorer_, self.basis_ = scorer, basis
        self.heads_weights_ = module.weights().detach().double().cpu().numpy()
        self.heads_factors_ = self.heads_weights_ * scales
        self._note_layers(X, words[0].hidden_size)

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        return predictions_of(self.scorer_, mix_words(words, self.heads_factors_), self.basis_)


class _MixedScorer(nn.Module):
    """A scorer on the weighted sum of several layers."""

    def __init__(self, scorer: BiaffineScorer, n_layers: int) -> None:
        super().__init__()
        self.scorer = scorer
        self.logits = nn.Parameter(torch.zeros(n_layers))

    def weights(self) -> Tensor:
        """Weights of the layers (n_layers,); the learning rate of their logits is `MIX_RATE`."""
        return (self.logits * (MIX_RATE / RATE)).softmax(0)

    def forward(self, layers: Tensor) -> Tensor:
        """Score all heads (b, n, n + 1) of words in all layers (n_layers, b, n, width)."""
        scores: Tensor = self.scorer(torch.tensordot(self.weights(), layers, 1))
        return scores


def _stacked(layers: Sequence[Sequence[HeadBlock]]) -> list[HeadBlock]:
    """Combine the matching blocks of several layers."""
    return [
        HeadBlock(torch.stack([block.inputs for block in same]), same[0].heads)
        for same in zip(*layers, strict=True)
    ]

"""`BiaffineMix`: the biaffine head selector on a learned mix of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from structprobe.probe.base import LayersEstimator
from structprobe.probe.data.examples import split
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.probe.readers.biaffine import BiaffineScorer, head_batches, head_blocks
from structprobe.probe.readers.biaffine_probe import RATE, predictions_of, read_head_settings
from structprobe.probe.readers.head_choice import HeadBlock, train_heads
from structprobe.probe.readers.mixing import (
    MIX_RATE,
    common_width,
    even_mix,
    mix_words,
    unit_scale,
)
from structprobe.probe.training.loop import Cosine
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import read_fraction, read_generator
from structprobe.probe.types import LayersDevLike, LayersLike, RandomState, TreesLike
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction


class BiaffineMix(LayersEstimator):
    """A biaffine head selector on a mix of layers whose weights are learned with it.

    The mix is that of `LayerMix`, the form and its training those of `BiaffineProbe`.

    Parameters
    ----------
    rank : int, optional
        Rows of the two projections, as of `BiaffineProbe`.
    max_steps : int, optional
        The budget; the default recipe's own unless given.
    validation_fraction : float
        The share of the training sentences that is held out where `fit` is given no dev set.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Draws the held-out sentences, batches, the start and the dropout.
    device : str
        Where to train, as `StructuralProbe` takes it.
    verbose : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Attributes
    ----------
    layers_ : tuple
        The layers that are mixed.
    heads_weights_ : ndarray of float64, shape (n_layers,)
        The weights of the layers at unit scale, which sum to 1.
    heads_factors_ : ndarray of float64, shape (n_layers,)
        What the raw vectors of each layer are multiplied by.
    history_ : list of dict
        One entry per evaluation, as for `BiaffineProbe`.
    n_features_in_ : int
        hidden_size of the vectors seen by `fit`.
    origins_ : dict of dict
        Where the vectors of each layer came from, if they said so; vectors of another origin are
        refused.
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

    def fit(self, X: LayersLike, y: TreesLike, *, dev: LayersDevLike | None = None) -> Self:
        """Learn the form and the weights.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of each layer, all of one width.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees.
        dev : tuple of (X, y), optional
            What the best form is chosen by; by default a random share of the training sentences.

        Returns
        -------
        BiaffineMix
            Itself.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or a loss stopped being finite.
        TreeError
            The heads of a sentence are no tree.
        """
        # Depths are not needed, but making them checks that the heads are trees.
        train_set, dev_set = self._read_sets(X, y, dev, kinds=("depth",))
        width = common_width(train_set.layers.values())
        settings = read_head_settings(self.get_params(), width)
        recipe, generator = Whitened(), read_generator(self.random_state)
        parts = split(train_set, dev_set, read_fraction(self.validation_fraction), generator)
        words, dev_words = ([*part.layers.values()] for part in (parts.train, parts.dev))
        heads, dev_heads, device = parts.train.heads, parts.dev.heads, settings.device
        scales = np.array([unit_scale(one) for one in words])
        basis = whitening(second_moments(even_mix(parts.train, scales)), centred=False)
        seed = int(generator.integers(2**31))  # the same batches of every layer
        batches = [
            head_batches(
                *(one, heads, basis * scale, recipe.batch_size, np.random.default_rng(seed), device)
            )
            for one, scale in zip(words, scales, strict=True)
        ]
        mixed = [_stacked(same) for same in zip(*batches, strict=True)]
        dev_blocks = [
            head_blocks(one, dev_heads, basis * scale, device)
            for one, scale in zip(dev_words, scales, strict=True)
        ]
        scorer = BiaffineScorer(len(basis), settings.rank, generator)
        module = _MixedScorer(scorer, len(scales)).to(device)
        n_steps = settings.max_steps or recipe.max_steps
        shown = None if self.verbose else False
        with progress_bar("biaffine mix", n_steps, "step", shown=shown) as advance:
            self.history_ = train_heads(
                module,
                lambda: [mixed[index] for index in generator.permutation(len(mixed))],
                _stacked(dev_blocks),
                Cosine(recipe, RATE, n_steps),
                lambda step: advance(1),
            )
        self.scorer_, self.basis_ = scorer, basis
        self.heads_weights_ = module.weights().detach().double().cpu().numpy()
        self.heads_factors_ = self.heads_weights_ * scales
        self._note_layers(X, width)
        return self

    def predictions(self, X: LayersLike) -> list[Prediction]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of the layers that were mixed; others may be there.

        Returns
        -------
        list of Prediction
            Heads, and as arc scores the log-probability of each head.

        Raises
        ------
        ProbeError
            A layer is missing, or its vectors differ in kind from those of the fit.
        NotFittedError
            Nothing was fitted.
        """
        layers = self._words(X)
        words = mix_words(layers, self.heads_factors_)
        return predictions_of(self.scorer_, words, self.basis_)


class _MixedScorer(nn.Module):
    """A scorer of one weighted layer in place of several."""

    def __init__(self, scorer: BiaffineScorer, n_layers: int) -> None:
        super().__init__()
        self.scorer = scorer
        self.logits = nn.Parameter(torch.zeros(n_layers))

    def weights(self) -> Tensor:
        """Weights of the layers (n_layers,); their logarithms take steps of `MIX_RATE`."""
        return (self.logits * (MIX_RATE / RATE)).softmax(0)

    def forward(self, layers: Tensor) -> Tensor:
        """Score all heads (b, n, n + 1) of words in all layers (n_layers, b, n, width)."""
        scores: Tensor = self.scorer(torch.tensordot(self.weights(), layers, 1))
        return scores


def _stacked(layers: Sequence[Sequence[HeadBlock]]) -> list[HeadBlock]:
    """Put the same blocks of several layers into one each."""
    return [
        HeadBlock(torch.stack([block.inputs for block in same]), same[0].heads)
        for same in zip(*layers, strict=True)
    ]

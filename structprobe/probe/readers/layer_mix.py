"""`LayerMix`: distance and depth probes on a learned mix of layers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from structprobe.probe.base import LayersEstimator
from structprobe.probe.data.examples import KINDS, split
from structprobe.probe.projecting import predict_depths, predict_distances, predict_trees
from structprobe.probe.readers.mixing import common_width, fit_mix, mix_words
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import (
    read_fraction,
    read_generator,
    read_settings,
    spawn_seeds,
)
from structprobe.probe.types import LayersDevLike, LayersLike, RandomState, TreesLike
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction


class LayerMix(LayersEstimator):
    """A structural probe on a mix of layers whose weights are learned with it.

    Distances and depths have a mix each. The weights are those of layers brought to unit scale
    (mean square about the sentence's mean); see `structprobe.probe.readers.mixing`.

    Parameters
    ----------
    rank : int, optional
        Rank of both probes; full unless given.
    max_steps : int, optional
        The budget; the default recipe's own unless given.
    validation_fraction : float
        The share of the training sentences that is held out where `fit` is given no dev set.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Draws the held-out sentences, batches and starts.
    device : str
        Where to train, as `StructuralProbe` takes it.
    loss : {"absolute", "tree"}
        What distances are trained by, as of `StructuralProbe`.
    verbose : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Attributes
    ----------
    layers_ : tuple
        The layers that are mixed.
    distance_weights_, depth_weights_ : ndarray of float64, shape (n_layers,)
        The weights, which sum to 1.
    distance_factors_, depth_factors_ : ndarray of float64, shape (n_layers,)
        What the raw vectors of each layer are multiplied by.
    distance_components_, depth_components_ : ndarray of float32, shape (rank, hidden_size)
        The matrices, for mixed raw vectors.
    history_ : dict
        Under ``distance`` and ``depth`` one entry per evaluation.
    n_features_in_ : int
        hidden_size of the vectors seen by `fit`.
    origins_ : dict of dict
        Where the vectors of each layer came from, if they said so; vectors of another origin are
        refused.

    Examples
    --------
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> layer = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> mix = LayerMix(max_steps=50, random_state=0).fit({0: layer, 1: layer}, heads)
    >>> float(round(mix.distance_weights_.sum(), 6))
    1.0
    """

    def __init__(
        self,
        *,
        rank: int | None = None,
        max_steps: int | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        loss: str = "absolute",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.loss = rank, max_steps, loss
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def fit(self, X: LayersLike, y: TreesLike, *, dev: LayersDevLike | None = None) -> Self:
        """Learn both mixes.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of each layer, all of one width.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees.
        dev : tuple of (X, y), optional
            What the best mixes are chosen by; by default a random share of the training sentences.

        Returns
        -------
        LayerMix
            Itself.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or a loss stopped being finite.
        TreeError
            The heads of a sentence are no tree.
        """
        train_set, dev_set = self._read_sets(X, y, dev)
        width = common_width(train_set.layers.values())
        settings = read_settings(self.get_params(), width)
        generator = read_generator(self.random_state)
        parts = split(train_set, dev_set, read_fraction(self.validation_fraction), generator)
        seeds = spawn_seeds(generator, len(KINDS))
        n_steps = len(KINDS) * (settings.max_steps or Whitened().max_steps)
        shown = None if self.verbose else False
        with progress_bar("mix", n_steps, "step", shown=shown) as advance:
            distance, depth = (
                fit_mix(kind, parts, settings, seed, advance)
                for kind, seed in zip(KINDS, seeds, strict=True)
            )
        self.distance_weights_, self.depth_weights_ = distance.weights, depth.weights
        self.distance_factors_, self.depth_factors_ = distance.factors, depth.factors
        self.distance_components_, self.depth_components_ = distance.components, depth.components
        self.history_ = {"distance": distance.history, "depth": depth.history}
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
            Heads, distances and depths.

        Raises
        ------
        ProbeError
            A layer is missing, or its vectors differ in kind from those of the fit.
        NotFittedError
            Nothing was fitted.
        """
        layers = self._words(X)
        distances = predict_distances(
            mix_words(layers, self.distance_factors_), self.distance_components_
        )
        depths = predict_depths(mix_words(layers, self.depth_factors_), self.depth_components_)
        return predict_trees(distances, depths)


def centre_of_gravity(layers: Any, weights: NDArray[np.floating]) -> float:
    """Mean layer under the weights of a mix.

    Tenney et al. 2019, BERT Rediscovers the Classical NLP Pipeline, section 3.1.
    """
    # weights (n_layers,)
    return float(np.dot(np.asarray(layers, dtype=float), weights))


def expected_layer(scores: Mapping[Hashable, float]) -> float:
    """Mean layer at which a score is gained, when layers are added from below.

    Tenney et al. 2019, section 3.2, equation 2: the sum of ``l * (score_l - score_(l-1))`` over
    all layers but the first, over the sum of the gains. Losses count as negative gains.
    """
    layers = np.array([*scores], dtype=float)
    gains = np.diff([*scores.values()])
    total = gains.sum()
    return float(np.round(np.dot(layers[1:], gains) / total, 12)) if total else float("nan")

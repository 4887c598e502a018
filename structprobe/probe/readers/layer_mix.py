"""`LayerMix`: distance and depth probes on a learned weighted sum of layers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.probe.base import LayersEstimator
from structprobe.probe.data.examples import KINDS, read_sets
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.projecting import predict_depths, predict_distances, predict_trees
from structprobe.probe.readers.mixing import common_width, fit_mix, mix_words
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import read_settings, read_split, spawn_seeds
from structprobe.probe.types import DevByLayer, Layer, RandomState, TreesLike, VectorsByLayer
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction


class LayerMix(LayersEstimator):
    """A structural probe on a weighted sum of layers, with weights learned together with it.

    Distances and depths each have their own weights. They apply to layers at unit scale (a mean
    square of 1 about the sentence mean); see `structprobe.probe.readers.mixing`.

    Parameters
    ----------
    rank, max_steps, loss, validation_fraction, random_state, device, verbose
        As for `StructuralProbe` with the default recipe.

    Attributes
    ----------
    layers_ : tuple
        The layers that are mixed.
    distance_weights_, depth_weights_ : ndarray of float64, shape (n_layers,)
        The weights, which sum to 1.
    distance_factors_, depth_factors_ : ndarray of float64, shape (n_layers,)
        The factors by which the raw vectors of each layer are multiplied.
    distance_components_, depth_components_ : ndarray of float32, shape (rank, hidden_size)
        The matrices, for mixed raw vectors.
    history_ : dict
        For ``distance`` and ``depth``, one entry per evaluation.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origins_ : dict of dict
        The model and settings of each layer's vectors, if known; others are then rejected.

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
        loss: str = "absolute",
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.loss = rank, max_steps, loss
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        parameters, sets = self.get_params(), read_sets(X, y, dev)
        width = common_width(sets[0].layers.values())
        settings = read_settings(parameters, width)
        parts, generator = read_split(parameters, *sets)
        seeds = spawn_seeds(generator, len(KINDS))
        n_steps = len(KINDS) * (settings.max_steps or Whitened().max_steps)
        shown = None if self.verbose else False
        with progress_bar("mix", n_steps, "step", shown=shown) as advance:
            pairs = zip(KINDS, seeds, strict=True)
            found = {kind: fit_mix(kind, parts, settings, seed, advance) for kind, seed in pairs}
        for kind, one in found.items():
            for name in ("weights", "factors", "components"):
                setattr(self, f"{kind}_{name}_", one[name])
        self.history_ = {kind: one["history"] for kind, one in found.items()}
        self._note_layers(X, width)

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        distances = predict_distances(
            mix_words(words, self.distance_factors_), self.distance_components_
        )
        depths = predict_depths(mix_words(words, self.depth_factors_), self.depth_components_)
        return predict_trees(distances, depths)


def centre_of_gravity(layers: Any, weights: NDArray[np.floating]) -> float:
    """Mean layer under the weights of a mix (Tenney et al. 2019, section 3.1)."""
    # weights (n_layers,)
    return float(np.dot(np.asarray(layers, dtype=float), weights))


def expected_layer(scores: Mapping[Hashable, float]) -> float:
    """Mean layer at which a score improves, when layers are added from the lowest to the highest.

    Tenney et al. 2019, section 3.2, equation 2: the sum of ``l * (score_l - score_(l-1))`` over
    all layers but the first, over the sum of the gains. A drop counts as a negative gain.
    """
    layers = np.array([*scores], dtype=float)
    gains = np.diff([*scores.values()])
    total = gains.sum()
    return float(np.round(np.dot(layers[1:], gains) / total, 12)) if total else float("nan")

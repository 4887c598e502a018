"""`LayerSweep`: the probes of all layers in one training run."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from functools import partial
from typing import Any

from structprobe.errors import ProbeError
from structprobe.probe.base import LayersEstimator
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.estimator import StructuralHyperparameters, StructuralProbe
from structprobe.probe.training.joint_fit import fit_jointly
from structprobe.probe.training.settings import read_generator
from structprobe.probe.types import DevByLayer, Layer, TreesLike, VectorsByLayer
from structprobe.scores import Prediction


class LayerSweep(StructuralHyperparameters, LayersEstimator):
    """Fit the same probe on every layer of a model, all layers in one training run.

    The layers share batches and gold values. Each has its own learning rate, early stopping and
    best matrices, so that the result is the same as fitting a `StructuralProbe` on that layer
    alone, on the CPU bit for bit.

    As with scikit-learn's hyperparameter searches, all probes are in `probes_`, and `predict`,
    `evaluate` and `score` use the one that is best on the dev set.

    Parameters
    ----------
    rank, geometry, recipe, loss, select, relations, subtypes, decoding
        As for `StructuralProbe`.
    max_steps, batch_size, learning_rate, validation_fraction
        As for `StructuralProbe`.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed of the probe on every layer. If it is not an integer, one is drawn for all layers.
    device, products, memory_gb, verbose
        As for `StructuralProbe`; as many layers as fit into ``memory_gb`` are trained together.

    Attributes
    ----------
    probes_ : dict of StructuralProbe
        The fitted probe of each layer.
    dev_scores_ : dict of float
        UUAS of each layer's probe on the dev set or the held-out sentences; NaN if there is no
        edge to score.
    best_layer_ : hashable
        The layer with the highest of `dev_scores_`; the first in a tie.
    best_probe_ : StructuralProbe
        The probe of that layer.
    n_features_in_ : int
        hidden_size of the vectors of that layer.
    origins_ : dict of dict
        The model and settings the vectors of that layer come from, if known.

    Examples
    --------
    >>> import numpy as np
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> layer = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> sweep = LayerSweep(max_steps=50, random_state=0).fit({0: layer, 1: layer}, heads)
    >>> sweep.best_layer_
    0
    >>> [tree.tolist() for tree in sweep.probes_[1].predict(layer)]
    [[2, 0, 2], [0, 1]]
    """

    probes_: dict[Any, StructuralProbe]
    dev_scores_: dict[Any, float]
    best_layer_: Any
    best_probe_: StructuralProbe

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        seed = self.random_state
        if not isinstance(seed, numbers.Integral):
            seed = int(read_generator(seed).integers(2**31))
        parameters = {**self.get_params(), "random_state": seed}
        probes, scores, names = {}, {}, [*X]
        for found in fit_jointly([(layer, parameters) for layer in names], X, y, dev=dev):
            for place, fitted in found.items():
                layer = names[place]
                probes[layer] = probe = StructuralProbe(**parameters)
                part = partial(fitted.dev_part, layer, X, y, dev)
                probe._keep_fit(fitted, part)
                scores[layer] = probe.score(*part())
        scored = [layer for layer, score in scores.items() if not math.isnan(score)]
        if not scored:
            raise ProbeError("the best layer cannot be chosen: no edge of the dev set is scored")
        self.best_layer_ = max(scored, key=scores.__getitem__)
        self.probes_, self.dev_scores_ = probes, scores
        self.best_probe_ = best = probes[self.best_layer_]
        self.n_features_in_, self.origins_ = best.n_features_in_, {self.best_layer_: best.origin_}

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        return self.best_probe_._predict({None: words[self.best_layer_]})

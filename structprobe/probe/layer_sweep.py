"""`LayerSweep`: the probes of all layers in one training run."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, Self

from structprobe.errors import ProbeError
from structprobe.probe.base import LayersEstimator
from structprobe.probe.estimator import StructuralHyperparameters, StructuralProbe
from structprobe.probe.training.joint_fit import fit_jointly
from structprobe.probe.training.settings import read_generator
from structprobe.probe.types import LayersDevLike, LayersLike, TreesLike
from structprobe.scores import Prediction


class LayerSweep(StructuralHyperparameters, LayersEstimator):
    """Fit the same probe on every layer of a model, all layers in one training run.

    All layers share the batches and the gold values. Each keeps its own learning rate, early stop
    and best matrices, and leaves the run when it is done: what comes out is what
    `StructuralProbe.fit` gives on that layer alone, on the CPU bit for bit.

    As of a search over hyperparameters in scikit-learn, all probes are in `probes_`, and `predict`,
    `evaluate` and `score` use the one that is best on the dev set.

    Parameters
    ----------
    rank, recipe, loss, max_steps, batch_size, learning_rate, validation_fraction
        As for `StructuralProbe`.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        The seed of every layer's probe. One number is drawn from anything but a number.
    device, products
        As for `StructuralProbe`.
    memory_gb : float
        The memory for vectors in training, in units of 10⁹ bytes. As many layers as fit are trained
        at once; one that does not fit by itself is streamed, as by `StructuralProbe`.
    verbose : bool
        As for `StructuralProbe`.

    Attributes
    ----------
    probes_ : dict of StructuralProbe
        The fitted probe of each layer.
    dev_scores_ : dict of float
        The UUAS of each layer's probe on the dev set, or on the sentences that were held out; NaN
        where there was no edge to score.
    best_layer_ : hashable
        The layer of the highest of `dev_scores_`, the first of several.
    best_probe_ : StructuralProbe
        The probe of that layer.
    n_features_in_ : int
        hidden_size of the vectors of that layer.
    origins_ : dict of dict
        Where the vectors of that layer came from, if they said so.

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

    def fit(self, X: LayersLike, y: TreesLike, *, dev: LayersDevLike | None = None) -> Self:
        """Fit one probe on each layer, and find the one that is best on the dev set.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of each layer, each as `StructuralProbe.fit` takes them.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees of the sentences that all layers are of.
        dev : tuple of (X, y), optional
            Vectors of each layer and trees to choose the best matrices and the best layer by; by
            default a random share of the training sentences, the same for all layers.

        Returns
        -------
        LayerSweep
            Itself.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or a loss stopped being finite.
        TreeError
            The heads of a sentence are no tree.
        """
        layers, own_dev = self._layers(X, "X"), self._dev_layers(dev)
        seed = self.random_state
        if not isinstance(seed, numbers.Integral):
            seed = int(read_generator(seed).integers(2**31))
        parameters = {**self.get_params(), "random_state": seed}
        probes, scores = {}, {}
        names = [*layers]
        for found in fit_jointly([(layer, parameters) for layer in names], layers, y, dev=own_dev):
            for place, fitted in found.items():
                probe = StructuralProbe(**parameters)
                probe._keep_fit(fitted)
                probes[names[place]] = probe
                vectors, trees = (layers, y) if own_dev is None else own_dev
                held_out, given = fitted.held_out, vectors[names[place]]
                if held_out is not None:
                    given, trees = [given[i] for i in held_out], [trees[i] for i in held_out]
                scores[names[place]] = probe.score(given, trees)
        self.best_layer_ = best_layer(scores)
        self.probes_, self.dev_scores_ = probes, scores
        self.best_probe_ = best = probes[self.best_layer_]
        self.n_features_in_, self.origins_ = best.n_features_in_, {self.best_layer_: best.origin_}
        return self

    def predictions(self, X: LayersLike) -> list[Prediction]:
        """Recover the tree of each sentence by the probe that is best on the dev set.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of the best layer; others may be there.

        Returns
        -------
        list of Prediction
            Heads, distances and depths.
        """
        self._words(X)
        return self.best_probe_.predictions(self._layers(X, "X")[self.best_layer_])


def best_layer(scores: Mapping[Any, float | None]) -> Any:
    """Give the first layer with the highest score, among those that have one."""
    known = {
        layer: score
        for layer, score in scores.items()
        if score is not None and not math.isnan(score)
    }
    if not known:
        raise ProbeError("no edge of the dev set is scored, so that no layer can be chosen")
    return max(known, key=known.__getitem__)

"""What all estimators share: fitting, predicting, scoring, and the checks of their input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import sklearn.exceptions
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from structprobe.errors import ProbeError
from structprobe.probe.data import inputs
from structprobe.probe.data.examples import layer_name
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.types import (
    DevByLayer,
    Layer,
    Origin,
    TreesLike,
    VectorsByLayer,
    VectorsLike,
)
from structprobe.scores import Prediction, Scores, score


class NotFittedError(ProbeError, sklearn.exceptions.NotFittedError):
    """A probe is used before `fit`; it is also a ``sklearn.exceptions.NotFittedError``."""


class PerSentence(list[NDArray[Any]]):
    """A list of one array per sentence, which numpy takes as a column of objects."""

    # So scikit-learn's cross_val_predict can join such lists, although the arrays differ in length.
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = np.empty(len(self), dtype=object)
        for index, array in enumerate(self):
            found[index] = array
        return found if dtype is None else found.astype(dtype)


class VectorsEstimator(BaseEstimator):
    """Learns from the word vectors of one layer; a subclass defines `_fit`."""

    n_features_in_: int
    origin_: Origin

    _hint = "call fit first"  # What to do if it is not fitted

    def _layers(self, X: VectorsLike, name: str) -> VectorsByLayer:
        """Take vectors by layer."""
        return {None: X}

    def _fitted_on(self) -> Mapping[Layer, Origin]:
        """Give the layers that are read, with the origin of their vectors."""
        return {None: self.origin_}

    @property
    def n_parameters_(self) -> int:
        """How many numbers were learned, for raw vectors."""
        self._check_fitted()
        total = 0
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and name.endswith(("components_", "intercept_")):
                total += value.size
            elif isinstance(value, torch.nn.Module):
                total += sum(parameter.numel() for parameter in value.parameters())
            elif isinstance(value, VectorsEstimator) and name.endswith("_"):
                total += value.n_parameters_
        return total

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        """Find and set the fitted attributes."""
        raise NotImplementedError

    def fit(
        self, X: VectorsLike, y: TreesLike, *, dev: tuple[VectorsLike, TreesLike] | None = None
    ) -> Self:
        """Fit from scratch.

        Parameters
        ----------
        X : word vectors
            Of one layer: `WordVectors`, or one float array or tensor (n_words, hidden_size) per
            sentence. Of several layers: `EncodedBank`, or a mapping of layer to such vectors.
        y : Treebank, sequence of Sentence, or sequence of array_like of int, each (n_words,)
            The trees: sentences with heads, or the heads, 1-based, 0 for the root.
        dev : tuple of (X, y), optional
            Vectors and trees by which the best training step (and layer) is chosen; by default, a
            random ``validation_fraction`` of the training sentences, which are not trained on.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ProbeError
            If the vectors, trees or settings cannot be used, or a loss is no longer finite.
        TreeError
            If the heads of a sentence are not a tree.
        """
        dev_layers = None
        if dev is not None:
            if not isinstance(dev, tuple | list) or len(dev) != 2:
                told = f"dev is {type(dev).__name__}, not a pair"
                raise ProbeError(told, hint="pass dev=(X_dev, y_dev)")
            dev_layers = self._layers(dev[0], "X_dev"), dev[1]
        self._fit(self._layers(X, "X"), y, dev_layers)
        return self

    def _words(self, X: VectorsLike) -> dict[Layer, Words]:
        """Take the vectors of the layers that are read, checked against those of the fit."""
        self._check_fitted()
        origins, found = self._fitted_on(), {}
        for layer, vectors in inputs.pick_layers(self._layers(X, "X"), origins).items():
            name = layer_name(layer)
            found[layer] = words = inputs.read_words(vectors, name)
            inputs.check_width(words, self.n_features_in_, name)
            inputs.check_origin(inputs.origin_of(vectors), origins[layer], name)
            inputs.check_finite(words, name)
        inputs.check_lengths(found)
        return found

    def _check_fitted(self) -> None:
        """Raise an error unless the estimator is fitted."""
        if not hasattr(self, "n_features_in_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted", hint=self._hint)


class TreeEstimator(VectorsEstimator):
    """Recovers trees from word vectors; a subclass defines `_fit` and `_predict`."""

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        """Recover the trees from checked vectors of the layers of the fit."""
        raise NotImplementedError

    def predictions(self, X: VectorsLike) -> list[Prediction]:
        """Recover the tree of each sentence, with the scores it is decoded from.

        Parameters
        ----------
        X : word vectors
            As for `fit`; layers that were not used in `fit` are ignored.

        Returns
        -------
        list of Prediction
            Heads with distances and depths, or with arc scores (the log-probability of each head).

        Raises
        ------
        ProbeError
            If a layer is missing, or width, model or settings differ from those of `fit`.
        NotFittedError
            If the estimator is not fitted.
        """
        return self._predict(self._words(X))

    def predict(self, X: VectorsLike) -> list[NDArray[np.integer]]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        X : word vectors
            As for `predictions`, which raises the same errors.

        Returns
        -------
        list of ndarray of int, each (n_words,)
            The head of each word, 1-based, 0 for the root.
        """
        return PerSentence(prediction.heads for prediction in self.predictions(X))

    def score(self, X: VectorsLike, y: TreesLike) -> float:
        """Undirected unlabelled attachment score, by the default protocol of `evaluate`.

        Parameters
        ----------
        X, y : word vectors, and gold trees
            As for `predictions` and `fit`.

        Returns
        -------
        float
            A fraction; NaN if there is no edge to score.
        """
        uuas = self.evaluate(X, y).uuas
        return math.nan if uuas is None else uuas

    def evaluate(self, X: VectorsLike, y: TreesLike, *, punct: str | None = None) -> Scores:
        """Score the predicted trees against gold trees.

        Parameters
        ----------
        X, y : word vectors, and gold trees
            As for `predictions` and `fit`.
        punct : {"upos", "xpos", "keep", "polar"}, optional
            Which words UUAS and root accuracy leave out; see `structprobe.scores.score`.

        Returns
        -------
        Scores
            All scores with their counts and protocol.
        """
        words = self._words(X)
        inputs.read_heads(y, next(iter(words.values())))
        return score(y, self._predict(words), punct=punct)


class LayersEstimator(TreeEstimator):
    """Reads the vectors of several layers."""

    origins_: dict[Any, Origin]
    layers_: tuple[Any, ...]

    def _note_layers(self, X: VectorsByLayer, width: int) -> None:
        """Note the origin of the vectors of the fit, so that others are rejected."""
        self.n_features_in_ = width
        self.origins_ = {layer: inputs.origin_of(given) for layer, given in X.items()}
        self.layers_ = tuple(self.origins_)

    def _layers(self, X: VectorsLike, name: str) -> VectorsByLayer:
        return inputs.layers_of(X, name)

    def _fitted_on(self) -> Mapping[Layer, Origin]:
        return self.origins_

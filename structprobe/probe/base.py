"""What all estimators of trees share: how they take vectors, predict, score and refuse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from structprobe.errors import ProbeError
from structprobe.probe.data.examples import KINDS, Examples, layer_name, read_sets
from structprobe.probe.data.inputs import (
    check_finite,
    check_lengths,
    check_origin,
    check_width,
    layers_of,
    origin_of,
    pick_layers,
    read_heads,
    read_words,
)
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.not_fitted import NotFittedError
from structprobe.probe.types import (
    Layer,
    LayersLike,
    Origin,
    TreesLike,
    VectorsByLayer,
    WordVectorsLike,
)
from structprobe.scores import Prediction, score

if TYPE_CHECKING:
    from structprobe.scores import Scores

V = TypeVar("V")  # The vectors of one layer, or of several


class TreeEstimator(BaseEstimator, Generic[V]):
    """Recovers trees from word vectors; a subclass says how it is fitted and how it predicts."""

    n_features_in_: int

    _hint = "call fit first"  # What to do where nothing was fitted

    def _layers(self, X: V, name: str) -> VectorsByLayer:
        """Take vectors by layer."""
        raise NotImplementedError

    def _fitted_on(self) -> Mapping[Layer, Origin]:
        """Give the layers that are read, with the origin of their vectors."""
        raise NotImplementedError

    def predictions(self, X: V) -> list[Prediction]:
        """Recover the tree of each sentence, with all that it came from."""
        raise NotImplementedError

    def predict(self, X: V) -> list[NDArray[np.integer]]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        X : as for `fit`
            Word vectors.

        Returns
        -------
        list of ndarray of int, each (n_words,)
            The head of each word, 1-based, 0 for the root's.

        Raises
        ------
        ProbeError
            The vectors differ in kind from those of the fit.
        NotFittedError
            Nothing was fitted.
        """
        return [prediction.heads for prediction in self.predictions(X)]

    def score(self, X: V, y: TreesLike) -> float:
        """Undirected unlabelled attachment score, by the default protocol of `evaluate`.

        Parameters
        ----------
        X : as for `fit`
            Word vectors.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees.

        Returns
        -------
        float
            A fraction; NaN where there was no edge to score.
        """
        uuas = self.evaluate(X, y).uuas
        return math.nan if uuas is None else uuas

    def evaluate(self, X: V, y: TreesLike, *, punct: str | None = None) -> Scores:
        """Score the recovered trees against gold ones.

        Parameters
        ----------
        X : as for `fit`
            Word vectors.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees.
        punct : {"upos", "xpos", "keep"}, optional
            Which words UUAS and root accuracy leave out; see `structprobe.scores.score`.

        Returns
        -------
        Scores
            All scores with their counts and protocol.
        """
        (words, *_) = self._words(X).values()
        read_heads(y, words)
        return score(y, self.predictions(X), punct=punct)

    def _read_sets(
        self, X: V, y: TreesLike, dev: tuple[V, TreesLike] | None, kinds: Sequence[str] = KINDS
    ) -> tuple[Examples, Examples | None]:
        """Take the training and the dev set, checked."""
        layers = self._layers(X, "X")
        return read_sets(layers, y, self._dev_layers(dev), kinds)

    def _dev_layers(
        self, dev: tuple[V, TreesLike] | None
    ) -> tuple[VectorsByLayer, TreesLike] | None:
        """Take the dev set, its vectors by layer."""
        if dev is None:
            return None
        if not isinstance(dev, tuple | list) or len(dev) != 2:
            raise ProbeError(f"dev is {type(dev).__name__}", hint="give dev=(X_dev, y_dev)")
        return self._layers(dev[0], "X of dev"), dev[1]

    def _words(self, X: V) -> dict[Layer, Words]:
        """Take the vectors of the layers that are read, checked against those of the fit."""
        self._check_fitted()
        origins, found = self._fitted_on(), {}
        given = pick_layers(self._layers(X, "X"), origins)
        for layer, vectors in given.items():
            name = layer_name(layer)
            found[layer] = words = read_words(vectors, name)
            check_width(words, self.n_features_in_, name)
            check_origin(origin_of(vectors), origins[layer], name)
            check_finite(words, name)
        check_lengths(found)
        return found

    def _check_fitted(self) -> None:
        """Refuse to use an estimator that has learned nothing."""
        if not hasattr(self, "n_features_in_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted", hint=self._hint)


class OneLayerEstimator(TreeEstimator[WordVectorsLike]):
    """Reads the vectors of one layer."""

    origin_: Origin

    def _layers(self, X: WordVectorsLike, name: str) -> VectorsByLayer:
        del name
        return {None: X}

    def _fitted_on(self) -> Mapping[Layer, Origin]:
        return {None: self.origin_}


class LayersEstimator(TreeEstimator[LayersLike]):
    """Reads the vectors of several layers."""

    origins_: dict[Any, Origin]
    layers_: tuple[Any, ...]

    def _note_layers(self, X: LayersLike, width: int) -> None:
        """Note what the vectors of the fit were, so that others are refused."""
        self.n_features_in_ = width
        self.origins_ = {layer: origin_of(given) for layer, given in layers_of(X).items()}
        self.layers_ = tuple(self.origins_)

    def _layers(self, X: LayersLike, name: str) -> VectorsByLayer:
        return layers_of(X, name)

    def _fitted_on(self) -> Mapping[Layer, Origin]:
        return self.origins_

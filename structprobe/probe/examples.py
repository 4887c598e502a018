"""Sentences with what is to be predicted of them: distances for one probe, depths for the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.inputs import check_finite, read_heads, read_words
from structprobe.probe.words import Words
from structprobe.trees import gold_depths, gold_distances

KINDS = {"distance": gold_distances, "depth": gold_depths}


@dataclass(frozen=True, slots=True)
class Examples:
    """Sentences with their vectors in one or more layers, and what is to be predicted of them.

    Attributes
    ----------
    layers : mapping of hashable to Words
        Their vectors in each layer.
    gold : mapping of str to sequence of ndarray of int, each (n, n) or (n,)
        Their gold distances and depths, by the keys of `KINDS`.
    """

    layers: Mapping[Hashable, Words]
    gold: Mapping[str, Sequence[NDArray[np.integer]]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words in each sentence."""
        return next(iter(self.layers.values())).lengths

    def take(self, sentences: NDArray[np.integer]) -> Examples:
        """Take some of the sentences, in the order asked for.

        Parameters
        ----------
        sentences : ndarray of int, shape (n,)
            Which sentences, counted from 0.

        Returns
        -------
        `Examples`
            Those sentences.
        """
        return Examples(
            {layer: words.take(sentences) for layer, words in self.layers.items()},
            {kind: [gold[i] for i in sentences] for kind, gold in self.gold.items()},
        )


def read_examples(X: Mapping[Hashable, Any], y: Any, suffix: str = "") -> Examples:
    """Take vectors and trees in any form that a probe accepts, and check them.

    Parameters
    ----------
    X : mapping
        The vectors of each layer, as `StructuralProbe.fit` takes them; a lone layer may be None.
    y
        As `StructuralProbe.fit` takes it.
    suffix : str
        What messages put behind the names of both.

    Returns
    -------
    `Examples`
        The same sentences.

    Raises
    ------
    ProbeError
        As `read_words`, `read_heads` and `check_finite`; or there is no layer.
    TreeError
        The heads of a sentence are no tree.
    """
    if not X:
        raise ProbeError("there is no layer to learn from", hint="give the vectors of one or more")
    layers = {}
    for layer, vectors in X.items():
        name = layer_name(layer) + suffix
        layers[layer] = words = read_words(vectors, name)
        heads = read_heads(y, words, (name, "y" + suffix))
        check_finite(words, name, y)
    return Examples(layers, {kind: gold_of(heads) for kind, gold_of in KINDS.items()})


def layer_name(layer: Hashable) -> str:
    """Name a layer's vectors in messages."""
    return "X" if layer is None else f"X of layer {layer}"

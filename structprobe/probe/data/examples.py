"""Sentences with what is to be predicted of them: distances for one probe, depths for the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data.inputs import check_finite, read_heads, read_words
from structprobe.probe.data.ragged_vectors import Words
from structprobe.trees import flat_depths, flat_distances

KINDS = ("distance", "depth")


@dataclass(frozen=True, slots=True)
class Gold:
    """Gold distances or depths of all sentences, flat."""

    values: NDArray[np.integer]  # The distances (row by row) or depths of each sentence
    starts: NDArray[np.int64]  # (n_sentences,): where each sentence begins among them


@dataclass(frozen=True, slots=True)
class Examples:
    """Sentences with their vectors in one or more layers, and what is to be predicted of them."""

    layers: Mapping[Hashable, Words]  # Their vectors in each layer
    gold: Mapping[str, Gold]  # Their gold distances and depths, by `KINDS`

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words in each sentence."""
        return next(iter(self.layers.values())).lengths

    def take(self, sentences: NDArray[np.integer]) -> Examples:
        """Take some of the sentences, in the order asked for; nothing large is copied."""
        # sentences (n,)
        return Examples(
            {layer: words.take(sentences) for layer, words in self.layers.items()},
            {kind: Gold(one.values, one.starts[sentences]) for kind, one in self.gold.items()},
        )


def read_examples(X: Mapping[Hashable, Any], y: Any, suffix: str = "") -> Examples:
    """Take vectors and trees in any form that a probe accepts, and check them."""
    if not X:
        raise ProbeError("there is no layer to learn from", hint="give the vectors of one or more")
    layers = {}
    for layer, vectors in X.items():
        name = layer_name(layer) + suffix
        layers[layer] = words = read_words(vectors, name)
        heads = read_heads(y, words, (name, "y" + suffix))
        check_finite(words, name, y)
    lengths = words.lengths
    gold = {
        "distance": Gold(flat_distances(heads), np.cumsum(lengths**2) - lengths**2),
        "depth": Gold(flat_depths(heads), np.cumsum(lengths) - lengths),
    }
    return Examples(layers, gold)


def layer_name(layer: Hashable) -> str:
    """Name a layer's vectors in messages."""
    return "X" if layer is None else f"X of layer {layer}"

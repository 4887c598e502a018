"""Training and dev sets: word vectors with gold heads, distances and depths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data import inputs
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.types import DevByLayer, Layer, TreesLike, VectorsByLayer
from structprobe.trees.gold import flat_depths, flat_distances

KINDS = ("distance", "depth")
RELATION = "relation"  # a third kind, where relations are read too


@dataclass(frozen=True, slots=True)
class Gold:
    """Gold distances, depths or relations of all sentences, flat."""

    values: NDArray[np.integer]  # The distances (row by row) of each sentence, or one per word
    starts: NDArray[np.int64]  # (n_sentences,): where each sentence begins among them


@dataclass(frozen=True, slots=True)
class Examples:
    """Sentences with their vectors in one or more layers, and their gold values."""

    layers: Mapping[Layer, Words]
    gold: Mapping[str, Gold]  # By `KINDS`; the numbers of relations by `RELATION`
    heads: Sequence[NDArray[np.integer]] = ()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words in each sentence."""
        return next(iter(self.layers.values())).lengths

    def take(self, sentences: NDArray[np.integer]) -> Examples:
        """Take some of the sentences, in the given order; nothing large is copied."""
        # sentences (n,)
        return Examples(
            {layer: words.take(sentences) for layer, words in self.layers.items()},
            {kind: Gold(one.values, one.starts[sentences]) for kind, one in self.gold.items()},
            [self.heads[index] for index in sentences],
        )


@dataclass(frozen=True, slots=True)
class Split:
    """The training set, and the dev set by which the best step is chosen."""

    train: Examples
    dev: Examples
    held_out: NDArray[np.int64] | None  # The sentences of `dev`; None if `dev` was given


def read_sets(
    X: VectorsByLayer, y: TreesLike, dev: DevByLayer, kinds: Sequence[str] = KINDS
) -> tuple[Examples, Examples | None]:
    """Read and check the training and the dev set in any form that a probe accepts."""
    train_set = read_examples(X, y, kinds=kinds)
    for layer, words in train_set.layers.items():
        inputs.check_pairs(words, layer_name(layer))
    if dev is None:
        return train_set, None
    held_out = inputs.pick_layers(dev[0], X, "X_dev")
    dev_set = read_examples(held_out, dev[1], "_dev", kinds=kinds)
    for layer, words in dev_set.layers.items():
        name = layer_name(layer, "X_dev")
        inputs.check_width(words, train_set.layers[layer].hidden_size, name)
        inputs.check_origin(inputs.origin_of(held_out[layer]), inputs.origin_of(X[layer]), name)
        inputs.check_pairs(words, name)
    return train_set, dev_set


def read_examples(
    X: VectorsByLayer, y: TreesLike, suffix: str = "", kinds: Sequence[str] = KINDS
) -> Examples:
    """Read and check sentences in any form that a probe accepts."""
    layers = {}
    for layer, vectors in X.items():
        name = layer_name(layer, f"X{suffix}")
        layers[layer] = words = inputs.read_words(vectors, name)
        heads = inputs.read_heads(y, words, (name, "y" + suffix))
        inputs.check_finite(words, name, y)
    gold = {kind: gold_of(kind, heads) for kind in kinds}
    return Examples(layers, gold, heads)


def gold_of(kind: str, heads: Sequence[NDArray[np.integer]]) -> Gold:
    """Compute the gold distances or depths of sentences."""
    # heads (n,)
    lengths = np.array([*map(len, heads)], dtype=np.int64)
    sizes = lengths**2 if kind == "distance" else lengths
    values = flat_distances(heads) if kind == "distance" else flat_depths(heads)
    return Gold(values, np.cumsum(sizes) - sizes)


def hold_out(
    lengths: NDArray[np.int64], fraction: float, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split sentences at random; both parts get one of two or more words, which has distances."""
    order = generator.permutation(len(lengths))
    long = order[lengths[order] > 1]
    if len(long) < 2:
        told = "too few sentences to hold out some for validation"
        counts = f"{len(long)} of {len(lengths)} have two or more words"
        raise ProbeError(f"{told}: {counts}", hint="pass dev=(X_dev, y_dev)")
    # The first two long sentences go to either end, so that each part gets one.
    others = order[(order != long[0]) & (order != long[1])]
    order = np.concatenate([long[:1], others, long[1:2]])
    n = min(max(1, round(fraction * len(order))), len(order) - 1)
    return np.sort(order[n:]), np.sort(order[:n])


def layer_name(layer: Layer, name: str = "X") -> str:
    """Name a layer's vectors in messages."""
    return name if layer is None else f"{name} of layer {layer}"

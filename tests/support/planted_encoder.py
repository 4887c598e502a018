"""An encoder whose one layer holds the gold trees: something for a choice of layers to find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from structprobe.encoder.vectors import EncodedBank
from structprobe.treebank import Sentence, Treebank
from structprobe.trees import tree_depths


class PlantedEncoder:
    """Three layers, of which one holds the trees of some sentences and the others noise."""

    n_layers = 2
    layers = (0, 1, 2)

    def __init__(self, bank: Treebank, planted: Sequence[int] = (1,)) -> None:
        self.planted = planted
        self.longest = max(map(len, bank))
        self.trees = {sentence.words: sentence.heads for sentence in bank}

    def encode(
        self, sentences: Sequence[Sentence], *, layers: int | Iterable[int], **_: Any
    ) -> EncodedBank:
        offsets = np.cumsum([0, *map(len, sentences)])
        wanted = [layers] if isinstance(layers, int) else layers
        values = {layer: self._layer(sentences, layer) for layer in wanted}
        return EncodedBank(values, offsets, {"model": "planted"})

    def _layer(self, sentences: Sequence[Sentence], layer: int) -> np.ndarray:
        generator = np.random.default_rng(layer)
        width = self.longest
        if layer not in self.planted:
            return generator.normal(size=(sum(map(len, sentences)), width)).astype(np.float32)
        return np.concatenate([self._vectors(self.trees[one.words]) for one in sentences])

    def _vectors(self, heads: np.ndarray) -> np.ndarray:
        return tree_steps(heads, self.longest)


def tree_steps(heads: np.ndarray, width: int) -> np.ndarray:
    """Each arc is a step along an axis of its own, so that distances are those of the tree."""
    vectors = np.zeros((len(heads), width), dtype=np.float32)
    for word in np.argsort(tree_depths(heads), kind="stable"):
        if heads[word]:
            vectors[word] = vectors[heads[word] - 1]
            vectors[word, word] = 1
    return vectors


def distinct_bank(n: int, seed: int = 0, longest: int = 9) -> Treebank:
    """Random trees over sentences of which no two are the same words."""
    from structprobe.recoverers.random_tree import random_heads

    generator = np.random.default_rng(seed)
    sentences = []
    for number in range(n):
        heads = random_heads(int(generator.integers(2, longest + 1)), generator)
        words = tuple(f"w{seed}-{number}-{i}" for i in range(len(heads)))
        sentences.append(Sentence(words, heads))
    return Treebank(sentences)

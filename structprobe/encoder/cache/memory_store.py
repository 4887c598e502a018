"""Stores that collect word vectors batch by batch: their base, and one in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.encoder.subwords.pieces import join_ranges
from structprobe.errors import StoreError


class Store(ABC):
    """The base of stores in memory and on disk: what is missing, and checks of what is written."""

    def __init__(
        self, layers: tuple[int, ...], offsets: NDArray[np.int64], hidden_size: int, dtype: np.dtype
    ) -> None:
        self.layers = layers
        self.missing_layers = layers
        self.offsets = offsets
        self.shape = (int(offsets[-1]), int(hidden_size))
        self.dtype = dtype
        self._written = np.zeros(len(offsets) - 1, dtype=bool)
        # The sentences to write here, ascending.
        self.own: NDArray[np.int64] = np.arange(len(offsets) - 1, dtype=np.int64)

    @property
    def missing(self) -> NDArray[np.int64]:
        """The sentences to write here that are not yet written in all layers, ascending."""
        return self.own[~self._written[self.own]]

    def write(self, sentences: ArrayLike, vectors: Mapping[int, ArrayLike]) -> None:
        """Write the vectors of some sentences."""
        # vectors (words of these sentences, hidden_size)
        numbers = np.asarray(sentences, dtype=np.int64)
        n_words = int(self._spans(numbers)[1].sum())
        for layer in self.missing_layers:
            if layer not in vectors:
                raise StoreError(f"the vectors of layer {layer} are missing")
            values = np.ascontiguousarray(vectors[layer], dtype=self.dtype)
            if values.shape != (n_words, self.shape[1]):
                expected = (n_words, self.shape[1])
                raise StoreError(f"layer {layer} has shape {values.shape}, expected {expected}")
            self._write_layer(layer, numbers, values)
        self._written[numbers] = True

    def finish(self) -> None:
        """Declare the vectors complete."""
        if self.missing.size:
            first = self.missing[0]
            raise StoreError(f"{self.missing.size} sentences are not written, the first is {first}")

    @abstractmethod
    def layer(self, layer: int) -> NDArray[Any]:
        """Give one complete layer."""
        # -> (n_words_total, hidden_size)

    @abstractmethod
    def close(self) -> None:
        """Close all files; what is written is kept."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @abstractmethod
    def _write_layer(self, layer: int, numbers: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Write the rows of some sentences."""

    def _spans(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the index of the first word of each sentence, and its number of words."""
        starts = self.offsets[numbers]
        return starts, self.offsets[numbers + 1] - starts


class MemoryStore(Store):
    """Vectors in memory, with the interface of `VectorStore`; see `open_store`."""

    def __init__(
        self, layers: tuple[int, ...], offsets: NDArray[np.int64], hidden_size: int, dtype: np.dtype
    ) -> None:
        super().__init__(layers, offsets, hidden_size, dtype)
        self._values = {layer: np.zeros(self.shape, dtype) for layer in layers}

    def layer(self, layer: int) -> NDArray[Any]:
        """Give one layer."""
        # -> (n_words_total, hidden_size)
        return self._values[layer]

    def close(self) -> None:
        """Do nothing: the vectors live as long as the store."""

    def _write_layer(self, layer: int, numbers: NDArray[np.int64], values: NDArray[Any]) -> None:
        self._values[layer][join_ranges(*self._spans(numbers))] = values

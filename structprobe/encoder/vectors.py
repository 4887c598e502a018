"""Word vectors of a whole treebank: ragged, lazy, and knowing where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import overload

import numpy as np
from numpy.typing import NDArray


class WordVectors(Sequence[NDArray[np.floating]]):
    """The word vectors of one layer, one array a sentence.

    A sequence without ``.shape``, so that it serves as the ``X`` of `StructuralProbe.fit` and of
    scikit-learn's splitters. Indexing gives views, nothing is copied.

    Parameters
    ----------
    values : ndarray of float, shape (n_words_total, hidden_size)
        All words of all sentences, one below the other; may lie on a memory map.
    offsets : ndarray of int64, shape (n_sentences + 1,)
        Sentence `i` holds the rows ``offsets[i]:offsets[i + 1]``.
    origin : mapping, optional
        Where the vectors came from: plain values under the keys ``model``, ``revision``,
        ``fingerprint``, ``layer``, ``pooling``, ``spacing``, ``bos`` and ``dtype``. A probe
        keeps it and refuses vectors of another origin.
    """

    def __init__(
        self,
        values: NDArray[np.floating],
        offsets: NDArray[np.integer],
        origin: Mapping[str, object] | None = None,
    ) -> None:
        self.values = values
        self.offsets = np.asarray(offsets, dtype=np.int64)
        self.origin: Mapping[str, object] | None = (
            None if origin is None else MappingProxyType(dict(origin))
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> NDArray[np.floating]: ...
    @overload
    def __getitem__(self, index: slice) -> WordVectors: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.floating] | WordVectors:
        """Give one sentence's vectors, shape (n_words, hidden_size), or a run of sentences."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.values[start:stop]

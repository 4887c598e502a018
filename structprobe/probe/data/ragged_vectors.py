"""Word vectors of many sentences in one array, and iteration over them in chunks."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Numbers per chunk: 8 MB in float64.
CHUNK_SIZE = 1 << 20
# The resolution assumed if nothing else is known: the spacing of numbers next to 1.
FLOAT32_EPS = float(np.finfo(np.float32).eps)
_GLANCE = 8  # numbers of a vector that show in most sentences that all are different


@dataclass(frozen=True, slots=True)
class Words:
    """The word vectors of all sentences, as given."""

    values: NDArray[np.floating]  # (at least n_words_total, hidden_size): word vectors
    starts: NDArray[np.int64]  # (n_sentences,): the row at which each sentence begins
    lengths: NDArray[np.int64]  # (n_sentences,): words in each sentence, one or more
    eps: float = FLOAT32_EPS  # The resolution of the type in which the vectors were computed

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def hidden_size(self) -> int:
        """Width of a vector."""
        return int(self.values.shape[1])

    @property
    def chunk_words(self) -> int:
        """Number of words per chunk."""
        return max(1, CHUNK_SIZE // max(1, self.hidden_size))

    def take(self, sentences: NDArray[np.integer]) -> Words:
        """Take some of the sentences, in the given order; nothing is copied."""
        # sentences (n,)
        return replace(self, starts=self.starts[sentences], lengths=self.lengths[sentences])

    def chunks(
        self,
        *,
        centred: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> Iterator[Tensor]:
        """Iterate over the words in chunks of whole sentences."""
        # -> (m, hidden_size)
        for first, last in self.cuts():
            lengths = self.lengths[first:last]
            sentence, inside = ragged(lengths)
            rows = self.starts[first:last][sentence] + inside
            words = self._features(torch.from_numpy(self.values[rows]).to(device), dtype)
            give_back(self.values)
            if centred:
                index = torch.from_numpy(sentence).to(words.device)
                words -= sentence_means(words, lengths).index_select(0, index)
            yield words

    def _features(self, vectors: Tensor, dtype: torch.dtype) -> Tensor:
        """Give what probes see of the vectors as they are: here, the same."""
        return vectors.to(dtype)  # (m, hidden_size)

    def cuts(self) -> Iterator[tuple[int, int]]:
        """Give the sentences in each of `chunks`: the first, and one past the last."""
        ends, most = np.cumsum(self.lengths), self.chunk_words
        first = done = 0
        while first < len(self):
            last = max(first + 1, int(np.searchsorted(ends, done + most, side="right")))
            yield first, last
            first, done = last, int(ends[last - 1])


def give_back(values: NDArray[np.generic]) -> None:
    """Release the pages of a read-only memory map; once read, they count as this process's."""
    root: Any = values
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    if getattr(root, "mode", None) == "r" and hasattr(mmap, "MADV_DONTNEED"):
        root.base.madvise(mmap.MADV_DONTNEED)


def first_equal(vectors: NDArray[np.floating]) -> list[int] | None:
    """Give, for each word of a sentence, the first with an equal vector; None if all differ.

    Matrix products round a row by its place in the batch, so that ties of equal words would depend
    on the batch: what is predicted for the first of them is taken for all.
    """
    # vectors (n_words, hidden_size) -> (n_words,)
    if len({row.tobytes() for row in vectors[:, :_GLANCE] + 0.0}) == len(vectors):
        return None
    first: dict[bytes, int] = {}
    return [first.setdefault(row.tobytes(), i) for i, row in enumerate(vectors + 0.0)]  # no -0


def sentence_means(words: Tensor, lengths: NDArray[np.int64]) -> Tensor:
    """Mean vector of each sentence."""
    # words (m, hidden_size), lengths (n_sentences,) -> (n_sentences, hidden_size)
    index = torch.from_numpy(ragged(lengths)[0]).to(words.device)
    sums = words.new_zeros(len(lengths), words.shape[1]).index_add_(0, index, words)
    return sums / torch.from_numpy(lengths).to(words.device).unsqueeze(-1)


def ragged(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the sentence of each word, and its index in it, for concatenated sentences."""
    # lengths (n_sentences,) -> (n_words,), (n_words,)
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    return sentence, np.arange(len(sentence)) - (np.cumsum(lengths) - lengths)[sentence]

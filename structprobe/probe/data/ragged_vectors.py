"""Word vectors of many sentences, flat, with the walk over them that everything else uses."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# How many numbers are worked on at a time: 8 MB in float64.
CHUNK_SIZE = 1 << 20
# The resolution of vectors of which nothing else is known: numbers next to 1 differ by this.
FLOAT32_EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class Words:
    """The word vectors of all sentences, untouched."""

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
        """How many words are worked on at a time."""
        return max(1, CHUNK_SIZE // max(1, self.hidden_size))

    def take(self, sentences: NDArray[np.integer]) -> Words:
        """Take some of the sentences, in the order asked for; nothing is copied."""
        # sentences (n,)
        return Words(self.values, self.starts[sentences], self.lengths[sentences], self.eps)

    def chunks(
        self,
        *,
        centred: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> Iterator[Tensor]:
        """Give the words of whole sentences, as many at a time as `CHUNK_SIZE` allows."""
        # -> (m, hidden_size)
        for first, last in self.cuts():
            lengths = self.lengths[first:last]
            sentence, inside = ragged(lengths)
            rows = self.starts[first:last][sentence] + inside
            words = torch.from_numpy(self.values[rows]).to(device).to(dtype)  # (m, hidden_size)
            give_back(self.values)
            if centred:
                index = torch.from_numpy(sentence).to(words.device)
                words -= sentence_means(words, lengths).index_select(0, index)
            yield words

    def cuts(self) -> Iterator[tuple[int, int]]:
        """Give the sentences whose words each of `chunks` holds: first, and one past the last."""
        ends, most = np.cumsum(self.lengths), self.chunk_words
        first = done = 0
        while first < len(self):
            last = max(first + 1, int(np.searchsorted(ends, done + most, side="right")))
            yield first, last
            first, done = last, int(ends[last - 1])


def give_back(values: NDArray[np.generic]) -> None:
    """Give the pages of a read-only memory map back to the system, where it takes them.

    They count as memory of this process once they are read. The system keeps them as it does any
    file, and reads them again where they are asked for.
    """
    root: Any = values
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    if getattr(root, "mode", None) == "r" and hasattr(mmap, "MADV_DONTNEED"):
        root.base.madvise(mmap.MADV_DONTNEED)


def sentence_means(words: Tensor, lengths: NDArray[np.int64]) -> Tensor:
    """Mean vector of each sentence."""
    # words (m, hidden_size), lengths (n_sentences,) -> (n_sentences, hidden_size)
    index = torch.from_numpy(ragged(lengths)[0]).to(words.device)
    sums = words.new_zeros(len(lengths), words.shape[1]).index_add_(0, index, words)
    return sums / torch.from_numpy(lengths).to(words.device).unsqueeze(-1)


def ragged(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find of which sentence each word is, where sentences lie one behind the other."""
    # lengths (n_sentences,) -> (n_words,), (n_words,)
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    return sentence, np.arange(len(sentence)) - (np.cumsum(lengths) - lengths)[sentence]

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


@dataclass(frozen=True, slots=True)
class Words:
    """The word vectors of all sentences, untouched.

    Attributes
    ----------
    values : ndarray of float, shape (at least n_words_total, hidden_size)
        Word vectors; may lie on a memory map.
    starts : ndarray of int, shape (n_sentences,)
        The row at which each sentence begins.
    lengths : ndarray of int, shape (n_sentences,)
        Words in each sentence, one or more.
    """

    values: NDArray[np.floating]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

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
        """Take some of the sentences, in the order asked for; nothing is copied.

        Parameters
        ----------
        sentences : ndarray of int, shape (n,)
            Which sentences, counted from 0.

        Returns
        -------
        Words
            Those sentences.
        """
        return Words(self.values, self.starts[sentences], self.lengths[sentences])

    def chunks(
        self,
        *,
        centred: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> Iterator[Tensor]:
        """Give the words of whole sentences, as many at a time as `CHUNK_SIZE` allows.

        Parameters
        ----------
        centred : bool
            Whether to take each sentence's mean from its words.
        device : torch.device, optional
            Where to put them; the processor unless given.
        dtype : torch.dtype
            Their type, in which they are centred too.

        Yields
        ------
        Tensor, shape (m, hidden_size)
            Words, sentence after sentence.
        """
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
        """Tell of which sentences `chunks` gives the words.

        Yields
        ------
        first, last : int
            The first sentence of each chunk, and the one behind its last.
        """
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

    Parameters
    ----------
    values : ndarray
        Any array; nothing is done where it is not on a read-only map.
    """
    root: Any = values
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    if getattr(root, "mode", None) == "r" and hasattr(mmap, "MADV_DONTNEED"):
        root.base.madvise(mmap.MADV_DONTNEED)


def sentence_means(words: Tensor, lengths: NDArray[np.int64]) -> Tensor:
    """Mean vector of each sentence.

    Parameters
    ----------
    words : Tensor, shape (m, hidden_size)
        The words of whole sentences, one below the other.
    lengths : ndarray of int, shape (n_sentences,)
        Words in each sentence.

    Returns
    -------
    Tensor, shape (n_sentences, hidden_size)
        The means.
    """
    index = torch.from_numpy(ragged(lengths)[0]).to(words.device)
    sums = words.new_zeros(len(lengths), words.shape[1]).index_add_(0, index, words)
    return sums / torch.from_numpy(lengths).to(words.device).unsqueeze(-1)


def ragged(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find of which sentence each word is, where sentences lie one behind the other.

    Parameters
    ----------
    lengths : ndarray of int, shape (n_sentences,)
        Words in each sentence.

    Returns
    -------
    sentence : ndarray of int, shape (n_words,)
        The sentence of each word, counted from 0.
    inside : ndarray of int, shape (n_words,)
        Its place in the sentence, counted from 0.

    Examples
    --------
    >>> [part.tolist() for part in ragged(np.array([2, 3]))]
    [[0, 0, 1, 1, 1], [0, 1, 0, 1, 2]]
    """
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    return sentence, np.arange(len(sentence)) - (np.cumsum(lengths) - lengths)[sentence]

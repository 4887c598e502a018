"""Features of every word and each of its possible heads, in a file.

A treebank has about a hundred times as many word pairs as words, and each pair has as many features
as the model has attention heads: too much for memory, so the features are written to a file once
and read batch by batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import StoreError
from structprobe.probe.readers.head_choice import HeadBlock
from structprobe.trees.padding import group_by_length, pad

BLOCK_CELLS = 1 << 13  # at most, pairs per block with padding (sentences are never split)
BLOCKS = 4  # per batch, so that it contains short and long sentences


class CandidateFile:
    """The features of all candidate heads of all words, in float16 in a temporary file."""

    def __init__(self, lengths: Sequence[int], n_features: int) -> None:
        self.lengths, self.n_features = np.array(lengths, dtype=np.int64), n_features
        self._starts = np.full(len(self.lengths), -1, dtype=np.int64)  # in numbers
        self._n_numbers = 0
        self._file = tempfile.TemporaryFile(prefix="structprobe-")  # noqa: SIM115 -- see `__exit__`
        self._numbers: NDArray[np.float16] | None = None
        self._squares = np.zeros((2, n_features))
        self._counts = np.zeros((2, 1))

    def __enter__(self) -> CandidateFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._numbers = None
        self._file.close()

    def write(self, sentence: int, features: NDArray[np.floating]) -> None:
        """Write the features of one sentence."""
        # features (n, n + 1, n_features)
        n = self.lengths[sentence]
        assert features.shape == (n, n + 1, self.n_features)
        own = np.eye(n, n + 1, 1, dtype=bool)  # a word cannot be its own head
        squares = np.square(features, dtype=np.float64)
        self._squares += [squares[:, 0].sum(axis=0), squares[:, 1:][~own[:, 1:]].sum(axis=0)]
        self._counts += [[n], [n * (n - 1)]]
        self._starts[sentence] = self._n_numbers
        self._n_numbers += features.size
        try:
            self._file.write(features.astype(np.float16).tobytes())
        except OSError as error:
            told = f"cannot write a temporary file: {error.strerror}"
            raise StoreError(told, hint="set TMPDIR to a folder with more space") from error

    def scales(self) -> NDArray[np.float32]:
        """Give the factors that scale each feature to a mean square of 1."""
        # -> (2, n_features)
        mean = self._squares / np.maximum(self._counts, 1)
        return (1 / np.sqrt(np.where(mean > 0, mean, 1))).astype(np.float32)

    def read(self, sentences: NDArray[np.integer]) -> Tensor:
        """Read the features of some sentences."""
        # sentences (b,) -> (b, n, n + 1, n_features)
        if self._numbers is None:
            self._file.flush()
            self._numbers = np.memmap(self._file, dtype=np.float16, mode="r")
        n = int(self.lengths[sentences].max())
        padded = np.zeros((len(sentences), n, n + 1, self.n_features), dtype=np.float32)
        for row, sentence in zip(padded, sentences, strict=True):
            m, start = self.lengths[sentence], self._starts[sentence]
            size = m * (m + 1) * self.n_features
            row[:m, : m + 1] = self._numbers[start : start + size].reshape(m, m + 1, -1)
        return torch.from_numpy(padded)


class Candidates:
    """Sentences with their gold heads and features, in blocks of similar length."""

    def __init__(
        self,
        file: CandidateFile,
        heads: Sequence[NDArray[np.integer]],
        words: Any = None,  # by sentence: (n, hidden_size)
        device: torch.device | str = "cpu",
    ) -> None:
        self.file, self.heads, self.words, self.device = file, heads, words, device
        self.blocks = group_by_length(file.lengths, max_cells=BLOCK_CELLS)

    def block(self, sentences: NDArray[np.integer]) -> HeadBlock:
        """Combine some sentences into a block."""
        # sentences (b,)
        heads = torch.from_numpy(pad([self.heads[i] for i in sentences], fill=-1, dtype=np.int64))
        words = None
        if self.words is not None:
            vectors = pad([self.words[i] for i in sentences], dtype=np.float32)
            words = torch.from_numpy(vectors).to(self.device)
        inputs = self.file.read(sentences).to(self.device), words
        return HeadBlock(inputs, heads.to(self.device))

    def __iter__(self) -> Iterator[HeadBlock]:
        """Iterate over all blocks; they are read anew each time."""
        return map(self.block, self.blocks)

    def epochs(self, generator: np.random.Generator) -> Callable[[], Iterator[list[HeadBlock]]]:
        """Give batches of blocks in random order."""

        def epoch() -> Iterator[list[Any]]:
            order = generator.permutation(len(self.blocks))
            for start in range(0, len(order), BLOCKS):
                yield [self.block(self.blocks[i]) for i in order[start : start + BLOCKS]]

        return epoch

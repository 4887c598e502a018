"""Where the rows of each sentence lie in vectors that are laid out for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.probe.data.batches import SLACK, Batch, Pool


@dataclass(frozen=True, slots=True)
class Layout:
    """The rows of a training or dev set."""

    first_rows: NDArray[np.int64]  # (n_sentences,)
    n_rows: int  # Rows in all
    most_rows: int  # The most that one batch takes


def word_order(pool: Pool, batch_size: int) -> Layout:
    """Lay rows word after word, with one of padding at the end, for random batches."""
    longest = np.sort(pool.lengths)[-batch_size:]
    if pool.pairs:
        padded = np.maximum(longest + 1, (longest * (1 + SLACK)).astype(np.int64))
        longest = np.minimum(padded, longest[-1])
    return Layout(pool.first_words, pool.n_words + 1, int(longest.sum()))


class FixedBatches:
    """Batches of the same sentences in every epoch, whose rows lie one batch behind the other."""

    def __init__(self, pool: Pool, parts: Sequence[NDArray[np.integer]], *, kept: bool) -> None:
        self._pool, self._parts, self._stay = pool, parts, kept
        first_rows, ends = np.full(len(pool.lengths), -1), [0]
        for part in parts:
            sentences, taken = pool.rows_taken(part)
            first_rows[sentences] = ends[-1] + np.cumsum(taken) - taken
            ends.append(ends[-1] + int(taken.sum()))
        self._first_rows = ends[:-1]
        self.layout = Layout(first_rows, ends[-1], int(np.diff(ends).max()))
        self._kept = [self._make(index) for index in range(len(parts))] if kept else None

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> Batch:
        return self._make(index) if self._kept is None else self._kept[index]

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def shuffled(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Give all batches in another order, which is drawn at once."""
        order = generator.permutation(len(self))
        return (self[index] for index in order)

    def _make(self, index: int) -> Batch:
        return self._pool.batch(self._parts[index], self._first_rows[index], stays=self._stay)

"""One layer on disk: written to a draft row by row, and renamed when it is complete.

``layer-07.npy`` exists only when it has all words. Until then, the rows are in ``layer-07.part``,
and ``layer-07.journal`` lists the sentences whose rows are safely on disk: counted from 1, eight
bytes each, so that zeros left by a crash mean nothing. The journal of a shard has its name, as in
``layer-07.3-of-8.journal``.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import StoreError

_ENTRY = np.dtype("<i8")


class LayerFile:
    """The file of one layer."""

    def __init__(
        self,
        folder: Path,
        layer: int,
        shape: tuple[int, int],
        dtype: np.dtype,
        shard: str | None = None,
    ) -> None:
        self.path = folder / f"layer-{layer:02d}.npy"
        self.part = self.path.with_suffix(".part")
        self.journal = self.path.with_suffix(f".{shard}.journal" if shard else ".journal")
        self.shape, self.dtype, self._is_shard = shape, dtype, shard is not None
        header, descr = io.BytesIO(), np.lib.format.dtype_to_descr(dtype)
        # Python ints: NumPy's own would be written as names that cannot be read back.
        description = {"descr": descr, "fortran_order": False, "shape": tuple(map(int, shape))}
        np.lib.format.write_array_header_1_0(header, description)
        self._header = header.getvalue()
        self._row_bytes = int(shape[1]) * dtype.itemsize
        self._size = len(self._header) + int(shape[0]) * self._row_bytes
        self._file: Any = None

    def is_whole(self) -> bool:
        """Whether the layer is complete."""
        if self.path.exists() and not self._fits(self.path):
            what = f"{self.path} is damaged: it does not have the {self._size} bytes written"
            raise StoreError(what, hint="delete it and encode again")
        return self.path.exists()

    def map(self) -> NDArray[Any]:
        """Map the whole layer into memory, read-only."""
        # -> (n_words_total, hidden_size)
        if not self.is_whole():
            raise StoreError(f"{self.path} is incomplete", hint="encode again")
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", len(self._header), self.shape)

    def begin(self) -> NDArray[np.int64]:
        """Open the layer for writing; resume an interrupted run."""
        if not (self.part.exists() and self._fits(self.part)):
            self._drop_journals()  # first: they must never refer to another file
            self.part.write_bytes(self._header)
            os.truncate(self.part, self._size)
        self._file = self.part.open("r+b", buffering=0)
        if self._is_shard:  # so that others see that there are shards
            self.journal.touch()
        if self.journal.exists():  # half an entry, left by a crash, would shift the next ones
            size = self.journal.stat().st_size
            os.truncate(self.journal, size - size % _ENTRY.itemsize)
        return self.noted()

    def noted(self) -> NDArray[np.int64]:
        """List the sentences in all journals."""
        entries = [np.fromfile(journal, _ENTRY) for journal in self._journals()]
        written = np.concatenate([np.empty(0, _ENTRY), *entries]) - 1
        return written[written >= 0].astype(np.int64)

    def write_rows(
        self, starts: NDArray[np.int64], n_words: NDArray[np.int64], rows: NDArray[Any]
    ) -> None:
        """Write the vectors of a batch's words."""
        # starts (n_sentences,), n_words (n_sentences,), rows (sum of n_words, hidden_size)
        values = memoryview(rows.reshape(-1).view(np.uint8))
        places = (len(self._header) + starts * self._row_bytes).tolist()
        cuts = np.cumsum([0, *n_words * self._row_bytes]).tolist()
        for place, (i, j) in zip(places, pairwise(cuts), strict=True):
            self._file.seek(place)
            left = values[i:j]
            while left:  # an unbuffered write may be short
                left = left[self._file.write(left) :]

    def sync(self, sentences: Iterable[int]) -> None:
        """Make the rows durable, then note the sentences in the journal."""
        os.fsync(self._file.fileno())
        entries = np.fromiter(sentences, _ENTRY) + 1
        with self.journal.open("ab") as journal:
            journal.write(entries.tobytes())
            journal.flush()
            os.fsync(journal.fileno())

    def publish(self) -> None:
        """Give the file its final name, once all rows are written and synced."""
        self.close()
        if not self.path.exists():
            self.part.replace(self.path)
        self._drop_journals()

    def tidy(self) -> None:
        """Remove the journals of a complete layer, left by a process that was killed."""
        with contextlib.suppress(OSError):  # where nothing can be written, nothing was left
            if self.path.exists():
                self._drop_journals()

    def close(self) -> None:
        """Close the file; what is written is kept for another run."""
        if self._file is not None:
            self._file.close()

    def _journals(self) -> list[Path]:
        """List the journals of all shards of this layer."""
        return list(self.path.parent.glob(f"{self.path.stem}.*journal"))

    def _drop_journals(self) -> None:
        for journal in self._journals():
            journal.unlink(missing_ok=True)

    def _fits(self, path: Path) -> bool:
        """Whether a file has the right header and size."""
        with path.open("rb") as file:
            same = file.read(len(self._header)) == self._header
        return same and path.stat().st_size == self._size

"""One layer on disk: written to a draft row by row, and renamed when it is complete.

``layer-07.npy`` exists only when it has all words. Until then, the rows are in ``layer-07.part``,
and ``layer-07.journal`` lists the sentences whose rows are safely on disk: counted from 1, eight
bytes each, so that zeros left by a crash mean nothing. The journal of a shard has its name, as in
``layer-07.3-of-8.journal``.

``layer-07.check`` has a checksum of each sentence's rows, four bytes each, taken when they were
written: of a byte changed on disk, an interrupted run encodes the sentence again, and a complete
layer is refused when it is first opened by a process. Older versions wrote no checksums.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import zlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.drafts import draft_file
from structprobe.errors import StoreError, counted

# A sentence, counted from 1, and the checksum of its rows, which is 0 in journals of older versions
_ENTRY = np.dtype([("number", "<u4"), ("check", "<u4")])
_verified: set[tuple[object, ...]] = set()  # states of files that were read and had no fault

_log = logging.getLogger(__name__)


class LayerFile:
    """The file of one layer."""

    def __init__(
        self,
        folder: Path,
        layer: int,
        offsets: NDArray[np.int64],
        hidden_size: int,
        dtype: np.dtype,
        shard: str | None = None,
    ) -> None:
        # offsets (n_sentences + 1,)
        self.path = folder / f"layer-{layer:02d}.npy"
        self.part = self.path.with_suffix(".part")
        self.journal = self.path.with_suffix(f".{shard}.journal" if shard else ".journal")
        self.checks = self.path.with_suffix(".check")
        shape = int(offsets[-1]), int(hidden_size)
        self.offsets, self.shape, self.dtype = offsets, shape, dtype
        self._is_shard = shard is not None
        header, descr = io.BytesIO(), np.lib.format.dtype_to_descr(dtype)
        # Python ints: NumPy's own would be written as names that cannot be read back.
        description = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, description)
        self._header = header.getvalue()
        self._row_bytes = shape[1] * dtype.itemsize
        self._size = len(self._header) + shape[0] * self._row_bytes
        self._file: Any = None
        # Rows of another layer, model or treebank have other checksums.
        self._seed = zlib.crc32(f"{folder.name}/{self.path.name}".encode())
        self._fresh: dict[int, int] = {}  # checksums of the rows written since the last sync

    def is_whole(self) -> bool:
        """Whether the layer is complete."""
        if self.path.exists() and not self._fits(self.path):
            what = f"{self.path} is damaged: it does not have the {self._size} bytes written"
            raise StoreError(what, hint="delete it and encode again")
        return self.path.exists()

    def map(self) -> NDArray[Any]:
        """Map the whole layer into memory, read-only; it is verified once in a process."""
        # -> (n_words_total, hidden_size)
        if not self.is_whole():
            raise StoreError(f"{self.path} is incomplete", hint="encode again")
        now = self.path.stat()
        state = self.path.resolve(), now.st_ino, now.st_size, now.st_mtime_ns
        if state not in _verified:
            self.verify()
            _verified.add(state)
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", len(self._header), self.shape)

    def verify(self) -> None:
        """Raise an error if the rows of a sentence are not those that were written."""
        if not self.checks.exists():  # of an older version
            return
        checks = np.fromfile(self.checks, "<u4")
        damaged = len(checks) != len(self.offsets) - 1 or self.checks.stat().st_size % 4
        with self.path.open("rb", buffering=1 << 20) as file:
            file.seek(len(self._header))
            sizes = (np.diff(self.offsets) * self._row_bytes).tolist()
            for number, size in enumerate(sizes):
                if damaged or self._sum(number, file.read(size)) != checks[number]:
                    what = f"checksum mismatch in sentence {number + 1}"
                    what = f"the size of {self.checks.name} is wrong" if damaged else what
                    hint = "delete it and encode again"
                    raise StoreError(f"{self.path} is damaged: {what}", hint=hint)

    def begin(self) -> None:
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

    def written(self, *, verified: bool = False) -> NDArray[np.uint32]:
        """Give the checksum of each sentence in the journals, and 0 for others and damaged ones."""
        # -> (n_sentences,)
        checks = np.zeros(len(self.offsets) - 1, np.uint32)
        noted = np.zeros(len(checks), bool)
        for journal in self._journals():
            entries = np.fromfile(journal, _ENTRY)
            entries = entries[(entries["number"] > 0) & (entries["number"] <= len(checks))]
            checks[entries["number"] - 1] = entries["check"]
            noted[entries["number"] - 1] = True
        damaged = 0
        for number in np.flatnonzero(noted & (verified | (checks == 0))).tolist():
            start, stop = self.offsets[number : number + 2] * self._row_bytes
            self._file.seek(len(self._header) + start)
            there = self._sum(number, self._file.read(stop - start))
            damaged += checks[number] not in (0, there)
            checks[number] = there if checks[number] in (0, there) else 0
        if damaged:
            told = counted(damaged, "sentence")
            _log.warning("%s: the vectors of %s were damaged; encoding again", self.part, told)
        return checks

    def write_rows(self, numbers: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Write the vectors of some sentences."""
        # numbers (b,), rows (words of these sentences, hidden_size)
        values = memoryview(rows.reshape(-1).view(np.uint8))
        starts = self.offsets[numbers]
        places = (len(self._header) + starts * self._row_bytes).tolist()
        cuts = np.cumsum([0, *(self.offsets[numbers + 1] - starts) * self._row_bytes]).tolist()
        for number, place, (i, j) in zip(numbers.tolist(), places, pairwise(cuts), strict=True):
            self._file.seek(place)
            left = values[i:j]
            self._fresh[number] = self._sum(number, left)
            while left:  # an unbuffered write may be short
                left = left[self._file.write(left) :]

    def sync(self, sentences: Iterable[int]) -> None:
        """Make the rows durable, then note the sentences in the journal."""
        os.fsync(self._file.fileno())
        noted = [(number + 1, self._fresh.pop(number)) for number in dict.fromkeys(sentences)]
        with self.journal.open("ab") as journal:
            journal.write(np.array(noted, _ENTRY).tobytes())
            journal.flush()
            os.fsync(journal.fileno())

    def publish(self) -> None:
        """Give the file its final name, once all rows are written and synced."""
        if not self.path.exists():
            with draft_file(self.checks) as file:
                file.write(self.written().astype("<u4").tobytes())
            self.part.replace(self.path)
        self.close()
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
        """List the journals of all shards of this layer, the last written last."""
        found = self.path.parent.glob(f"{self.path.stem}.*journal")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def _drop_journals(self) -> None:
        for journal in self._journals():
            journal.unlink(missing_ok=True)

    def _fits(self, path: Path) -> bool:
        """Whether a file has the right header and size."""
        with path.open("rb") as file:
            same = file.read(len(self._header)) == self._header
        return same and path.stat().st_size == self._size

    def _sum(self, number: int, rows: bytes | memoryview) -> int:
        """Give the checksum of a sentence's rows, which is not 0."""
        return zlib.crc32(rows, self._seed ^ number) or 1

"""Vectors that do not fit into memory: written to a file, and read batch by batch.

The file holds the rows that would otherwise be in one tensor, in the same order, so that training
takes the same steps, bit for bit. It is read rather than mapped, as the pages of a map count as
memory of the process. All that grows with the treebank is on disk, except for its gold values and a
few numbers per sentence.
"""

from __future__ import annotations

import math
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.batches import Batch, Layout
from structprobe.probe.data.examples import Examples, Split
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.whitening import coordinates
from structprobe.probe.training.settings import Settings
from structprobe.probe.types import Layer


def laid_out_bytes(n_words: int, n_dev_words: int, hidden_size: int, products: torch.dtype) -> int:
    """Compute the bytes of one layer's vectors as laid out for training."""
    return hidden_size * (n_words * products.itemsize + n_dev_words * torch.float32.itemsize)


def bytes_of_layer(
    layer: Layer, train_set: Examples, dev_set: Examples | None, settings: Settings
) -> int:
    """Compute the bytes of one layer for a training and a dev set."""
    n_dev_words = 0 if dev_set is None else int(dev_set.lengths.sum())
    width = train_set.layers[layer].hidden_size
    return laid_out_bytes(int(train_set.lengths.sum()), n_dev_words, width, settings.products)


def streams(layers: Sequence[Layer], split: Split, settings: Settings) -> bool:
    """Whether vectors are streamed: those of a single layer that does not fit into memory."""
    size = bytes_of_layer(layers[0], split.train, split.dev, settings)
    return len(layers) == 1 and size > settings.memory_gb * 1e9


def bytes_held(
    ranks: Mapping[Layer, Sequence[int]],
    split: Split,
    layouts: tuple[Layout, Layout],
    settings: Settings,
) -> int:
    """Compute the bytes of vectors that a fit holds: all, or the largest batches if streamed."""
    layers = [*ranks]
    if not streams(layers, split, settings):
        return sum(bytes_of_layer(layer, split.train, split.dev, settings) for layer in layers)
    width = split.train.layers[layers[0]].hidden_size
    most, dev_most = (layout.most_rows for layout in layouts)
    size = len(ranks[layers[0]]) * laid_out_bytes(most, dev_most, width, settings.products)
    if size > settings.memory_gb * 1e9:
        raise ProbeError(
            f"memory_gb {settings.memory_gb:g} is too small: the vectors of the largest batches"
            f" alone take {size:,} bytes",
            hint=f"set it to at least {math.ceil(size / 1e4) / 1e5:g}",
        )
    return size


class Spool:
    """Rows of numbers in a temporary file, which is deleted when closed; reads are thread-safe."""

    def __init__(self, n_rows: int, width: int, dtype: torch.dtype, most_rows: int) -> None:
        self.width, self.dtype, self.most_rows = width, dtype, most_rows
        self.row_bytes, self._size = width * dtype.itemsize, n_rows * width * dtype.itemsize
        self._seeking = threading.Lock()
        with self._disk_errors():
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 -- open until `close`
                prefix="structprobe-", buffering=0
            )
            try:
                self._file.truncate(self._size)
            except OSError:
                self.close()
                raise

    def close(self) -> None:
        """Close and delete the file."""
        self._file.close()

    def write(self, rows: NDArray[np.int64], values: Tensor) -> None:
        """Write some rows."""
        # rows (m,), values (m, at most width)
        block = torch.zeros(len(rows), self.width, dtype=self.dtype)
        block[:, : values.shape[1]] = values
        content, done = _bytes_of(block), 0
        with self._disk_errors():
            for row, count in _runs(rows):
                left = content[done * self.row_bytes : (done + count) * self.row_bytes]
                self._file.seek(row * self.row_bytes)
                while left:
                    left = left[self._file.write(left) :]
                done += count

    def read(self, rows: slice | Tensor, out: memoryview) -> int:
        """Read some rows."""
        # rows (m,)
        done = 0
        for row, count in _runs(rows):
            self._read(row * self.row_bytes, out[done * self.row_bytes :][: count * self.row_bytes])
            done += count
        return done

    def will_need(self, rows: slice | Tensor) -> None:
        """Advise the system, where possible, to fetch rows that are read next."""
        # rows (m,)
        if hasattr(os, "posix_fadvise"):
            for row, count in _runs(rows):
                place = row * self.row_bytes, count * self.row_bytes
                os.posix_fadvise(self._file.fileno(), *place, os.POSIX_FADV_WILLNEED)

    def _read(self, place: int, out: memoryview) -> None:
        """Fill memory from a position in the file."""
        while out:
            if hasattr(os, "preadv"):
                count = os.preadv(self._file.fileno(), [out], place)
            else:
                with self._seeking:
                    self._file.seek(place)
                    count = self._file.readinto(out) or 0
            place, out = place + count, out[count:]

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Turn errors of the disk into one-line messages."""
        try:
            yield
        except OSError as error:
            raise ProbeError(
                f"cannot write {self._size:,} bytes of vectors to disk: {error.strerror or error}",
                where=tempfile.tempdir,
                hint="set TMPDIR to another folder, or increase memory_gb until they fit",
            ) from error


@contextmanager
def spooled(
    words: Words,
    basis: Tensor | None,
    layout: Layout,
    dtype: torch.dtype,
    *,
    centred: bool,
    origin: Tensor | None = None,
) -> Iterator[Spool]:
    """Write words into a file, as `whitening.lay_out` does into a tensor."""
    with closing(Spool(layout.n_rows, words.hidden_size, dtype, layout.most_rows)) as spool:
        first_rows = layout.first_rows
        for rows, values in coordinates(words, basis, first_rows, centred=centred, origin=origin):
            spool.write(rows, values)
        yield spool


class Streamed:
    """Vectors in a file, read when indexed; each reader has memory of its own."""

    def __init__(self, spool: Spool, device: torch.device) -> None:
        self._spool, self._device = spool, device
        self._held = torch.empty(spool.most_rows, spool.width, dtype=spool.dtype)
        self._bytes = _bytes_of(self._held)

    def dim(self) -> int:
        """Give the number of axes: rows and width."""
        return 2

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """Give rows, (m, width); on the CPU they are valid until the next call."""
        return self._held[: self._spool.read(rows, self._bytes)].to(self._device)


class ReadAhead:
    """Batches whose rows are requested from the disk one batch ahead."""

    def __init__(self, batches: Iterable[Batch], spool: Spool) -> None:
        self._batches, self._spool = batches, spool

    def __iter__(self) -> Iterator[Batch]:
        for batch, following in pairwise(chain(self._batches, [None])):
            assert batch is not None  # only the last of all is
            if following is not None:
                self._spool.will_need(following.rows)
            yield batch


def _runs(rows: slice | Tensor | NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Give the first row and the length of each run of consecutive rows."""
    if isinstance(rows, slice):
        yield rows.start, rows.stop - rows.start
        return
    numbers = rows.numpy(force=True) if isinstance(rows, Tensor) else rows
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1):
        if len(run):
            yield int(run[0]), len(run)


def _bytes_of(block: Tensor) -> memoryview:
    """View the memory of a tensor as bytes."""
    return memoryview(block.view(torch.uint8).numpy().reshape(-1))

"""Word vectors on disk: one array per layer, resumable, and never read half-written.

A cache folder has one subfolder per key, named by its digest, so that vectors of different models,
treebanks or settings are never mixed up::

    CACHE/structprobe-vectors.json       marks the folder as a structprobe cache
    CACHE/<digest>/manifest.json         the key, and the shape and type of a layer
    CACHE/<digest>/offsets.npy           where each sentence starts
    CACHE/<digest>/layer-07.npy          one complete layer (see `layer_file`)
    CACHE/<digest>/layer-07.check        checksums of its sentences
    CACHE/<digest>/lock                  held by the one process that writes

Several processes may write the same vectors as shards (see `shards`): each holds ``lock-3-of-8``,
and ``lock`` only while it starts and while it ends.

Layers can be added later; existing ones are reused. Arrays are written with ordinary writes, since
a full disk kills a process that writes through a memory map, and mapped read-only. NumPy has no
bfloat16: such vectors are stored as float32, which represents them exactly. A subfolder may be
deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.drafts import draft_file
from structprobe.encoder.cache.cache_folder import (
    VERSION,
    claim,
    one_line_faults,
    read_json,
    refuse_foreign,
    refuse_strange,
    save_array,
    short_digest,
    sync_folder,
    to_json,
    write_json,
)
from structprobe.encoder.cache.layer_file import LayerFile
from structprobe.encoder.cache.shards import (
    Shard,
    belongs,
    refuse_missing,
    refuse_other_count,
    shards_begun,
    shards_missing,
)
from structprobe.encoder.subwords.pieces import join_ranges
from structprobe.encoder.vectors import check_offsets
from structprobe.errors import StoreError, check_path, unknown_name
from structprobe.locks import lock

SYNC_SECONDS = 5.0  # lost at most in a crash; syncing every write costs more than the model
STORED_AS = {"float32": "<f4", "float16": "<f2", "bfloat16": "<f4"}


def open_store(
    folder: str | os.PathLike[str] | None,
    *,
    key: Mapping[str, object],
    layers: Iterable[int],
    offsets: ArrayLike,
    hidden_size: int,
    dtype: object,
    shard: Shard | None = None,
) -> MemoryStore:
    """Open the store of these vectors, to be closed; wait while another process writes them."""
    # offsets (n_sentences + 1,)
    wanted = tuple(sorted({int(layer) for layer in layers}))
    cuts = np.asarray(offsets, dtype=np.int64)
    check_offsets(cuts)
    stored = storage_dtype(dtype)
    if folder is None:
        store = MemoryStore(wanted, cuts, hidden_size, stored)
        try:
            for layer in wanted:
                store.layer(layer)
        except MemoryError as error:
            size = f"{len(wanted) * store.shape[0] * store.shape[1] * stored.itemsize:,} bytes"
            what = f"the vectors of {len(wanted)} layers, {size}, do not fit into memory"
            hint = "keep them on disk with cache=, or encode fewer layers"
            raise StoreError(what, hint=hint) from error
        return store
    check_path("cache", folder, StoreError)
    return VectorStore(Path(folder), dict(key), wanted, cuts, hidden_size, stored, shard)


def storage_dtype(dtype: object) -> np.dtype:
    """Give the NumPy type in which vectors of a type are stored."""
    name = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
    if name not in STORED_AS:
        raise StoreError(unknown_name("dtype", name, STORED_AS))
    return np.dtype(STORED_AS[name])


def check_store_dtype(name: object) -> str:
    """Refuse a type that vectors are not stored in."""
    known = sorted({np.dtype(kind).name for kind in STORED_AS.values()}, reverse=True)
    plain = str(name).removeprefix("torch.")
    if plain not in known:
        raise StoreError(unknown_name("store_dtype", plain, known))
    return plain


class MemoryStore:
    """Vectors in memory: what is missing, and checks of what is written."""

    def __init__(
        self, layers: tuple[int, ...], offsets: NDArray[np.int64], hidden_size: int, dtype: np.dtype
    ) -> None:
        self.layers = self.missing_layers = layers
        self.offsets, self.dtype = offsets, dtype
        self.shape = (int(offsets[-1]), int(hidden_size))
        self._values: dict[int, NDArray[Any]] = {}
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
            if values.shape != (expected := (n_words, self.shape[1])):
                raise StoreError(f"layer {layer} has shape {values.shape}, expected {expected}")
            self._write_layer(layer, numbers, values)
        self._written[numbers] = True

    def finish(self) -> None:
        """Declare the vectors complete."""
        if missing := self.missing.tolist():
            raise StoreError(f"{len(missing)} sentences are not written, the first is {missing[0]}")

    def layer(self, layer: int) -> NDArray[Any]:
        """Give one complete layer."""
        # -> (n_words_total, hidden_size)
        if layer not in self._values:
            self._values[layer] = np.zeros(self.shape, self.dtype)
        return self._values[layer]

    def close(self) -> None:
        """Do nothing: vectors in memory live as long as the store."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write_layer(self, layer: int, numbers: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Write the rows of some sentences."""
        self.layer(layer)[join_ranges(*self._spans(numbers))] = values

    def _spans(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the index of the first word of each sentence, and its number of words."""
        starts = self.offsets[numbers]
        return starts, self.offsets[numbers + 1] - starts


class VectorStore(MemoryStore):
    """The same on disk; see the docstring of this module."""

    def __init__(
        self,
        folder: Path,
        key: dict[str, object],
        layers: tuple[int, ...],
        offsets: NDArray[np.int64],
        hidden_size: int,
        dtype: np.dtype,
        shard: Shard | None = None,
    ) -> None:
        super().__init__(layers, offsets, hidden_size, dtype)
        self._shard, self.own = shard, np.flatnonzero(belongs(offsets, shard))
        manifest = {
            "version": VERSION,
            "key": key,
            "n_sentences": len(offsets) - 1,
            "shape": list(self.shape),
            "dtype": dtype.name,
            "offsets": short_digest(offsets.tobytes()),
        }
        self.folder = folder / short_digest(to_json(manifest).encode())
        self._files = {layer: self._layer_file(layer) for layer in layers}
        self._fresh: list[int] = []  # written since the last sync
        self._synced_at = time.monotonic()
        self._unlock: Callable[[], None] | None = None
        with one_line_faults(folder):
            refuse_foreign(folder)
            refuse_strange(self.folder)
            self._find_missing_layers()
            if self.missing_layers:
                self._prepare(folder, manifest)
            for file in self._files.values():
                file.tidy()
            self._check_manifest(manifest)

    def layer(self, layer: int) -> NDArray[Any]:
        """Map one complete layer into memory, read-only."""
        # -> (n_words_total, hidden_size)
        with one_line_faults(self.folder):
            return self._layer_file(layer).map()

    def write(self, sentences: ArrayLike, vectors: Mapping[int, ArrayLike]) -> None:
        """Write the vectors of some sentences to disk."""
        with one_line_faults(self.folder):
            super().write(sentences, vectors)
            self._fresh += np.asarray(sentences, dtype=np.int64).tolist()
            if time.monotonic() - self._synced_at >= SYNC_SECONDS:
                self._sync()

    def finish(self) -> None:
        """Give each layer that is completely written, by all shards, its final name."""
        super().finish()
        with one_line_faults(self.folder):
            self._sync()
            with self._alone():
                for layer in self.missing_layers:
                    file = self._files[layer]
                    if file.is_whole() or file.written().all():
                        file.publish()
                sync_folder(self.folder)
                self._find_missing_layers()
                self._find_written()
        self.close()

    @property
    def missing_shards(self) -> tuple[int, ...]:
        """The shards with unwritten sentences when this one was opened or finished."""
        count = self._shard.count if self._shard else 1
        return shards_missing(self.offsets, self._written, count)

    def close(self) -> None:
        """Keep what is written for another run, and release the lock."""
        if self._unlock is None:
            return
        try:
            with contextlib.suppress(OSError):  # rows that are not in the journal are written again
                if self._fresh:
                    self._sync()
        finally:
            for file in self._files.values():
                file.close()
            self._unlock()
            self._unlock = None

    def _write_layer(self, layer: int, numbers: NDArray[np.int64], values: NDArray[Any]) -> None:
        self._files[layer].write_rows(numbers, values)

    def _layer_file(self, layer: int) -> LayerFile:
        shard = self._shard.name if self._shard else None
        return LayerFile(self.folder, layer, self.offsets, self.shape[1], self.dtype, shard)

    def _find_missing_layers(self) -> None:
        """Find which of the wanted layers are incomplete."""
        self.missing_layers = tuple(n for n in self.layers if not self._files[n].is_whole())
        if not self.missing_layers:
            self._written[:] = True

    def _prepare(self, folder: Path, manifest: dict[str, object]) -> None:
        """Take the lock and open the layers that are still missing."""
        claim(folder)
        self.folder.mkdir(exist_ok=True)
        name = "lock" if self._shard is None else f"lock-{self._shard.name}"
        self._unlock = lock(self.folder / name)
        try:
            with self._alone():
                self._find_missing_layers()  # another process may just have written them
                if self.missing_layers:
                    self._begin(manifest)
            if not self.missing_layers:
                self.close()
        except BaseException:
            self.close()
            raise

    def _begin(self, manifest: dict[str, object]) -> None:
        """Open the missing layers, and find what is already written."""
        begun = shards_begun(self.folder, self.missing_layers)
        if self._shard is not None:
            refuse_other_count(self.folder, self._shard, begun)
        write_json(self.folder / "manifest.json", manifest)
        with draft_file(self.folder / "offsets.npy") as file:
            save_array(file, self.offsets)
        for layer in self.missing_layers:
            self._files[layer].begin()
        self._find_written(verified=True)
        if self._shard is None and begun and self.missing.size:
            count = max(count for _, count in begun)
            missing = shards_missing(self.offsets, self._written, count)
            refuse_missing(self.folder, manifest, missing, count)

    def _find_written(self, *, verified: bool = False) -> None:
        """Find which sentences are written in all missing layers."""
        self._written[:] = True
        for layer in self.missing_layers:
            self._written &= self._files[layer].written(verified=verified) > 0

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other shards from starting or finishing meanwhile."""
        with contextlib.ExitStack() as stack:
            if self._shard is not None:
                stack.callback(lock(self.folder / "lock"))
            yield

    def _check_manifest(self, manifest: dict[str, object]) -> None:
        """Reject a subfolder whose manifest does not match its name, or its offsets do not."""
        hint = f"delete {self.folder} and encode again"
        for path, fits in (
            (
                self.folder / "manifest.json",
                read_json(self.folder / "manifest.json") == json.loads(to_json(manifest)),
            ),
            (self.folder / "offsets.npy", np.array_equal(read_offsets(self.folder), self.offsets)),
        ):
            if not fits:
                self.close()
                raise StoreError(f"{path} is damaged or missing", hint=hint)

    def _sync(self) -> None:
        """Make what was written durable, and add it to the journals."""
        # Cleared first: after a failed sync, the next may succeed although rows are lost.
        fresh, self._fresh = self._fresh, []
        for layer in self.missing_layers:
            self._files[layer].sync(fresh)
        self._synced_at = time.monotonic()


def read_offsets(folder: Path) -> NDArray[np.int64]:
    """Read where each sentence starts; nothing if that is damaged."""
    try:
        offsets = np.load(folder / "offsets.npy", allow_pickle=False)
    except Exception:  # a damaged header raises errors of any type
        return np.empty(0, np.int64)
    return offsets if offsets.dtype == np.int64 else np.empty(0, np.int64)

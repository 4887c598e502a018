"""Attention in a cache file, for methods that read the same sentences again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.cache.cache_folder import (
    claim,
    one_line_faults,
    refuse_foreign,
    replacing,
    to_json,
)
from structprobe.errors import StoreError

VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class RawAttention:
    """The attention of some sentences as read, before any options are applied."""

    sentences: NDArray[np.int64]  # (b,): indices, from 0
    lengths: NDArray[np.int64]  # (b,): numbers of words
    words: NDArray[np.float32]  # (b, n_layers, n_heads, n, n + 2): from word to word


class AttentionFile:
    """A file in a cache folder with the attention of some sentences."""

    def __init__(self, folder: Path, key: Mapping[str, object]) -> None:
        told = to_json({**key, "version": VERSION}).encode()
        digest = hashlib.blake2b(told, digest_size=16).hexdigest()
        with one_line_faults(folder):
            refuse_foreign(folder)
        self.path = folder / f"attention-{digest}.npy"

    @property
    def is_there(self) -> bool:
        """Whether all batches are stored."""
        return self.path.exists()

    def keeping(self, batches: Iterator[RawAttention]) -> Iterator[RawAttention]:
        """Pass batches on, and store them once all were read, completely or not at all."""
        with one_line_faults(self.path.parent):
            claim(self.path.parent)
            with replacing(self.path) as file:
                for batch in batches:
                    for array in (batch.sentences, batch.lengths, batch.words):
                        np.save(file, array, allow_pickle=False)
                    yield batch

    def read(self) -> Iterator[RawAttention]:
        """Give the stored batches in their order."""
        with one_line_faults(self.path.parent), self.path.open("rb") as file:
            end = self.path.stat().st_size
            while file.tell() < end:
                try:
                    batch = RawAttention(*(np.load(file, allow_pickle=False) for _ in range(3)))
                except (ValueError, EOFError) as error:
                    hint = "delete it to compute it again"
                    raise StoreError(f"{self.path} is damaged: {error}", hint=hint) from error
                yield batch

"""Where the runs of an experiment keep the word vectors that they share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from structprobe.encoder.cache.cache_folder import one_line_faults, refuse_foreign
from structprobe.errors import StoreError
from structprobe.locks import lock
from structprobe.targets import check_room

VECTORS = "vectors"


def check_cache(cache: str | os.PathLike[str] | None) -> None:
    """Refuse a folder for word vectors that is none, before any work is done."""
    if cache is None:
        return
    with one_line_faults(Path(cache)):
        refuse_foreign(Path(cache))
    if not os.path.exists(cache):  # one that is there and whole is only read
        check_room(cache, error=StoreError)


@contextmanager
def vectors_folder(folder: Path, cache: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Give a folder for word vectors: the user's, or one that goes when all is done."""
    if cache is not None:
        yield Path(cache)
        return
    # One experiment at a time: the one that is done first must not take the other's vectors away.
    unlock = lock(folder / f".{VECTORS}.lock")
    try:
        yield folder / VECTORS
        shutil.rmtree(folder / VECTORS, ignore_errors=True)
    finally:
        unlock()

"""The folder of word vectors that the runs of an experiment share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from structprobe.drafts import clear_drafts, discard
from structprobe.encoder.cache.cache_folder import one_line_faults, refuse_foreign
from structprobe.errors import StoreError, check_path
from structprobe.locks import lock
from structprobe.output_paths import check_room

VECTORS = "vectors"


def check_cache(cache: str | os.PathLike[str] | None) -> None:
    """Check the cache folder before any work is done."""
    if cache is None:
        return
    check_path("cache", cache, StoreError)
    with one_line_faults(Path(cache)):
        refuse_foreign(Path(cache))
    if not os.path.exists(cache):  # an existing complete one is only read
        check_room(cache, error=StoreError)


@contextmanager
def vectors_folder(folder: Path, cache: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Provide the user's cache folder, or a temporary one that is removed at the end."""
    if cache is not None:
        yield Path(cache)
        return
    # One experiment at a time: the first to finish must not remove the other's vectors.
    unlock = lock(folder / f".{VECTORS}.lock")
    try:
        clear_drafts(folder / VECTORS, folder)
        yield folder / VECTORS
        discard(folder / VECTORS)
    finally:
        unlock()

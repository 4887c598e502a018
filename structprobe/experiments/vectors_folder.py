"""Where the runs of an experiment keep the word vectors that they share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from structprobe.encoder.locks import lock

VECTORS = "vectors"


@contextmanager
def vectors_folder(folder: Path, cache: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Give a folder for word vectors: the user's, or one that goes when all is done.

    Parameters
    ----------
    folder : Path
        The folder of results, in which vectors are kept until the experiment is done; not where
        it breaks off, so that it can go on.
    cache : path or None
        A folder for word vectors that stays, taken in its place.

    Yields
    ------
    Path
        The folder.
    """
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

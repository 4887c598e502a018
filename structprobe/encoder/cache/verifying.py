"""Read a cache folder on demand, to find what has changed on disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from structprobe.encoder.cache.cache_folder import (
    describes,
    one_line_faults,
    read_json,
    refuse_foreign,
    refuse_strange,
    short_digest,
)
from structprobe.encoder.cache.layer_file import LayerFile
from structprobe.encoder.cache.store import STORED_AS, read_offsets
from structprobe.encoder.vectors import check_offsets
from structprobe.errors import StoreError


def verify_cache(cache: str | os.PathLike[str]) -> int:
    """Compare all complete vectors in a cache folder with their checksums.

    A process does the same for each layer that it opens, the first time, at about 2 GB a second;
    this also finds damage that appeared since then. Vectors of older versions, which have no
    checksums, count if their size is right. Cached attention is verified whenever it is read.

    Parameters
    ----------
    cache : path
        The folder that was given as ``cache``.

    Returns
    -------
    int
        The number of layers, of all models and treebanks together.

    Raises
    ------
    StoreError
        If the folder is not a structprobe cache, or anything in it is damaged; the first is named.
    """
    count, folder = 0, Path(cache)
    with one_line_faults(folder):
        if not folder.exists():
            raise StoreError(f"{folder} does not exist", hint="give a cache folder")
        refuse_foreign(folder)
        for path in sorted(folder.glob("*/manifest.json")):
            refuse_strange(path.parent)
            try:
                count += _verify_vectors(path)
            except StoreError:
                raise
            except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
                hint = f"delete {path.parent} and encode again"
                what = (
                    f"{path.parent} is damaged: its manifest or the name of a file makes no sense"
                )
                raise StoreError(what, hint=hint) from error
    return count


def _verify_vectors(path: Path) -> int:
    """Verify the layers that a manifest describes; give their number."""
    told, offsets = read_json(path), read_offsets(path.parent)
    if (
        not isinstance(told, dict)
        or not describes(told, path.parent)
        or short_digest(offsets.tobytes()) != told.get("offsets")
    ):
        hint = f"delete {path.parent} and encode again"
        raise StoreError(f"{path} or offsets.npy is damaged", hint=hint)
    check_offsets(offsets)
    layers = sorted(path.parent.glob("layer-*.npy"))
    for layer in layers:
        number, kind = int(layer.stem.removeprefix("layer-")), np.dtype(STORED_AS[told["dtype"]])
        file = LayerFile(path.parent, number, offsets, told["shape"][1], kind)
        if file.path != layer:
            raise ValueError(f"{layer.name} is not the name of a layer")
        file.is_whole()
        file.verify()
    return len(layers)

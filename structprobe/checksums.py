"""Checksums of stored arrays, which show whether a byte was changed on disk."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def checksum(place: object, arrays: Iterable[NDArray[Any]]) -> NDArray[np.uint32]:
    """Sum up arrays, their types and shapes, and the place that they belong to."""
    found = zlib.crc32(str(place).encode())
    for array in arrays:
        found = zlib.crc32(f"{array.dtype.str} {array.shape}".encode(), found)
        found = zlib.crc32(np.ascontiguousarray(array).tobytes(), found)
    return np.array(found, np.uint32)

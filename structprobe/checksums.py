"""Checksums of stored arrays, which show whether a byte was changed on disk."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def checksum(place: object, arrays: Iterable[NDArray[Any]]) -> NDArray[np.uint32]:
    """Sum up arrays, their types and shapes, and the place that they belong to."""
    found = begin_sum(place)
    for array in arrays:
        found = zlib.crc32(describe(array.dtype, array.shape), found)
        found = zlib.crc32(np.ascontiguousarray(array), found)  # in place, without a copy
    return np.array(found, np.uint32)


def begin_sum(place: object) -> int:
    """Begin a checksum with the place that arrays belong to."""
    return zlib.crc32(str(place).encode())


def describe(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Describe an array, for its checksum."""
    return f"{dtype.str} {shape}".encode()

"""Checksums and stores of arrays take no second copy of them."""

from __future__ import annotations

import io
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from structprobe.checksums import checksum
from structprobe.encoder.cache.cache_folder import save_array

SIZE = 64_000_000


def peak(do: Callable[[], object]) -> int:
    tracemalloc.start()
    do()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_nothing_is_copied(tmp_path: Path) -> None:
    array = np.ones((4, SIZE // 16), np.float32)
    assert peak(lambda: checksum("a", [array])) < SIZE / 100
    with (tmp_path / "a").open("wb") as file:
        assert peak(lambda: save_array(file, array)) < SIZE / 2  # NumPy's buffers


@pytest.mark.parametrize(
    "array", [np.arange(12.0).reshape(3, 4).T, np.array(5), np.zeros((0, 3)), np.array(["a", "bc"])]
)
def test_what_is_written_is_as_ever(array: np.ndarray) -> None:
    whole = zlib.crc32(f"{array.dtype.str} {array.shape}".encode(), zlib.crc32(b"here"))
    assert checksum("here", [array]) == zlib.crc32(array.tobytes(), whole)
    ours, theirs = io.BytesIO(), io.BytesIO()
    save_array(ours, array)
    np.save(theirs, array)
    assert ours.getvalue() == theirs.getvalue()

"""Groups of like length and padding."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structprobe.trees.padding import group_by_length, pad


@given(
    st.lists(st.integers(0, 60), max_size=80),
    st.sampled_from([1, 400, 1 << 18]),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_groups_are_a_partition_within_bounds(lengths, max_cells, slack):
    groups = group_by_length(lengths, max_cells=max_cells, slack=slack)
    flat = [index for group in groups for index in group]
    assert flat == sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    for group in groups:
        sizes = [lengths[index] for index in group]
        assert len(group) == 1 or len(group) * max(sizes) ** 2 <= max_cells
        assert max(sizes) <= max(min(sizes) + 1, min(sizes) * (1 + slack))
    for group, following in pairwise(groups):  # which could not have taken one more
        shortest, longest = lengths[group[0]], lengths[following[0]]
        too_long = longest > max(shortest + 1, shortest * (1 + slack))
        assert too_long or (len(group) + 1) * longest**2 > max_cells


def test_nothing_to_group():
    assert group_by_length([]) == []


def test_pad_matrices_and_dtype():
    padded = pad([np.ones((1, 1), np.int16), np.ones((2, 2), np.int16)], fill=7)
    assert padded.dtype == np.int16
    assert padded.tolist() == [[[1, 7], [7, 7]], [[1, 1], [1, 1]]]
    assert pad([[1], [2, 3]]).tolist() == [[1, 0], [2, 3]]
    assert pad([[1], [2]], dtype=np.float32).dtype == np.float32


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 2), min_size=1, max_size=6))
def test_pad_fills_up_behind_each_axis(shapes):
    arrays = [np.arange(1, a * b + 1).reshape((a, b), order="F") for a, b in shapes]
    for row, array in zip(pad(arrays, fill=-1), arrays, strict=True):
        a, b = array.shape
        assert np.array_equal(row[:a, :b], array)
        assert (row[a:] == -1).all()
        assert (row[:, b:] == -1).all()


@pytest.mark.parametrize("size", [0, 3])
def test_pad_equal_sizes_is_stack(size):
    assert pad([np.arange(size), np.arange(size)]).tolist() == [list(range(size))] * 2

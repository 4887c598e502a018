"""Norms that are watched: counted in bins as they would be one by one."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from structprobe.encoder.checks import OUTLIER_FACTOR, NormWatch

WIDTH = 2.0**-11  # of a bin, relative to the norm


@given(
    st.lists(st.floats(2.0**-100, 2.0**100, width=32), min_size=1, max_size=60),
    st.integers(1, 5),
)
def test_outliers_are_those_beyond_the_median_to_the_width_of_a_bin(
    given: list[float], n_batches: int
) -> None:
    watch, norms = NormWatch(), np.array(given, np.float32)
    for batch in np.array_split(norms, n_batches):
        watch.add(3, torch.from_numpy(batch))
    median = float(np.sort(norms)[(len(norms) - 1) // 2])
    least, most = (
        int((norms > OUTLIER_FACTOR * median * (1 + 2 * sign * WIDTH)).sum()) for sign in (1, -1)
    )
    assert least <= watch.report()[3] <= most


def test_what_is_said_of_outliers(caplog: pytest.LogCaptureFixture) -> None:
    watch = NormWatch()
    watch.add(7, torch.tensor([2.0, 2.0, 2.001, 39.9, 1000.0, 41.0]))
    watch.add(0, torch.tensor([2.0, 2.0, 2.0]))
    with caplog.at_level(logging.WARNING):
        assert watch.report() == {0: 0, 7: 2}
    (record,) = caplog.records
    said = "layer 7: 2 of 6 positions have a norm above 20 times the median (2, largest 1000)"
    assert record.getMessage() == said


@pytest.mark.parametrize("odd", [[float("inf")], [-float("nan")], [0.0, 0.0], []])
def test_odd_norms_stop_nothing(odd: list[float]) -> None:
    watch = NormWatch()
    watch.add(1, torch.tensor(odd))
    assert watch.report() == {1: 0}


@pytest.mark.fault_class("memory")
def test_memory_does_not_grow_with_the_norms() -> None:
    watch = NormWatch()
    watch.add(0, torch.ones(10))
    before = watch._counts[0].nbytes
    for _ in range(20):
        watch.add(0, torch.rand(5000))
    assert list(watch._counts) == [0]
    assert watch._counts[0].nbytes == before < 4 << 20

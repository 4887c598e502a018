"""When two ways to a word vector agree: to the rounding of the sums that both are made of."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_same_vectors(found: Any, expected: Any, rtol: float = 1e-5) -> None:
    """Hold each vector, (..., hidden_size), to one that was computed in another order.

    A float32 sum rounds by a share of its largest terms, how much depends on the processor. So
    the difference is held to a share of the largest component of its vector: beside a component
    that is near zero by cancelling it would be luck.
    """
    found, expected = (np.asarray(values, dtype=np.float64) for values in (found, expected))
    assert found.shape == expected.shape
    if not found.size:
        return
    largest = np.abs(expected).max(axis=-1, keepdims=True)
    worst = (np.abs(found - expected) / largest).max()
    assert worst <= rtol, f"apart by {worst:.1e} of the vector's largest component"

"""The best head of each word, against looking at one arc at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from structprobe.trees import best_heads


@given(
    st.integers(1, 5).flatmap(
        lambda n: hnp.arrays(
            np.float32, (2, 3, n, n + 1), elements=st.integers(-2, 2) | st.just(-np.inf)
        )
    )
)
def test_one_arc_at_a_time(scores):
    before = scores.copy()
    found = best_heads(scores)
    assert np.array_equal(scores, before)
    for place in np.ndindex(found.shape):
        word, best = place[-1] + 1, 0
        for head, score in enumerate(scores[place]):
            if head != word and score > scores[place][best]:
                best = head
        assert found[place] == best

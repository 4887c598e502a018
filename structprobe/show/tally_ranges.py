"""Recall by ranges of lengths, for figures and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from structprobe.scores.breakdowns import Tally, range_names


def by_range(tallies: Mapping[int, Tally], firsts: Sequence[int]) -> dict[str, Tally]:
    """Add tallies up by the ranges that begin at `firsts`, the last one open; omit empty ones."""
    found = {}
    ends = [*firsts[1:], math.inf]
    for name, first, behind in zip(range_names(firsts), firsts, ends, strict=True):
        inside = [tally for key, tally in tallies.items() if first <= key < behind]
        if inside:
            total = Tally(sum(one.correct for one in inside), sum(one.total for one in inside))
            found[name] = total
    return found

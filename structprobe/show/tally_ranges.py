"""Recall by ranges of lengths, for figures and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from structprobe.scores.breakdowns import Tally


def by_range(tallies: Mapping[int, Tally], firsts: Sequence[int]) -> dict[str, Tally]:
    """Add tallies up by the ranges that begin at `firsts`, the last one open; omit empty ones."""
    found = {}
    for first, behind in zip(firsts, [*firsts[1:], math.inf], strict=True):
        inside = [tally for key, tally in tallies.items() if first <= key < behind]
        until = "+" if behind == math.inf else "" if behind == first + 1 else f"–{behind - 1}"
        if inside:
            total = Tally(sum(one.correct for one in inside), sum(one.total for one in inside))
            found[f"{first}{until}"] = total
    return found

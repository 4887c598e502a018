"""Where labels of arcs stand, and how far words stand apart so that labels fit between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import ceil

from structprobe.draw.arcs import Arc, Tree


def widen(
    trees: Iterable[Tree], middles: Sequence[float], room: Callable[[Arc], float]
) -> list[int]:
    """Say how much wider each gap between words becomes, so that all arcs have room for labels."""
    gaps = [0] * (len(middles) - 1)
    arcs = [arc for tree in trees for arc in tree.arcs if arc.label]
    # Arcs between neighbours first: they have no choice, and help those that lie over them.
    for arc in sorted(arcs, key=lambda arc: abs(arc.head - arc.dependent)):
        first, last = sorted((arc.head, arc.dependent))
        there = abs(middles[last] - middles[first]) + sum(gaps[first:last])
        each, rest = divmod(max(0, ceil(room(arc) - there)), last - first)
        for at in range(first, last):
            gaps[at] += each + (at - first < rest)
    return gaps


def middle_of_label(ends: Iterable[float], size: float, crossing: Iterable[float]) -> float:
    """Place a label on a line: as near to its middle as what crosses the line leaves room."""
    first, last = sorted(ends)
    middle = (first + last) / 2
    walls = sorted([first, last, *(x for x in crossing if first < x < last)])
    rooms = [(a + size / 2, b - size / 2) for a, b in pairwise(walls) if b - a >= size]
    spots = [min(max(middle, low), high) for low, high in rooms]
    return min(spots, key=lambda spot: abs(spot - middle), default=middle)


def crossing(ends: Iterable[tuple[float, float]], levels: Iterable[int], level: int) -> list[float]:
    """Give where uprights of arcs cross a level."""
    return [x for pair, own in zip(ends, levels, strict=True) if own > level for x in pair]

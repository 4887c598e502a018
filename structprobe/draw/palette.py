"""The colours and line styles of gold, right, missed and wrong arcs."""

from __future__ import annotations

from typing import NamedTuple


class Stroke(NamedTuple):
    """How a line is drawn."""

    colour: str  # As ``#rrggbb``
    dashes: tuple[int, ...] = ()  # Lengths of strokes and gaps


# Blue, vermilion and (darkened, to show on white paper) purple of Okabe & Ito, told apart by all
# eyes; the dashes tell them apart in print.
STROKES = {
    "gold": Stroke("#3b4252"),
    "right": Stroke("#0072b2"),
    "missed": Stroke("#a8447c", (2, 4)),
    "wrong": Stroke("#d55e00", (8, 4)),
}
INK = "#333333"  # of small letters
DIFFERS_INK = "#a84300"  # of relations that differ; darker than a wrong line, as letters are thin

"""Lines of box-drawing characters that join where they meet."""

from __future__ import annotations

import numpy as np

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
# The character whose strokes are the sum of those numbers.
_STROKES = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"
_DASHED = {UP | DOWN: "╎", LEFT | RIGHT: "╌"}
_MIRROR = str.maketrans("┘┐┤└┌├►▷", "└┌├┘┐┤◄◁")
_FLIP = str.maketrans("┘┐└┌┴┬▼▽", "┐┘┌└┬┴▲△")


class Canvas:
    """A grid of characters to draw lines on."""

    def __init__(self, rows: int, columns: int) -> None:
        self._strokes = np.zeros((rows, columns), dtype=np.uint8)
        self._solid = np.zeros((rows, columns), dtype=np.bool_)
        self._marks: dict[tuple[int, int], str] = {}

    def across(self, row: int, start: int, stop: int, *, solid: bool) -> None:
        """Draw a line along a row, both ends included."""
        start, stop = sorted((start, stop))
        self._strokes[row, start:stop] |= RIGHT
        self._strokes[row, start + 1 : stop + 1] |= LEFT
        self._solid[row, start : stop + 1] |= solid

    def along(self, column: int, start: int, stop: int, *, solid: bool) -> None:
        """Draw a line along a column, both ends included."""
        start, stop = sorted((start, stop))
        self._strokes[start:stop, column] |= DOWN
        self._strokes[start + 1 : stop + 1, column] |= UP
        self._solid[start : stop + 1, column] |= solid

    def mark(self, row: int, column: int, char: str) -> None:
        """Put a character over whatever is there."""
        self._marks[row, column] = char

    def lines(self) -> list[str]:
        """Give the drawing."""
        chars = [[_STROKES[stroke] for stroke in row] for row in self._strokes.tolist()]
        for row, column in np.argwhere(~self._solid).tolist():
            chars[row][column] = _DASHED.get(int(self._strokes[row, column]), chars[row][column])
        for (row, column), char in self._marks.items():
            chars[row][column] = char
        return ["".join(row) for row in chars]


def mirrored(lines: list[str]) -> list[str]:
    """Turn a drawing left to right."""
    return [line[::-1].translate(_MIRROR) for line in lines]


def flipped(lines: list[str]) -> list[str]:
    """Turn a drawing upside down."""
    return [line.translate(_FLIP) for line in lines[::-1]]

"""Cells of text in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

NOTHING = "–"  # stands for a value that is not there


def lay_out(lines: Sequence[Sequence[str]], to_left: Sequence[bool]) -> list[str]:
    """Align cells in columns."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(cells, widths, to_left, strict=True)
        ).rstrip()
        for cells in lines
    ]

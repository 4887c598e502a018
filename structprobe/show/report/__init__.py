"""One page of a folder of results or of a saved probe: tables, curves, an explorer of sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structprobe.show.report.writing import build_report, write_report

__all__ = ["build_report", "write_report"]


def __getattr__(name: str) -> object:
    # Late, since the page has sections of rooms that make theirs from the elements of this one.
    if name not in __all__:
        raise AttributeError(f"module 'structprobe.show.report' has no attribute {name!r}")
    from structprobe.show.report import writing

    globals()[name] = value = getattr(writing, name)
    return value

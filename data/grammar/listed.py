"""Word lists written as running text."""

from __future__ import annotations


def listed(text: str) -> tuple[str, ...]:
    """Part a text at its spaces.

    Parameters
    ----------
    text : str
        Words with spaces or line ends between them.
    """
    return tuple(text.split())

"""Word lists written as running text."""

from __future__ import annotations


def listed(text: str) -> tuple[str, ...]:
    """Part a text at its spaces."""
    return tuple(text.split())

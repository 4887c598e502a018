"""Words for display: invisible characters escaped, display width, direction."""

from __future__ import annotations

import unicodedata

from structprobe.errors import TreeError, unknown_name

DIRECTIONS = ("auto", "ltr", "rtl")

# Joiners shape letters and emoji, so they stay; all other invisible characters are escaped.
_JOINERS = "\u200c\u200d"
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_NARROW = set(" '!,.:;|`()[]{}/\\ijltfrI-\"·")
_BROAD = set("mwMW@%—…")


def visible(word: str) -> str:
    """Escape the invisible characters of a word."""
    return "".join(
        char.encode("unicode_escape", "backslashreplace").decode() if _is_hidden(char) else char
        for char in word
    )


def cells(text: str) -> int:
    """Count the columns that a text takes in a terminal."""
    return sum(_cells(char) for char in text)


def estimated_width(text: str, size: float) -> float:
    """Estimate how wide a text is in a sans-serif font."""
    return size * sum(_em(char) for char in text)


def is_right_to_left(words: tuple[str, ...], direction: str = "auto") -> bool:
    """Decide whether a sentence is shown from right to left."""
    if direction not in DIRECTIONS:
        raise TreeError(unknown_name("direction", direction, DIRECTIONS))
    if direction != "auto":
        return direction == "rtl"
    directions = [unicodedata.bidirectional(char) for word in words for char in word]
    return directions.count("R") + directions.count("AL") > directions.count("L")


def held(word: str) -> str:
    """Keep adjacent words of a right-to-left script in place, whatever a terminal reorders."""
    turns = any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in word)
    return f"\u200e{word}\u200e" if turns else word


def _is_hidden(char: str) -> bool:
    hidden = unicodedata.category(char) in _HIDDEN and char not in _JOINERS
    return hidden or ord(char) & 0xFFFE == 0xFFFE


def _cells(char: str) -> int:
    # Vowels and finals of Hangul written in parts join the initial before them.
    if unicodedata.category(char) in ("Mn", "Me", "Cf") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _em(char: str) -> float:
    """Estimate the width of one character as a share of the size."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF" or char in _BROAD:
        return 1.0
    if char in _NARROW:
        return 0.36
    return 0.74 if char.isupper() else 0.6

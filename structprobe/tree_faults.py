"""Heads of sentences: what may be passed as such, and why they may not be a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from numpy.typing import ArrayLike


class HasHeads(Protocol):
    """Anything with heads, such as `Sentence`; None for a sentence without a tree."""

    @property
    def heads(self) -> ArrayLike | None:
        """The head of each word, 1-based, 0 for the root."""


TreesLike = Sequence[HasHeads | ArrayLike]
"""Gold trees: sentences with heads, or plain heads."""


class TreeFault(NamedTuple):
    """Why heads are not a tree."""

    word: int  # 0-based: where to look
    what: str
    hint: str


def tree_fault(heads: Sequence[int]) -> TreeFault | None:
    """Find out why heads, 1-based with 0 for the root, are not a tree; None if they are.

    >>> tree_fault([2, 0, 2]) is None
    True
    >>> tree_fault([0, 3, 2]).what
    'the heads form a cycle: 2 → 3 → 2'
    """
    n = len(heads)
    if not n:
        return TreeFault(0, "a sentence without words has no tree", "leave the sentence out")
    for word, head in enumerate(heads, start=1):
        if not 0 <= head <= n:
            what = f"head {head} of word {word} is out of range"
            return TreeFault(word - 1, what, f"choose from 0 to {n}")
        if head == word:
            what = f"word {word} is its own head"
            return TreeFault(word - 1, what, "use another head, or 0 for the root")
    roots = [word for word, head in enumerate(heads, start=1) if head == 0]
    if not roots:
        return TreeFault(0, "no word is the root", "give one word HEAD 0")
    if len(roots) > 1:
        listed = ", ".join(map(str, roots[:5])) + ", …" * (len(roots) > 5)
        what = f"{len(roots)} roots: words {listed}"
        return TreeFault(roots[1] - 1, what, "give only one word HEAD 0")
    seen = [0] * (n + 1)  # the walk that first came by each word
    seen[0] = -1
    for start in range(1, n + 1):
        word = start
        while not seen[word]:
            seen[word] = start
            word = heads[word - 1]
        if seen[word] == start:
            what = f"the heads form a cycle: {_circle(heads, word)}"
            return TreeFault(word - 1, what, "every word must be connected to the root")
        # A word that an earlier walk came by leads to the root, as that walk did.
    return None


def _circle(heads: Sequence[int], first: int) -> str:
    """Write the words of a cycle in order, without the middle of a long one."""
    words = [first]
    while (word := heads[words[-1] - 1]) != first:
        words.append(word)
    shown = [str(word) for word in words]
    if len(shown) > 8:
        shown[4:-3] = ["…"]
    return " → ".join([*shown, str(first)])

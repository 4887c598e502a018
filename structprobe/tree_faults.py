"""Heads of sentences: what may be passed as such, whether they are trees, and why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError


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


def join_heads(heads: Sequence[ArrayLike]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Concatenate rows of integers (n_words,), and give their lengths (n_sentences,)."""
    arrays = [np.asarray(one) for one in heads]
    for index, array in enumerate(arrays):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            what = f"heads must be a sequence of integers, not {heads[index]!r:.80}"
            raise _fault(index, what, "pass one head per word, 1-based, with 0 for the root")
    lengths = np.array([len(array) for array in arrays], dtype=np.intp)
    flat = np.concatenate(arrays).astype(np.intp) if arrays else np.empty(0, dtype=np.intp)
    return flat, lengths


def check_range(heads: NDArray[np.intp], lengths: NDArray[np.intp]) -> None:
    """Refuse sentences without words, and heads (n_words,) outside their sentence."""
    wrong = lengths < 1
    outside = (heads < 0) | (heads > np.repeat(lengths, lengths))
    wrong[np.repeat(np.arange(len(lengths)), lengths)[outside]] = True
    _refuse_first(wrong, heads, lengths)


def checked_depths(heads: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Count the steps from each word (n_words,) to its root; refuse what is not a tree."""
    check_range(heads, lengths)
    depths = word_depths(heads, lengths)
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    wrong = np.bincount(sentence[heads == 0], minlength=len(lengths)) != 1
    wrong[sentence[depths < 0]] = True
    _refuse_first(wrong, heads, lengths)
    return depths


def word_depths(heads: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Count the steps from each word (n_words,) to a root; -1 on and below a cycle."""
    starts = np.cumsum(lengths) - lengths
    # Above every root stands one more node, its own parent; after k rounds `jump` points 2**k
    # nodes up and `steps` counts the arcs on the way to it.
    top = len(heads)
    jump = np.append(np.where(heads == 0, top, heads - 1 + np.repeat(starts, lengths)), top)
    steps = np.ones(top + 1, dtype=np.intp)
    steps[top] = 0
    for _ in range(int(lengths.max(initial=0)).bit_length()):
        steps += steps[jump]
        jump = jump[jump]
    return np.where(jump[:top] == top, steps[:top] - 1, -1)


def _refuse_first(wrong: NDArray[np.bool_], heads: NDArray[Any], lengths: NDArray[np.intp]) -> None:
    """Raise the error of the first sentence that is `wrong` (n_sentences,)."""
    if wrong.any():
        index = int(wrong.argmax())
        end = int(lengths[: index + 1].sum())
        fault = tree_fault(heads[end - lengths[index] : end].tolist())
        assert fault is not None
        raise _fault(index, fault.what, fault.hint)


def _fault(index: int, what: str, hint: str) -> TreeError:
    return TreeError(what, where=f"heads[{index}]", hint=hint, sentence=index)

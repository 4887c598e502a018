"""Heads of several sentences, concatenated: checks and word depths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError
from structprobe.tree_faults import tree_fault


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
    wrong[np.repeat(np.arange(len(lengths)), lengths)[_outside(heads, lengths)]] = True
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


def _outside(heads: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.bool_]:
    outside: NDArray[np.bool_] = (heads < 0) | (heads > np.repeat(lengths, lengths))
    return outside


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

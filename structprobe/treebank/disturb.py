"""Perturbed treebanks, to see what a method's trees depend on.

Shuffling keeps the words but not their order; swapping content words keeps order and grammar but
not the meaning; truncation keeps only the beginning (cf. Rogers, Kovaleva & Rumshisky 2020, A
Primer in BERTology, section 4.1).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from structprobe.errors import TreebankError
from structprobe.tree_faults import tree_fault
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence

CONTENT = ("NOUN", "PROPN", "VERB", "ADJ", "ADV")
"""The UPOS of content words."""

SHARE = 0.5
"""The share of words that truncated sentences keep."""


def shuffle_words(bank: Sequence[Sentence], seed: int = 0) -> Treebank:
    """Shuffle the words of each sentence.

    All orders are equally likely, including the original. Heads, relations and tags move with their
    words, so the tree over the words stays the same. Each word is followed by a space.

    Parameters
    ----------
    bank : sequence of Sentence
        The sentences, with or without heads.
    seed : int
        Random state.

    Returns
    -------
    Treebank
        The same number of sentences, of the same lengths.

    Raises
    ------
    TreebankError
        If the heads of a sentence are not a tree.
    """
    generator = np.random.default_rng(seed)
    return Treebank(_reorder(sentence, generator.permutation(len(sentence))) for sentence in bank)


def swap_content_words(bank: Sequence[Sentence], seed: int = 0) -> Treebank:
    """Swap content words of the same part of speech across the whole treebank.

    The forms of all words with the same UPOS tag, for each tag in `CONTENT`, are randomly permuted.
    Trees, tags, spaces and all other words stay the same.

    Parameters
    ----------
    bank : sequence of Sentence
        The sentences, with UPOS tags.
    seed : int
        Random state.

    Returns
    -------
    Treebank
        The same number of sentences, of the same lengths.

    Raises
    ------
    TreebankError
        If a sentence has no UPOS tags.
    """
    generator = np.random.default_rng(seed)
    words = [list(sentence.words) for sentence in bank]
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for s, sentence in enumerate(bank):
        if sentence.upos is None:
            raise TreebankError(
                f"{sentence.where}: no UPOS tags to swap words by",
                hint="use a treebank with UPOS tags",
            )
        for w, tag in enumerate(sentence.upos):
            if tag in CONTENT:
                places[tag].append((s, w))
    for tag in sorted(places):
        forms = [words[s][w] for s, w in places[tag]]
        for (s, w), drawn in zip(places[tag], generator.permutation(len(forms)), strict=True):
            words[s][w] = forms[drawn]
    return Treebank(
        _changed(sentence, words=tuple(new)) for sentence, new in zip(bank, words, strict=True)
    )


def truncate(bank: Sequence[Sentence], share: float = SHARE) -> Treebank:
    """Keep the beginning of each sentence.

    The first ``ceil(share * n)`` of n words are kept. A word whose head was removed is attached to
    its nearest kept ancestor. If the root was removed, the shallowest word without a kept ancestor
    (the first, in a tie) becomes the root, and the other such words are attached to it. Reattached
    words get the relation ``dep``, a new root gets ``root``.

    Parameters
    ----------
    bank : sequence of Sentence
        The sentences, with or without heads.
    share : float
        The share of words to keep, greater than 0 and at most 1.

    Returns
    -------
    Treebank
        The same number of sentences, each of at least one word.

    Raises
    ------
    TreebankError
        If `share` is out of range, or the heads of a sentence are not a tree.
    """
    if not 0 < share <= 1:
        raise TreebankError(f"share={share} is out of range", hint="choose 0 < share <= 1")
    return Treebank(_beginning(sentence, math.ceil(share * len(sentence))) for sentence in bank)


DISTURBANCES: Mapping[str, Callable[[Sequence[Sentence], int], Treebank]] = MappingProxyType(
    {
        "shuffled": shuffle_words,
        "swapped": swap_content_words,
        "truncated": lambda bank, seed: truncate(bank),
    }
)
"""The perturbations, called with a treebank and a seed, by their name in result rows."""


def _changed(sentence: Sentence, **columns: Any) -> Sentence:
    """Replace columns, and drop the raw lines, which no longer describe the sentence."""
    return replace(sentence, raw_lines=(), rows=(), **columns)


def _reorder(sentence: Sentence, order: np.ndarray[Any, Any]) -> Sentence:
    """Put word ``order[k]`` at place k, everything that is its own with it."""
    columns: dict[str, Any] = {
        name: tuple(column[old] for old in order)
        for name in ("words", "deprels", "upos", "xpos")
        if (column := getattr(sentence, name)) is not None
    }
    if sentence.heads is not None:
        _refuse_no_tree(sentence)
        place = np.zeros(len(order) + 1, dtype=np.int32)  # of each head; 0 stays the root's
        place[order + 1] = np.arange(1, len(order) + 1)
        columns["heads"] = place[sentence.heads[order]]
    return _changed(sentence, gaps=(), **columns)


def _beginning(sentence: Sentence, n: int) -> Sentence:
    """Keep the first `n` words."""
    columns: dict[str, Any] = {
        name: column[:n]
        for name in ("words", "deprels", "upos", "xpos", "gaps")
        if (column := getattr(sentence, name)) is not None
    }
    if sentence.heads is not None:
        _refuse_no_tree(sentence)
        old = sentence.heads.tolist()
        new = _kept_heads(old, n)
        columns["heads"] = np.array(new, dtype=np.int32)
        if sentence.deprels is not None:
            columns["deprels"] = tuple(
                deprel if head == before else "dep" if head else "root"
                for deprel, head, before in zip(sentence.deprels, new, old, strict=False)
            )
    return _changed(sentence, **columns)


def _refuse_no_tree(sentence: Sentence) -> None:
    """Check the tree, since sentences that were not read from a file are unchecked."""
    assert sentence.heads is not None
    if fault := tree_fault(sentence.heads.tolist()):
        what = f"{sentence.where}: the heads are not a tree: {fault.what}"
        raise TreebankError(what, hint=fault.hint)


def _kept_heads(heads: Sequence[int], n: int) -> list[int]:
    """Attach each of the first `n` words to its nearest kept ancestor; make one the root."""
    paths = [_path_up(heads, word) for word in range(1, n + 1)]
    kept = [next((word for word in path if word <= n), 0) for path in paths]
    orphans = [i for i, head in enumerate(kept) if head == 0]
    root = min(orphans, key=lambda i: len(paths[i]))
    for i in orphans:
        kept[i] = 0 if i == root else root + 1
    return kept


def _path_up(heads: Sequence[int], word: int) -> list[int]:
    """Give the ancestors of a word (1-based), from its head up to the root."""
    path = []
    while word := heads[word - 1]:
        path.append(word)
    return path

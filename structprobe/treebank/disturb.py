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
        As many sentences, of the same lengths.

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
    bank, seed
        As for `shuffle_words`; the sentences need UPOS tags.

    Returns
    -------
    Treebank
        As many sentences, of the same lengths.

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
            what = f"{sentence.where}: no UPOS tags to swap words by"
            raise TreebankError(what, hint="use a treebank with UPOS tags")
        for w, tag in enumerate(sentence.upos):
            if tag in CONTENT:
                places[tag].append((s, w))
    for tag in sorted(places):
        forms = [words[s][w] for s, w in places[tag]]
        for (s, w), drawn in zip(places[tag], generator.permutation(len(forms)), strict=True):
            words[s][w] = forms[drawn]
    pairs = zip(bank, map(tuple, words), strict=True)
    return Treebank(_changed(sentence, words=new) for sentence, new in pairs)


def truncate(bank: Sequence[Sentence], share: float = SHARE) -> Treebank:
    """Keep the first ``ceil(share * n)`` of the n words of each sentence.

    A word whose head was removed is attached to its nearest kept ancestor. If the root was removed,
    the shallowest word without a kept ancestor (the first, in a tie) becomes the root, and the
    others are attached to it. Reattached words get the relation ``dep``, a new root gets ``root``.

    Parameters
    ----------
    bank : sequence of Sentence
        The sentences, with or without heads.
    share : float
        The share of words to keep, greater than 0 and at most 1.

    Returns
    -------
    Treebank
        As many sentences, each of at least one word.

    Raises
    ------
    TreebankError
        If `share` is out of range, or the heads of a sentence are not a tree.
    """
    if not 0 < share <= 1:
        raise TreebankError(f"share={share} is out of range", hint="choose 0 < share <= 1")
    return Treebank(beginning(sentence, math.ceil(share * len(sentence))) for sentence in bank)


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
    columns = _taken(sentence, order.tolist())
    if sentence.heads is not None:
        place = np.zeros(len(order) + 1, dtype=np.int32)  # of each head; 0 stays the root's
        place[order + 1] = np.arange(1, len(order) + 1)
        columns["heads"] = place[sentence.heads[order]]
    return _changed(sentence, **columns | {"gaps": ()})


def beginning(sentence: Sentence, n: int) -> Sentence:
    """Keep the first `n` words."""
    columns = _taken(sentence, range(n))
    if sentence.heads is not None:
        old = sentence.heads.tolist()
        new = _kept_heads(old, n)
        columns["heads"] = np.array(new, dtype=np.int32)
        if sentence.deprels is not None:
            columns["deprels"] = tuple(
                deprel if head == before else "dep" if head else "root"
                for deprel, head, before in zip(sentence.deprels, new, old, strict=False)
            )
    return _changed(sentence, **columns)


def _taken(sentence: Sentence, words: Sequence[int]) -> dict[str, Any]:
    """Take the columns of some words; check the tree, which only files have been held to."""
    if sentence.heads is not None and (fault := tree_fault(sentence.heads.tolist())):
        what = f"{sentence.where}: the heads are not a tree: {fault.what}"
        raise TreebankError(what, hint=fault.hint)
    return {
        name: tuple(column[word] for word in words)
        for name in ("words", "deprels", "upos", "xpos", "gaps")
        if (column := getattr(sentence, name)) is not None
    }


def _kept_heads(heads: Sequence[int], n: int) -> list[int]:
    """Attach each of the first `n` words to its nearest kept ancestor; make one the root."""
    paths: list[list[int]] = [[] for _ in range(n)]  # from each word's head up to the root
    for word, path in enumerate(paths, start=1):
        head = heads[word - 1]
        while head:
            path.append(head)
            head = heads[head - 1]
    kept = [next((word for word in path if word <= n), 0) for path in paths]
    orphans = [i for i, head in enumerate(kept) if head == 0]
    root = min(orphans, key=lambda i: len(paths[i]))
    for i in orphans:
        kept[i] = 0 if i == root else root + 1
    return kept

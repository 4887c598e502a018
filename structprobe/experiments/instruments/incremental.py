"""How the tree unfolds: when each gold edge is found, whether it stays, and what that costs.

The vectors of a causal model do not change as the sentence goes on, but the tree over the words so
far does (after Eisape, Gangireddy, Levy & Kim 2022, Probing for Incremental Parse States in
Autoregressive Language Models, who read parse states from such vectors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError
from structprobe.experiments.instruments.prefixes import prefix_trees
from structprobe.experiments.runs.run import as_bank
from structprobe.recoverers.base import Recoverer
from structprobe.recoverers.linear import LinearChain
from structprobe.scores.attachment import without_subtypes
from structprobe.scores.protocol import choose_protocol, kept_words
from structprobe.stimuli.bias import Resampling, ratio
from structprobe.tree_faults import checked_depths, join_heads
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence

_OF_RELATIONS = ("uuas", "found", "at_once", "delay", "stable")

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def read_incremental(
    recoverer: Recoverer,
    bank: Sequence[Sentence],
    *,
    punct: str | None = None,
    restart: bool = False,
    allow_withheld: bool = False,
    progress: bool | None = None,
) -> list[dict[str, Any]]:
    """Follow the trees of the prefixes of each sentence: when gold edges are found, and for long.

    The tree of a prefix is compared with the gold edges whose two words have both come. These are a
    forest, while the predicted tree connects all words (of a method that predicts trees): recall is
    over the gold edges, which all methods can reach; precision is over the predicted edges, of
    which at most a certain share, the ceiling, can be right. Only edges between words that `punct`
    keeps count, without their direction. "Words after" counts all words.

    A minimum spanning tree over distances that do not change can lose an edge, but never gains one
    between two old words: an edge that is missing when its later word comes is the longest of a
    circle, which stays. Edges can be found late in trees over arc scores, and with `restart`.

    Parameters
    ----------
    recoverer : Recoverer
        As for `prefix_trees`.
    bank : sequence of Sentence
        Sentences with heads.
    punct, restart
        As for `prefix_trees`.
    allow_withheld : bool, default=False
        As for `evaluate`.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    list of dict
        A row for the method and one for the linear chain, with the keys

        - ``method``, what else `Recoverer.describe` says, ``restart``, ``punct``, ``n_sentences``,
          ``n_words`` and ``n_edges`` (gold edges);
        - ``uuas``: the share of gold edges in the trees of whole sentences, as from `score`;
        - ``found``: the share in the tree of any prefix, and ``at_once``: the share in the tree of
          the prefix that ends with their later word;
        - ``delay``: the mean number of words between the later word of an edge that is found and
          the prefix in which it is first found;
        - ``stable``: of the edges that are found, the share that are in all trees from then on;
          ``lost``: the share missing at the end; ``regained``: the share missing for a while, but
          not at the end;
        - ``until_lost``: the mean number of words from the prefix in which an edge is first found
          to that in which it is first missing, of those that go;
        - ``edit_overhead``: of all edges, gold or not, that are added to a tree or removed from it
          by a new word, the share that were not needed to build the last tree (Baumann, Buß &
          Schlangen 2011);
        - ``first_found``: for each number of ``words_after``, how many ``edges`` are first found;
        - ``by_words_after``: for each number of ``words_after``, the number of gold ``edges`` with
          so many words after their later word, and ``uuas``, the share in the tree at that point;
        - ``by_prefix_length``: for each number of ``words``, the number of ``prefixes``, of gold
          ``edges`` in them and of ``predicted`` edges, ``recall``, ``precision`` and ``ceiling``;
        - ``by_relation``: for each relation without subtypes, the most frequent first, the number
          of ``edges``, and ``uuas``, ``found``, ``at_once``, ``delay``, ``stable``; None without
          relations.

        ``uuas``, ``found``, ``at_once``, ``delay``, ``stable``, ``lost`` and ``until_lost`` come
        with the bounds of their 95% bootstrap interval over sentences, such as ``uuas_low`` and
        ``uuas_high``. What is not defined is None.

    Raises
    ------
    MethodError, NotFittedError
        As for `prefix_trees`.
    ScoreError
        If the treebank is empty, has no heads, or no edges to score.
    TreebankError
        If the text is withheld, unless that is allowed.
    """
    bank = as_bank(bank, "test", allow_withheld=allow_withheld)
    checked_depths(*join_heads([one.heads for one in bank if one.heads is not None]))
    protocol = choose_protocol(bank, punct)
    lengths = np.array([*map(len, bank)])
    kept = np.split(kept_words(bank, lengths, protocol), np.cumsum(lengths)[:-1])
    gold = [_gold_edges(one, own) for one, own in zip(bank, kept, strict=True)]
    if not sum(map(len, gold)):
        hint = f"the protocol is {protocol.describe(correlations=False)}"
        raise ScoreError("there are no gold edges between scored words", hint=hint)
    rows = []
    for method in (recoverer, LinearChain()):
        own = restart and method is recoverer
        trees = prefix_trees(method, bank, punct=punct, restart=own, progress=progress)
        told = method.describe() | dict(method.chosen_) | {"restart": own, "punct": protocol.punct}
        rows.append(told | _row(bank, gold, trees))
    return rows


def _gold_edges(sentence: Sentence, kept: Bools) -> Ints:
    """List the dependents, from 0, of the gold edges that are scored."""
    assert sentence.heads is not None
    heads = sentence.heads
    return np.flatnonzero((heads > 0) & kept & kept[np.maximum(heads, 1) - 1])


@dataclass(eq=False)
class _Sums:
    """What is counted over prefixes, by number of words after, and by length."""

    edges: Floats  # (2, m): gold edges with so many words after them; those found then
    prefixes: Floats  # (4, m + 1): prefixes of so many words; their gold, predicted, right edges
    edits: int = 0  # edges added to trees and removed from them
    needed: int = 0  # edges of the last trees


@dataclass(frozen=True, eq=False)
class _Edges:
    """How all m gold edges fared."""

    sentence: Ints  # (m,)
    relation: NDArray[np.str_]  # (m,), empty where there is none
    delay: Floats  # (m,): words after the later one until it is first found; NaN if never
    until_lost: Floats  # (m,): words from then until it is first missing; NaN if it stays
    at_end: Bools  # (m,): whether it is in the tree of the whole sentence

    @property
    def found(self) -> Bools:
        """Mark the edges that are found at some point."""
        return ~np.isnan(self.delay)


def _row(bank: Treebank, gold: Sequence[Ints], trees: Sequence[Sequence[Ints]]) -> dict[str, Any]:
    """Measure everything about the trees of prefixes."""
    longest = max(map(len, bank))
    sums = _Sums(np.zeros((2, longest)), np.zeros((4, longest + 1)))
    parts = [_follow(*one, sums) for one in zip(bank, gold, trees, strict=True)]
    delay, until_lost, at_end = (np.concatenate(own) for own in zip(*parts, strict=True))
    relations = [
        np.full(len(own), "") if one.deprels is None else without_subtypes(one.deprels)[own]
        for one, own in zip(bank, gold, strict=True)
    ]
    sentence = np.repeat(np.arange(len(bank)), [*map(len, gold)])
    edges = _Edges(sentence, np.concatenate(relations), delay, until_lost, at_end)
    row: dict[str, Any] = {"n_sentences": len(bank), "n_words": bank.n_words, "n_edges": len(delay)}
    for name, (part, whole) in _shares(edges).items():
        found = ratio(part.astype(float), whole.astype(float), sentence, Resampling())
        for end in ("", "_low", "_high"):
            row[f"{name}{end}"] = getattr(found, end.strip("_") or "value", None)
    overhead = 1 - sums.needed / sums.edits if sums.edits else None
    row |= {"edit_overhead": overhead, **_curves(edges, sums)}
    return row | {"by_relation": _by_relation(edges) if (edges.relation != "").any() else None}


def _follow(
    sentence: Sentence, dependents: Ints, trees: Sequence[Ints], sums: _Sums
) -> tuple[Floats, Floats, Bools]:
    """Follow the gold edges of a sentence through the trees of its prefixes."""
    # dependents (m,), trees (k,) each -> (m,), (m,), (m,)
    assert sentence.heads is not None
    n = len(sentence)
    there = np.zeros((n + 1, n, n), dtype=np.bool_)  # by prefix: which words an edge connects
    for k, heads in enumerate(trees, start=1):
        attached = np.flatnonzero((heads > 0) & (heads != np.arange(1, k + 1)))
        attached = attached[heads[heads[attached] - 1] >= 0]  # to a word that is scored
        there[k, attached, heads[attached] - 1] = True
    there |= there.swapaxes(1, 2)
    sizes = there.sum(axis=(1, 2)) // 2  # (n + 1,)
    sums.edits += int((there[1:] != there[:-1]).sum()) // 2
    sums.needed += int(sizes[-1])
    heads = sentence.heads[dependents].astype(np.int64) - 1
    right = there[1:, dependents, heads]  # (n, m): by prefix
    later = np.maximum(dependents, heads)  # (m,)
    come = np.arange(n)[:, None] >= later  # (n, m)
    sums.prefixes[:, 1 : n + 1] += [
        np.ones(n), come.sum(axis=1), sizes[1:], (right & come).sum(axis=1)
    ]  # fmt: skip
    after = (np.arange(n)[:, None] - later)[come]
    sums.edges[:, :n] += [np.bincount(after, w, n) for w in (np.ones(len(after)), right[come])]
    first = np.where(right.any(axis=0), right.argmax(axis=0), -1)  # (m,)
    gone = ~right & (np.arange(n)[:, None] > first) & (first >= 0)
    until_lost = np.where(gone.any(axis=0), gone.argmax(axis=0) - first, np.nan)
    return np.where(first >= 0, first - later, np.nan), until_lost, right[-1]


def _shares(edges: _Edges) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Give the numerators and denominators of all shares and means, edge by edge."""
    every, found, gone = np.ones_like(edges.at_end), edges.found, ~np.isnan(edges.until_lost)
    return {
        "uuas": (edges.at_end, every),
        "found": (found, every),
        "at_once": (edges.delay == 0, every),
        "delay": (np.nan_to_num(edges.delay), found),
        "stable": (found & ~gone, found),
        "lost": (found & ~edges.at_end, found),
        "regained": (gone & edges.at_end, found),
        "until_lost": (np.nan_to_num(edges.until_lost), gone),
    }


def _curves(edges: _Edges, sums: _Sums) -> dict[str, Any]:
    """Lay out what is counted by number of words."""
    delays = np.bincount(edges.delay[edges.found].astype(np.int64))
    counts, right = sums.edges.astype(np.int64).tolist()
    prefixes = sums.prefixes.astype(np.int64).T.tolist()
    return {
        "first_found": [
            {"words_after": after, "edges": int(n)} for after, n in enumerate(delays) if n
        ],
        "by_words_after": [
            {"words_after": after, "edges": n, "uuas": some / n}
            for after, (n, some) in enumerate(zip(counts, right, strict=True))
            if n
        ],
        "by_prefix_length": [
            {
                "words": words, "prefixes": n, "edges": of_gold, "predicted": predicted,
                "recall": some / of_gold if of_gold else None,
                "precision": some / predicted if predicted else None,
                "ceiling": of_gold / predicted if predicted else None,
            }
            for words, (n, of_gold, predicted, some) in enumerate(prefixes)
            if n
        ],
    }  # fmt: skip


def _by_relation(edges: _Edges) -> list[dict[str, Any]]:
    """Give the shares and means of the edges of each relation."""
    names, counts = np.unique(edges.relation[edges.relation != ""], return_counts=True)
    shares, found = _shares(edges), []
    for name, n in sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda x: -x[1]):
        own, told = edges.relation == name, {}
        for key in _OF_RELATIONS:
            part, whole = (float(one[own].sum()) for one in shares[key])
            told[key] = part / whole if whole else None
        found.append({"relation": name, "edges": n, **told})
    return found

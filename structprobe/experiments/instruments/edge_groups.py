"""Where in a tree the layers add something: the expected layer of groups of gold edges.

The groups are those of one relation, of one length, and those within small and large phrases. Small
structures that are found in lower layers than large ones are what Someya et al. 2025, Derivational
Probing, call a bottom-up derivation; their macro-structure, the root with its dependents, is the
group of whole sentences here, the phrases below it are their micro-structures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.scores.breakdowns import range_names
from structprobe.scores.intervals import quantile_bounds, resamples
from structprobe.scores.scoring import ScoredEdges

# A group of edges in fewer sentences has no expected layer: there is little to resample.
LEAST_SENTENCES = 20
# The first of each range; the last range is open.
LENGTHS = (1, 2, 3, 4, 5, 7, 10, 15)
PHRASES = (2, 3, 4, 6, 10)
WHOLE = "sentence"

_N, _LEVEL = 1000, 0.95
# Why a group has no expected layer.
FEW = f"fewer than {LEAST_SENTENCES} sentences"
NO_GAIN = "no clear gain"
OUTSIDE = "outside the layers"


@dataclass(frozen=True)
class EdgeGroup:
    """Gold edges that have something in common, and at which layers their score rises."""

    by: str  # "tree" (all edges), "relation", "length" or "phrase"
    name: str
    n_edges: int
    n_sentences: int  # with such an edge
    cumulative_uuas: tuple[float, ...]  # Of the mix of the layers up to each
    # Of the mix of all layers over the lowest layer: value, and low and high of its 95% interval
    gain: dict[str, float | None]
    drops: float  # The sum of the negative gains between layers; 0 or less
    expected_layer: float | None
    low: float | None  # of its 95% interval
    high: float | None
    why: str | None  # Why there is no expected layer

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return asdict(self) | {"cumulative_uuas": [*self.cumulative_uuas]}


def group_edges(mixes: Mapping[int, ScoredEdges]) -> list[EdgeGroup]:
    """Find the expected layer of all edges, and of each group of them."""
    layers = np.array([*mixes], dtype=float)
    edges = next(iter(mixes.values()))
    n_sentences = len(edges.trees.lengths)
    right = np.stack([one.right for one in mixes.values()], axis=1)  # (n_words, n_layers)
    told, counts = [], []
    for by, name, inside in _groups(edges):
        words = np.flatnonzero(inside & edges.scored)
        if not len(words):
            continue
        sentence = edges.trees.sentence[words]
        total = np.bincount(sentence, minlength=n_sentences)
        found = [np.bincount(sentence, one, n_sentences) for one in right[words].T]
        with_edges = np.flatnonzero(total)
        told.append((by, name))
        counts.append((with_edges, np.stack([*found, total], axis=1)[with_edges]))
    draws: list[list[NDArray[np.float64]]] = [[] for _ in counts]
    for weights in resamples(n_sentences, _N, 0):  # (b, n_sentences)
        for drawn, (with_edges, own) in zip(draws, counts, strict=True):
            drawn.append(_shares(weights[:, with_edges] @ own))
    return [
        _expect(*names, layers, own, np.concatenate(drawn))
        for names, (_, own), drawn in zip(told, counts, draws, strict=True)
    ]


def _groups(edges: ScoredEdges) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Give the groups, and the words whose gold arcs belong to each."""
    # -> (n_words,)
    trees = edges.trees
    yield "tree", "all", np.ones(len(trees.gold), dtype=bool)
    names, counts = np.unique(edges.relations[edges.scored], return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")]:
        if name:
            yield "relation", str(name), edges.relations == name
    yield from _ranges("length", np.abs(trees.gold - trees.positions), LENGTHS)
    # The smallest phrase with both words of an edge is all that hangs on its head.
    heads = trees.first + np.maximum(trees.gold - 1, 0)
    of_root = trees.gold[heads] == 0
    sizes = _phrase_sizes(edges)[heads]
    yield from _ranges("phrase", np.where(of_root, 0, sizes), PHRASES)
    yield "phrase", WHOLE, of_root


def _ranges(
    by: str, values: NDArray[np.int64], firsts: Sequence[int]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Give a group for each range of values; those below the first range are in none."""
    # values (n_words,) -> (n_words,)
    which = np.searchsorted(firsts, values, side="right") - 1
    for number, name in enumerate(range_names(firsts)):
        yield by, name, which == number


def _phrase_sizes(edges: ScoredEdges) -> NDArray[np.int64]:
    """Count the words that count in the phrase of each word: itself, and all that hangs on it."""
    # -> (n_words,)
    trees = edges.trees
    sizes = edges.kept.astype(np.int64)
    for depth in range(int(trees.gold_depths.max()), 0, -1):  # the root has depth 0
        words = np.flatnonzero(trees.gold_depths == depth)
        np.add.at(sizes, trees.first[words] + trees.gold[words] - 1, sizes[words])
    return sizes


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide the correct edges of each mix by all edges; NaN where there are none."""
    # sums (b, n_layers + 1) -> (b, n_layers)
    total = sums[:, -1:]
    return np.divide(sums[:, :-1], total, out=np.full_like(sums[:, :-1], np.nan), where=total > 0)


def _expect(
    by: str,
    name: str,
    layers: NDArray[np.float64],
    counts: NDArray[np.float64],
    draws: NDArray[np.float64],
) -> EdgeGroup:
    """Find the expected layer of a group, if it has one."""
    # layers (n_layers,), counts (n_sentences, n_layers + 1), draws (n, n_layers)
    from structprobe.probe.readers.layer_mix import expected_layer

    (shares,) = _shares(counts.sum(axis=0, keepdims=True))
    whole = draws[:, -1] - draws[:, 0]
    gain: dict[str, float | None] = {"value": float(shares[-1] - shares[0])}
    low, gain["high"] = quantile_bounds(whole, _LEVEL)
    gain["low"] = low
    expected = expected_layer(dict(zip(layers.tolist(), shares.tolist(), strict=True)))
    why = NO_GAIN if low <= 0 else OUTSIDE if np.isnan(expected) else None
    # The whole tree is shown on few sentences too: a warning tells of them.
    if by != "tree" and len(counts) < LEAST_SENTENCES:
        why, gain["low"], gain["high"] = FEW, None, None
    bounds: tuple[float | None, float | None] = (None, None)
    if why is None:
        # Resamples without a gain have no mean; they are at most 2.5%, since the gain is clear.
        sums = np.diff(draws, axis=1) @ layers[1:]
        means = np.divide(sums, whole, out=np.full_like(sums, np.nan), where=whole > 0)
        # Rounded as the expected layer itself.
        bounds = quantile_bounds(means.round(12), _LEVEL)
    return EdgeGroup(
        by, name, int(counts[:, -1].sum()), len(counts), tuple(shares.tolist()),
        gain, float(np.minimum(np.diff(shares), 0).sum()),
        None if why else expected, *bounds, why,
    )  # fmt: skip

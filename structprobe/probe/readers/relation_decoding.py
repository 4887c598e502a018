"""Relations for trees, and trees decoded with the help of relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.readers.relation_reader import RelationReader
from structprobe.probe.training.settings import read_decoding
from structprobe.probe.types import TreesLike
from structprobe.scores import Prediction, score
from structprobe.trees import decode_rooted
from structprobe.trees.arborescences import arborescences
from structprobe.trees.padding import group_by_length

# Of relations relative to distances or arc scores; the weight is chosen on dev.
WEIGHTS = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0)


def labelled(
    trees: Sequence[Prediction],
    reader: RelationReader,
    words: Words,
    decoding: str = "published",
    weight: float | None = None,
) -> list[Prediction]:
    """Add relations to trees, which are decoded anew with what the reader says unless published."""
    check_decoding(decoding, reader, weight)
    if decoding != "published":
        arcs = [*reader._arcs(words)]
        trees = _rooted(trees, arcs) if decoding == "root" else joint_trees(trees, arcs, weight)
    found = reader._labels(words, [one.heads for one in trees])
    return [
        replace(tree, deprels=tuple(labels.tolist()), deprel_probabilities=odds)
        for tree, (labels, odds) in zip(trees, found, strict=True)
    ]


def check_decoding(decoding: str, reader: RelationReader | None, weight: float | None) -> None:
    """Refuse a decoding without what it needs from the fit, after which it may have been set."""
    read_decoding(decoding, None if reader is None else reader.reads)
    if decoding == "joint" and weight is None:
        what = "decoding='joint' needs a weight of relations, which fit chooses on dev with it"
        raise ProbeError(what, hint="fit again with decoding='joint', or decode another way")


def choose_weight(
    trees: Sequence[Prediction], reader: RelationReader, words: Words, gold: TreesLike
) -> float:
    """Choose the weight with the highest LAS, the first in a tie."""
    arcs, best = [*reader._arcs(words)], (-1.0, WEIGHTS[0])
    for weight in WEIGHTS:
        # LAS needs no more than heads: with arc scores, trees would be decoded again for UUAS.
        some = [Prediction(one.heads) for one in joint_trees(trees, arcs, weight)]
        las = score(gold, labelled(some, reader, words)).las
        best = max(best, (-1.0 if las is None else las, weight), key=lambda one: one[0])
    return best[1]


def _rooted(trees: Sequence[Prediction], arcs: Sequence[NDArray[np.floating]]) -> list[Prediction]:
    """Root each tree of distances at the word that is most probably the root."""
    # arcs (n_words, n_words + 1)
    if any(one.distances is None for one in trees):
        what = "decoding='root' needs trees without direction, which are decoded from distances"
        raise ProbeError(what, hint="use decoding='joint' with other methods")
    distances = [np.asarray(one.distances) for one in trees]
    heads = decode_rooted(distances, [-row[:, 0] for row in arcs])
    # Depths would say another root than that of the tree.
    return [replace(one, heads=own, depths=None) for one, own in zip(trees, heads, strict=True)]


def joint_trees(
    trees: Sequence[Prediction], arcs: Sequence[NDArray[np.floating]], weight: float | None
) -> list[Prediction]:
    """Decode the trees with the best sum of negative distances or arc scores, and of relations."""
    # arcs (n_words, n_words + 1)
    assert weight is not None  # by `check_decoding`
    sums = []
    for one, own in zip(trees, arcs, strict=True):
        if one.distances is not None:
            of_tree = np.pad(-np.asarray(one.distances), ((0, 0), (1, 0)))
        elif one.arc_scores is not None:
            of_tree = np.asarray(one.arc_scores)
        else:
            what = "decoding='joint' needs distances or arc scores, and the method has neither"
            raise ProbeError(what, hint="use decoding='published'")
        sums.append(of_tree + weight * own)  # (n, n + 1)
    lengths, found = np.array([*map(len, sums)]), [*trees]
    for group in group_by_length(lengths):
        n = int(lengths[group].max())
        padded = np.full((len(group), n, n + 1), -np.inf)
        for place, index in enumerate(group.tolist()):
            padded[place, : lengths[index], : lengths[index] + 1] = sums[index]
        for index, heads in zip(group.tolist(), arborescences(padded, lengths[group]), strict=True):
            own = heads[: lengths[index]].copy()
            found[index] = Prediction(own, arc_scores=sums[index].astype(np.float32))
    return found

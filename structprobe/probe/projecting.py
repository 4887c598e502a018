"""Apply fitted components to the word vectors of many sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.data.ragged_vectors import Words, first_equal
from structprobe.probe.losses.geometries import EUCLIDEAN, Geometry
from structprobe.probe.losses.geometry import squared_depths
from structprobe.scores import Prediction
from structprobe.trees import decode_rooted
from structprobe.trees.rooting import best_rooted

Arrays = list[NDArray[np.float32]]


def predict_trees(distances: Arrays, depths: Arrays) -> list[Prediction]:
    """Decode the minimum spanning trees, rooted at the words with the smallest depth."""
    # distances (n_words, n_words), depths (n_words,)
    return list(map(Prediction, decode_rooted(distances, depths), distances, depths))


@dataclass(frozen=True, slots=True)
class PolarTrees:
    """The labelled trees of sentences, by the direction of differences."""

    heads: list[NDArray[np.intp]]  # (n_words,)
    codes: list[NDArray[np.intp]]  # (n_words,): of the relation of each arc, -1 for the root
    distances: Arrays


def predict_polar(
    words: Words, components: NDArray[np.floating], prototypes: NDArray[np.floating]
) -> PolarTrees:
    """Decode minimum spanning trees, with root and relations by the directions of their edges."""
    # components (rank, hidden_size), prototypes (n_classes, rank)
    distances = predict_distances(words, components, EUCLIDEAN)
    along = project(words, prototypes @ components, centred=True)  # (n_words, n_classes)
    trees = decode_rooted(distances, [np.zeros(n) for n in words.lengths])
    ends = np.cumsum(words.lengths)[:-1]
    cosines = _cosines(along, distances, trees)
    scores = (np.split(some, ends) for some in (cosines.max(1), -cosines.min(1)))
    heads = best_rooted(trees, *scores)
    codes = _cosines(along, distances, heads).argmax(1)
    codes[np.concatenate(heads) == 0] = -1
    return PolarTrees(heads, np.split(codes, ends), distances)


def _cosines(
    along: Arrays, distances: Arrays, heads: list[NDArray[np.intp]]
) -> NDArray[np.float32]:
    """Give the cosines of each word's arc with the direction of each relation; 0 for the root."""
    # along (n_words, n_classes), distances (n_words, n_words), heads (n_words,)
    # -> (n_words in all, n_classes)
    found = []
    for own, matrix, head in zip(along, distances, heads, strict=True):
        at = np.where(head > 0, head - 1, np.arange(len(head)))
        lengths = np.sqrt(matrix[np.arange(len(head)), at])[:, None]
        steps = own - own[at]
        found.append(np.divide(steps, lengths, out=np.zeros_like(steps), where=lengths > 0))
    return np.concatenate(found)


def project(words: Words, components: NDArray[np.floating], *, centred: bool = False) -> Arrays:
    """Project the words of each sentence, or what they differ by from their mean."""
    # components (rank, hidden_size) -> (n_words, rank)
    return _by_length(lambda projected: projected, words, components, centred=centred)


def predict_distances(words: Words, components: NDArray[np.floating], geometry: Geometry) -> Arrays:
    """Predict the distances between the words of each sentence."""
    # components (rank, hidden_size) -> (n_words, n_words)
    if geometry is not EUCLIDEAN:  # the others lose more digits than float32 can spare
        components = components.astype(np.float64)
    return _by_length(
        lambda projected: geometry.measure(projected)[0].float(),
        *(words, components),
        pairs=True,
        centred=geometry.by_differences,
    )


def predict_depths(words: Words, components: NDArray[np.floating]) -> Arrays:
    """Predict the depth of each word."""
    # components (rank, hidden_size) -> (n_words,)
    return _by_length(squared_depths, words, components)


def _by_length(
    predict: Callable[[Tensor], Tensor],
    words: Words,
    components: NDArray[np.floating],
    *,
    pairs: bool = False,
    centred: bool = False,
) -> Arrays:
    """Project all words, and predict (b, n, rank) -> (b, ...) for b sentences of n words each."""
    matrix = torch.from_numpy(components).T  # (hidden_size, rank)
    order = np.argsort(words.lengths, kind="stable")
    words, ends = words.take(order), np.cumsum(words.lengths[order])
    found = [np.empty(0, np.float32)] * len(words)
    first = done = 0
    # A common offset can cost most of the digits.
    dtype = torch.float64 if centred else matrix.dtype
    for chunk in words.chunks(centred=centred, dtype=dtype):
        projected = chunk.to(matrix.dtype) @ matrix  # (m, rank)
        done += len(chunk)
        last = int(np.searchsorted(ends, done)) + 1
        lengths, counts = np.unique(words.lengths[first:last], return_counts=True)
        sizes = (lengths * counts).tolist()
        blocks = zip(torch.split(projected, sizes), torch.split(chunk, sizes), strict=True)
        for n, (rows, given) in zip(lengths.tolist(), blocks, strict=True):
            vectors = torch.unflatten(given, 0, (-1, n)).numpy()
            for own, one in zip(vectors, predict(torch.unflatten(rows, 0, (-1, n))), strict=True):
                found[order[first]] = one.numpy()
                if (same := first_equal(own)) is not None:
                    found[order[first]] = one.numpy()[np.ix_(same, same) if pairs else same]
                first += 1
    return found

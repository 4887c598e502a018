"""Apply fitted components to the word vectors of many sentences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.losses.geometry import squared_depths, squared_distances
from structprobe.scores import Prediction
from structprobe.trees import decode_rooted


def predict_trees(
    distances: list[NDArray[np.float32]], depths: list[NDArray[np.float32]]
) -> list[Prediction]:
    """Decode the minimum spanning trees, rooted at the words with the smallest depth."""
    # distances (n_words, n_words), depths (n_words,)
    heads = decode_rooted(distances, depths)
    return [Prediction(*parts) for parts in zip(heads, distances, depths, strict=True)]


def project(words: Words, components: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """Project the words of each sentence."""
    # components (rank, hidden_size) -> (n_words, rank)
    return _by_length(lambda projected: projected, words, components)


def predict_distances(words: Words, components: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """Predict the distances between the words of each sentence."""
    # components (rank, hidden_size) -> (n_words, n_words)
    return _by_length(squared_distances, words, components, centred=True)


def predict_depths(words: Words, components: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """Predict the depth of each word."""
    # components (rank, hidden_size) -> (n_words,)
    return _by_length(squared_depths, words, components)


def _by_length(
    predict: Callable[[Tensor], Tensor],
    words: Words,
    components: NDArray[np.floating],
    *,
    centred: bool = False,
) -> list[NDArray[np.float32]]:
    """Project all words, and predict (b, n, rank) -> (b, ...) for b sentences of n words each."""
    matrix = torch.from_numpy(components).T  # (hidden_size, rank)
    order = np.argsort(words.lengths, kind="stable")
    words, ends = words.take(order), np.cumsum(words.lengths[order])
    found = [np.empty(0, np.float32)] * len(words)
    first = done = 0
    dtype = (
        torch.float64 if centred else matrix.dtype
    )  # a common offset can cost most of the digits
    for chunk in words.chunks(centred=centred, dtype=dtype):
        projected = chunk.to(matrix.dtype) @ matrix  # (m, rank)
        done += len(chunk)
        last = int(np.searchsorted(ends, done)) + 1
        lengths, counts = np.unique(words.lengths[first:last], return_counts=True)
        blocks = torch.split(projected, (lengths * counts).tolist())
        for n, rows in zip(lengths.tolist(), blocks, strict=True):
            predicted = predict(torch.unflatten(rows, 0, (-1, n))).numpy()
            same = order[first : first + len(predicted)]
            for index, one in zip(same.tolist(), predicted, strict=True):
                found[index] = one
            first += len(same)
    return found

"""Apply found components to the word vectors of many sentences."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.probe.geometry import squared_depths, squared_distances
from structprobe.probe.words import Words


def project(
    words: Words, components: NDArray[np.floating], *, centred: bool = False
) -> list[NDArray[np.float32]]:
    """Project the words of each sentence.

    Parameters
    ----------
    words : Words
        Word vectors.
    components : ndarray of float, shape (rank, hidden_size)
        The projection B.
    centred : bool
        Whether to centre each sentence first.

    Returns
    -------
    list of ndarray of float32, each (n_words, rank)
        The projected words.
    """
    matrix = torch.from_numpy(components).T  # (hidden_size, rank)
    parts = [chunk.to(matrix.dtype) @ matrix for chunk in words.chunks(centred=centred)]
    ends = np.cumsum(words.lengths)
    return np.split(torch.cat(parts).numpy(), ends[:-1])


def predict_distances(words: Words, components: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """Predict the distances between the words of each sentence.

    Parameters
    ----------
    words : Words
        Word vectors.
    components : ndarray of float, shape (rank, hidden_size)
        The projection B of the distance probe.

    Returns
    -------
    list of ndarray of float32, each (n_words, n_words)
        Symmetric, none below zero, zero on the diagonal.
    """
    projected = project(words, components, centred=True)
    distances: dict[int, NDArray[np.float32]] = {}
    for length in np.unique(words.lengths):
        same = np.flatnonzero(words.lengths == length).tolist()
        stacked = torch.from_numpy(np.stack([projected[i] for i in same]))  # (b, n, rank)
        distances |= zip(same, squared_distances(stacked).numpy(), strict=True)
    return [distances[index] for index in range(len(words))]


def predict_depths(words: Words, components: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """Predict the depth of each word.

    Parameters
    ----------
    words : Words
        Word vectors.
    components : ndarray of float, shape (rank, hidden_size)
        The projection B of the depth probe.

    Returns
    -------
    list of ndarray of float32, each (n_words,)
        None below zero.
    """
    projected = project(words, components)
    return [squared_depths(torch.from_numpy(one)).numpy() for one in projected]

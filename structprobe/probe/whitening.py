"""The coordinates in which a probe is trained: whitened ones, or the raw vectors as they are.

A probe's matrix absorbs any linear map of the vectors, so that the family of probes is the same
in all coordinates; only the path of the optimiser differs. In whitened coordinates, where the
second moment of the vectors is the identity, that path does not depend on how the model happens
to scale its directions. All sums over words are taken in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.words import Words, ragged, sentence_means

N_STRIPS = 4


@dataclass(frozen=True, slots=True)
class Moments:
    """Second moments of word vectors, in float64.

    Attributes
    ----------
    about_origin : Tensor, shape (hidden_size, hidden_size)
        About the origin, all that a depth sees.
    within : Tensor, shape (hidden_size, hidden_size)
        About the mean of each sentence, all that a distance sees.
    squared_norm : float
        Mean squared norm of the vectors.
    """

    about_origin: Tensor
    within: Tensor
    squared_norm: float


def second_moments(words: Words, device: torch.device | None = None) -> Moments:
    """Sum up the second moments of word vectors in one pass.

    Parameters
    ----------
    words : Words
        Word vectors.
    device : torch.device, optional
        Where to compute; it must know float64.

    Returns
    -------
    Moments
        The moments.
    """
    shape = words.hidden_size, words.hidden_size
    about_origin = torch.zeros(shape, dtype=torch.float64, device=device)
    between = torch.zeros_like(about_origin)
    for (first, last), chunk in zip(words.cuts(), words.chunks(device=device), strict=True):
        for columns in _strips(words.hidden_size):
            strip, rest = chunk[:, columns], chunk[:, columns.start :]
            about_origin[columns, columns.start :].addmm_(strip.T, rest)
        lengths = words.lengths[first:last]
        means = sentence_means(chunk, lengths)
        between.addmm_((means * torch.from_numpy(lengths).to(means)[:, None]).T, means)
    about_origin = about_origin.triu() + about_origin.triu(1).T
    n_words = int(words.lengths.sum())
    squared_norm = float(about_origin.trace()) / n_words
    return Moments(about_origin / n_words, (about_origin - between) / n_words, squared_norm)


def whitening(moments: Moments, *, centred: bool) -> Tensor:
    """Find the map to coordinates in which the vectors' second moment is the identity.

    Directions whose variance is below the resolution of float32 vectors (its eps squared, times
    the mean squared norm of the vectors) hold rounding only and are dropped: layer-normed vectors
    have such a direction.

    Parameters
    ----------
    moments : Moments
        Of the vectors.
    centred : bool
        True for distances, which see the covariance within sentences only. False for depths,
        which have an origin: the second moment is taken about it.

    Returns
    -------
    Tensor of float64, shape (n_kept, hidden_size)
        The map A: ``A h`` are the whitened coordinates, and components C found in them are
        ``C A`` in the coordinates of the raw vectors.

    Raises
    ------
    ProbeError
        No direction is kept.
    """
    moment = moments.within if centred else moments.about_origin
    variances, directions = torch.linalg.eigh(moment)  # (hidden,), (hidden, hidden)
    kept = variances > torch.finfo(torch.float32).eps ** 2 * moments.squared_norm
    if not kept.any():
        fault = "all words of a sentence have the same vector" if centred else "all vectors are 0"
        raise ProbeError(fault, hint="look at the layer, and at how it was encoded")
    return (directions[:, kept] / variances[kept].sqrt()).T.contiguous()


def coordinates(
    words: Words, basis: Tensor | None, first_rows: NDArray[np.int64], *, centred: bool
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Give words in the coordinates to train in, some at a time.

    Parameters
    ----------
    words : Words
        Word vectors.
    basis : Tensor of float64, shape (n_kept, hidden_size), or None
        The map of `whitening`, where the work is done; None for the raw coordinates.
    first_rows : ndarray of int, shape (n_sentences,)
        The row for the first word of each sentence, on which the others follow; -1 for sentences
        that are left out.
    centred : bool
        Whether each sentence is centred.

    Yields
    ------
    rows : ndarray of int, shape (m,)
        The row for each word.
    values : Tensor of float, shape (m, n_kept or hidden_size)
        The words.
    """
    # The map is exact and the words are centred exactly; their product is as exact as the words.
    change = None if basis is None else basis.float().T
    chunks = words.chunks(centred=centred, device=None if basis is None else basis.device)
    for (first, last), chunk in zip(words.cuts(), chunks, strict=True):
        sentence, inside = ragged(words.lengths[first:last])
        starts = first_rows[first:last][sentence]
        taken = np.flatnonzero(starts >= 0)
        values = chunk if change is None else chunk.float() @ change
        if len(taken) < len(starts):
            values = values[torch.from_numpy(taken).to(values.device)]
        yield (starts + inside)[taken], values


def lay_out(
    words: Words,
    basis: Tensor | None,
    out: Tensor,
    first_rows: NDArray[np.int64],
    *,
    centred: bool,
) -> None:
    """Lay words out in the coordinates to train in.

    Parameters
    ----------
    words, basis, first_rows, centred
        As for `coordinates`.
    out : Tensor, shape (n_rows, at least n_kept or hidden_size)
        Filled; what is not written stays.
    """
    for rows, values in coordinates(words, basis, first_rows, centred=centred):
        place = torch.from_numpy(rows).to(out.device)
        out[:, : values.shape[1]].index_copy_(0, place, values.to(out))


def _strips(width: int) -> list[slice]:
    """Cut the columns of a symmetric matrix so that its upper triangle is little more than half."""
    strip = -(-width // N_STRIPS)
    return [slice(first, min(first + strip, width)) for first in range(0, width, strip)]

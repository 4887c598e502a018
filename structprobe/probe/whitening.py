"""The coordinates in which a probe is trained: whitened ones, or the raw vectors as they are.

A probe's matrix absorbs any linear map of the vectors, so that the family of probes is the same
in all coordinates; only the path of the optimiser differs. In whitened coordinates, where the
second moment of the vectors is the identity, that path does not depend on how the model happens
to scale its directions. All sums are taken in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.words import Words


def whitening(words: Words, *, centred: bool) -> Tensor:
    """Find the map to coordinates in which the vectors' second moment is the identity.

    Directions whose variance is below the resolution of float32 vectors (its eps squared, times
    the mean squared norm of the vectors) hold rounding only and are dropped: layer-normed vectors
    have such a direction.

    Parameters
    ----------
    words : Words
        Word vectors.
    centred : bool
        True for distances: each sentence is centred first, which gives the covariance within
        sentences, all that a distance can see. False for depths, which have an origin: the
        second moment is taken about it.

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
    moment = torch.zeros(words.hidden_size, words.hidden_size, dtype=torch.float64)
    for chunk in words.chunks(centred=centred):
        moment.addmm_(chunk.T, chunk)
    squared_norm = sum(float(chunk.square().sum()) for chunk in words.chunks())
    n_words = int(words.lengths.sum())
    variances, directions = torch.linalg.eigh(moment / n_words)  # (hidden,), (hidden, hidden)
    resolution = torch.finfo(torch.float32).eps ** 2 * squared_norm / n_words
    kept = variances > resolution
    if not kept.any():
        fault = "all words of a sentence have the same vector" if centred else "all vectors are 0"
        raise ProbeError(fault, hint="look at the layer, and at how it was encoded")
    return (directions[:, kept] / variances[kept].sqrt()).T.contiguous()


def coordinates(words: Words, basis: Tensor | None, *, centred: bool) -> Tensor:
    """Lay the words out one below the other, in float32, in the coordinates to train in.

    Parameters
    ----------
    words : Words
        Word vectors, in the order to lay them out.
    basis : Tensor of float64, shape (n_kept, hidden_size), or None
        The map of `whitening`; None for the raw coordinates.
    centred : bool
        Whether each sentence is centred.

    Returns
    -------
    Tensor of float32, shape (n_words_total, n_kept or hidden_size)
        The coordinates.
    """
    width = words.hidden_size if basis is None else len(basis)
    out = torch.empty(int(words.lengths.sum()), width)
    done = 0
    for chunk in words.chunks(centred=centred):
        out[done : done + len(chunk)] = chunk if basis is None else chunk @ basis.T
        done += len(chunk)
    return out

"""The coordinates in which a probe is trained: whitened ones, or the raw vectors as they are.

A probe's matrix absorbs any linear map of the vectors, so that the family of probes is the same
in all coordinates; only the path of the optimiser differs. In whitened coordinates, where the
second moment of the vectors is the identity, that path does not depend on how the model happens
to scale its directions. All sums over words are taken in float64.

A direction in which the vectors hold nothing but rounding, as layer norm leaves one, is dropped:
whitened, it would be noise at full size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.ragged_vectors import FLOAT32_EPS, Words, ragged, sentence_means

N_STRIPS = 4


@dataclass(frozen=True, slots=True)
class Moments:
    """Second moments of word vectors, in float64."""

    about_origin: Tensor  # (hidden_size, hidden_size): about the origin, all that a depth sees
    within: Tensor  # (hidden_size, hidden_size): about the mean of each sentence
    squared_norm: float  # Mean squared norm of the vectors
    eps: float  # The resolution of the type in which the vectors were computed


def second_moments(words: Words, device: torch.device | None = None) -> Moments:
    """Sum up the second moments of word vectors in one pass."""
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
    within = (about_origin - between) / n_words
    return Moments(about_origin / n_words, within, squared_norm, words.eps)


def whitening(moments: Moments, *, centred: bool) -> Tensor:
    """Find the map to coordinates in which the vectors' second moment is the identity."""
    # -> (n_kept, hidden_size)
    moment = moments.within if centred else moments.about_origin
    variances, directions = torch.linalg.eigh(moment)  # (hidden,), (hidden, hidden)
    # Rounding a number to the nearest moves it in proportion to its size: what a direction holds of
    # that goes by the sizes of the coordinates that it is made of. In float32 it is less than what
    # computing adds, which goes by the size of the whole vector.
    rounding = moments.eps**2 * (directions.square().T @ moments.about_origin.diagonal())
    kept = variances > rounding.clamp(min=FLOAT32_EPS**2 * moments.squared_norm)
    if not kept.any():
        fault = "all words of a sentence have the same vector" if centred else "all vectors are 0"
        raise ProbeError(fault, hint="look at the layer, and at how it was encoded")
    basis: Tensor = (directions[:, kept] / variances[kept].sqrt()).T
    return basis.contiguous()


def coordinates(
    words: Words, basis: Tensor | None, first_rows: NDArray[np.int64], *, centred: bool
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Give words in the coordinates to train in, some at a time."""
    # basis (n_kept, hidden_size), first_rows (n_sentences,) -> (m,), (m, n_kept or hidden_size)
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
    """Lay words out in the coordinates to train in."""
    # out (n_rows, at least n_kept or hidden_size)
    for rows, values in coordinates(words, basis, first_rows, centred=centred):
        place = torch.from_numpy(rows).to(out.device)
        out[:, : values.shape[1]].index_copy_(0, place, values.to(out))


def _strips(width: int) -> list[slice]:
    """Cut the columns of a symmetric matrix so that its upper triangle is little more than half."""
    strip = -(-width // N_STRIPS)
    return [slice(first, min(first + strip, width)) for first in range(0, width, strip)]

"""The coordinates in which a probe is trained: whitened, or the raw vectors.

A probe's matrix absorbs any linear map of the vectors, so the family of probes is the same in all
coordinates; only the path of the optimiser differs. In whitened coordinates, where the second
moment of the vectors is the identity, that path does not depend on how the model happens to scale
its directions. All sums over words are computed in float64.

Directions in which the vectors contain nothing but rounding errors (layer norm leaves one) are
dropped: whitening would scale them up to full-size noise.
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

    about_origin: Tensor  # (hidden_size, hidden_size): for depths
    within: Tensor  # (hidden_size, hidden_size): about each sentence mean, for distances
    squared_norm: float  # Mean squared norm of the vectors
    eps: float  # The resolution of the type in which the vectors were computed


def second_moments(words: Words, device: torch.device | None = None) -> Moments:
    """Compute the second moments of word vectors in one pass."""
    width = words.hidden_size
    strip = -(-width // N_STRIPS)  # of columns: strips cover little but the upper triangle
    about_origin = torch.zeros((width, width), dtype=torch.float64, device=device)
    between = torch.zeros_like(about_origin)
    for (first, last), chunk in zip(words.cuts(), words.chunks(device=device), strict=True):
        for first_column in range(0, width, strip):
            columns, rest = slice(first_column, first_column + strip), slice(first_column, None)
            about_origin[columns, rest].addmm_(chunk[:, columns].T, chunk[:, rest])
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
    # Rounding errors are proportional to the rounded numbers: those of a direction depend on the
    # sizes of the coordinates it consists of. In float32 they are smaller than the errors of
    # computation, which depend on the size of the whole vector.
    rounding = moments.eps**2 * (directions.square().T @ moments.about_origin.diagonal())
    kept = variances > rounding.clamp(min=FLOAT32_EPS**2 * moments.squared_norm)
    if not kept.any():
        what = "all words of a sentence have the same vector" if centred else "all vectors are 0"
        raise ProbeError(what, hint="check the layer and how it was encoded")
    basis: Tensor = (directions[:, kept] / variances[kept].sqrt()).T
    return basis.contiguous()


def coordinates(
    words: Words, basis: Tensor | None, first_rows: NDArray[np.int64], *, centred: bool
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Transform words to the training coordinates, in chunks."""
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
    words: Words, basis: Tensor | None, out: Tensor, first_rows: NDArray[np.int64], *, centred: bool
) -> None:
    """Write words into `out`, in the training coordinates."""
    # out (n_rows, at least n_kept or hidden_size)
    for rows, values in coordinates(words, basis, first_rows, centred=centred):
        place = torch.from_numpy(rows).to(out.device)
        out[:, : values.shape[1]].index_copy_(0, place, values.to(out))

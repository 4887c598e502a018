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
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.examples import Gold
from structprobe.probe.data.ragged_vectors import FLOAT32_EPS, Words, ragged, sentence_means
from structprobe.probe.types import Layer

N_STRIPS = 4


@dataclass(frozen=True, slots=True)
class Moments:
    """Second moments of word vectors, in float64."""

    about_origin: Tensor  # (hidden_size, hidden_size): for depths
    within: Tensor  # (hidden_size, hidden_size): about each sentence mean, for distances
    mean: Tensor  # (hidden_size,): of all words
    squared_norm: float  # Mean squared norm of the vectors
    eps: float  # The resolution of the type in which the vectors were computed
    neighbours: Neighbours | None = None  # If trees were given


@dataclass
class SharedMoments:
    """Moments of layers whose words several fits share, as long as they take few bytes."""

    most_bytes: int = 2**29
    of: dict[Layer, Moments] = field(default_factory=dict)

    def keep(self, layer: Layer, moments: Moments) -> None:
        """Keep the moments of a layer, without those of edges, if there is room."""
        size = 2 * moments.within.nbytes
        if (len(self.of) + 1) * size <= self.most_bytes:
            self.of[layer] = replace(moments, neighbours=None)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Moments of the differences between words with an edge, later minus earlier, in float64."""

    second: Tensor  # (hidden_size, hidden_size): as `Moments.within` if edges were like all pairs
    first: Tensor  # (hidden_size,): their sum


def second_moments(
    words: Words,
    device: torch.device | None = None,
    distances: Gold | None = None,
    known: Moments | None = None,
) -> Moments:
    """Compute the second moments of word vectors in one pass; with distances, of edges too.

    Those of the same words without their edges may be known already.
    """
    if known is not None and distances is None:
        return known
    width = words.hidden_size
    about_origin = torch.zeros((width, width), dtype=torch.float64, device=device)
    between, edges = torch.zeros_like(about_origin), torch.zeros_like(about_origin)
    first_of_edges, total = torch.zeros_like(about_origin[0]), torch.zeros_like(about_origin[0])
    for (first, last), chunk in zip(words.cuts(), words.chunks(device=device), strict=True):
        lengths = words.lengths[first:last]
        if known is None:
            _add_square(about_origin, chunk)
            means = sentence_means(chunk, lengths)
            sums = means * torch.from_numpy(lengths).to(means)[:, None]
            between.addmm_(sums.T, means)
            total += sums.sum(0)
        if distances is not None:
            pairs = [torch.from_numpy(some) for some in _edges(distances, lengths, first)]
            earlier, later = (chunk.index_select(0, some.to(chunk.device)) for some in pairs)
            _add_square(edges, later.sub_(earlier))
            first_of_edges += later.sum(0)
    n_words = int(words.lengths.sum())
    if known is None:
        about_origin = _whole(about_origin)
        squared_norm = float(about_origin.trace()) / n_words
        within = (about_origin - between) / n_words
        moments = about_origin / n_words, within, total / n_words
        known = Moments(*moments, squared_norm, words.eps)
    if distances is None:
        return known
    # The differences of all pairs of a sentence, as many as it has edges, have the moment
    # 2 * n * within: so both are the same where edges are like any pair.
    return replace(known, neighbours=Neighbours(_whole(edges) / (2 * n_words), first_of_edges))


def _whole(upper: Tensor) -> Tensor:
    """Fill in the lower triangle of a symmetric matrix."""
    return upper.triu() + upper.triu(1).T


def _add_square(total: Tensor, rows: Tensor) -> None:
    """Add the products of the columns of some rows, the upper triangle only."""
    # total (width, width), rows (m, width)
    strip = -(-len(total) // N_STRIPS)  # of columns: strips cover little but the upper triangle
    for first_column in range(0, len(total), strip):
        columns, rest = slice(first_column, first_column + strip), slice(first_column, None)
        total[columns, rest].addmm_(rows[:, columns].T, rows[:, rest])


def _edges(
    distances: Gold, lengths: NDArray[np.int64], first: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the two words of each edge of some sentences, among all of their words."""
    # lengths (b,), of the sentences from `first` on -> (m,), (m,)
    sentence, cell = ragged(lengths**2)
    near = distances.values[distances.starts[first : first + len(lengths)][sentence] + cell] == 1
    sentence, cell = sentence[near], cell[near]
    earlier, later = np.divmod(cell, lengths[sentence])
    starts, kept = (np.cumsum(lengths) - lengths)[sentence], earlier < later
    return (starts + earlier)[kept], (starts + later)[kept]


def whitening(moments: Moments, *, centred: bool | Literal["mean"]) -> Tensor:
    """Find the map to coordinates in which the vectors' second moment is the identity."""
    # -> (n_kept, hidden_size)
    moment = moments.within if centred else moments.about_origin
    if centred == "mean":  # that of all words, not of each sentence
        moment = moments.about_origin - torch.outer(moments.mean, moments.mean)
    variances, directions = torch.linalg.eigh(moment)  # (hidden,), (hidden, hidden)
    # Rounding errors are proportional to the rounded numbers: those of a direction depend on the
    # sizes of the coordinates it consists of. In float32 they are smaller than the errors of
    # computation, which depend on the size of the whole vector.
    rounding = moments.eps**2 * (directions.square().T @ moments.about_origin.diagonal())
    kept = variances > rounding.clamp(min=FLOAT32_EPS**2 * moments.squared_norm)
    if not kept.any():
        what = "all words of a sentence have the same vector" if centred else "all vectors are 0"
        what = "all words have the same vector" if centred == "mean" else what
        raise ProbeError(what, hint="check the layer and how it was encoded")
    basis: Tensor = (directions[:, kept] / variances[kept].sqrt()).T
    return basis.contiguous()


def tree_axes(moments: Moments) -> tuple[Tensor, Tensor]:
    """Turn whitened coordinates to axes along which heads and dependents are more or less close.

    Gives the map, and the closeness of each axis: 1 minus the mean square of the difference along
    an edge, relative to that of any two words of a sentence; at least 0, and relative to the
    highest, which comes first. A linear map of the vectors changes neither.
    """
    # -> (n_kept, hidden_size), (n_kept,)
    assert moments.neighbours is not None
    basis = whitening(moments, centred=True)
    spread, axes = torch.linalg.eigh(basis @ moments.neighbours.second @ basis.T)
    basis = axes.T @ basis
    # The sign of an axis is open, and the initial components depend on it.
    signs = torch.where(basis @ moments.neighbours.first < 0, -1.0, 1.0)
    closeness = (1 - spread).clamp(min=0)
    return (basis * signs[:, None]).contiguous(), closeness / closeness[0].clamp(min=FLOAT32_EPS)


def coordinates(
    words: Words,
    basis: Tensor | None,
    first_rows: NDArray[np.int64],
    *,
    centred: bool,
    origin: Tensor | None = None,
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Transform words to the training coordinates, in chunks; the origin is moved to 0 first."""
    # basis (n_kept, hidden_size), first_rows (n_sentences,), origin (hidden_size,)
    # -> (m,), (m, n_kept or hidden_size)
    # The map is exact and the words are centred exactly; their product is as exact as the words.
    change = None if basis is None else basis.float().T
    chunks = words.chunks(centred=centred, device=None if basis is None else basis.device)
    for (first, last), chunk in zip(words.cuts(), chunks, strict=True):
        sentence, inside = ragged(words.lengths[first:last])
        starts = first_rows[first:last][sentence]
        taken = np.flatnonzero(starts >= 0)
        if origin is not None:
            chunk -= origin
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
    origin: Tensor | None = None,
) -> None:
    """Write words into `out`, in the training coordinates."""
    # out (n_rows, at least n_kept or hidden_size), origin (hidden_size,)
    for rows, values in coordinates(words, basis, first_rows, centred=centred, origin=origin):
        place = torch.from_numpy(rows).to(out.device)
        out[:, : values.shape[1]].index_copy_(0, place, values.to(out))

"""Geometries: how the distance of two words follows from their projections.

With ``u = B h``, the projection of the word vector ``h``, the distance of two words is

- ``"euclidean"``: ``‖u - v‖²``, the squared L2 distance (Hewitt and Manning 2019).
- ``"hyperbolic"``: the squared distance ``d(exp(u), exp(v))²`` of two points of the Poincaré ball
  of curvature -1, where ``exp(u) = tanh(‖u‖) u / ‖u‖`` (Chen et al. 2021, Probing BERT in
  Hyperbolic Spaces, equations 1 to 4). Their probe has two matrices, ``Q ⊗ exp(P h)``, which is
  ``exp(Q P h)``: so one matrix, ``B = Q P``, describes the same family. The squared distance of a
  point from the centre of the ball, their depth, is ``4 ‖B h‖²``, as in the L2 geometry.
- ``"signed"``: ``‖B₁ (h - k)‖² - ‖B₂ (h - k)‖²``, where ``B₁`` is the first half of the rows of
  ``B`` and ``B₂`` the second, the smaller if their number is odd. It is any symmetric bilinear form
  with as many positive and negative directions, the squared interval of a pseudo-Euclidean space
  (Goldfarb 1984, A Unified Approach to Pattern Recognition), and may be negative.
- ``"polynomial"``, ``"sigmoid"``, ``"rbf"``: the squared distance in the feature space of a kernel,
  ``κ(u, u) - 2 κ(u, v) + κ(v, v)`` (White et al. 2021, A Non-Linear Structural Probe, which has as
  many parameters as the linear one), with the kernels ``(u·v + 1)²``, ``10 tanh(u·v)`` and
  ``5 exp(-‖u - v‖²)``. The width of the last and the slope of the second are those of ``B``; their
  heights are fixed, and bound the distances, those of ``rbf`` by 10. Kernels are evaluated between
  the projected words of a sentence only, so the cost is that of the L2 geometry, and needs no
  landmarks. ``tanh`` is no Mercer kernel, so that its distances may be negative. Those of ``rbf``
  grow with ``‖u - v‖``: its trees are minimum spanning trees of an L2 geometry, and it differs in
  the loss alone, which neglects how far apart distant words are.

The L2 geometry, ``"signed"`` and ``"rbf"`` depend on differences of words alone, so their vectors
are centred by sentence; for the others, the origin of the vectors has a meaning. Depths are squared
lengths in all geometries. All families are closed under linear maps of the vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from structprobe.probe.losses.geometry import squared_distances

# From the weights of all distances, (..., n, n) and symmetric, to the gradient of the weighted sum
# of the distances in the projected words, (..., n, rank).
Pull = Callable[[Tensor], Tensor]

# The heights of kernels: trees of treebanks are about 10 wide, and few distances are larger. With
# heights of 1, all words are soon as far apart as they can be, and the gradient vanishes.
RBF_HEIGHT, SIGMOID_HEIGHT = 5.0, 10.0

# Below this, a square counts as this: it is lost in the rounding of float32.
_TINY = 1e-12


class Geometry(Protocol):
    """How distances follow from projected words."""

    by_differences: bool  # Whether they depend on the differences of words alone
    homogeneous: bool  # Whether they grow by f² if the projections grow by f

    def measure(self, words: Tensor) -> tuple[Tensor, Pull]:
        """Give the distances between the words of each sentence, and their gradient."""
        # words (..., n, rank) -> (..., n, n)


class Euclidean:
    """Squared L2 distances."""

    by_differences = homogeneous = True

    def measure(self, words: Tensor) -> tuple[Tensor, Pull]:
        """Give the distances and their gradient, four times the Laplacian of the weights."""
        return squared_distances(words), lambda weights: _laplacian(weights * -4) @ words


class Signed:
    """Squared L2 distances along half of the axes, minus those along the others."""

    by_differences = homogeneous = True

    def measure(self, words: Tensor) -> tuple[Tensor, Pull]:
        """Give the distances and their gradient, as in the L2 geometry."""
        signs = torch.ones_like(words[..., :1, :])  # (..., 1, rank)
        signs[..., -(words.shape[-1] // 2) :] = -1
        words = words - words.mean(-2, keepdim=True)
        signed = words * signs
        distances = _from_gram(signed @ words.mT)
        return distances, lambda weights: _laplacian(weights * -4) @ signed


class Hyperbolic:
    """Squared distances in the Poincaré ball."""

    by_differences = homogeneous = False

    def measure(self, words: Tensor) -> tuple[Tensor, Pull]:
        """Compute in the hyperboloid model, where a point is ``(cosh r, sinh(r) u / ‖u‖)``.

        r is its distance from the origin, ``2 ‖u‖``. The product of two points ``C C' - V·V'`` is
        the hyperbolic cosine of their distance d, or 1 + 2x with ``x = sinh(d / 2)²``.
        """
        squares = words.square().sum(-1, keepdim=True).clamp(min=_TINY)  # (..., n, 1)
        norms = squares.sqrt()
        stretch = (2 * norms).sinh() / norms
        points = stretch * words  # V, (..., n, rank)
        heights = (2 * norms).cosh()  # C, (..., n, 1)
        x = ((heights * heights.mT - points @ points.mT - 1) / 2).clamp(min=_TINY)
        roots, hypotenuses = x.sqrt(), (1 + x).sqrt()
        # d / 2 = asinh(√x), which takes torch 17 times as long as this form of it.
        halves = (roots + x / (1 + hypotenuses)).log1p()
        distances = _zero_diagonal(4 * halves.square())

        def pull(weights: Tensor) -> Tensor:
            slopes = weights * (4 * halves / (roots * hypotenuses))  # in x
            towards = (slopes @ heights) / heights * points - slopes @ points  # in V
            along = (words * towards).sum(-1, keepdim=True) * (2 * heights - stretch) / squares
            return stretch * towards + along * words

        return distances, pull


@dataclass(frozen=True, slots=True)
class Kernel:
    """Squared distances in the feature space of a kernel of the inner product."""

    of: Callable[[Tensor], tuple[Tensor, Tensor]]  # The kernel and its slope
    by_differences = homogeneous = False

    def measure(self, words: Tensor) -> tuple[Tensor, Pull]:
        """Give the distances and their gradient, a Laplacian of the slopes."""
        values, slopes = self.of(words @ words.mT)  # (..., n, n)

        def pull(weights: Tensor) -> Tensor:
            own = slopes.diagonal(dim1=-2, dim2=-1) * weights.sum(-1)  # (..., n)
            cells = weights * slopes * -4
            cells.diagonal(dim1=-2, dim2=-1).add_(own, alpha=4)
            return cells @ words

        return _from_gram(values), pull


class RadialBasis:
    """Squared distances in the feature space of the kernel ``κ = 5 exp(-‖u - v‖²)``: 10 - 2 κ."""

    by_differences, homogeneous = True, False

    def measure(self, words: Tensor) -> tuple[Tensor, Pull]:
        """Give the distances and their gradient, that of the L2 geometry times 2 κ."""
        kernel = squared_distances(words).neg_().exp_()  # (..., n, n)

        def pull(weights: Tensor) -> Tensor:
            return _laplacian(weights * kernel * (-8 * RBF_HEIGHT)) @ words

        return (1 - kernel) * (2 * RBF_HEIGHT), pull


def _square(products: Tensor) -> tuple[Tensor, Tensor]:
    """Give the polynomial kernel of degree 2, and its slope."""
    return (products + 1).square(), 2 * (products + 1)


def _tanh(products: Tensor) -> tuple[Tensor, Tensor]:
    """Give the sigmoid kernel, and its slope."""
    values = products.tanh()
    return SIGMOID_HEIGHT * values, SIGMOID_HEIGHT * (1 - values.square())


EUCLIDEAN = Euclidean()
GEOMETRIES: dict[str, Geometry] = {
    "euclidean": EUCLIDEAN,
    "hyperbolic": Hyperbolic(),
    "signed": Signed(),
    "polynomial": Kernel(_square),
    "sigmoid": Kernel(_tanh),
    "rbf": RadialBasis(),
}


def _laplacian(cells: Tensor) -> Tensor:
    """Subtract the sum of each row from the diagonal, in place."""
    cells.diagonal(dim1=-2, dim2=-1).sub_(cells.sum(-1))
    return cells


def _from_gram(gram: Tensor) -> Tensor:
    """Distances from inner products of any sign, (..., n, n)."""
    squares = gram.diagonal(dim1=-2, dim2=-1)  # (..., n)
    return _zero_diagonal(squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2 * gram)


def _zero_diagonal(distances: Tensor) -> Tensor:
    """Remove what rounding adds: on the diagonal, and between two directions."""
    distances = (distances + distances.mT) / 2
    distances.diagonal(dim1=-2, dim2=-1).zero_()
    return distances

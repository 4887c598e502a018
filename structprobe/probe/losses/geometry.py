"""Squared L2 geometry: distances and depths of projected words, the losses and their gradients.

Everything here works on tensors and knows neither sentences nor treebanks. A word vector ``h`` is
projected by the components ``B`` (rank, hidden_size); the squared length of ``B (h_i - h_j)`` is
the predicted distance of two words and that of ``B h_i`` the predicted depth of one (Hewitt and
Manning 2019, section 2.2, equation 1, and section 2.3).

The distances are computed from the Gram matrix of the projected words, ``d_ij = g_ii + g_jj -
2 g_ij``, never from a tensor of differences. Gradients are in closed form: with ``S`` the weighted
signs of the errors and ``L = diag(S 1) - S`` its Laplacian, the gradient of the loss in the
projected words ``P`` (n, rank) of a sentence is ``4 L P``, hence ``4 (L P)^T H`` in ``B``; for
depths it is ``2 (s P)^T H``. All functions take leading dimensions (such as layers) of the vectors
and the components.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from structprobe.probe.data.batches import PairBatch, WordBatch


def squared_distances(projected: Tensor) -> Tensor:
    """Squared L2 distances between the projected words of each sentence."""
    # projected (..., n, rank) -> (..., n, n)
    # Without centring, float32 loses half of its digits if the vectors lie far from the origin.
    centred = projected - projected.mean(-2, keepdim=True)  # (..., n, rank)
    distances = centred @ centred.mT  # the Gram matrix, (..., n, n); the diagonal becomes exactly 0
    squares = distances.diagonal(dim1=-2, dim2=-1).clone()  # (..., n)
    distances.mul_(-2).add_(squares.unsqueeze(-1)).add_(squares.unsqueeze(-2))
    return ((distances + distances.mT) / 2).clamp_(min=0)


def squared_depths(projected: Tensor) -> Tensor:
    """Squared L2 lengths of the projected words."""
    # projected (..., n, rank) -> (..., n)
    return projected.square().sum(-1)


class DistanceLoss:
    """L1 loss of the distances: summed over word pairs, over n² per sentence, mean over the batch.

    Hewitt and Manning 2019, section 3. A one-word sentence counts and adds nothing. The memory is
    reused; not thread-safe. A step takes four times as many views of its blocks as operations on
    numbers, so the views of a batch that will be used again are kept.
    """

    def __init__(self) -> None:
        self._shape: torch.Size | None = None  # of the components
        self._memory: list[Tensor] = []  # two of rows, two of cells, for the largest batch so far
        self._views: dict[int, tuple[PairBatch, _Views]] = {}

    def __call__(
        self,
        components: Tensor,
        vectors: Tensor,
        batch: PairBatch,
        gradient: Tensor | None = None,
        vector_gradient: Tensor | None = None,
    ) -> Tensor:
        """Give the loss, and fill in the gradients."""
        # components (..., rank, width), vectors (..., m, width), gradient (..., rank, width)
        # vector_gradient (..., m, width) -> (...,)
        views = self._views_of(batch, components)
        _project(vectors, components, out=views.projected)  # (..., m, rank)
        for block in views.blocks:
            _multiply(block.words, block.words_t, block.cells)  # Gram matrices, (..., b, n, n)
        squares = views.cells.index_select(-1, batch.diagonal)  # (..., m)
        for block in views.blocks:
            own = torch.unflatten(squares[..., block.rows], -1, block.shape)  # (..., b, n)
            torch.add(own.unsqueeze(-1), own.unsqueeze(-2), out=block.errors)
        # The Gram matrices become signs, then Laplacians; the sums become distances, then errors.
        cells, errors = views.cells, views.errors
        errors.add_(cells, alpha=-2).sub_(batch.gold)
        torch.sign(errors, out=cells)
        cells *= batch.weights
        loss = errors.mul_(cells).sum(-1)
        if gradient is None:
            return loss + self._more(batch, views.projected, None)
        cells *= -4
        for block in views.blocks:
            block.diagonal.sub_(block.cells.sum(-1))  # 4 L
            _multiply(block.cells, block.words, block.pulled)
        loss += self._more(batch, views.projected, views.pulled)
        fill_gradients(views.pulled, components, vectors, gradient, vector_gradient)
        return loss

    def _more(self, batch: PairBatch, projected: Tensor, pulled: Tensor | None) -> Tensor | float:
        """Give what a subclass adds to the loss, and add its gradient in the projected words."""
        # projected (..., m, rank), pulled (..., m, rank) -> (...,)
        return 0.0

    def _views_of(self, batch: PairBatch, components: Tensor) -> _Views:
        """Give the views of the memory for a batch; the memory grows with the batches."""
        *leading, rank, _ = components.shape
        row_shape, cell_shape = (*leading, len(batch.diagonal), rank), (*leading, len(batch.gold))
        sizes = [torch.Size(shape).numel() for shape in (row_shape, cell_shape)]
        room = [len(flat) for flat in self._memory[::2]]
        if components.shape != self._shape or room[0] < sizes[0] or room[1] < sizes[1]:
            # Flat, so that it is contiguous for each batch, whatever its size.
            self._memory = [components.new_empty(size) for size in sizes for _ in range(2)]
            self._shape, self._views = components.shape, {}
        if id(batch) in self._views:
            return self._views[id(batch)][1]
        projected, pulled = (_cut(flat, row_shape) for flat in self._memory[:2])
        cells, errors = (_cut(flat, cell_shape) for flat in self._memory[2:])
        blocks = []
        for block in batch.blocks:
            b, n = block.n_sentences, block.n_words
            words, own_pulled = (
                torch.unflatten(part[..., block.rows, :], -2, (b, n))
                for part in (projected, pulled)
            )
            square, own_errors = (
                torch.unflatten(part[..., block.cells], -1, (b, n, n)) for part in (cells, errors)
            )
            diagonal = square.diagonal(dim1=-2, dim2=-1)
            views = words, words.mT, own_pulled, square, own_errors, diagonal
            blocks.append(_BlockViews((b, n), block.rows, *views))
        found = _Views(projected, pulled, cells, errors, blocks)
        if batch.stays:
            self._views[id(batch)] = batch, found  # the batch too, so that its id stays in use
        return found


def depth_loss(
    components: Tensor,
    vectors: Tensor,
    batch: WordBatch,
    gradient: Tensor | None = None,
    vector_gradient: Tensor | None = None,
) -> Tensor:
    """L1 loss of the depths: summed over words, over n per sentence, mean over the batch."""
    # Hewitt and Manning 2019, section 3
    projected = components.new_empty(*vectors.shape[:-1], components.shape[-2])
    _project(vectors, components, out=projected)  # (..., m, rank)
    errors = squared_depths(projected).sub_(batch.gold)  # (..., m)
    signs = errors.sign().mul_(batch.weights)
    loss = errors.mul_(signs).sum(-1)
    if gradient is not None:
        projected *= signs.mul_(2).unsqueeze(-1)
        fill_gradients(projected, components, vectors, gradient, vector_gradient)
    return loss


def _project(vectors: Tensor, components: Tensor, out: Tensor) -> None:
    """Compute ``H Bᵀ`` in the type of H into memory in the type of B."""
    if vectors.dtype == components.dtype:
        torch.matmul(vectors, components.mT, out=out)
    else:
        out.copy_(vectors @ components.to(vectors.dtype).mT)


def fill_gradients(
    pulled: Tensor,
    components: Tensor,
    vectors: Tensor,
    gradient: Tensor,
    vector_gradient: Tensor | None,
) -> None:
    """Compute ``Gᵀ H`` in the type of H, and ``G B``; G is the gradient in the projected words."""
    if vectors.dtype == gradient.dtype:
        torch.matmul(pulled.mT, vectors, out=gradient)
    else:
        gradient.copy_(pulled.to(vectors.dtype).mT @ vectors)
    if vector_gradient is not None:
        torch.matmul(pulled, components, out=vector_gradient)


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Batched product into a view."""
    if left.dim() == 3:
        torch.bmm(left, right, out=out)
    else:
        out.copy_(left @ right)


@dataclass(frozen=True, slots=True)
class _BlockViews:
    """One block of a batch: b sentences of n words."""

    shape: tuple[int, int]  # b, n
    rows: slice
    words: Tensor  # (..., b, n, rank)
    words_t: Tensor
    pulled: Tensor  # (..., b, n, rank)
    cells: Tensor  # (..., b, n, n)
    errors: Tensor
    diagonal: Tensor  # (..., b, n), of the cells


@dataclass(frozen=True, slots=True)
class _Views:
    """The memory that a step on one batch writes into, whole and by block."""

    projected: Tensor  # (..., m, rank)
    pulled: Tensor  # the gradient in `projected`
    cells: Tensor  # (..., c)
    errors: Tensor
    blocks: list[_BlockViews]


def _cut(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """View the beginning of flat memory in a shape."""
    return flat[: torch.Size(shape).numel()].view(shape)

"""Squared L2 geometry: distances and depths of projected words, the losses and their gradients.

Everything here works on tensors and knows neither sentences nor treebanks. A word vector ``h`` is
projected by the components ``B`` (rank, hidden_size); the squared length of ``B (h_i - h_j)`` is
the predicted distance of two words and that of ``B h_i`` the predicted depth of one (Hewitt and
Manning 2019, section 2.2, equation 1, and section 2.3).

The distances come from the Gram matrix of the projected words, ``d_ij = g_ii + g_jj - 2 g_ij``,
and never from a tensor of differences. The gradient is written down rather than derived: with
``S`` the signs of the errors, weighted, and ``L = diag(S 1) - S`` its Laplacian, the loss has the
gradient ``4 L P`` in the projected words ``P`` (n, rank) of a sentence, hence ``4 (L P)^T H`` in
``B``; for depths it is ``2 (s P)^T H``. All functions take leading dimensions (layers, say)
in front of the vectors and the components.
"""

from __future__ import annotations

import torch
from torch import Tensor

from structprobe.probe.batches import PairBatch, WordBatch


def squared_distances(projected: Tensor) -> Tensor:
    """Squared L2 distances between the projected words of each sentence.

    The sentence is centred first: that changes no distance, and without it float32 loses half
    of its digits where the vectors lie far from the origin.

    Parameters
    ----------
    projected : Tensor, shape (..., n, rank)
        Projected words.

    Returns
    -------
    Tensor, shape (..., n, n)
        Distances: symmetric, none below zero, zero on the diagonal.
    """
    centred = projected - projected.mean(-2, keepdim=True)  # (..., n, rank)
    distances = _distances_from_gram(centred @ centred.mT)  # (..., n, n)
    return ((distances + distances.mT) / 2).clamp_(min=0)


def squared_depths(projected: Tensor) -> Tensor:
    """Squared L2 lengths of the projected words.

    Parameters
    ----------
    projected : Tensor, shape (..., n, rank)
        Projected words.

    Returns
    -------
    Tensor, shape (..., n)
        Depths.
    """
    return projected.square().sum(-1)


def distance_loss(
    components: Tensor, vectors: Tensor, batch: PairBatch, gradient: Tensor | None = None
) -> Tensor:
    """L1 loss of the distances: over word pairs, divided by n² a sentence, mean over the batch.

    Hewitt and Manning 2019, section 3 (equation of the distance probe). A one-word sentence
    counts as a sentence and adds nothing.

    Parameters
    ----------
    components : Tensor, shape (..., rank, width)
        The projection B.
    vectors : Tensor, shape (..., m, width)
        The batch's word vectors, centred by sentence. Where they are bfloat16, the two products
        with them are, and all else is of the components' type.
    batch : PairBatch
        Their sentences and gold distances.
    gradient : Tensor, shape (..., rank, width), optional
        Overwritten by the gradient of the loss.

    Returns
    -------
    Tensor, shape (...,)
        The loss.
    """
    projected = _project(vectors, components)  # (..., m, rank)
    leading, n_cells = projected.shape[:-2], len(batch.gold)
    # Gram matrices, then signs, then Laplacians; and beside them distances, then errors.
    cells, errors = projected.new_empty(2, *leading, n_cells)
    layouts = []
    for block in batch.blocks:
        words = projected[..., block.rows, :].unflatten(-2, (block.n_sentences, block.n_words))
        square = cells[..., block.cells].unflatten(-1, (*words.shape[-3:-1], block.n_words))
        _multiply(words, words.mT, square)  # (..., b, n, n)
        layouts.append((words, square))
    squares = cells.index_select(-1, batch.diagonal)  # (..., m)
    for block, (_, square) in zip(batch.blocks, layouts, strict=True):
        own = squares[..., block.rows].unflatten(-1, square.shape[-3:-1])  # (..., b, n)
        sums = errors[..., block.cells].unflatten(-1, square.shape[-3:])
        torch.add(own.unsqueeze(-1), own.unsqueeze(-2), out=sums)
    errors.add_(cells, alpha=-2).sub_(batch.gold)
    torch.sign(errors, out=cells)
    cells *= batch.weights
    loss = errors.mul_(cells).sum(-1)
    if gradient is None:
        return loss
    cells *= -4
    pulled = torch.empty_like(projected)  # the gradient in `projected`
    for block, (words, square) in zip(batch.blocks, layouts, strict=True):
        square.diagonal(dim1=-2, dim2=-1).sub_(square.sum(-1))  # 4 L
        _multiply(square, words, pulled[..., block.rows, :].unflatten(-2, words.shape[-3:-1]))
    _pull(pulled, vectors, gradient)
    return loss


def depth_loss(
    components: Tensor, vectors: Tensor, batch: WordBatch, gradient: Tensor | None = None
) -> Tensor:
    """L1 loss of the depths: over words, divided by n a sentence, mean over the batch.

    Hewitt and Manning 2019, section 3 (equation of the depth probe).

    Parameters
    ----------
    components : Tensor, shape (..., rank, width)
        The projection B.
    vectors : Tensor, shape (..., m, width)
        The batch's word vectors, as they are (depth has an origin); bfloat16 as for distances.
    batch : WordBatch
        Their gold depths.
    gradient : Tensor, shape (..., rank, width), optional
        Overwritten by the gradient of the loss.

    Returns
    -------
    Tensor, shape (...,)
        The loss.
    """
    projected = _project(vectors, components)  # (..., m, rank)
    errors = squared_depths(projected).sub_(batch.gold)  # (..., m)
    signs = errors.sign().mul_(batch.weights)
    loss = errors.mul_(signs).sum(-1)
    if gradient is not None:
        projected *= signs.mul_(2).unsqueeze(-1)
        _pull(projected, vectors, gradient)
    return loss


def _project(vectors: Tensor, components: Tensor) -> Tensor:
    """``H Bᵀ`` in the type of B, by a product in the type of H."""
    return (vectors @ components.to(vectors.dtype).mT).to(components.dtype)


def _pull(pulled: Tensor, vectors: Tensor, gradient: Tensor) -> None:
    """Put ``Gᵀ H`` into the gradient, by a product in the type of H."""
    if vectors.dtype == gradient.dtype:
        torch.matmul(pulled.mT, vectors, out=gradient)
    else:
        gradient.copy_(pulled.to(vectors.dtype).mT @ vectors)


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Batched product into a view."""
    if left.dim() == 3:
        torch.bmm(left, right, out=out)
    else:
        out.copy_(left @ right)


def _distances_from_gram(gram: Tensor) -> Tensor:
    """Squared distances from Gram matrices, in place: (..., n, n); the diagonal is exactly zero."""
    squares = gram.diagonal(dim1=-2, dim2=-1).clone()  # (..., n)
    gram.mul_(-2)
    gram += squares.unsqueeze(-1)
    gram += squares.unsqueeze(-2)
    return gram

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

from structprobe.probe.batches import Block, PairBatch, WordBatch


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


def distance_loss(components: Tensor, batch: PairBatch, gradient: Tensor | None = None) -> Tensor:
    """L1 loss of the distances: over word pairs, divided by n² a sentence, mean over the batch.

    Hewitt and Manning 2019, section 3 (equation of the distance probe). A one-word sentence
    counts as a sentence and adds nothing.

    Parameters
    ----------
    components : Tensor, shape (..., rank, hidden_size)
        The projection B.
    batch : PairBatch
        Word vectors, centred by sentence, and gold distances.
    gradient : Tensor, shape (..., rank, hidden_size), optional
        Overwritten by the gradient of the loss.

    Returns
    -------
    Tensor, shape (...,)
        The loss.
    """
    projected = batch.vectors @ components.mT  # (..., m, rank)
    pulled = None if gradient is None else torch.empty_like(projected)  # gradient in `projected`
    loss = projected.new_zeros(components.shape[:-2])
    for block in batch.blocks:
        own = slice(block.first, block.last)
        part = None if pulled is None else pulled[..., own, :]
        loss += _block_loss(projected[..., own, :], block, 1 / batch.n_sentences, part)
    if pulled is not None:
        torch.matmul(pulled.mT, batch.vectors, out=gradient)
    return loss


def depth_loss(components: Tensor, batch: WordBatch, gradient: Tensor | None = None) -> Tensor:
    """L1 loss of the depths: over words, divided by n a sentence, mean over the batch.

    Hewitt and Manning 2019, section 3 (equation of the depth probe).

    Parameters
    ----------
    components : Tensor, shape (..., rank, hidden_size)
        The projection B.
    batch : WordBatch
        Word vectors, as they are (depth has an origin), and gold depths.
    gradient : Tensor, shape (..., rank, hidden_size), optional
        Overwritten by the gradient of the loss.

    Returns
    -------
    Tensor, shape (...,)
        The loss.
    """
    projected = batch.vectors @ components.mT  # (..., m, rank)
    errors = squared_depths(projected).sub_(batch.gold)  # (..., m)
    signs = errors.sign().mul_(batch.weights)
    loss = errors.mul_(signs).sum(-1) / batch.n_sentences
    if gradient is not None:
        projected *= signs.mul_(2 / batch.n_sentences).unsqueeze(-1)
        torch.matmul(projected.mT, batch.vectors, out=gradient)
    return loss


def _block_loss(projected: Tensor, block: Block, scale: float, pulled: Tensor | None) -> Tensor:
    """Loss (...,) of one block from its projected words (..., m, rank), and their gradient."""
    (b, n), leading, rank = block.weights.shape, projected.shape[:-2], projected.shape[-1]
    words = projected if block.slots is None else projected.index_select(-2, block.slots)
    words = words.view(*leading, b, n, rank)
    errors = _distances_from_gram(words @ words.mT)  # (..., b, n, n)
    errors -= block.gold
    signs = errors.sign()
    signs *= block.weights.unsqueeze(-1)
    signs *= block.weights.unsqueeze(-2)
    loss = errors.mul_(signs).sum((-3, -2, -1)) * scale
    if pulled is None:
        return loss
    laplacian = signs.mul_(-4 * scale)
    laplacian.diagonal(dim1=-2, dim2=-1).sub_(laplacian.sum(-1))
    if block.rows is None:
        torch.matmul(laplacian, words, out=pulled.view(*leading, b, n, rank))
    else:
        padded = (laplacian @ words).view(*leading, b * n, rank)
        pulled.copy_(padded.index_select(-2, block.rows))
    return loss


def _distances_from_gram(gram: Tensor) -> Tensor:
    """Squared distances from Gram matrices, in place: (..., n, n); the diagonal is exactly zero."""
    squares = gram.diagonal(dim1=-2, dim2=-1).clone()  # (..., n)
    gram.mul_(-2)
    gram += squares.unsqueeze(-1)
    gram += squares.unsqueeze(-2)
    return gram

"""Losses of the distances in any geometry, computed block by block."""

from __future__ import annotations

import torch
from torch import Tensor

from structprobe.probe.data.batches import Block, PairBatch
from structprobe.probe.losses.geometries import EUCLIDEAN, Geometry
from structprobe.probe.losses.geometry import fill_gradients


class BlockLoss:
    """A loss of the distances of each block of a batch; a subclass defines `of_block`."""

    def __init__(self, geometry: Geometry = EUCLIDEAN) -> None:
        self.geometry = geometry

    def of_block(self, distances: Tensor, block: Block, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Give the loss of a block, and its gradient in the distances, which is symmetric."""
        # distances (..., b, n, n) -> (...,), (..., b, n, n)
        raise NotImplementedError

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
        projected = (vectors @ components.to(vectors.dtype).mT).to(components.dtype)
        loss = components.new_zeros(components.shape[:-2])
        pulled = torch.empty_like(projected)  # (..., m, rank)
        for block in batch.blocks:
            rows = projected[..., block.rows, :]
            words = torch.unflatten(rows, -2, (block.n_sentences, block.n_words))
            distances, pull = self.geometry.measure(words)  # (..., b, n, n)
            own, weights = self.of_block(distances, block, batch)
            loss = loss + own
            if gradient is not None:
                pulled[..., block.rows, :] = pull(weights).flatten(-3, -2)
        if gradient is not None:
            fill_gradients(pulled, components, vectors, gradient, vector_gradient)
        return loss


class AbsoluteLoss(BlockLoss):
    """L1 loss of the distances, as `DistanceLoss`, which is faster for the L2 geometry."""

    def of_block(self, distances: Tensor, block: Block, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Give the loss of a block, and the weighted signs of its errors."""
        shape = block.n_sentences, block.n_words, block.n_words
        errors = distances - batch.gold[block.cells].view(shape)
        signs = errors.sign() * batch.weights[block.cells].view(shape)
        return (errors * signs).sum((-3, -2, -1)), signs

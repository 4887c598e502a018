"""A geometry trained as a parser: the likelihood of the gold tree among all spanning trees.

A tree has the probability ``exp(-sum of its distances) / Z``. ``Z``, the sum over all spanning
trees, is the determinant of the Laplacian of the weights without one row and column (Kirchhoff's
matrix-tree theorem; Koo et al. 2007, Structured Prediction Models via the Matrix-Tree Theorem;
Smith and Smith 2007). The gradient in a distance is the gold edge minus the marginal probability
of the edge. In the L2 geometry, the distances are those of the structural probe, so only the loss
differs, as between the probe and the parser of Hall Maudslay et al. 2020, A Tale of a Probe and a
Parser.

The determinant is computed by removing one word after another: its weights ``w_k`` are distributed
among the remaining words, ``w_ij + w_ik w_jk / sum(w_k)``, and the product of the sums is the
determinant. Marginals are weights times effective resistances, computed as the words are added
again. The first pass adds only positive numbers, so that no digits are lost however strongly some
words are connected; an LU factorisation of the Laplacian loses all of them once the weights differ
by more than the digits of the type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from structprobe.probe.data.batches import Block, PairBatch
from structprobe.probe.losses.block_loss import BlockLoss
from structprobe.probe.losses.geometries import EUCLIDEAN, Geometry

# The share of a type's exponent range that the weights of one sentence may take.
SPAN = 0.7


def log_partition(distances: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over the spanning trees of padded sentences, with the marginals of their edges."""
    # distances (..., b, n, n), real (b, n, n) -> (..., b), (..., b, n, n)
    lowest = distances.masked_fill(~real, math.inf).amin((-2, -1), keepdim=True)
    lowest = lowest.masked_fill(lowest == math.inf, 0)  # (..., b, 1, 1); of one word
    span = SPAN * math.log(torch.finfo(distances.dtype).max)
    weights = (lowest - distances).clamp(min=-span).exp().masked_fill(~real, 0)  # (..., b, n, n)
    n_edges = real[..., 0, :].sum(-1)  # (b,)
    sums, shares = _remove(weights, real)
    log_z = sums[..., 1:].log().sum(-1) - lowest[..., 0, 0] * n_edges
    return log_z, weights * _resistances(sums, shares)


def _remove(weights: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Remove all words but the first, from the last on; give the sums and shares of each."""
    # -> (..., b, n): the sum of each word's weights when it is removed
    # -> (..., b, n, n): in row k, before the diagonal, the shares of the remaining words
    left = weights.clone()
    # Padding is connected to the first word with a weight of 1, which changes nothing.
    left[..., 1:, 0] += ~real[:, 0, 1:]
    sums = torch.ones_like(weights[..., 0])
    for k in range(weights.shape[-1] - 1, 0, -1):
        row = left[..., k, :k]  # (..., b, k)
        total = row.sum(-1, keepdim=True)
        sums[..., k] = total[..., 0]
        share = row / total
        left[..., :k, :k].addcmul_(share.unsqueeze(-1), row.unsqueeze(-2))
        row.copy_(share)
    return sums, left


def _resistances(sums: Tensor, shares: Tensor) -> Tensor:
    """Effective resistance between every two words, adding the words again in turn."""
    found = torch.zeros_like(shares)
    for k in range(1, shares.shape[-1]):
        share = shares[..., k, :k].unsqueeze(-1)  # (..., b, k, 1)
        others = found[..., :k, :k] @ share  # (..., b, k, 1)
        own = others + 1 / sums[..., k, None, None] - share.mT @ others / 2
        found[..., :k, k], found[..., k, :k] = own[..., 0], own[..., 0]
    return found


@dataclass(frozen=True, slots=True)
class _Gold:
    """The gold data of a block: b sentences of n words."""

    real: Tensor  # bool (b, n, n): two words
    edges: Tensor  # (b, n, n): 1 at both cells of a gold edge
    weights: Tensor  # (b,): of a sentence in the loss


class TreeLoss(BlockLoss):
    """Negative log-likelihood of the gold trees: nats per edge in a sentence, mean over the batch.

    A one-word sentence counts and adds nothing. The gold edges of batches used again are kept.
    """

    def __init__(self, geometry: Geometry = EUCLIDEAN) -> None:
        super().__init__(geometry)
        self._known: dict[int, tuple[PairBatch, dict[int, _Gold]]] = {}

    def of_block(self, distances: Tensor, block: Block, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Give the loss of a block; its gradient is the gold edges minus the marginals."""
        gold = self._gold_of(batch)[block.rows.start]
        log_z, marginals = log_partition(distances, gold.real)
        gold_sums = (distances * gold.edges).sum((-2, -1)) / 2  # (..., b)
        loss = ((gold_sums + log_z) * gold.weights).sum(-1)
        return loss, (gold.edges - marginals) * (gold.weights[:, None, None] / 2)

    def _gold_of(self, batch: PairBatch) -> dict[int, _Gold]:
        """Give the gold data of a batch, by the first row of each block."""
        if id(batch) in self._known:
            return self._known[id(batch)][1]
        found = {}
        for block in batch.blocks:
            shape = block.n_sentences, block.n_words, block.n_words
            words = batch.weights[block.cells].view(shape) > 0  # (b, n, n), the diagonal included
            own = torch.eye(block.n_words, dtype=torch.bool, device=words.device)
            edges = (batch.gold[block.cells].view(shape) == 1).to(batch.gold.dtype)
            n_edges = words[:, 0].sum(-1) - 1  # (b,)
            weights = 1 / (n_edges.clamp(min=1) * batch.n_sentences).to(batch.gold.dtype)
            found[block.rows.start] = _Gold(words & ~own, edges, weights)
        if batch.stays:
            self._known[id(batch)] = batch, found  # the batch too, so that its id stays in use
        return found

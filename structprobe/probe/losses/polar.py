"""The L2 geometry with directions: the distance loss, plus a loss of the angles of gold arcs.

After the polar probe of Diego-Simón, d'Ascoli, Chemla, Lakretz and King 2024, A polar coordinate
system represents syntax in large language models: in the space of the projected words ``P = B H``,
the squared length of a difference says whether two words are linked, its direction which relation
links them, and which way.

The difference of an arc is that of its dependent and its head, ``u`` its unit vector. The direction
of a relation is the unit vector ``m`` of the mean of its ``u`` in the batch. The loss is
contrastive in the cosines ``c = u·m``: the cross-entropy of the relation of each arc under a
softmax of ``±c / T`` over all relations in the batch, each in both directions, so that arcs of one
relation point one way, and away from those of others and from the opposite of every relation. The
mean over arcs, times a weight, is added to the distance loss. Arcs from the root have no difference
and are left out.

The gradient is in closed form. With the softmax minus the gold as ``E`` (its two halves
subtracted), it is ``E m / T`` in ``u`` directly, plus that through the means; both lose what is
along the unit vectors, and are divided by the lengths.
"""

from __future__ import annotations

import torch
from torch import Tensor

from structprobe.probe.data.batches import PairBatch
from structprobe.probe.losses.geometry import DistanceLoss

TEMPERATURE = 0.1


class PolarLoss(DistanceLoss):
    """The distance loss plus a weighted contrastive loss of the directions of gold arcs."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def _more(self, batch: PairBatch, projected: Tensor, pulled: Tensor | None) -> Tensor | float:
        arcs = batch.arcs
        if arcs is None or not len(arcs.relations):
            return 0.0
        own, of_heads = (projected.index_select(-2, at) for at in (arcs.dependents, arcs.heads))
        loss, gradient = angle_loss(own - of_heads, arcs.relations)
        weight = self.weight * arcs.weight
        if pulled is not None:
            gradient *= weight
            pulled.index_add_(-2, arcs.dependents, gradient)
            pulled.index_add_(-2, arcs.heads, gradient, alpha=-1)
        return loss * weight


def angle_loss(differences: Tensor, relations: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the cross-entropies of the relations of arcs by their directions, with the gradient."""
    # differences (..., a, rank), relations (a,) -> (...,), (..., a, rank)
    classes, own = relations.unique(return_inverse=True)
    n = len(classes)
    units, lengths = unit_vectors(differences)  # (..., a, rank), (..., a, 1)
    sums = units.new_zeros(*units.shape[:-2], n, units.shape[-1])
    means, sizes = unit_vectors(sums.index_add_(-2, own, units))  # (..., n, rank), (..., n, 1)
    cosines = units @ means.mT / TEMPERATURE  # (..., a, n)
    logs = torch.cat([cosines, -cosines], -1).log_softmax(-1)  # (..., a, 2 n)
    gold = own.expand(logs.shape[:-1]).unsqueeze(-1)
    loss = -logs.gather(-1, gold).sum((-2, -1))
    excess = logs.exp_().scatter_add_(-1, gold, -torch.ones_like(logs[..., :1]))
    excess = (excess[..., :n] - excess[..., n:]) / TEMPERATURE
    through_means = _turned(excess.mT @ units, means, sizes)
    pull = excess @ means + through_means.index_select(-2, own)
    return loss, _turned(pull, units, lengths)


def unit_vectors(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Scale vectors to unit length; give their lengths, infinite for those that have none."""
    # vectors (..., rank) -> (..., rank), (..., 1)
    lengths = vectors.norm(dim=-1, keepdim=True)
    lengths = lengths.masked_fill(lengths == 0, torch.inf)
    return vectors / lengths, lengths


def _turned(pull: Tensor, units: Tensor, lengths: Tensor) -> Tensor:
    """Give the gradient in vectors, from that in their unit vectors."""
    # each (..., rank), lengths (..., 1) -> (..., rank)
    return (pull - units * (pull * units).sum(-1, keepdim=True)) / lengths

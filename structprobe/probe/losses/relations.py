"""The cross-entropy of relations: of each arc given both its words, and of each word given itself.

The log-odds of the relations of an arc are a linear map of the vectors of its dependent and its
head. So the words of a batch are projected once, and what the head says is added to each of its
dependents; no vector is copied. The components of several layers may be stacked in front.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from structprobe.probe.data.batches import ArcBatch

READS = ("pair", "difference", "dependent")
N_BIASES = 2  # columns behind the components: what is added for arcs from a word, and from the root


@dataclass(frozen=True, slots=True)
class RelationForm:
    """What is read of an arc, and which relations arcs may have.

    The components have up to three blocks of one row per relation: what a word says alone; and, if
    that is not all that is read, what a dependent says of its arc, and (for "pair") what a head
    says.
    """

    reads: str  # One of `READS`
    allowed: Tensor  # (2, n_classes), bool: of arcs from a word, and of arcs from the root

    @property
    def n_classes(self) -> int:
        """The number of relations."""
        return self.allowed.shape[1]

    @property
    def n_rows(self) -> int:
        """The number of rows of the components."""
        return self.n_classes * {"pair": 3, "difference": 2, "dependent": 1}[self.reads]

    def barred(self) -> Tensor:
        """Give what is added to the log-odds of relations that arcs may not have, and others."""
        # -> (2, n_classes)
        zeros = torch.zeros(self.allowed.shape, device=self.allowed.device)
        return zeros.masked_fill(~self.allowed, -torch.inf)


class RelationLoss:
    """Cross-entropy of relations given the words of the arc, plus that given the word alone."""

    def __init__(self, form: RelationForm) -> None:
        self.form, self.barred = form, form.barred()

    def __call__(
        self, components: Tensor, rows: Tensor, batch: ArcBatch, gradient: Tensor | None = None
    ) -> Tensor:
        """Give the loss, and fill in its gradient."""
        # components (..., n_rows, width + 2), rows (..., m, width) -> (...,)
        n, width, reads = self.form.n_classes, rows.shape[-1], self.form.reads
        projected = (rows @ components[..., :width].to(rows.dtype).mT).to(components.dtype)
        biases = components[..., width:].mT  # (..., 2, n_rows), projected (..., m, n_rows)
        alone, ofs = slice(n), slice(n, 2 * n)
        of_heads, sign = (slice(2 * n, 3 * n), 1) if reads == "pair" else (ofs, -1)
        # A word alone does not say what its head is: there, root is a relation like the others.
        loss, excess = _cross_entropy(projected[..., alone] + biases[..., :1, alone], batch)
        pulled = [excess]
        if reads != "dependent":
            logits = projected[..., ofs] + (biases[..., ofs] + self.barred)[..., batch.of_root, :]
            said = projected[..., of_heads].index_select(-2, batch.heads)
            logits.index_add_(-2, batch.inside, said, alpha=sign)
            own, excess = _cross_entropy(logits, batch)
            loss += own
            pulled.append(excess)
        if gradient is None:
            return loss
        if reads != "dependent":
            said = excess.index_select(-2, batch.inside)
            target = torch.zeros_like(excess) if reads == "pair" else excess.clone()
            pulled[1:] = [excess] if reads == "pair" else []
            pulled.append(target.index_add_(-2, batch.heads, said, alpha=sign))
        whole = torch.cat(pulled, -1)  # (..., m, n_rows): the gradient in what is projected
        gradient[..., :width] = whole.to(rows.dtype).mT @ rows
        gradient[..., width:] = 0
        gradient[..., alone, width] = pulled[0].sum(-2)
        if reads != "dependent":
            sums = torch.zeros_like(biases[..., ofs])  # (..., 2, n_classes)
            gradient[..., ofs, width:] = sums.index_add_(-2, batch.of_root, excess).mT
        return loss


def _cross_entropy(logits: Tensor, batch: ArcBatch) -> tuple[Tensor, Tensor]:
    """Give the cross-entropy of the gold relations, and its gradient in the log-odds."""
    # logits (..., m, n_classes) -> (...,), (..., m, n_classes)
    logs = logits.log_softmax(-1)
    gold = batch.gold.expand(logs.shape[:-1]).unsqueeze(-1)
    # An arc of dev without weight may have a relation that is barred.
    of_gold = logs.gather(-1, gold).squeeze(-1).masked_fill_(batch.weights == 0, 0)
    excess = logs.exp_().scatter_add_(-1, gold, -torch.ones_like(logs[..., :1]))
    return -(of_gold @ batch.weights), excess.mul_(batch.weights.unsqueeze(-1))

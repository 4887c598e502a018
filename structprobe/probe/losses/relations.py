"""Cross-entropy of the relation of each arc, given its two words, and of the root of a sentence.

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
    """What is read of an arc, and which relations arcs may have."""

    reads: str  # One of `READS`
    allowed: Tensor  # (2, n_classes), bool: of arcs from a word, and of arcs from the root

    @property
    def n_classes(self) -> int:
        """The number of relations."""
        return self.allowed.shape[1]

    @property
    def finds_root(self) -> bool:
        """Whether the root of a sentence is read apart: the dependent alone tells it anyway."""
        return self.reads != "dependent"

    @property
    def n_rows(self) -> int:
        """The number of rows of the components: dependents, heads if they are apart, the root."""
        return self.n_classes * (2 if self.reads == "pair" else 1) + self.finds_root

    @property
    def barred(self) -> Tensor:
        """What is added to the log-odds of the relations of arcs from a word, and from the root."""
        # -> (2, n_classes): 0, or -inf for those that may not be chosen
        # A word alone does not say what its head is: there, root is a relation like the others.
        allowed = self.allowed if self.finds_root else torch.ones_like(self.allowed)
        zeros = torch.zeros(allowed.shape, device=allowed.device)
        return zeros.masked_fill(~allowed, -torch.inf)


class RelationLoss:
    """Mean cross-entropy of the relations of arcs, plus that of the root among the words."""

    def __init__(self, form: RelationForm) -> None:
        self.form, self.barred = form, form.barred

    def __call__(
        self, components: Tensor, rows: Tensor, batch: ArcBatch, gradient: Tensor | None = None
    ) -> Tensor:
        """Give the loss, and fill in its gradient."""
        # components (..., n_rows, width + 2), rows (..., m, width) -> (...,)
        form, n, width = self.form, self.form.n_classes, rows.shape[-1]
        inside = torch.nonzero(batch.heads >= 0)[:, 0]  # (m',): words with a head
        heads = batch.heads[inside]
        of_root = (batch.heads < 0).long() if form.finds_root else torch.zeros_like(batch.heads)
        maps = components[..., :width].to(rows.dtype)
        projected = (rows @ maps.mT).to(components.dtype)  # (..., m, n_rows)
        logits = projected[..., :n] + self.barred[of_root]  # (..., m, n_classes)
        logits += components[..., :n, width:].mT[..., of_root, :]
        if form.reads == "pair":
            logits.index_add_(-2, inside, projected[..., n : 2 * n].index_select(-2, heads))
        elif form.reads == "difference":
            logits.index_add_(-2, inside, projected[..., :n].index_select(-2, heads), alpha=-1)
        logs = logits.log_softmax(-1)
        gold = batch.gold.long().clamp(min=0).expand(logs.shape[:-1]).unsqueeze(-1)
        # An arc of dev without weight may have a relation that is barred.
        logs_of_gold = logs.gather(-1, gold).squeeze(-1).masked_fill(batch.weights == 0, 0)
        loss = -(logs_of_gold * batch.weights).sum(-1)
        roots = None
        if form.finds_root:
            own, roots = self._root(projected[..., -1], batch)
            loss += own
        if gradient is None:
            return loss
        excess = logs.exp_().scatter_add_(-1, gold, -torch.ones_like(logs[..., :1]))
        excess *= batch.weights.unsqueeze(-1)  # (..., m, n_classes): the gradient in the logits
        pulled = torch.zeros_like(projected)  # (..., m, n_rows)
        pulled[..., :n] = excess
        of_heads = pulled[..., n : 2 * n] if form.reads == "pair" else pulled[..., :n]
        if form.reads != "dependent":
            sign = 1 if form.reads == "pair" else -1
            of_heads.index_add_(-2, heads, excess.index_select(-2, inside), alpha=sign)
        if roots is not None:
            pulled[..., -1] = roots
        gradient[..., :width] = pulled.to(rows.dtype).mT @ rows
        gradient[..., width:] = 0
        sums = torch.zeros_like(gradient[..., :n, width:].mT)  # (..., 2, n_classes)
        gradient[..., :n, width:] = sums.index_add_(-2, of_root, excess).mT
        return loss

    def _root(self, scores: Tensor, batch: ArcBatch) -> tuple[Tensor, Tensor]:
        """Give the cross-entropy of the root among the words of its sentence, and its gradient."""
        # scores (..., m) -> (...,), (..., m)
        index, shape = batch.sentences, (*scores.shape[:-1], batch.n_sentences)
        highest = scores.new_full(shape, -torch.inf)
        highest.scatter_reduce_(-1, index.expand(scores.shape), scores, "amax")
        shares = (scores - highest.index_select(-1, index)).exp_()
        sums = shares.new_zeros(shape).index_add_(-1, index, shares)
        shares /= sums.index_select(-1, index)
        is_root = (batch.heads < 0) * batch.root_weight  # (m,)
        loss = -(shares.clamp(min=torch.finfo(shares.dtype).tiny).log() * is_root).sum(-1)
        return loss, shares * batch.root_weight - is_root

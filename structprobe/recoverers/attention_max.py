"""The head of a word is the word it attends to most (Htut et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import EncoderError, unknown_name
from structprobe.recoverers.attention_head import AttentionHead, Bools, Floats, Ints
from structprobe.trees.arc_scores import best_heads

if TYPE_CHECKING:
    from structprobe.attention.word_attentions import AttentionBatch
    from structprobe.encoder.encoder import Encoder

DIRECTIONS = ("to", "from")


class AttentionMax(AttentionHead):
    """Attaches each word to the other word that it attends to most, in one attention head.

    The method *max* of Htut et al. (2019), 'Do attention heads in BERT track syntactic
    dependencies?', section 3.1. It predicts edges, not a tree, and no root unless the gold root is
    used, so root accuracy is not scored. When punctuation is ignored, the head of a word is the
    kept word it attends to most. A weight of 0, as for later words in a causal model, is no
    attention; a word without any has no head (its own number).

    Parameters
    ----------
    encoder : Encoder
        The model.
    direction : {"to", "from"}, default "to"
        Whether the head is the word attended to most, or the word that attends most.
    **options
        As for `AttentionHead`. With ``special="keep"``, a word that attends to special tokens more
        than to any other word has the head 0.

    Raises
    ------
    EncoderError
        As for `AttentionHead`; or if special tokens are kept and `direction` is "from".
    """

    name = "attention-max"
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "attention-max": {},
            "attention-max-from": {"direction": "from"},
            "attention-max-symmetrised": {"symmetrised": True},
            "attention-max-gold-root": {"gold_root": True},
            "attention-max-from-gold-root": {"direction": "from", "gold_root": True},
            "attention-max-symmetrised-gold-root": {"symmetrised": True, "gold_root": True},
        }
    )
    options = MappingProxyType({**AttentionHead.options, "direction": str})
    makes_trees = False

    def __init__(self, encoder: Encoder, *, direction: str = "to", **options: Any) -> None:
        if direction not in DIRECTIONS:
            raise EncoderError(unknown_name("direction", direction, DIRECTIONS))
        if direction == "from" and options.get("special") == "keep":
            what = "special tokens cannot be kept with direction='from'"
            hint = "attention from special tokens is not read; choose 'drop' or 'renormalise'"
            raise EncoderError(what, hint=hint)
        self.direction = direction
        self.name += "-from" * (direction == "from")
        super().__init__(encoder, **options)

    def _arc_scores(self, batch: AttentionBatch, roots: Ints | None) -> NDArray[np.float32]:
        if self.direction == "from":
            batch = replace(batch, weights=batch.weights.swapaxes(-1, -2))
        scores = super()._arc_scores(batch, roots)
        unseen = scores == 0
        if roots is not None:
            unseen[..., 0] = False
        scores[unseen] = -np.inf
        return scores

    def _heads(self, scores: Floats, lengths: Ints, roots: Ints | None) -> Ints:
        heads = best_heads(scores)  # nothing attends to padding
        headless = (heads == 0) & np.isneginf(scores[..., 0])
        return np.where(headless, np.arange(1, heads.shape[-1] + 1), heads)

    def _heads_over_kept(
        self, scores: Floats, lengths: Ints, kept: Bools, roots: Ints | None
    ) -> Ints:
        open_to = np.insert(kept, 0, True, axis=1)  # (b, n + 1)
        heads = best_heads(np.where(open_to[:, None, None], scores, -np.inf))
        return np.where(kept[:, None], heads, -1)

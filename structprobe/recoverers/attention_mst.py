"""The maximum spanning tree of attention (Raganato & Tiedemann 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from structprobe.recoverers.attention_head import AttentionHead, Bools, Floats, Ints
from structprobe.trees.arborescences import arborescences
from structprobe.trees.gold import padded_tree_depths


class AttentionMST(AttentionHead):
    """Finds the maximum spanning tree (Chu-Liu/Edmonds) of one attention head.

    Raganato & Tiedemann (2018), 'An analysis of encoder representations in transformer-based
    machine translation'; the method *mst* of Htut et al. (2019), section 3.2; Jawahar et al.
    (2019). The score of an arc is the attention weight from the dependent to the head. With
    `gold_root` the gold root is used, as in these papers; without it, the best tree over all roots
    is taken (with ``special="keep"``, attention to special tokens is a word's score as the root).

    Parameters
    ----------
    encoder, layer, head, gold_root, special, symmetrised, punct, cache, progress
        As for `AttentionHead`.

    Raises
    ------
    EncoderError
        As for `AttentionHead`.

    Examples
    --------
    >>> method = AttentionMST(encoder, gold_root=True).fit(train, dev)  # doctest: +SKIP
    >>> method.chosen_, method.dev_uuas_.max(axis=1)  # doctest: +SKIP
    """

    name = "attention-mst"
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "attention-mst": {},
            "attention-mst-renormalised": {"special": "renormalise"},
            "attention-mst-special-kept": {"special": "keep"},
            "attention-mst-symmetrised": {"symmetrised": True},
            "attention-mst-gold-root": {"gold_root": True},
            "attention-mst-symmetrised-gold-root": {"symmetrised": True, "gold_root": True},
        }
    )

    def _heads(self, scores: Floats, lengths: Ints, roots: Ints | None) -> Ints:
        b, k, n, _ = scores.shape
        told = None if roots is None else np.repeat(roots, k)
        heads = arborescences(scores.reshape(b * k, n, n + 1), np.repeat(lengths, k), roots=told)
        return heads.reshape(b, k, n)

    def _heads_over_kept(
        self, scores: Floats, lengths: Ints, kept: Bools, roots: Ints | None
    ) -> Ints:
        heads = np.full(scores.shape[:-1], -1)
        joined = np.flatnonzero(kept.sum(axis=1) > 1)  # one kept word alone has no edge
        if len(joined):
            told = None if roots is None else roots[joined]
            heads[joined] = self._decode_kept(scores[joined], lengths[joined], kept[joined], told)
        return heads

    def _decode_kept(self, scores: Floats, lengths: Ints, kept: Bools, roots: Ints | None) -> Ints:
        """Decode over the kept words, two or more, rooted at the shallowest."""
        b, k, n, _ = scores.shape
        sizes = kept.sum(axis=1)
        order = np.argsort(~kept, axis=1, kind="stable")[:, : sizes.max()]  # (b, m), kept first
        columns = np.insert(order + 1, 0, 0, axis=1)  # (b, m + 1)
        sentence, tree = np.arange(b)[:, None, None], np.arange(k)[:, None]
        small = scores[
            sentence[..., None], tree[..., None], order[:, None, :, None], columns[:, None, None]
        ]  # (b, k, m, m + 1)
        small[..., 0] = 0.0  # the root is fixed: its scores are ignored
        top = self._top_kept(scores, lengths, kept, roots)  # (b, k)
        top = np.take_along_axis(np.cumsum(kept, axis=1), top - 1, axis=1)  # among the kept
        found = arborescences(
            small.reshape(b * k, *small.shape[2:]), np.repeat(sizes, k), roots=top.ravel()
        ).reshape(b, k, -1)  # (b, k, m), -1 behind the kept
        heads = np.full((b, k, n), -1)
        words = columns[sentence, np.maximum(found, 0)]
        heads[sentence, tree, order[:, None]] = np.where(found < 0, -1, words)
        return heads

    def _top_kept(self, scores: Floats, lengths: Ints, kept: Bools, roots: Ints | None) -> Ints:
        """Return the shallowest kept word of each tree over all words (b, k), from 1."""
        b, k, n, _ = scores.shape
        top = np.ones((b, k), dtype=np.intp)
        unknown = np.arange(b)
        if roots is not None:  # a root that is kept need not be looked for
            top[:] = roots[:, None]
            unknown = np.flatnonzero(~kept[unknown, roots - 1])
        if len(unknown):
            told = None if roots is None else roots[unknown]
            heads = self._heads(scores[unknown], lengths[unknown], told)
            depths = padded_tree_depths(heads.reshape(-1, n), np.repeat(lengths[unknown], k))
            depths = np.where(kept[unknown, None], depths.reshape(heads.shape), n)
            top[unknown] = depths.argmin(axis=2) + 1
        return top

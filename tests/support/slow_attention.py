"""The obvious way to attention between words: one sentence, one pair of words at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from support.slow_encoding import counts


def attend_plainly(
    model: Any, tokenizer: Any, text: str, spans: list[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give weights (layers, heads, n, n), and the shares (layers, heads, n) of special and first.

    The model must attend in the eager way already.
    """
    encoded = tokenizer(
        text, return_offsets_mapping=True, truncation=False, padding=False, return_tensors="pt"
    )
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"][0].tolist()
    members = [
        [p for p, bounds in enumerate(offsets) if counts(tokenizer, text, span, ids[0, p], bounds)]
        for span in spans
    ]
    bare = tokenizer(text, add_special_tokens=False, truncation=False, padding=False)["input_ids"]
    starts = range(len(offsets) - len(bare) + 1)
    start = next(s for s in starts if ids[0, s : s + len(bare)].tolist() == bare)
    special = [p for p in range(len(offsets)) if not start <= p < start + len(bare)]
    return join_plainly(attentions_of(model, ids), members, members, special)


def attentions_of(model: Any, ids: torch.Tensor) -> np.ndarray:
    """Run one row of tokens through a model; shape (layers, heads, positions, positions)."""
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.no_grad():
        output = encoder(input_ids=ids, output_attentions=True)
    return np.stack([layer[0].numpy() for layer in output.attentions])


def join_plainly(
    attentions: np.ndarray, looking: list[list[int]], seen: list[list[int]], special: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum over the pieces of the word looked at, average over those of the word that looks."""
    n, shape = len(looking), attentions.shape[:2]
    weights, to_special, to_first = (np.zeros((*shape, n, *more)) for more in ((n,), (), ()))
    n_words = {p: sum(p in pieces for pieces in seen) for pieces in seen for p in pieces}
    for layer in range(shape[0]):
        for head in range(shape[1]):
            matrix = attentions[layer, head]
            for i, mine in enumerate(looking):
                row = np.mean([matrix[p] for p in mine], axis=0)
                to_special[layer, head, i] = sum(row[p] for p in special)
                to_first[layer, head, i] = row[0]
                for j, theirs in enumerate(seen):
                    weights[layer, head, i, j] = sum(row[p] / n_words[p] for p in theirs)
    return weights, to_special, to_first

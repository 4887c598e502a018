"""The obvious way to word vectors: one sentence, one word, one piece at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def encode_plainly(
    model: Any, tokenizer: Any, text: str, spans: list[tuple[int, int]], pooling: str = "mean"
) -> list[np.ndarray]:
    """Give each layer's word vectors, (n_words, hidden_size), from the tokenizer's own call."""
    encoded = tokenizer(
        text, return_offsets_mapping=True, truncation=False, padding=False, return_tensors="pt"
    )
    ids = encoded["input_ids"]
    offsets = encoded["offset_mapping"][0].tolist()
    members = [
        [p for p, bounds in enumerate(offsets) if counts(tokenizer, text, span, ids[0, p], bounds)]
        for span in spans
    ]
    assert all(members), "the plain way has no answer for words without a piece"
    return pool_plainly(layers_of(model, ids), members, pooling)


def counts(
    tokenizer: Any, text: str, span: tuple[int, int], token: Any, bounds: tuple[int, int]
) -> bool:
    """Whether a piece and a word share a character that is no space."""
    if not tokenizer.decode([int(token)]).replace("▁", "").strip():
        return False  # spaces alone, whatever its offsets
    shared = range(max(span[0], bounds[0]), min(span[1], bounds[1]))
    return any(not text[place].isspace() for place in shared)


def layers_of(model: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    """Run one row of tokens through a model; each layer (n_positions, hidden_size)."""
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.no_grad():
        output = encoder(input_ids=ids, output_hidden_states=True)
    assert torch.equal(output.hidden_states[-1], output.last_hidden_state)
    return [layer[0] for layer in output.hidden_states]


def pool_plainly(
    layers: list[torch.Tensor], members: list[list[int]], pooling: str = "mean"
) -> list[np.ndarray]:
    """Pool the positions of each word, in each layer."""
    choose = {"mean": lambda m: m, "first": lambda m: m[:1], "last": lambda m: m[-1:]}[pooling]
    return [
        np.stack(
            [np.mean([layer[p].numpy() for p in choose(places)], axis=0) for places in members]
        )
        for layer in layers
    ]


def spans_of(words: list[str], gaps: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """Write words with their gaps, and say where each is."""
    text, spans = "", []
    for word, gap in zip(words, gaps, strict=True):
        spans.append((len(text), len(text) + len(word)))
        text += word + gap
    return text[: spans[-1][1]], spans

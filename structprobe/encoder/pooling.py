"""From the vectors of pieces to the vectors of words."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import EncoderError, unknown_name

POOLINGS = ("mean", "first", "last")


def check_pooling(pooling: str) -> None:
    """Refuse an unknown pooling."""
    if pooling not in POOLINGS:
        raise EncoderError(unknown_name("pooling", pooling, POOLINGS))


def weigh_links(words: NDArray[np.integer], pooling: str) -> NDArray[np.float32]:
    """Give the share that each piece has in the vector of its word."""
    # words (n_links,) -> (n_links,)
    if pooling == "mean":
        return (1 / np.bincount(words)[words]).astype(np.float32)
    turns = np.diff(words) != 0
    edge = [True]
    chosen = np.concatenate([edge, turns] if pooling == "first" else [turns, edge])
    return chosen.astype(np.float32)


def pool(
    hidden: torch.Tensor, positions: torch.Tensor, starts: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Sum the weighed vectors of pieces to vectors of words, a whole batch in one product."""
    vectors = hidden.flatten(0, 1).float()  # (n_rows * n_positions, hidden_size)
    return torch.nn.functional.embedding_bag(
        positions, vectors, starts, mode="sum", per_sample_weights=weights
    )

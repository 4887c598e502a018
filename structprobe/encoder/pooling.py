"""From the vectors of pieces to the vectors of words."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import EncoderError, unknown_name

POOLINGS = ("mean", "first", "last")


def check_pooling(pooling: str) -> None:
    """Refuse an unknown pooling.

    Parameters
    ----------
    pooling : str
        The name that was given.

    Raises
    ------
    EncoderError
        If it is none of `POOLINGS`.
    """
    if pooling not in POOLINGS:
        raise EncoderError(unknown_name("pooling", pooling, POOLINGS))


def weigh_links(words: NDArray[np.integer], pooling: str) -> NDArray[np.float32]:
    """Give the share that each piece has in the vector of its word.

    Parameters
    ----------
    words : ndarray of int, shape (n_links,)
        The word of each link, ascending; the pieces of a word in their order.
    pooling : {"mean", "first", "last"}
        All pieces alike, or the first or last alone.

    Returns
    -------
    ndarray of float32, shape (n_links,)
        The shares; those of a word sum to 1.

    Examples
    --------
    >>> weigh_links(np.array([0, 1, 1]), "mean").tolist()
    [1.0, 0.5, 0.5]
    """
    if pooling == "mean":
        return (1 / np.bincount(words)[words]).astype(np.float32)
    turns = np.diff(words) != 0
    edge = [True]
    chosen = np.concatenate([edge, turns] if pooling == "first" else [turns, edge])
    return chosen.astype(np.float32)


def pool(
    hidden: torch.Tensor, positions: torch.Tensor, starts: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Sum the weighed vectors of pieces to vectors of words, a whole batch in one product.

    Parameters
    ----------
    hidden : Tensor, shape (n_rows, n_positions, hidden_size)
        One layer's vectors, in any type.
    positions : Tensor of int64, shape (n_links,)
        Place of each piece among all ``n_rows * n_positions``, ordered by word.
    starts : Tensor of int64, shape (n_words,)
        Where in `positions` the pieces of each word begin; a word may have none.
    weights : Tensor of float32, shape (n_links,)
        Share of each piece, as `weigh_links` gives it.

    Returns
    -------
    Tensor of float32, shape (n_words, hidden_size)
        The words' vectors.
    """
    vectors = hidden.flatten(0, 1).float()  # (n_rows * n_positions, hidden_size)
    return torch.nn.functional.embedding_bag(
        positions, vectors, starts, mode="sum", per_sample_weights=weights
    )

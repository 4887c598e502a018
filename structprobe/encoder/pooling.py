"""Run a batch through the model and pool the vectors of subwords into those of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.encoder.checks import NormWatch
from structprobe.encoder.subwords.batching import Rows
from structprobe.models.loading import LoadedModel


def word_vectors(
    loaded: LoadedModel, parts: Iterable[Rows], layers: Sequence[int], watch: NormWatch
) -> dict[int, NDArray[np.float32]]:
    """Run the rows of a batch through the model and pool every layer."""
    # -> (n_words, hidden_size)
    sums: dict[int, torch.Tensor] = {}
    seen: list[tuple[int, torch.Tensor]] = []
    for rows in parts:
        ids, mask, used = loaded.put(rows.ids, rows.mask, np.unique(rows.positions))
        links = loaded.put(rows.positions, rows.starts, rows.weights)
        marks = None if rows.marks is None else loaded.put(rows.marks)[0]
        passed = loaded.run(ids, mask, layers, marks)
        for layer, hidden in zip(layers, passed, strict=True):
            norms = torch.linalg.vector_norm(hidden, dim=-1, dtype=torch.float32)
            seen.append((layer, norms.flatten()[used]))
            pooled = pool(hidden, *links)  # (n_words, hidden_size)
            sums[layer] = sums[layer] + pooled if layer in sums else pooled
    found = {layer: pooled.cpu().numpy() for layer, pooled in sums.items()}
    for layer, own in seen:  # last: where memory does not suffice, the batch is read again
        watch.add(layer, own)
    return found


def pool(
    hidden: torch.Tensor, positions: torch.Tensor, starts: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Sum the weighted vectors of subwords into vectors of words, for a whole batch at once."""
    vectors = hidden.flatten(0, 1).float()  # (n_rows * n_positions, hidden_size)
    return torch.nn.functional.embedding_bag(
        positions, vectors, starts, mode="sum", per_sample_weights=weights
    )

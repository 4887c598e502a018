"""Tell how uneven the word vectors of each layer are: a few long words, one wide direction.

``python docs/figures/vector_lengths.py MODEL.gguf dev.conllu CACHE/`` writes ``vector_lengths.csv``
beside this file, for the layers of ``recipe_curves.csv``. The cache may be that of the sweeps.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from structprobe import Encoder, Treebank

TABLE = Path(__file__).resolve().parent / "vector_lengths.csv"
LAYERS = range(0, 31, 3)


def unevenness(vectors: list[NDArray[np.floating]]) -> dict[str, float | int]:
    """Measure one layer's vectors, one array (n_words, hidden_size) a sentence."""
    lengths = np.concatenate([np.linalg.norm(one, axis=1) for one in vectors])
    # What a distance sees: each sentence about its own mean.
    centred = np.concatenate([one - one.mean(axis=0) for one in vectors]).astype(np.float64)
    variances = np.linalg.eigvalsh(centred.T @ centred)
    return {
        "n_words": len(lengths),
        "median_length": round(float(np.median(lengths)), 1),
        "longest": round(float(lengths.max()), 1),
        "n_over_ten_medians": int((lengths > 10 * np.median(lengths)).sum()),
        "share_of_widest_direction": round(float(variances[-1] / variances.sum()), 3),
    }


def main(model: str, treebank: str, cache: str) -> None:
    """Encode the treebank, measure each layer, write the table."""
    encoder = Encoder(model, bos=True)
    encoded = encoder.encode(Treebank.read(treebank), layers=LAYERS, cache=cache)
    rows = [{"layer": layer, **unevenness(list(encoded.layer(layer)))} for layer in LAYERS]
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])

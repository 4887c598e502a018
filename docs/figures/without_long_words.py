"""Fit both recipes on one layer again, without the sentences that hold a very long word vector.

``python docs/figures/without_long_words.py MODEL.gguf train.conllu dev.conllu CACHE/`` writes
``without_long_words.csv`` beside this file. The cache may be that of the sweeps.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from structprobe import Encoder, StructuralProbe, Treebank

TABLE = Path(__file__).resolve().parent / "without_long_words.csv"
LAYER, RANK, TIMES = 18, 64, 10


def main(model: str, train: str, dev: str, cache: str) -> None:
    """Encode, leave sentences out, fit by both recipes, write a row each."""
    encoder = Encoder(model, bos=True)
    banks = {"train": Treebank.read(train), "dev": Treebank.read(dev)}
    vectors = {
        part: list(encoder.encode(bank, layers=[LAYER], cache=cache).layer(LAYER))
        for part, bank in banks.items()
    }
    lengths = {
        part: [np.linalg.norm(one, axis=1) for one in mine] for part, mine in vectors.items()
    }
    bound = TIMES * np.median(np.concatenate(lengths["train"]))
    long_words = [one > bound for one in lengths["train"]]
    kept = {
        part: [i for i, one in enumerate(lengths[part]) if one.max() <= bound] for part in banks
    }
    data = {
        part: ([vectors[part][i] for i in kept[part]], [banks[part][i] for i in kept[part]])
        for part in banks
    }
    rows = []
    for recipe in ("published", "whitened"):
        probe = StructuralProbe(rank=RANK, recipe=recipe, random_state=0)
        probe.fit(*data["train"], dev=data["dev"])
        rows.append(
            {
                "layer": LAYER,
                "recipe": recipe,
                "train_sentences": len(banks["train"]),
                "train_left_out": len(banks["train"]) - len(kept["train"]),
                "long_words": sum(int(one.sum()) for one in long_words),
                "of_them_first": sum(int(one[0]) for one in long_words),
                "dev_sentences": len(kept["dev"]),
                "dev_uuas": probe.evaluate(*data["dev"], punct="xpos").uuas,
                "dev_loss": probe.history_["distance"]["best_dev_loss"],
                "steps": probe.history_["distance"]["steps"],
            }
        )
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])

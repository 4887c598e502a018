"""Real treebanks: every gold tree comes back from its own distances and depths."""

from __future__ import annotations

import numpy as np
import pytest

from structprobe.trees import decode_rooted, gold_depths, gold_distances


@pytest.mark.parametrize(
    "name",
    [
        "UD_English-EWT/en_ewt-ud-dev",
        "UD_Finnish-TDT/fi_tdt-ud-dev",
        "UD_French-GSD/fr_gsd-ud-dev",
        "UD_German-GSD/de_gsd-ud-dev",
        "UD_Japanese-GSD/ja_gsd-ud-dev",
        "UD_Turkish-BOUN/tr_boun-ud-dev",
        "UD_Vietnamese-VTB/vi_vtb-ud-dev",
    ],
)
def test_gold_trees_come_back(treebanks, name):
    text = (treebanks / f"{name}.conllu").read_text(encoding="utf-8")
    rows = [[row.split("\t") for row in block.split("\n")] for block in text.strip().split("\n\n")]
    sentences = [
        np.array([int(row[6]) for row in block if row[0].isdigit()], dtype=np.int32)
        for block in rows
    ]
    assert len(sentences) > 500
    decoded = decode_rooted(gold_distances(sentences), gold_depths(sentences))
    assert all(map(np.array_equal, decoded, sentences))

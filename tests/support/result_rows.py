"""Result rows for tests of pictures, and a small folder of results with predictions."""

from __future__ import annotations

import numpy as np

from structprobe import Prediction, Sentence
from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import make_row
from structprobe.trees import tree_depths, tree_distances

TOLD = {
    "treebank": "en-test.conllu",
    "part": "test",
    "n_sentences": 2077,
    "punct": "upos",
    "min_length": 5,
    "max_length": 50,
}


def probe_row(layer, *, model="bert", rank=64, seed=0, uuas=None, **values):
    """A row of a sweep; its UUAS tells its layer."""
    uuas = 0.1 + 0.05 * layer if uuas is None else uuas
    bounds = {"uuas_low": uuas - 0.02, "uuas_high": uuas + 0.03}
    told = {"model": model, "layer": layer, "rank": rank, "seed": seed, "method": "probe"}
    key = f"{model}-{layer}-{rank}-{seed}".replace("/", "-")
    return make_row(key=key, uuas=uuas, **bounds, **{**TOLD, **told, **values})


def baseline_row(method, uuas, seed=None):
    """A row of a method without a model."""
    return make_row(key=f"{method}-{seed}", method=method, seed=seed, uuas=uuas, **TOLD)


def write_folder(folder):
    """Two layers and a baseline, with predictions that are gold but for a shift."""
    sentences = [
        Sentence(
            ("the", "<b>", "$ran$", "off", "&", "on", "猫", "."),
            [2, 3, 0, 3, 6, 3, 3, 3],
            ("det", "nsubj", "root", "advmod", "cc", "conj", "obj", "punct"),
            ("DET", "NOUN", "VERB", "ADV", "CCONJ", "ADV", "NOUN", "PUNCT"),
            sent_id="s1",
        ),
        Sentence(("go", "on"), [0, 1], ("root", "advmod"), ("VERB", "ADV"), sent_id="s2"),
    ]
    results = ResultsFolder(folder)
    for layer in (0, 1):
        predictions = [
            Prediction(
                np.asarray(one.heads),
                tree_distances(one.heads) * (1 + layer / 10),
                tree_depths(one.heads) + layer / 10,
            )
            for one in sentences
        ]
        results.add(probe_row(layer), sentences, predictions)
    results.add(baseline_row("linear", 0.3))
    return sentences

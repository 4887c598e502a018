"""The incremental parser among the methods, and what its row says about a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_checkpoints import make_model, make_tokenizer
from support.tiny_trees import tiny_bank

from structprobe import Encoder, compare, format_table
from structprobe.recoverers.incremental import Incremental
from structprobe.tree_faults import tree_fault

TRAIN, DEV, TEST = (tiny_bank(n=14, seed=seed) for seed in range(3))


@pytest.mark.parametrize(("kind", "layer"), [("llama", 1), ("bert", 1), ("bert", 0)])
def test_the_row_says_whether_vectors_depend_on_later_words(
    kind: str, layer: int, tmp_path: Path
) -> None:
    encoder = Encoder(make_model(kind), tokenizer=make_tokenizer(), max_unknown=1, device="cpu")
    method = Incremental(encoder, layers=(layer,), max_steps=5, device="cpu", progress=False)
    (row,) = compare(encoder, TRAIN, DEV, TEST, folder=tmp_path, methods=method)
    sees_them = kind == "bert" and layer > 0
    assert method.causal_ is not sees_them
    told = [text for text in row["warnings"] if "vectors depend on later words" in text]
    assert len(told) == sees_them
    assert ("vectors depend on later words" in format_table([row])) is sees_them
    assert row["uas"] is not None
    assert row["choice"].endswith("% of dev words unattached")


def test_the_tree_is_that_of_the_best_layer_on_dev() -> None:
    method = Incremental(
        Encoder(make_model("llama"), tokenizer=make_tokenizer(), max_unknown=1, device="cpu"),
        max_steps=5, device="cpu", progress=False,
    ).fit(TRAIN, DEV)  # fmt: skip
    best = max(method.curve_, key=method.curve_.__getitem__)
    assert method.chosen_["layer"] == method.recoverer_.layer == best
    for one, found in zip(TEST, method.predict(TEST), strict=True):
        assert len(found) == len(one)
        assert tree_fault(found.heads.tolist()) is None
        assert found.arc_scores is None  # or it would be decoded again, from the whole sentence

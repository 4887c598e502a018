"""A sweep at each checkpoint of a model in training, into one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_checkpoints import make_model, make_tokenizer
from support.tiny_trees import tiny_bank
from transformers import BertForMaskedLM

from structprobe import Encoder
from structprobe.experiments.compare import compare
from structprobe.experiments.sweep import sweep
from structprobe.results.folder import read_rows

BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
GRID: dict[str, Any] = {"layers": "2", "ranks": (2,), "seeds": (0,)}


def test_each_checkpoint_gets_rows_of_its_own(tmp_path: Path) -> None:
    model = make_model("bert")
    encoder = Encoder(model, tokenizer=make_tokenizer())
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)

    def probe_row() -> dict[str, Any]:
        rows = sweep(encoder, *BANKS, folder=tmp_path / "RESULTS", **GRID)
        (row,) = (row for row in rows if row["method"] == "probe")
        return dict(row)

    first = probe_row()
    assert probe_row() == first  # nothing has changed: no new run
    model.train()
    output = model(input_ids=torch.tensor([[2, 5, 6, 3]]))
    output.last_hidden_state.pow(2)[..., ::2].sum().backward()
    optimiser.step()
    assert all(module.training for module in model.modules())

    second = probe_row()
    assert second["key"] != first["key"]
    assert second["fingerprint"] != first["fingerprint"]
    assert second["dev_loss"] != first["dev_loss"]
    assert second["dspr"] != first["dspr"]
    kept = [row for row in read_rows(tmp_path / "RESULTS") if row["method"] == "probe"]
    assert [row["key"] for row in kept] == [first["key"], second["key"]]
    assert dict(kept[0]) == first
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("method", ["perturbed-probability", "cpmi", "substitutability[k=1]"])
def test_a_head_that_is_trained_alone_gets_a_row_of_its_own(tmp_path: Path, method: str) -> None:
    model = BertForMaskedLM(make_model("bert").config)
    encoder = Encoder(model, tokenizer=make_tokenizer())

    def key() -> str:
        (row,) = compare(encoder, *BANKS, folder=tmp_path / "R", methods=method)
        return str(row["key"])

    first = key()
    assert key() == first
    fingerprint = encoder.fingerprint
    with torch.no_grad():
        model.cls.predictions.transform.dense.weight.mul_(2)
    assert encoder.fingerprint == fingerprint  # the vectors are the same
    assert key() != first

"""The command that intervenes: what it prints, with a model or a saved probe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.planted_agreement import planted_model, write_planted

from structprobe.cli.main import main
from structprobe.results.interventions import saved_interventions


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("intervene")
    encoder = planted_model("tree")
    encoder.model.save_pretrained(folder / "model")
    encoder.tokenizer.save_pretrained(folder / "model")
    write_planted(folder, 20, {"train": 60, "dev": 12})
    return folder


def run(capsys: Any, *words: str) -> str:
    assert main([*words, "--device", "cpu", "-q"]) == 0
    return str(capsys.readouterr().out)


def given(world: Path) -> list[str]:
    return ["--train", str(world / "train.conllu"), "--dev", str(world / "dev.conllu"),
            "--max-unknown", "1"]  # fmt: skip


def test_the_table_has_each_measure_with_its_controls(world: Path, capsys: Any) -> None:
    # The sentences of the attachment are not of the words of the model.
    few = ["--attachment", "5", "--max-steps", "60", "--controls", "form", "--layer", "1"]
    told = [str(world / "pairs.tsv"), *given(world), *few, "--rank", "4"]
    text = run(capsys, "intervene", "--model", str(world / "model"), *told)
    head, *lines = text.splitlines()
    assert head.split("  ")[0] == "removed"
    measured = [line.split("  ")[0] for line in lines if " accuracy " in line and " all " in line]
    assert measured[0] == "probe"
    for name in ("top axes", "bottom axes", "untrained probe", "control: form"):
        assert any(line.startswith(f"  {name}") for line in lines)
    assert "Removed from layer 1 of" in text
    out = str(world / "RESULTS")
    again = [*told, "--json", "-o", out]
    rows = json.loads(run(capsys, "intervene", "--model", str(world / "model"), *again))
    assert saved_interventions(out) == rows
    # What is there is not done again.
    assert json.loads(run(capsys, "intervene", "--model", str(world / "model"), *again)) == rows
    page = world / "page.html"
    assert main(["report", out, "-o", str(page), "-q"]) == 0
    shown = page.read_text(encoding="utf-8")
    assert '<h2 id="interventions">Interventions</h2>' in shown
    assert "control: form" in shown
    own = next(row for row in rows if row["measure"] == "accuracy")
    line = next(line for line in lines if line.startswith("probe") and " accuracy " in line)
    assert f" {100 * own['untouched']:.1f} " in line
    assert f" {100 * own['difference']:z.1f} [" in line
    assert sum(row["intervention"] == "random" for row in rows) % 5 == 0


def test_a_saved_probe_brings_its_model_layer_and_rank(world: Path, capsys: Any) -> None:
    out = world / "PROBE"
    run(capsys, "fit", "--model", str(world / "model"), *given(world), "--layer", "1", "--rank",
        "3", "--max-steps", "40", "-o", str(out))  # fmt: skip
    rows = json.loads(
        run(capsys, "intervene", *given(world)[:-2], "--probe", str(out), "--sentences", "6",
            "--attachment", "5", "--max-steps", "40", "--controls", "--json",
            "--max-unknown", "1")
    )  # fmt: skip
    own = [row for row in rows if row["intervention"] == "probe"]
    assert {row["layer"] for row in own} == {1}
    assert {row["rank"] for row in own} == {3}
    assert {row["measure"] for row in own} >= {"bits per word", "UUAS"}
    assert not any(str(row["intervention"]).startswith("control") for row in rows)

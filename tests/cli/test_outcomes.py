"""The table of many models: what it does, resumes, leaves empty and shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.planted_agreement import planted_model, write_planted

from structprobe.cli.main import main
from structprobe.errors import EncoderError, ProbeError
from structprobe.experiments.behaviour import outcomes as experiment
from structprobe.experiments.sweep import sweep
from structprobe.results.outcomes import LEAST_MODELS, over_models


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outcomes")
    for reads in ("tree", "elsewhere"):
        encoder = planted_model(reads)
        encoder.model.save_pretrained(folder / reads)
        encoder.tokenizer.save_pretrained(folder / reads)
    encoder.model.transformer.save_pretrained(folder / "headless")
    encoder.tokenizer.save_pretrained(folder / "headless")
    write_planted(folder, 40, {"train": 60, "dev": 12, "test": 12})
    return folder


def words(world: Path, *models: str) -> list[str]:
    files = [f"--{part}={world / part}.conllu" for part in ("train", "dev", "test")]
    told = ["--suites", str(world / "pairs.tsv"), "--layers", "1", "--rank", "4"]
    told += ["--max-steps", "60", "--max-unknown", "1", "--device", "cpu"]
    told += ["--intervention-pairs", "20", "-o", str(world / "RESULTS")]
    names = [str(world / one) for one in models]
    return ["outcomes", "--model", *names, *files, *told]


def test_models_in_one_table_and_page(world: Path, capsys: Any) -> None:
    asked = words(world, "tree", "elsewhere")
    assert main([*asked, "--dry-run", "-q"]) == 0
    plan = capsys.readouterr().out
    assert plan.count("behave    about") == plan.count("intervene about") == 2
    assert not (world / "RESULTS").exists()
    assert main([*asked, "--json", "-q"]) == 0
    tree, elsewhere = json.loads(capsys.readouterr().out)
    assert tree["uuas"] == elsewhere["uuas"]  # the vectors are the same
    assert tree["selectivity"] is not None
    for one in (tree, elsewhere):
        (every,) = (own for own in one["behaviour"] if own["condition"] == "all")
        assert every["n"] == 40
    effects = [
        next(own for own in one["removal"]
             if own["condition"] == "accuracy" and own["control_of"] is None
             and own["value"] == "all")
        for one in (tree, elsewhere)
    ]  # fmt: skip
    assert effects[0]["beyond_random_high"] < 0  # the one reads what the probe reads
    assert abs(effects[1]["beyond_random"]) < 0.1
    # The same command does nothing again, and prints the same.
    before = (world / "RESULTS" / "rows.jsonl").read_bytes()
    assert main([*asked, "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out) == [tree, elsewhere]
    assert (world / "RESULTS" / "rows.jsonl").read_bytes() == before
    assert main([*asked, "-q"]) == 0
    text = capsys.readouterr().out
    assert "removed: accuracy" in text.splitlines()[0]
    assert "No correlation over models: 2 models, and at least 8" in text
    page = world / "page.html"
    assert main(["report", str(world / "RESULTS"), "-o", str(page), "-q"]) == 0
    shown = page.read_text(encoding="utf-8")
    for name in ("outcomes", "behaviour", "interventions"):
        assert f'<h2 id="{name}">' in shown
    assert "UUAS and accuracy: pairs" in shown


def test_a_model_without_a_head_goes_on(world: Path, capsys: Any) -> None:
    asked = words(world, "headless")
    asked[asked.index("-o") + 1] = str(world / "HEADLESS")
    assert main([*asked, "--json", "-q"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["uuas"] is not None
    assert (one["behaviour"], one["removal"], one["tests"]) == ([], [], [])
    assert any("has no head" in why for why in one["why_empty"])


def test_no_layer_is_chosen_on_test(world: Path, capsys: Any) -> None:
    asked = [one for one in words(world, "tree") if not one.startswith("--dev=")]
    asked[asked.index("-o") + 1] = str(world / "TESTED")
    asked[asked.index("--layers") + 1] = "1,2"
    assert main([*asked, "-q"]) == 1
    told = capsys.readouterr().err
    assert "no dev set, by which the probe of one of 2 layers is chosen" in told


def test_a_model_that_cannot_be_probed_goes_on(
    world: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise EncoderError("a text has 60 tokens")

    monkeypatch.setattr(experiment, "sentence_test_rows", refuse)
    monkeypatch.setattr(experiment, "intervention_rows", refuse)
    sweeps = Sweeps()
    monkeypatch.setattr(experiment, "sweep", sweeps)
    asked = words(world, "tree", "elsewhere")
    asked[asked.index("-o") + 1] = str(world / "FAULTS")
    assert main([*asked, "--json", "-q"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["why_empty"] == ["rank 64 of vectors that are 40 wide"]
    assert second["why_empty"] == ["a text has 60 tokens"]
    assert second["behaviour"]
    sweeps.n_calls = 0
    asked[asked.index("-o") + 1] = str(world / "FAULTY")
    assert main([*[one for one in asked if not one.endswith("elsewhere")], "-q"]) == 1
    assert "rank 64 of vectors" in capsys.readouterr().err


class Sweeps:
    """A sweep that the first model does not allow."""

    n_calls = 0

    def __call__(self, *given: Any, **options: Any) -> Any:
        self.n_calls += 1
        if self.n_calls == 1:
            raise ProbeError("rank 64 of vectors that are 40 wide")
        return sweep(*given, **options)


def test_revisions_go_with_one_model(world: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main([*words(world, "tree", "elsewhere"), "--revisions", "a,b"])
    assert "--revisions goes with one --model" in capsys.readouterr().err


def outcome(uuas: float, accuracy: float) -> dict[str, Any]:
    told = {"suite": "s", "condition": "all", "value": "all", "accuracy": accuracy}
    return {"uuas": uuas, "selectivity": -uuas, "behaviour": [told]}


def test_models_are_correlated_where_there_are_enough() -> None:
    models = [outcome(0.5 + 0.01 * i, 0.6 + 0.02 * i) for i in range(LEAST_MODELS)]
    rising, falling = over_models(models)
    assert (rising["score"], rising["n_models"]) == ("uuas", LEAST_MODELS)
    assert (rising["rho"], falling["rho"]) == (pytest.approx(1), pytest.approx(-1))
    assert rising["low"] <= rising["rho"] <= rising["high"] + 1e-9
    assert over_models(models[1:]) == []
    same = [outcome(0.5, 0.6 + 0.02 * i) for i in range(LEAST_MODELS)]
    assert over_models(same)[0]["rho"] is None

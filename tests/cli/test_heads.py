"""``structprobe heads`` from arguments to what is printed and written, on a tiny model."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_file

from structprobe.cli.main import main


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("heads")
    save_checkpoint(folder / "model", "bert")
    for seed, part in enumerate(("train", "dev", "test")):
        tiny_file(folder / f"{part}.conllu", seed=seed)
    return (
        f"heads --model {folder}/model --train {folder}/train.conllu --dev {folder}/dev.conllu "
        f"--test {folder}/test.conllu --device cpu -q"
    )


def test_tables_and_files(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--seed", "5", "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for told in ("relation", "(seed 5)", "entropy", "Patterns of 4 heads", "test.conllu"):
        assert told in printed.out
    pictures = {"relations.svg", "targets.svg"} if importlib.util.find_spec("matplotlib") else set()
    assert {path.name for path in (tmp_path / "out").iterdir()} == pictures | {
        "structprobe.json", "heads.json", "heads.csv", "relations.csv", "trees.csv"
    }  # fmt: skip


def test_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--json", "--punct", "keep"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["punct"] == "keep"
    assert len(found["heads"]) == 4
    assert found["relations"][0]["relation"] == "all"


def test_pairs_that_a_tokenizer_does_not_know(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--pairs"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "puts no special token between two segments; read sentences one by one" in line


def test_faults(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").touch()
    assert main([*command.split(), "-o", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert "is not a structprobe results folder" in line
    with pytest.raises(SystemExit) as stop:
        main(["heads", "--model", "m", "--train", "t.conllu"])
    assert stop.value.code == 2
    assert "--test" in capsys.readouterr().err

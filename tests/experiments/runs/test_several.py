"""One command sweeps several models over several treebanks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe.cli.main import main
from structprobe.errors import TreebankError
from structprobe.treebank.files import find_parts

SMALL = ["--device", "cpu", "--max-steps", "2", "--layers", "1", "-q"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models and two treebanks, one without a test part."""
    folder = tmp_path_factory.mktemp("world")
    save_checkpoint(folder / "bert", "bert")
    save_checkpoint(folder / "gpt2", "gpt2")
    for number, (name, parts) in enumerate({"A": ("train", "dev"), "B": ("train", "test")}.items()):
        (folder / name).mkdir()
        for part in parts:
            bank = tiny_bank(seed=2 * number + (part != "train"))
            bank.write(folder / name / f"{name.lower()}-ud-{part}.conllu")
    return folder


def test_models_by_treebanks(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, banks = f"{world}/bert {world}/gpt2".split(), f"{world}/A {world}/B".split()
    command = ["sweep", "--model", *models, "--treebank", *banks, "-o", f"{tmp_path}/DIR", *SMALL]
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.count("train ") == 4
    assert not (tmp_path / "DIR").exists()
    assert main([*command[:-1], "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.count(f"the predictions saved in {tmp_path}/DIR take ") == 1
    rows = json.loads(printed.out)
    assert [(Path(row["model"]).name, row["treebank"]) for row in rows if row["model"]] == [
        ("bert", "a-ud-dev.conllu"), ("bert", "b-ud-test.conllu"),
        ("gpt2", "a-ud-dev.conllu"), ("gpt2", "b-ud-test.conllu"),
    ]  # fmt: skip
    assert len(rows) == 4 + 2 * 4  # the baselines once a treebank
    assert len({row["key"] for row in rows}) == len(rows)
    assert main(command) == 0
    heading = capsys.readouterr().out.splitlines()[0].split()
    assert heading[:4] == ["method", "model", "treebank", "part"]


def test_parts_of_a_treebank(tmp_path: Path) -> None:
    for name in ("x-ud-train-b.conllu.gz", "x-ud-train-a.conllu", "x-ud-dev.conllu", "stats.xml"):
        (tmp_path / name).touch()
    found = find_parts(tmp_path)
    assert {part: [path.name for path in files] for part, files in found.items()} == {
        "train": ["x-ud-train-a.conllu", "x-ud-train-b.conllu.gz"],
        "dev": ["x-ud-dev.conllu"],
    }
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        TreebankError, match="is not the folder of a treebank; its files should have names"
    ):
        find_parts(tmp_path / "empty")
    with pytest.raises(TreebankError, match=r"none: no such folder; .* has fetched"):
        find_parts(tmp_path / "none")


def test_treebanks_that_do_not_do(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x-ud-dev.conllu").touch()
    common = ["sweep", "--model", f"{world}/bert", "-o", f"{tmp_path}/DIR", *SMALL]
    assert main([*common, "--treebank", str(tmp_path)]) == 1
    assert "the treebank has no train set; name the files with --train" in capsys.readouterr().err
    (tmp_path / "x-ud-dev.conllu").rename(tmp_path / "x-ud-train.conllu")
    assert main([*common, "--treebank", f"{world}/A", str(tmp_path)]) == 1
    assert f"{tmp_path}: there is nothing to score on; give a dev" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([*common, "--treebank", f"{world}/A", "--dev", f"{world}/A/a-ud-dev.conllu"])
    assert stopped.value.code == 2
    told = "give either --treebank or --dev: a treebank has its own parts"
    assert told in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(common)
    assert stopped.value.code == 2

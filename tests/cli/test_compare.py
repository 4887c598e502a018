"""``structprobe compare`` from arguments to the table, on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_text

from structprobe.cli import inputs
from structprobe.cli.main import main
from structprobe.recoverers.methods import find_methods

STAR = '''
import numpy as np
from structprobe import Prediction, Recoverer

class Star(Recoverer):
    """Hangs every word on the first."""
    name = "star"
    def predict(self, sentences):
        return [Prediction(np.minimum(np.arange(len(one)), 1)) for one in sentences]

class Unfit(Star):
    name = "unfit"
    def fit(self, train, dev=None):
        from structprobe.errors import EncoderError
        raise EncoderError("the model has no attentions")
'''


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    save_checkpoint(folder / "model", "bert")
    for seed, part in enumerate(("train", "dev", "test")):
        (folder / f"{part}.conllu").write_text(tiny_text(seed=seed))
    (folder / "stars.py").write_text(STAR)
    return folder


def command(world: Path, methods: str, out: str, *more: str) -> list[str]:
    files = [
        word
        for part in ("train", "dev", "test")
        for word in (f"--{part}", f"{world}/{part}.conllu")
    ]
    return [
        *("compare", "--model", f"{world}/model", *files, "--methods", methods, "--device", "cpu"),
        *("-o", f"{world}/{out}", "-q", *more),
    ]


def test_rows_as_json_and_as_a_table(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(world))
    arguments = command(world, "probe-layer-0,stars:Star,stars:Unfit,linear", "a")
    assert main([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in rows] == ["probe-layer-0", "star", "unfit", "linear"]
    assert [row["layer"] for row in rows] == [0, None, None, None]
    written = (world / "a" / "rows.jsonl").read_bytes()
    assert main(arguments) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table[:5]] == ["method", *(row["method"] for row in rows)]
    assert table[5] == "unfit has no scores: the model has no attentions"
    assert table[6] == "Scored on test.conllu, 12 sentences."
    assert (world / "a" / "rows.jsonl").read_bytes() == written


def test_options_of_methods(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = "attention-max[layer=2,head=1],attention-max[layer=3],attention-mst[head=0],linear"
    assert main([*command(world, methods, "options"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["layer"], row["head"]) for row in rows[:2]] == [(2, 1), (None, None)]
    assert [row["why_empty"] for row in rows] == [
        None, "layer 3 has no attention weights; choose a layer from 1 to 2",
        "there is no attention head 0; choose a head from 1 to 2", None,
    ]  # fmt: skip
    assert [row["uuas"] is None for row in rows] == [False, True, True, False]
    assert main(command(world, methods, "options")) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[1].startswith("attention-max[layer=2,head=1]  ")
    told = "layer 3 has no attention weights; choose a layer from 1 to 2"
    assert table[5] == f"attention-max[layer=3] has no scores: {told}"


def test_no_scores_at_all_are_a_fault_that_is_told_once(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [one for one in command(world, "stars:Unfit", "none", "--disturbed") if one != "-q"]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "unfit has no scores: the model has no attentions" in printed.out
    assert printed.err.count("the model has no attentions") == 1  # of four rows
    assert printed.err.splitlines()[-1] == (
        "structprobe: error: no method gave scores; the output above says why"
    )


def test_disturbed_rows(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(world, "random", "b", "--disturbed", "--seed", "3", "--punct", "keep")) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in table[:5]] == [
        ["method", "input", "seed"], ["random", "original", "3"], ["random", "shuffled", "3"],
        ["random", "swapped", "3"], ["random", "truncated", "3"],
    ]  # fmt: skip
    assert 'punct="keep"' in table[-4]
    assert table[-3:] == [
        "Warning: 1 of 12 sentences of test (8.3%) is also in dev, such as '.'.",
        "Warning: test has only 12 sentences: the scores are very uncertain.",
        "Warning: 1 of 12 sentences of test (8.3%) is also in train, such as 'saw' (1 of 4 rows).",
    ]


def test_the_methods_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*find_methods()]
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("options", ["--list --json", "--json --methods linear --list"])
def test_the_methods_are_listed_as_json(options: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *options.split()]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert [*listed] == [*find_methods()]
    assert listed["probe"]["options"] == ["rank", "max_steps"]
    assert listed["linear"]["options"] == []
    assert all(one["summary"] for one in listed.values())


def test_a_fault_is_one_line(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "build_encoder", None)  # refused before a model is loaded
    assert main(command(world, "linaer", "c")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("structprobe: error: unknown method 'linaer' (did you mean 'linear'?)")
    assert not (world / "c").exists()
    assert main(command(world, "linear", "stars.py")) == 1
    assert "stars.py" in capsys.readouterr().err
    arguments = command(world, "linear", "c")
    arguments[arguments.index("--dev") + 1] = "gone.conllu"
    assert main(arguments) == 1
    assert "gone.conllu: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["--model", "--dev", "--test", "-o"])
def test_a_fault_in_the_usage_is_status_2(
    missing: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(world, "linear", "d")
    place = arguments.index(missing)
    with pytest.raises(SystemExit) as stop:
        main(arguments[:place] + arguments[place + 2 :])
    assert stop.value.code == 2
    assert missing in capsys.readouterr().err

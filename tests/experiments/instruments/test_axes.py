"""Axes that tasks share, of planted vectors and of a tiny model, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.flat_settings import compare_axes
from support.planted_encoder import PlantedEncoder, distinct_bank
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder, Treebank
from structprobe.cli.main import main
from structprobe.errors import ProbeError, ScoreError
from structprobe.experiments.config import AxesConfig
from structprobe.show.vector_tables import format_axes
from structprobe.treebank.controls import PAPER_TASKS

QUIET = {"device": "cpu", "progress": False}


def test_what_is_planted_on_a_layer_is_found_there() -> None:
    train, dev, test = (distinct_bank(200, seed, longest=7) for seed in range(3))
    encoder = PlantedEncoder(Treebank([*train, *dev, *test]))
    tasks = ["syntax-distance", "syntax-depth", "random-distance"]
    noise, trees = compare_axes(
        encoder, train, dev, test, layers=[0, 1], tasks=tasks, max_steps=200, **QUIET
    )
    assert [noise.layer, trees.layer] == [0, 1]
    assert (noise.n_axes, trees.n_axes) == (7, 7)
    for layer in (noise, trees):
        assert [one.task for one in layer.tasks] == tasks
        pairs = [(one.a, one.b) for one in layer.pairs]
        assert pairs == [(tasks[0], tasks[1]), (tasks[0], tasks[2]), (tasks[1], tasks[2])]
    for one in trees.tasks[:2]:
        assert one.correlation is not None
        assert one.correlation > 0.95
        assert one.error < 0.2
    # Neither noise nor random trees can be predicted.
    for one in (*noise.tasks[:2], noise.tasks[2], trees.tasks[2]):
        assert one.correlation is not None
        assert one.correlation < 0.5
        assert one.error > 0.2


def test_scores_are_on_dev_without_a_test_set(tmp_path: Path) -> None:
    encoder = Encoder(save_checkpoint(tmp_path / "model", "bert"))
    banks = [tiny_file(tmp_path / f"{name}.conllu", seed=seed, n=15)
             for seed, name in enumerate("abc")]  # fmt: skip
    told = {"layers": 1, "tasks": ["syntax-depth"], "max_steps": 3, **QUIET}
    (found,) = compare_axes(encoder, *banks[:2], **told)
    (other,) = compare_axes(encoder, *banks, **told)
    assert (found.scored_on, other.scored_on, found.train) == ("b.conllu", "c.conllu", "a.conllu")
    assert found.tasks[0].error == other.tasks[0].error  # on dev
    assert found.tasks[0].correlation != other.tasks[0].correlation
    assert (found.pairs, found.tasks[0].n_axes) == ((), other.tasks[0].n_axes)
    assert "Axes in common" not in format_axes([found.values()])
    with pytest.raises(ScoreError, match="the best step is chosen on a dev set; pass one"):
        compare_axes(encoder, banks[0], None, **told)


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    encoder, bank = Encoder(save_checkpoint(tmp_path / "model", "bert")), tiny_bank()
    with pytest.raises(
        ProbeError, match=r"unknown task 'syntax'.*; choose from 'syntax-distance', "
    ):
        compare_axes(encoder, bank, bank, tasks="syntax", **QUIET)
    with pytest.raises(ProbeError, match="layer 9 is out of range"):
        compare_axes(encoder, bank, bank, layers=9, **QUIET)
    for wrong, told in (
        ({"coordinates": "white"}, "unknown coordinates 'white'"),
        ({"l1": -1}, "l1 must be at least 0"),
        ({"threshold": 1}, "threshold must be at least 0 and below 1"),
        ({"max_steps": 0}, "max_steps must be a positive integer"),
    ):
        with pytest.raises(ProbeError, match=told):
            AxesConfig(**wrong)


def test_the_command_prints_tables_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_checkpoint(tmp_path / "model", "bert")
    command = f"axes --model {model} --layers 0,2 --device cpu --max-steps 3 -q".split()
    for seed, part in enumerate(("train", "dev", "test")):
        tiny_file(tmp_path / f"{part}.conllu", seed=seed, n=15)
        command += [f"--{part}", f"{tmp_path}/{part}.conllu"]
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["layer"] for row in rows] == [0, 2]
    for row in rows:
        assert [one["task"] for one in row["tasks"]] == [*PAPER_TASKS]
        assert len(row["pairs"]) == 15
        assert (row["coordinates"], row["scored_on"]) == ("whitened", "test.conllu")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed == format_axes(rows) + "\n"
    heading, first, *_ = printed.splitlines()
    assert heading.split() == ["layer", "task", "axes", "Spearman"]
    known = rows[0]["tasks"][0]
    shown = ["0", "syntax-distance", str(known["n_axes"]), f"{100 * known['correlation']:.1f}"]
    assert first.split() == shown
    pair = rows[0]["pairs"][0]
    shares = [f"{100 * pair[key]:.1f}" for key in ("share", "chance", "overlap")]
    line = ["0", "syntax-distance", "syntax-depth", str(pair["n_shared"]), *shares]
    assert line in [one.split() for one in printed.splitlines()]
    assert "orthogonal in coordinates that whiten the word vectors" in printed
    assert "Warning: test has only 15 sentences" in printed
    assert main([*command, "--coordinates", "raw", "--tasks", "syntax-depth", "form-depth"]) == 0
    assert "orthogonal in the model's own coordinates" in capsys.readouterr().out

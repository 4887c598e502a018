"""Sweeps over numbers of training sentences: samples, their rows, and the curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import plan_sweep, sweep
from support.planted_encoder import PlantedEncoder, distinct_bank

from structprobe import StructuralProbe, Treebank, score
from structprobe.cli.parser import Parser
from structprobe.cli.sweep import add_arguments
from structprobe.errors import ProbeError, ResultError, ScoreError
from structprobe.experiments.runs.run import Banks
from structprobe.results.folder import ROWS
from structprobe.results.saved_probes import find_probe
from structprobe.show import draw_learning_curves, plot_folder
from structprobe.show.table import format_table
from structprobe.treebank.sentence import Sentence

BANKS = tuple(distinct_bank(n, seed=seed) for seed, n in enumerate((120, 30, 60)))
HOW: dict[str, Any] = {"layers": 1, "max_steps": 40, "device": "cpu", "progress": False}
HOW |= {"recipe": "whitened", "baselines": False}
SIZES = (2, 20, None)


class Encoder(PlantedEncoder):
    """The planted encoder with noise on further axes, and what a sweep asks of it."""

    def __init__(self, *banks: Sequence[Sentence]) -> None:
        super().__init__(Treebank(one for bank in banks for one in bank))
        self.hidden_size = 2 * self.longest
        self.bytes_per_value = 4

    def _vectors(self, heads: np.ndarray) -> np.ndarray:
        trees = super()._vectors(heads)
        noise = np.random.default_rng(heads).normal(size=trees.shape)
        return np.concatenate([trees, noise], axis=1).astype(np.float32)

    def origin(self, layer: int) -> dict[str, Any]:
        return {"model": "planted", "fingerprint": "planted"}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(*BANKS)


@pytest.fixture(scope="module")
def swept(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("swept")
    how = HOW | {"seeds": (0, 1), "save_probes": True}
    return folder, sweep(encoder, *BANKS, folder=folder, train_sentences=SIZES, **how)


def untimed(rows: Any) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in rows]


def test_more_sentences_find_more_of_the_trees(swept: tuple[Path, list[Any]]) -> None:
    _, rows = swept
    assert [(row["seed"], row["train_sentences"], row["n_train"]) for row in rows] == [
        (0, 2, 2), (0, 20, 20), (1, 2, 2), (1, 20, 20), (0, None, 120), (1, None, 120)
    ]  # fmt: skip
    for seed in (0, 1):
        few, more, whole = (row["uuas"] for row in rows if row["seed"] == seed)
        assert few < min(more, whole) - 0.05


def test_samples_are_nested_and_of_the_seed() -> None:
    banks = Banks.of(*BANKS)
    few, more, other = (banks.sampled(n, seed) for n, seed in ((10, 0), (30, 0), (10, 1)))
    assert {*few.train} < {*more.train} < {*BANKS[0]}
    assert {*few.train} != {*other.train}
    assert [*few.train] == [BANKS[0][number] for number in few.taken]
    assert (few.dev, few.test) == BANKS[1:]


def test_a_row_is_that_of_a_probe_on_the_sample(
    encoder: Encoder, swept: tuple[Path, list[Any]]
) -> None:
    (row,) = (one for one in swept[1] if (one["seed"], one["train_sentences"]) == (1, 20))
    order = np.random.default_rng(1).permutation(120)[:20]
    train = [BANKS[0][number] for number in sorted(order)]
    X, X_dev, X_test = (encoder.encode(bank, layers=1).layer(1) for bank in (train, *BANKS[1:]))
    probe = StructuralProbe(max_steps=40, random_state=1, device="cpu", recipe="whitened")
    found = score(BANKS[2], probe.fit(X, train, dev=(X_dev, BANKS[1])).predictions(X_test))
    assert (row["uuas"], row["dspr"]) == (found.uuas, found.dspr)
    assert row["train_fingerprint"] == Treebank(train).fingerprint


def test_the_whole_set_is_the_run_of_an_ordinary_sweep(
    encoder: Encoder, swept: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    (row,) = sweep(encoder, *BANKS, folder=tmp_path, **HOW)
    assert row["key"] == swept[1][4]["key"]
    assert row["train_sentences"] is None
    (done, *_), before = swept, (swept[0] / ROWS).read_bytes()
    again = sweep(encoder, *BANKS, folder=done, train_sentences=[120, 20], **HOW)
    assert (swept[0] / ROWS).read_bytes() == before
    assert [one["n_train"] for one in again] == [20, 120]


def test_samples_have_controls_of_their_own(encoder: Encoder, tmp_path: Path) -> None:
    how = HOW | {"seeds": (0, 1), "controls": "random", "folder": tmp_path, "max_steps": 5}
    rows = sweep(encoder, *BANKS, train_sentences=(20, None), **how)
    real = {(r["seed"], r["train_sentences"]): r for r in rows if r["control"] is None}
    assert len(rows) == 2 * len(real) == 8
    for row in (one for one in rows if one["control"]):
        beside = real[row["seed"], row["train_sentences"]]
        assert row["selectivity"] == pytest.approx(beside["uuas"] - row["uuas"])


def test_the_table_and_the_picture_show_the_sizes(
    swept: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    folder, rows = swept
    heading, *lines = format_table(rows).splitlines()
    assert "train sentences" in heading
    assert [line.split()[1] for line in lines[:3]] == ["2", "20", "all"]
    assert "planted" not in heading
    ax = draw_learning_curves(rows)
    (line,) = ax.lines
    assert line.get_label() == "probe"
    assert line.get_xdata().tolist() == [2, 20, 120]
    means = [np.mean([100 * r["uuas"] for r in rows if r["n_train"] == n]) for n in (2, 20, 120)]
    np.testing.assert_allclose(line.get_ydata(), means)
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "number of training sentences")
    assert [one.get_text() for one in ax.get_xticklabels()] == ["2", "20", "120"]
    names = {path.stem for path in plot_folder(folder, tmp_path, formats=["svg"], progress=False)}
    assert {"learning-uuas", "learning-dspr"} <= names
    assert "layers-uuas" not in names
    with pytest.raises(ResultError, match="no row has a layer, a number of training sentences"):
        draw_learning_curves([row | {"n_train": None} for row in rows])


def test_a_probe_of_a_sample_is_found_by_its_size_alone(swept: tuple[Path, list[Any]]) -> None:
    folder, rows = swept
    assert find_probe(folder)[1]["train_sentences"] is None
    path, row = find_probe(folder, train_sentences=20)
    assert row["uuas"] in [one["uuas"] for one in rows if one["train_sentences"] == 20]
    probe = StructuralProbe.from_pretrained(path)
    assert probe.saved_["fitted_on"]["train"] == "20 sentences of the training set"


def test_a_sample_that_is_too_small_leaves_an_empty_row(tmp_path: Path) -> None:
    sentences = [*BANKS[0]]
    sentences[np.random.default_rng(0).permutation(120)[0]] = Sentence(("word",), [0])
    train = Treebank(sentences)
    how = HOW | {"train_sentences": (1, None), "folder": tmp_path}
    few, whole = sweep(Encoder(train, *BANKS), train, *BANKS[1:], **how)
    assert few["why_empty"] is not None
    assert "two or more words" in few["why_empty"]
    assert (few["n_train"], few["uuas"]) == (1, None)
    assert whole["uuas"] > 0.5
    assert f"probe has no scores: {few['why_empty']}" in format_table([few, whole])


def test_sizes_that_are_not_there(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    how = HOW | {"folder": tmp_path / "new"}
    assert plan_sweep(encoder, *BANKS, train_sentences=(50, 500, 120), **how)["runs"] == 2
    told = "train_sentences 500: the training set has only 120 sentences"
    assert f"{told}; left out" in caplog.text
    with pytest.raises(ScoreError, match=f"{told}; use smaller numbers"):
        sweep(encoder, *BANKS, train_sentences=[500], **how)
    for sizes, wrong in (
        ((0,), "0 is out of range"),
        (("all",), "'all' is out of"),
        ((), "is emp"),
    ):
        with pytest.raises(ProbeError, match=f"train_sentences {wrong}"):
            sweep(encoder, *BANKS, train_sentences=sizes, **how)


def test_the_option_takes_sizes_and_all(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser()
    add_arguments(parser)
    given = ["--model", "m", "--treebank", "t", "-o", "o", "--train-sentences"]
    assert parser.parse_args([*given, "100,300,all"]).train_sentences == [100, 300, None]
    assert parser.parse_args(given[:-1]).train_sentences == [None]
    with pytest.raises(SystemExit):
        parser.parse_args([*given, "100,most"])
    assert "'most' is not a whole number of at least 1 (in the list" in capsys.readouterr().err

"""A sweep does each run once, whatever interrupts it, and loses nothing."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.conllu_text import cut
from support.flat_settings import fit_probe, plan_sweep, sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder, score
from structprobe.errors import ProbeError, ResultError, ScoreError
from structprobe.experiments.config import Training
from structprobe.experiments.runs.grid import Grid, probe_runs
from structprobe.experiments.runs.groups import Group, groups_of
from structprobe.experiments.runs.run import Banks
from structprobe.experiments.vectors_folder import VECTORS
from structprobe.probe.training import joint_fit as together
from structprobe.probe.training.streaming import Spool
from structprobe.results.folder import ROWS, ResultsFolder, read_rows
from structprobe.results.rows import Row
from structprobe.results.saved_runs import probe_path
from structprobe.results.settings import over_seeds
from structprobe.show.table import format_table

BASELINES = ["linear", "right-branching", "left-branching", "random", "random"]
BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
SMALL: dict[str, Any] = {"layers": "0,2", "ranks": (2, None), "seeds": (0, 1), "max_steps": 5}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def grid_of(rows: list[Row]) -> list[tuple[int, int, int]]:
    return [(r["layer"], r["rank"], r["seed"]) for r in rows if r["method"] == "probe"]


def test_one_row_a_run(encoder: Encoder, tmp_path: Path) -> None:
    train = tiny_file(tmp_path / "train.conllu")
    rows = sweep(encoder, train, *BANKS[1:], folder=tmp_path / "DIR", **SMALL)
    assert [row["method"] for row in rows] == BASELINES + ["probe"] * 8
    assert grid_of(rows) == list(itertools.product((0, 2), (2, 8), (0, 1)))
    assert rows == read_rows(tmp_path / "DIR")
    for row in rows:
        assert (row["part"], row["train"]) == ("test", "train.conllu")
        assert row["treebank_fingerprint"] == BANKS[2].fingerprint
        assert row["uuas"] is not None
        assert row["dev_uuas"] is not None
    assert not (tmp_path / "DIR" / VECTORS).exists()


def test_what_may_mislead_is_logged_once_and_in_every_row(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = tiny_bank(40)
    few, steps = "test has only 12 sentences", "training ended after 5 steps"
    for test, told in ((train[:12], "12 of 12 sentences of test (100.0%) are also in train"),
                       (BANKS[1], "dev and test are the same sentences")):  # fmt: skip
        caplog.clear()
        folder = tmp_path / told[:3]
        rows = sweep(encoder, train, BANKS[1], test, folder=folder, **SMALL)
        for row in rows:
            assert any(text.startswith(told) for text in row["warnings"])
            assert any(text.startswith(few) for text in row["warnings"])
        short = [any(text.startswith(steps) for text in row["warnings"]) for row in rows]
        assert short == [row["method"] == "probe" for row in rows]
        for once in (told, few, steps):
            assert caplog.text.count(once) == 1
        assert "the scores may be higher (8 of 13 runs)" in caplog.text


def test_warnings_are_no_part_of_what_identifies_a_run() -> None:
    banks = Banks.of(*BANKS)
    told = {"method": "probe", "seed": 0}
    assert banks.key_of({**told, "warnings": ["x"]}) == banks.key_of(told)


def test_a_run_is_what_fit_gives(encoder: Encoder, tmp_path: Path) -> None:
    rows = sweep(encoder, *BANKS[:2], folder=tmp_path, baselines=False, **SMALL)
    chosen = next(row for row in rows if (row["layer"], row["rank"], row["seed"]) == (2, 2, 1))
    _, alone = fit_probe(encoder, *BANKS[:2], layer=2, rank=2, seed=1, max_steps=5)
    times = ("cpu_seconds", "wall_seconds")
    assert {k: v for k, v in chosen.items() if k not in times} == {
        k: v for k, v in alone.items() if k not in times
    }


def test_a_saved_probe_is_what_fit_saves(encoder: Encoder, tmp_path: Path) -> None:
    """Card and all: the linear chain beside the scores, and their intervals."""
    swept = sweep(encoder, *BANKS[:2], folder=tmp_path, baselines=False, save_probes=True, **SMALL)
    (row,) = (r for r in swept if (r["layer"], r["rank"], r["seed"]) == (2, 2, 1))
    saved, fitted = probe_path(tmp_path, row), tmp_path / "PROBE"
    fit_probe(encoder, *BANKS[:2], layer=2, rank=2, seed=1, max_steps=5, out=fitted)
    assert {path.name for path in saved.iterdir()} == {path.name for path in fitted.iterdir()}
    for name in ("README.md", "model.safetensors", "training.svg"):
        assert (saved / name).read_bytes() == (fitted / name).read_bytes()
    card = (saved / "README.md").read_text(encoding="utf-8")
    assert "| score | % | 95% interval | linear chain, % |\n" in card
    low, high = (100 * row[f"uuas_{end}"] for end in ("low", "high"))
    assert f"| UUAS | {100 * row['uuas']:.1f} | {low:.1f} to {high:.1f} | " in card


def test_what_is_done_is_not_done_again(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sweep(encoder, *BANKS, folder=tmp_path, **SMALL)
    more = sweep(encoder, *BANKS, folder=tmp_path, **{**SMALL, "layers": "0-2"})
    assert [row for row in more if row["layer"] != 1] == rows
    before = (tmp_path / ROWS).read_bytes()
    monkeypatch.setattr(Encoder, "encode", None)
    monkeypatch.setattr(Group, "outcomes", None)
    assert sweep(encoder, *BANKS, folder=tmp_path, **SMALL) == rows
    assert (tmp_path / ROWS).read_bytes() == before


@pytest.mark.fault_class("interrupts")
def test_interrupted_and_taken_up(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[tuple[int, ...]] = []
    do = Group.outcomes

    def counting(group: Group) -> Any:
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fitted.append(tuple(run.layer for run in group.runs))
        return do(group)

    # Room for one layer only, so that each, with both ranks, is a group of its own.
    room = 1.5 * (BANKS[0].n_words + BANKS[1].n_words) * 8 * 4 / 1e9
    settings = {**SMALL, "layers": "0-2", "seeds": (0,), "baselines": False, "memory_gb": room}
    with monkeypatch.context() as patch:
        patch.setattr(Group, "outcomes", counting)
        with pytest.raises(KeyboardInterrupt):
            sweep(encoder, *BANKS, folder=tmp_path, **settings)
    assert fitted == [(0, 0), (1, 1)]
    assert (tmp_path / VECTORS).is_dir()
    with (tmp_path / ROWS).open("a") as file:
        file.write('{"torn": ')
    fitted.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Group, "outcomes", counting)
        rows = sweep(encoder, *BANKS, folder=tmp_path, **settings)
    assert fitted == [(2, 2)]
    assert grid_of(rows) == list(itertools.product((0, 1, 2), (2, 8), (0,)))
    assert rows == read_rows(tmp_path)
    assert not (tmp_path / VECTORS).exists()


def test_layers_that_are_done_stay_where_the_others_of_their_group_are_lost(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SMALL, "layers": "0-2", "seeds": (0,), "baselines": False, "device": "cpu"}
    whole = sweep(encoder, *BANKS, folder=tmp_path / "whole", **settings)
    fit = together.fit_kind

    def dying(task: Any, ranks: Any, *rest: Any) -> Any:
        if 2 in ranks:
            raise ProbeError("the loss is no longer finite")
        return fit(task, ranks, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(together, "fit_kind", dying)
        with pytest.raises(ProbeError, match="no longer finite"):
            sweep(encoder, *BANKS, folder=tmp_path / "DIR", **settings)
    there = read_rows(tmp_path / "DIR")
    assert grid_of(there) == list(itertools.product((0, 1), (2, 8), (0,)))
    assert not [one for one in threading.enumerate() if one.name.startswith("structprobe")]
    rows = sweep(encoder, *BANKS, folder=tmp_path / "DIR", **settings)
    assert rows[: len(there)] == there
    assert [row["uuas"] for row in rows] == [row["uuas"] for row in whole]


def test_layers_that_fit_are_one_group(encoder: Encoder) -> None:
    vectors = {"train": encoder.encode(BANKS[0]), "test": encoder.encode(BANKS[2])}
    banks = Banks.of(*BANKS[:2])
    grid = Grid((0, 1, 2), (2, 8))
    runs = probe_runs(encoder, banks, grid, Training(max_steps=5))
    assert groups_of(runs, vectors) == [tuple(runs)]
    layer_bytes = BANKS[0].n_words * 8 * 4
    two = groups_of(runs, vectors, (2 * layer_bytes + 1) / 1e9)
    assert two == [tuple(runs[:4]), tuple(runs[4:])]
    assert groups_of(runs, vectors, 1e-9) == [tuple(runs[i : i + 2]) for i in (0, 2, 4)]
    # In bfloat16 the vectors to learn from take half of that, and those of dev as much as ever.
    halves = probe_runs(encoder, banks, grid, Training(max_steps=5, products="bfloat16"))
    vectors["dev"] = encoder.encode(BANKS[1])
    size = (BANKS[0].n_words * 2 + BANKS[1].n_words * 4) * 8
    assert groups_of(halves, vectors, (3 * size + 1) / 1e9) == [tuple(halves)]
    two = groups_of(halves, vectors, (3 * size - 1) / 1e9)
    assert two == [tuple(halves[:4]), tuple(halves[4:])]


def test_streamed_layers_give_the_same_rows(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    banks = tiny_bank(150), BANKS[1]
    settings: dict[str, Any] = {**SMALL, "baselines": False, "device": "cpu", "progress": False}
    resident = sweep(encoder, *banks, folder=tmp_path / "a", **settings)
    made, start = [], Spool.__init__

    def noting(spool: Spool, *shape: Any) -> None:
        made.append(spool)
        start(spool, *shape)

    monkeypatch.setattr(Spool, "__init__", noting)
    room = (banks[0].n_words + banks[1].n_words) * 8 * 4 / 1e9
    streamed = sweep(encoder, *banks, folder=tmp_path / "b", memory_gb=0.9 * room, **settings)
    assert len(made) == 2 * 2 * 4  # by layer and seed, of each the two kinds, train and dev
    for one, other in zip(resident, streamed, strict=True):
        differing = {key for key in one if one[key] != other[key]}
        assert differing <= {"cpu_seconds", "wall_seconds"}
    _, alone = fit_probe(
        encoder, *banks, layer=2, rank=2, seed=1, max_steps=5, device="cpu", memory_gb=0.9 * room
    )
    assert len(made) == 2 * 2 * 4 + 4
    assert alone["dev_loss"] == streamed[5]["dev_loss"]


def test_rows_stay_where_there_is_no_room_for_a_batch(encoder: Encoder, tmp_path: Path) -> None:
    how: dict[str, Any] = {**SMALL, "ranks": (2,), "seeds": (0,), "folder": tmp_path}
    before = sweep(encoder, *BANKS, **{**how, "layers": "0"})
    with pytest.raises(ProbeError, match=r"memory_gb 1e-08 is too small"):
        sweep(encoder, *BANKS, **how, memory_gb=1e-8)
    assert read_rows(tmp_path) == before
    assert len(sweep(encoder, *BANKS, **how)) == len(before) + 1


def test_rows_tell_the_products(encoder: Encoder, tmp_path: Path) -> None:
    how: dict[str, Any] = {**SMALL, "ranks": (2,), "seeds": (0,), "folder": tmp_path}
    rows = [
        row
        for name in ("float32", "bfloat16")
        for row in sweep(encoder, *BANKS, **how, products=name)
    ]
    told = [row["products"] for row in rows if row["method"] == "probe"]
    assert told == ["float32", "float32", "bfloat16", "bfloat16"]
    assert {row["products"] for row in rows if row["method"] != "probe"} == {None}
    assert len({row["key"] for row in rows if row["method"] == "probe"}) == 4
    auto = sweep(encoder, *BANKS, **how, products="auto", device="cpu")
    assert [row["products"] for row in auto if row["method"] == "probe"] in (told[:2], told[2:])
    assert len(read_rows(tmp_path)) == len(auto) + 2  # they were there already


def test_costs_are_shared_out(encoder: Encoder, tmp_path: Path) -> None:
    start = time.perf_counter()
    rows = sweep(encoder, *BANKS, folder=tmp_path, baselines=False, **SMALL)
    assert 0 < sum(row["wall_seconds"] for row in rows) < time.perf_counter() - start


def test_own_cache_stays(encoder: Encoder, tmp_path: Path) -> None:
    settings = {**SMALL, "cache": tmp_path / "cache", "baselines": False}
    rows = sweep(encoder, *BANKS, folder=tmp_path / "a", **settings)
    assert (tmp_path / "cache").is_dir()
    assert not (tmp_path / "a" / VECTORS).exists()
    again = sweep(encoder, *BANKS, folder=tmp_path / "b", **settings)
    assert [row["uuas"] for row in again] == [row["uuas"] for row in rows]


def test_predictions_are_kept_where_asked(encoder: Encoder, tmp_path: Path) -> None:
    rows = sweep(encoder, *BANKS, folder=tmp_path, keep_predictions=True, **SMALL)
    results = ResultsFolder(tmp_path)
    for row in rows:
        found = results.predictions(row["key"])
        assert [words for words, _ in found] == [sentence.words for sentence in BANKS[2]]
        scores = score(BANKS[2], [prediction for _, prediction in found])
        assert scores.uuas == pytest.approx(row["uuas"])
    probe = results.predictions(rows[-1]["key"])[0][1]
    assert probe.distances.shape == (7, 7)
    assert probe.depths.shape == (7,)


def test_untrained_copy_is_a_baseline(encoder: Encoder, tmp_path: Path) -> None:
    settings = {**SMALL, "ranks": (2,), "seeds": (0,), "baselines": False, "untrained": True}
    rows = sweep(encoder, *BANKS, folder=tmp_path, **settings)
    assert [(row["method"], row["layer"]) for row in rows] == [
        ("probe", 0), ("probe", 2), ("probe-untrained", 0), ("probe-untrained", 2),
    ]  # fmt: skip
    assert rows[0]["fingerprint"] == encoder.fingerprint != rows[2]["fingerprint"]
    assert len({row["key"] for row in rows}) == 4


def test_each_seed_has_an_untrained_copy_of_its_own(encoder: Encoder, tmp_path: Path) -> None:
    how = {"layers": 2, "ranks": (2,), "baselines": False, "untrained": True, "max_steps": 5}
    plan = plan_sweep(encoder, *BANKS, folder=tmp_path, seeds=(0, 1), **how)
    assert plan["bytes_in_all"] == 3 * plan["bytes_per_layer"]
    rows = sweep(encoder, *BANKS, folder=tmp_path, seeds=(0, 1), controls="form", **how)
    copies = [row for row in rows if "untrained" in row["method"]]
    assert [(row["method"], row["seed"]) for row in copies] == [
        ("probe-untrained", 0), ("probe-untrained-control-form", 0),
        ("probe-untrained", 1), ("probe-untrained-control-form", 1),
    ]  # fmt: skip
    for row in copies:
        assert row["fingerprint"] == encoder.untrained(row["seed"]).fingerprint
    assert copies[3]["selectivity"] == pytest.approx(copies[2]["uuas"] - copies[3]["uuas"])
    (alone,) = sweep(
        encoder.untrained(1),
        *BANKS,
        folder=tmp_path / "x",
        seeds=(1,),
        **how | {"untrained": False},
    )
    assert alone["uuas"] == copies[2]["uuas"]
    means = [row for row in over_seeds(rows) if row["method"] == "probe-untrained"]
    assert [(row["n_seeds"], row["layer"]) for row in means] == [(2, 2)]
    assert sum("probe-untrained " in line for line in format_table(rows).splitlines()) == 1


def test_without_dev_or_without_test(encoder: Encoder, tmp_path: Path) -> None:
    train, dev, test = BANKS
    settings = {**SMALL, "ranks": (2,), "seeds": (0,)}
    only_dev = sweep(encoder, train, dev, folder=tmp_path / "dev", **settings)
    assert {row["part"] for row in only_dev} == {"dev"}
    assert all(row["uuas"] == row["dev_uuas"] for row in only_dev)
    only_test = sweep(encoder, train, None, test, folder=tmp_path / "test", **settings)
    assert {(row["part"], row["dev_uuas"]) for row in only_test} == {("test", None)}
    with pytest.raises(ScoreError, match="nothing to score on; give a dev or a test set"):
        sweep(encoder, train, folder=tmp_path / "none", **settings)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"layers": "0,3"}, ProbeError, "layer 3 is out of range; .* 0 to 2"),
        ({"ranks": (2, 9)}, ProbeError, "rank 9 is out of range; .* 1 to 8"),
        ({"recipe": "best"}, ProbeError, "unknown recipe 'best'"),
        ({"punct": "best"}, ScoreError, "unknown punct 'best'"),
        ({"products": "best"}, ProbeError, "unknown products 'best'"),
        ({"memory_gb": -1}, ProbeError, "memory_gb must be a positive number, got -1"),
        ({"products": "auto", "device": "no"}, ProbeError, "unknown device 'no'"),
        ({"device": "meta"}, ProbeError, "device 'meta' is not available"),
        ({"max_steps": 0}, ProbeError, "max_steps must be a positive integer, got 0"),
        (
            {"training": {"recipe": "published"}},
            ProbeError,
            r"training is .*; pass a Training object",
        ),
        ({"seeds": (0, 1.5)}, ProbeError, "seed 1.5 is out of range"),
        ({"ranks": (True,)}, ProbeError, "rank True is out of range"),
    ],
)
def test_faults_are_told_before_any_work(
    encoder: Encoder,
    tmp_path: Path,
    changes: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        sweep(encoder, *BANKS, folder=tmp_path / "DIR", **{**SMALL, **changes})
    assert not (tmp_path / "DIR").exists()


def test_foreign_folder_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(ResultError, match="exists and is not a structprobe results folder"):
        sweep(encoder, *BANKS, folder=tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.fault_class("two at once")
def test_two_sweeps_in_one_folder(encoder: Encoder, tmp_path: Path) -> None:
    found: dict[str, list[Row]] = {}

    def work(name: str) -> None:
        found[name] = sweep(encoder, *BANKS, folder=tmp_path, progress=False, **SMALL)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["a"] == found["b"] == read_rows(tmp_path)
    assert len(found["a"]) == 13


@pytest.mark.slow
def test_pretrained_middle_beats_its_untrained_copy(
    minilm: str, treebanks: Path, tmp_path: Path
) -> None:
    """On real data the table says what the method is for."""
    english = tiny_slices(treebanks, tmp_path)
    rows = sweep(
        Encoder(minilm), *english, folder=tmp_path / "rows", layers="0,4", ranks=(64,),
        max_steps=300, untrained=True, progress=False,
    )  # fmt: skip
    uuas = {(row["method"], row["layer"]): row["uuas"] for row in rows}
    assert uuas["probe", 4] > uuas["probe", 0] > uuas["random", None]
    assert uuas["probe", 4] > uuas["probe-untrained", 4]
    assert np.isfinite(rows[-1]["dspr"])


def tiny_slices(treebanks: Path, folder: Path) -> list[Any]:
    from structprobe import Treebank

    first = folder / "first.conllu"
    cut(treebanks / "UD_English-EWT" / "en_ewt-ud-train.conllu", first, slice(650))
    bank = Treebank.read(first)
    return [bank[:400], bank[400:500], bank[500:]]

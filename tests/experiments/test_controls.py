"""Controls in a sweep: rows beside those they control, with the selectivity, and resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import make_config, plan_sweep, sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, Prediction, StructuralProbe, Treebank, score
from structprobe.cli.main import main
from structprobe.errors import ProbeError, ScoreError, TreebankError
from structprobe.experiments.config import SweepConfig
from structprobe.experiments.runs import groups
from structprobe.experiments.runs.backends import Backend
from structprobe.probe.data import whitening
from structprobe.results.folder import ROWS, read_rows
from structprobe.scores.paired import selectivity
from structprobe.show.report import build_report
from structprobe.show.table import format_table
from structprobe.treebank.controls import CONTROLS, by_form, by_position

BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
SMALL: dict[str, Any] = {"layers": "0,2", "ranks": (2,), "max_steps": 5, "baselines": False}
METHODS = ["probe", *(f"probe-control-{name}" for name in CONTROLS)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def untimed(rows: Any) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in rows]


def test_controls_are_not_held_against_trees_decoded_another_way() -> None:
    # A control without relations has distances alone, and selectivity would compare decodings.
    for decoding in ("published", "root"):  # whose UUAS is that of the distances
        make_config(SweepConfig, relations=True, decoding=decoding, controls="form")
    make_config(SweepConfig, relations=True, decoding="joint")
    with pytest.raises(ProbeError, match="'joint' needs relations, which the trees of control ta"):
        make_config(SweepConfig, relations=True, decoding="joint", controls="form")


def test_every_probe_has_its_controls(encoder: Encoder, tmp_path: Path) -> None:
    rows = sweep(encoder, *BANKS, folder=tmp_path, controls="all", untrained=True, **SMALL)
    both = METHODS + [name.replace("probe", "probe-untrained", 1) for name in METHODS]
    assert [row["method"] for row in rows] == [name for name in both for _ in range(2)]
    for row in rows:
        control = row["method"].partition("-control-")[2] or None
        assert row["control"] == control
        assert row["treebank_fingerprint"] == BANKS[2].fingerprint
        assert (row["selectivity"] is None) == (control is None)
    real = {(row["method"], row["layer"]): row for row in rows if row["control"] is None}
    for row in (row for row in rows if row["control"]):
        beside = real[row["method"].partition("-control-")[0], row["layer"]]
        assert row["selectivity"] == pytest.approx(beside["uuas"] - row["uuas"])
        assert row["selectivity_low"] <= row["selectivity"] <= row["selectivity_high"]
    table = format_table(rows)
    assert "selectivity" in table.splitlines()[0]
    assert "probe-control-random" in table


def test_a_control_is_the_probe_of_its_treebank(encoder: Encoder, tmp_path: Path) -> None:
    (row,) = (
        row
        for row in sweep(encoder, *BANKS, folder=tmp_path, controls="form", **SMALL)
        if (row["control"], row["layer"]) == ("form", 2)
    )
    train, dev, test = (by_form(bank) for bank in BANKS)
    X, X_dev, X_test = (encoder.encode(bank, layers=2).layer(2) for bank in BANKS)
    probe = StructuralProbe(rank=2, max_steps=5, random_state=0).fit(X, train, dev=(X_dev, dev))
    found = score(test, probe.predictions(X_test))
    assert (row["uuas"], row["dspr"]) == (found.uuas, found.dspr)


def test_a_probe_and_its_controls_share_the_moments_of_vectors(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    means = whitening.sentence_means

    def counting(*args: Any) -> Any:
        counts[-1] += 1
        return means(*args)

    monkeypatch.setattr(whitening, "sentence_means", counting)
    for controls in ((), "all"):
        counts.append(0)
        how = {"controls": controls, "train_sentences": (6, None), **SMALL}
        sweep(encoder, *BANKS, folder=tmp_path / f"{controls}", **how)
    alone, beside = counts
    assert alone == beside == 2 * 2  # of two layers, for the sample and for all sentences


def test_controls_are_resumed_and_asked_for_later(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = sweep(encoder, *BANKS, folder=tmp_path / "whole", controls="all", **SMALL)
    folder = tmp_path / "later"
    sweep(encoder, *BANKS, folder=folder, **SMALL)
    rows = sweep(encoder, *BANKS, folder=folder, controls=["form"], **SMALL)
    assert untimed(rows) == untimed(row for row in whole if row["control"] in (None, "form"))
    before = (folder / ROWS).read_bytes()
    with caplog.at_level("INFO"):
        sweep(encoder, *BANKS, folder=folder, controls=["form"], **SMALL)
    assert "without saved predictions" not in caplog.text  # controls never have them
    assert (folder / ROWS).read_bytes() == before
    bare = {"keep_predictions": False, "folder": tmp_path / "bare"}
    sweep(encoder, *BANKS, **bare, **SMALL)
    for row in sweep(encoder, *BANKS, controls="form", **bare, **SMALL):
        assert (row["selectivity"] is None, row["selectivity_low"]) == (not row["control"], None)


def test_trees_of_the_same_words_have_controls_of_their_own(
    encoder: Encoder, tmp_path: Path
) -> None:
    """Such as two annotations of one corpus in one folder."""
    how = {"folder": tmp_path, "controls": "form", **SMALL}
    sweep(encoder, *BANKS, **how)
    others = [by_position(bank) for bank in BANKS]
    *real, first, second = sweep(encoder, *others, **how)
    for own, control in zip(real, (first, second), strict=True):
        assert control["selectivity"] == pytest.approx(own["uuas"] - control["uuas"])
        assert control["treebank_fingerprint"] == own["treebank_fingerprint"]


def test_workers_that_finish_a_control_first_change_nothing(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = sweep(encoder, *BANKS, folder=tmp_path / "here", controls="all", **SMALL)

    def run(_: Backend, parts: Any) -> Any:
        return (part() for part in reversed(parts))

    monkeypatch.setattr(Backend, "run", run)
    how = {"controls": "all", "backend": Backend(jobs=2), **SMALL}
    rows = sweep(encoder, *BANKS, folder=tmp_path / "workers", **how)
    assert untimed(rows) == untimed(here)


def test_a_control_has_no_selectivity_where_the_real_trees_have_no_scores(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = groups.Group._outcomes

    def outcomes(self: Any) -> Any:
        if self.banks.control is None:
            raise ProbeError("the loss is not finite")
        return true(self)

    monkeypatch.setattr(groups.Group, "_outcomes", outcomes)
    how = SMALL | {"controls": "form", "train_sentences": (8,)}
    for row in sweep(encoder, *BANKS, folder=tmp_path, **how):
        assert (row["uuas"] is None) == (row["why_empty"] is not None) == (row["control"] is None)
        assert row["selectivity"] is None


def test_controls_are_neither_saved_nor_taken_for_probes(encoder: Encoder, tmp_path: Path) -> None:
    sweep(encoder, *BANKS, folder=tmp_path, controls="all", save_probes=True, **SMALL)
    assert len([*(tmp_path / "probes").iterdir()]) == 2
    assert len([*(tmp_path / "predictions").iterdir()]) == 2
    StructuralProbe.from_pretrained(tmp_path)


def test_no_control_is_told_as_the_best(encoder: Encoder, tmp_path: Path) -> None:
    """Not even where its trees are found better than the real ones."""
    for layers in ("2", "0,2"):
        folder = tmp_path / layers
        sweep(encoder, *BANKS, folder=folder, controls="all", **(SMALL | {"layers": layers}))
        text = (folder / ROWS).read_text()
        best = max(row["dev_uuas"] for row in read_rows(folder) if row["control"])
        real = [row for row in read_rows(folder) if not row["control"]]
        assert best > min(row["dev_uuas"] for row in real)
        page = build_report(folder)
        finding = page.partition('class="finding"')[2].partition("</p>")[0]
        assert "control" not in finding
        assert "selectivity" in page
        assert "probe-control-position" in page
        assert (folder / ROWS).read_text() == text


def test_a_control_that_fails_says_why(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = groups.Group._outcomes

    def outcomes(self: Any) -> Any:
        for number, one in enumerate(true(self)):
            if self.banks.control == "form" and number:
                raise ProbeError("the loss is not finite")
            yield one

    with monkeypatch.context() as patch:
        patch.setattr(groups.Group, "_outcomes", outcomes)
        rows = sweep(encoder, *BANKS, folder=tmp_path, controls="form,random", **SMALL)
    why = {(row["control"], row["layer"]): row["why_empty"] for row in rows}
    assert why.pop(("form", 2)) == "the loss is not finite"
    assert set(why.values()) == {None}
    rows = sweep(encoder, *BANKS, folder=tmp_path, controls="form,random", **SMALL)
    assert not any(row["why_empty"] for row in rows)
    assert {row["key"] for row in read_rows(tmp_path)} == {row["key"] for row in rows}


def test_the_plan_counts_controls(encoder: Encoder, tmp_path: Path) -> None:
    plan = plan_sweep(encoder, *BANKS, folder=tmp_path / "x", controls="all", **SMALL)
    alone = plan_sweep(encoder, *BANKS, folder=tmp_path / "x", **SMALL)
    assert (plan["runs"], alone["runs"]) == (8, 2)
    assert plan["bytes_kept"] == alone["bytes_kept"]
    with pytest.raises(TreebankError, match="unknown control task 'x'"):
        plan_sweep(encoder, *BANKS, folder=tmp_path / "x", controls="x", **SMALL)


def test_controls_on_the_command_line(encoder: Encoder, tmp_path: Path, capsys: Any) -> None:
    BANKS[0].write(tmp_path / "train.conllu")
    BANKS[1].write(tmp_path / "dev.conllu")
    command = f"sweep --model {encoder.model} --train {tmp_path}/train.conllu --dev "
    command += f"{tmp_path}/dev.conllu --layers 2 --max-steps 5 -q -o {tmp_path}/DIR --device cpu"
    assert main([*command.split(), "--controls"]) == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()[5:9]] == METHODS
    assert main([*command.split(), "--controls", "words"]) == 1
    assert "unknown control task 'words'" in capsys.readouterr().err


def test_forms_alone_have_no_selectivity_and_planted_trees_have() -> None:
    """The planted cases: vectors that hold nothing but forms, and vectors that hold the trees."""
    generator = np.random.default_rng(0)
    bank = Treebank(one for seed in range(8) for one in tiny_bank(40, seed=seed))
    forms = sorted({word for one in bank for word in one.words})
    table = dict(
        zip(forms, generator.normal(size=(len(forms), 24)).astype(np.float32), strict=True)
    )
    by_forms = [np.stack([table[word] for word in one.words]) for one in bank]
    trees = [_steps(one.heads, 24) for one in bank]
    control, half = by_form(bank), len(bank) // 2
    found = {}
    for name, vectors in (("forms", by_forms), ("trees", trees)):
        scores = []
        for trees_of in (bank, control):
            probe = StructuralProbe(recipe="whitened", max_steps=200, random_state=0)
            probe.fit(vectors[:half], trees_of[:half], dev=(vectors[half:], trees_of[half:]))
            scores.append(score(trees_of[half:], probe.predictions(vectors[half:])))
        found[name] = selectivity(*scores)
    assert found["forms"].high < 0
    with pytest.raises(ScoreError, match="the trees and the control task have different sentences"):
        selectivity(*(score(one, one_tree(one)) for one in (bank[:4], control[1:5])))
    assert found["trees"].low > 0.5


def one_tree(bank: Treebank) -> list[Prediction]:
    return [Prediction(one.heads) for one in bank]


def _steps(heads: np.ndarray, width: int) -> np.ndarray:
    """Each arc is a step along an axis of its own."""
    vectors = np.zeros((len(heads), width), dtype=np.float32)
    for word in range(len(heads)):
        node = word + 1
        while node:
            vectors[word, node - 1] = 1
            node = heads[node - 1]
    return vectors

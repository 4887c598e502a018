"""Significance between the runs of a results folder, on planted predictions."""

from __future__ import annotations

import json
import logging
import re

import numpy as np
import pytest
from support.planted_results import noisy, planted_bank, planted_comparison, planted_sweep

from structprobe.cli.main import main
from structprobe.errors import ResultError
from structprobe.results.folder import ResultsFolder, read_rows
from structprobe.results.rows import make_row, score_values
from structprobe.results.saved_runs import predictions_path
from structprobe.results.significance import significance
from structprobe.scores import Prediction, paired_bootstrap, score
from structprobe.treebank.bank import Treebank

BANK = planted_bank(40)


def add(results, noise, *, bank=BANK, draw=0, predicted=None, dev=None, **told):
    """Add a run with predictions as far from gold as the noise."""
    predictions = noisy(bank, noise, draw) if predicted is None else predicted
    scores = score(bank, predictions)
    values = score_values(scores)
    told = {"method": "probe", "model": "m", "part": "test", "uses_gold": False, **told}
    told = {"treebank": "t.conllu", "treebank_fingerprint": bank.fingerprint, **told}
    told |= {"n_sentences": len(bank), "dev_uuas": values["uuas"] if dev is None else dev}
    known = (str(value) for value in told.values() if isinstance(value, int | str))
    key = re.sub(r"\W+", "-", "_".join(known))
    row = make_row(key=key, **{**values, **told})
    results.add(row, bank, predictions)
    return scores


def test_layers_of_a_sweep(tmp_path):
    planted_sweep(tmp_path / "r", BANK)
    [table] = significance(tmp_path / "r", n=1000)
    assert table.name == "layers of probe"
    assert table.n_sentences == 40
    assert table.systems[0].name == "layer 2"
    rows = {row["layer"]: row for row in read_rows(tmp_path / "r")}
    for system in table.systems:
        row = rows[int(system.name.removeprefix("layer "))]
        assert system.keys == (row["key"],)
        assert system.value == pytest.approx(row["uuas"])
        assert (system.low, system.high) == pytest.approx((row["uuas_low"], row["uuas_high"]))
        assert system.letters
        assert (system.sd, system.chosen) == (None, None)
    assert len(table.tests.pairs) == 6
    pair = next(one for one in table.tests.pairs if {one.a, one.b} == {"layer 2", "layer 0"})
    assert pair.differs
    assert pair.difference == pytest.approx(rows[2]["uuas"] - rows[0]["uuas"])


def test_layers_of_several_seeds_are_their_means(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    found = {
        (layer, seed): add(results, 0.5 + layer, draw=10 * seed + layer, layer=layer, seed=seed)
        for seed in (0, 1, 2)
        for layer in (0, 1)
    }
    [table] = significance(tmp_path / "r", n=500)
    best, worst = table.systems
    values = [found[0, seed].uuas for seed in (0, 1, 2)]
    assert (best.name, worst.name) == ("layer 0", "layer 1")
    assert best.value == pytest.approx(np.mean(values))
    assert best.sd == pytest.approx(np.std(values, ddof=1))
    assert len(best.keys) == 3
    # Each sentence counts with the mean of the seeds: as one system three times as long.
    [of_dspr] = significance(tmp_path / "r", metric="dspr", n=500)
    assert of_dspr.systems[0].value == pytest.approx(np.mean([found[0, s].dspr for s in range(3)]))


def test_seeds(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    found = [add(results, 0.8, draw=seed, layer=3, seed=seed) for seed in (0, 1)]
    add(results, 0.8, draw=7, layer=2, seed=0)  # the only seed of its layer
    [table] = significance(tmp_path / "r", by="seed", n=1000)
    assert table.name == "seeds of probe"
    alone = paired_bootstrap(*found, n=1000)
    assert abs(table.tests.pairs[0].difference) == pytest.approx(abs(alone.difference))
    assert table.tests.pairs[0].p_value == alone.p_value
    assert table.tests.letters == {"seed 0": "a", "seed 1": "a"}


def test_a_seed_that_some_layers_lack_is_left_out(tmp_path, caplog):
    results = ResultsFolder(tmp_path / "r")
    for layer, seed in ((0, 0), (1, 0), (0, 1)):
        add(results, 0.5, draw=layer, layer=layer, seed=seed)
    with caplog.at_level(logging.WARNING):
        [table] = significance(tmp_path / "r", n=200)
    assert [len(one.keys) for one in table.systems] == [1, 1]
    assert "left out, since some layers lack them: seed 1" in caplog.text


def test_methods_take_part_with_the_layer_that_is_best_on_dev(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    add(results, 0.1, layer=0, rank=8, seed=0, dev=0.5)  # the best on test, not on dev
    chosen = add(results, 0.6, layer=1, rank=8, seed=0, dev=0.7)
    other = add(results, 0.8, draw=3, method="probe-tree", layer=2, seed=0)
    for model in (None, "n"):
        add(results, 1.5, method="linear", model=model, draw=4)
    [table] = significance(tmp_path / "r", by="method", n=500)
    assert table.name == "methods"
    told = {one.name: one for one in table.systems}
    assert list(told) == ["probe", "probe-tree", "linear"]
    assert told["probe"].value == pytest.approx(chosen.uuas)
    assert told["probe"].chosen == "layer 1"
    assert told["probe-tree"].value == pytest.approx(other.uuas)
    assert told["linear"].chosen is None
    [table] = significance(tmp_path / "r", by="method", metric="dspr", n=500)
    assert table.tests.values["probe"] == pytest.approx(chosen.dspr)  # by UUAS, in want of DSpr.


def test_untrained_models_of_several_seeds_are_one_method(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    for seed in (0, 1):
        add(results, 0.5, draw=seed, layer=2, seed=seed, fingerprint="f")
        told = {"method": "probe-untrained", "model": f"m (untrained, seed {seed})"}
        add(results, 1.5, draw=seed, layer=1, seed=seed, fingerprint=f"u{seed}", **told)
    [table] = significance(tmp_path / "r", by="method", n=500)
    assert [(one.name, len(one.keys)) for one in table.systems] == [
        ("probe", 2),
        ("probe-untrained", 2),
    ]
    assert all(one.sd is not None for one in table.systems)
    assert table.tests.pairs[0].differs


def test_models_are_compared_method_by_method(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    for draw, model in enumerate(("one", "two")):
        for layer in (0, 1):
            add(results, 0.5 + layer, draw=draw, model=model, layer=layer, rank=8, seed=0)
        add(results, 1.0, draw=draw, model=model, method="linear-probe")
    tables = significance(tmp_path / "r", by="model", n=500)
    assert [table.name for table in tables] == ["models of probe", "models of linear-probe"]
    assert {one.name for one in tables[0].systems} == {"one", "two"}
    assert {one.chosen for one in tables[0].systems} == {"layer 0"}
    layers = significance(tmp_path / "r", by="layer", n=500)
    assert [table.name for table in layers] == ["layers of probe, one", "layers of probe, two"]


def test_other_test_sets_and_protocols_are_not_compared(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    other = planted_bank(30, seed=5)
    for layer in (0, 1):
        add(results, 0.5, draw=layer, layer=layer)
        add(results, 0.5, draw=layer, layer=layer, bank=other, treebank="other.conllu")
    tables = significance(tmp_path / "r", n=200)
    assert [table.n_sentences for table in tables] == [40, 30]
    assert [table.name.partition(", ")[2] for table in tables] == ["t.conllu", "other.conllu"]
    apart = ResultsFolder(tmp_path / "apart")
    add(apart, 0.5, layer=0)
    add(apart, 0.5, layer=1, bank=other, treebank="other.conllu")
    with pytest.raises(ResultError, match=r"no two layers with uuas.*same test set.*layer 0"):
        significance(tmp_path / "apart", n=200)


def test_a_choice_without_dev_is_refused(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    for layer in (0, 1):
        add(results, 0.5, layer=layer, part="dev")
    add(results, 0.5, method="other", part="dev")
    with pytest.raises(ResultError, match=r"probe has 2 runs .* no scores on a dev set, other"):
        significance(tmp_path / "r", by="method")


def test_runs_with_other_dev_sets_are_not_chosen_from(tmp_path):
    results = ResultsFolder(tmp_path / "r")
    for layer, dev in ((0, "a" * 16), (1, "b" * 16)):
        add(results, 0.5, layer=layer, dev_fingerprint=dev)
    add(results, 0.5, method="other")
    with pytest.raises(ResultError, match="probe has 2 runs with scores on different dev sets"):
        significance(tmp_path / "r", by="method")


def test_controls_lack_no_predictions(tmp_path, caplog):
    planted_sweep(tmp_path / "r", BANK, n_layers=3)
    results = ResultsFolder(tmp_path / "r")
    row = next(row for row in results.rows if row["method"] == "probe")
    results.add({**row, "method": "probe-control-form", "control": "form", "key": "c" * 16})
    with caplog.at_level(logging.WARNING):
        [table] = significance(tmp_path / "r", n=200)
    assert len(table.systems) == 3
    assert "left out" not in caplog.text


def test_a_folder_without_predictions_or_with_some(tmp_path, caplog):
    planted_sweep(tmp_path / "r", BANK, n_layers=3)
    keys = [row["key"] for row in read_rows(tmp_path / "r")]
    predictions_path(tmp_path / "r", keys[1]).unlink()
    with caplog.at_level(logging.WARNING):
        [table] = significance(tmp_path / "r", n=200)
    assert len(table.systems) == 2
    assert "1 run without saved predictions left out" in caplog.text
    for key in (keys[0], *keys[2:]):
        predictions_path(tmp_path / "r", key).unlink()
    with pytest.raises(ResultError, match="no predictions were saved; run it again with keep_pred"):
        significance(tmp_path / "r")


def test_a_row_that_its_predictions_do_not_have(tmp_path, caplog):
    results = ResultsFolder(tmp_path / "r")
    for layer in (0, 1):
        add(results, 0.5, draw=layer, layer=layer, uuas=0.123)
    with caplog.at_level(logging.WARNING):
        significance(tmp_path / "r", n=200)
    assert "says uuas 12.3, but its saved predictions score" in caplog.text


def test_groups_that_cannot_be_compared_are_left_out(tmp_path, caplog):
    results = ResultsFolder(tmp_path / "r")
    flat = noisy(BANK, 0.5, 0)
    for one in flat[:5]:
        one.distances[:] = 0
    for layer in (0, 1):
        add(results, 0.5, draw=layer, layer=layer)
        add(results, 0.5, method="flat", layer=layer, predicted=None if layer else flat)
    with caplog.at_level(logging.WARNING):
        [table] = significance(tmp_path / "r", metric="dspr", n=200)
    assert table.name == "layers of probe"
    assert "a group was left out: layer 0 and layer 1: dspr was scored on different" in caplog.text


def shell(capsys, *arguments):
    capsys.readouterr()
    status = main(["significance", *map(str, arguments), "-q"])
    return status, capsys.readouterr()


def test_the_command_prints_pairs_and_letters(tmp_path, capsys):
    planted_sweep(tmp_path / "r", BANK, n_layers=3)
    status, told = shell(capsys, tmp_path / "r", "--resamples", 500, "--correction", "bh")
    assert status == 0
    lines = told.out.splitlines()
    assert lines[0] == "layers of probe: 40 sentences"
    assert re.fullmatch(r"layer 1 +\d+\.\d \[\d+\.\d, \d+\.\d\]  a", lines[2])
    pairs = [line for line in lines if " – " in line]
    assert len(pairs) == 3
    assert re.fullmatch(r"layer 1 – layer \d +\+\d+\.\d +\[.+\]( +0\.\d{4}){2}  (yes|no)", pairs[0])
    assert "Systems that share a letter do not differ at the 5% level." in lines
    assert "corrected for 3 pairs after Benjamini and Hochberg" in told.out
    status, told = shell(capsys, tmp_path / "r", "--json", "--test", "randomisation")
    [table] = json.loads(told.out)
    assert (status, table["test"], table["n"], table["punct"]) == (
        0,
        "randomisation",
        10_000,
        "upos",
    )
    assert {"a", "b", "difference", "p_value", "p_corrected", "differs"} <= table["pairs"][0].keys()
    assert table["systems"][0]["letters"] == "a"


def test_the_command_takes_a_level_and_a_seed(tmp_path, capsys):
    planted_sweep(tmp_path / "r", BANK, n_layers=2)
    found = []
    for more in ([], ["--level", "0.5"], ["--seed", "1"]):
        told = shell(capsys, tmp_path / "r", "--json", "--resamples", 100, *more)[1].out
        [table] = json.loads(told)
        found.append((table["level"], table["pairs"][0]["low"], table["pairs"][0]["high"]))
    (level, low, high), (half, *inner), (_, *other) = found
    assert (level, half) == (0.95, 0.5)
    assert low < inner[0] < inner[1] < high
    assert other != [low, high]


def test_the_command_compares_methods(tmp_path, capsys):
    planted_comparison(tmp_path / "r", BANK)
    status, told = shell(capsys, tmp_path / "r", "--by", "method", "--correction", "none")
    assert status == 0
    assert "probe – linear" in told.out
    assert "p-values not corrected for 1 pair." in told.out


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--metric", "f1"], 2, "--metric: unknown value 'f1'; choose from 'uuas'"),
        (["--by", "phase"], 2, "--by: unknown value 'phase'; choose from 'layer'"),
        (["--by", "seed"], 1, r"nothing to compare by seed: no two seeds .*choose another --by"),
        (["--metric", "las"], 1, r"nothing to compare by layer: .*found: none"),
        (["--level", "1.5"], 1, r"level=1.5 is out of range; choose 0 < level < 1"),
        (["--resamples", "5"], 1, r"with n=5 .*use --resamples 20 or more"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, status, told):
    planted_sweep(tmp_path / "r", Treebank(BANK[:8]), n_layers=2)
    capsys.readouterr()
    try:
        found = main(["significance", str(tmp_path / "r"), *arguments, "-q"])
    except SystemExit as stop:
        found = stop.code
    error = capsys.readouterr().err
    assert found == status
    assert error.count("\n") == 1
    assert re.search(told, error)


def test_a_folder_that_is_none(tmp_path, capsys):
    status, told = shell(capsys, tmp_path / "nowhere")
    assert status == 1
    assert "no such folder" in told.err


@pytest.mark.parametrize("test", ["bootstrap", "randomisation"])
def test_systems_with_relations_are_compared_by_clas(tmp_path, test):
    """The content words of the prediction, a part of what CLAS is divided by, differ by system."""
    results = ResultsFolder(tmp_path / "r")
    found = {}
    for name, share in (("one", 0.1), ("other", 0.7)):
        generator = np.random.default_rng(0)
        predicted = [
            Prediction(
                sentence.heads,
                deprels=tuple(
                    "case" if generator.random() < share else deprel for deprel in sentence.deprels
                ),
            )
            for sentence in BANK
        ]
        found[name] = add(results, 0, predicted=predicted, method=name)
    a, b = (found[name].counts["n_pred_content"] for name in ("one", "other"))
    assert a > b
    [table] = significance(tmp_path / "r", "method", "clas", test=test, n=500)
    assert {one.name: one.value for one in table.systems} == {
        name: scores.clas for name, scores in found.items()
    }
    [pair] = table.tests.pairs
    assert (pair.a, pair.differs) == ("one", True)

"""Reports of several treebanks, which often share their file name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.planted_results import planted_bank, planted_comparison, planted_sweep

from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import make_row
from structprobe.results.saved_runs import predictions_path, read_predictions, read_sentences
from structprobe.results.settings import name_banks
from structprobe.show.report import build_report
from structprobe.show.report.finding import MOST, findings
from structprobe.show.report.series import series_of

FIRST, SECOND = "aaaaaa0000", "bbbbbb1111"


def both(tmp_path: Path, planted) -> Path:
    """A folder with the runs of two folders, on different treebanks of one file name."""
    results = ResultsFolder(tmp_path / "both")
    for place, fingerprint in enumerate((FIRST, SECOND)):
        bank = planted_bank(12, seed=place)
        folder = tmp_path / fingerprint
        planted(folder, bank)
        told = {"treebank": "test.conllu", "treebank_fingerprint": fingerprint}
        for row in ResultsFolder(folder).rows:
            key = f"{fingerprint}-{row['key']}"
            kept = []
            if predictions_path(folder, row["key"]).exists():
                _, found = zip(*read_predictions(folder, row["key"]), strict=True)
                kept = [read_sentences(folder, row["key"]), found]
            results.add(row | told | {"key": key}, *kept)
    return results.folder


def of_page(page: str) -> tuple[list[str], list[str], list[str]]:
    """The paragraphs of findings, the names of series, and the column of treebanks."""
    told = re.findall(r'<p class="finding">(.*?)</p>', page)
    (data,) = re.findall(r'id="explorer-data">(.*?)</script>', page, re.S)
    table = re.search(r'<table class="sortable headline">(.*?)</table>', page, re.S)[1]
    assert ">treebank</button>" in table
    cells = re.findall(r"<td>(test\.conllu[^<]*)</td>", table)
    return told, [one["name"] for one in json.loads(data)["series"]], cells


def test_a_sweep_of_treebanks_that_share_a_name(tmp_path: Path) -> None:
    page = build_report(both(tmp_path, planted_sweep))
    told, names, cells = of_page(page)
    a, b = "test.conllu (aaaaaa)", "test.conllu (bbbbbb)"
    assert cells == [a] * 5 + [b] * 5
    assert sorted(names) == [f"linear, {a}", f"linear, {b}", f"probe, {a}", f"probe, {b}"]
    assert sorted(one.split(": of 4 layers, ")[0] for one in told) == [f"On {a}", f"On {b}"]
    assert all("layer 2 is the best on dev" in one and "linear chain has" in one for one in told)
    assert page.count('<tr class="best">') == 2
    assert f"on {a}, {b}</h1>" in page
    assert re.findall(r"<h3>(test\.conllu.*?)</h3>", page) == [a, b]  # curves of each
    assert f"layer 2 of probe, {names[0][7:]} recovers" in page


def test_a_comparison_on_treebanks_that_share_a_name(tmp_path: Path) -> None:
    page = build_report(both(tmp_path, planted_comparison))
    told, names, _ = of_page(page)
    assert names == ["methods, test.conllu (aaaaaa)", "methods, test.conllu (bbbbbb)"]
    assert [one.split(": of 2")[0] for one in told] == [f"On {name[9:]}" for name in names]
    assert f"Columns are {names[0]}." in page
    assert "layer 3 on test.conllu (aaaaaa) recovers" in page


def test_one_treebank_needs_no_name(tmp_path: Path) -> None:
    planted_comparison(tmp_path, planted_bank(6))
    page = build_report(tmp_path)
    assert ">treebank</button>" not in page
    assert "planted.conllu (" not in page.split("<footer>")[0]


def row(**told):
    """A row of a comparison."""
    common = {"method": "probe", "part": "test", "uuas": 0.5, "punct": "upos"}
    return make_row(**{**common, "treebank": "test.conllu", "treebank_fingerprint": FIRST, **told})


def test_only_names_that_are_shared_are_lengthened() -> None:
    rows = [row(), row(treebank="other.conllu", treebank_fingerprint=SECOND), row()]
    assert name_banks(rows) == rows
    rows.append(row(treebank_fingerprint=SECOND))
    rows.append(row(treebank_fingerprint=None))  # a method that scored nothing
    assert [one["treebank"] for one in name_banks(rows)] == [
        "test.conllu (aaaaaa)", "other.conllu", "test.conllu (aaaaaa)", "test.conllu (bbbbbb)",
        "test.conllu",
    ]  # fmt: skip
    trained = [row(train="train.conllu", train_fingerprint=one) for one in (FIRST, SECOND)]
    assert [one["train"] for one in name_banks(trained)] == [
        "train.conllu (aaaaaa)", "train.conllu (bbbbbb)",
    ]  # fmt: skip


def test_a_training_set_is_named_where_the_treebank_does_not_tell_it() -> None:
    layers = [
        row(layer=layer, train="train.conllu", train_fingerprint=train)
        for train in (FIRST, SECOND)
        for layer in (0, 1)
    ]
    names = [one.name for one in series_of(name_banks(layers))]
    assert names == ["probe, train.conllu (aaaaaa)", "probe, train.conllu (bbbbbb)"]


@pytest.mark.parametrize("on_dev", [True, False])
def test_the_highest_score_on_test_is_not_called_a_choice(on_dev: bool) -> None:
    dev = {"dev_uuas": 0.6} if on_dev else {}
    rows = [row(uuas=0.48, **dev), row(method="linear", uuas=0.4321, **dev)]
    (told,) = findings(series_of(rows))
    assert ("best on dev" in told) == on_dev
    assert ("has the highest score on test; it was not chosen on dev" in told) != on_dev
    assert told.endswith("48.0% of the gold edges (UUAS); the linear chain has 43.2%.")


def test_many_treebanks_are_not_all_told_at_the_top() -> None:
    rows = [
        row(method=method, treebank=f"{place}.conllu", treebank_fingerprint=f"{place:06}")
        for place in range(MOST + 2)
        for method in ("probe", "linear")
    ]
    told = findings(series_of(rows))
    assert len(told) == MOST + 1
    assert told[-1] == "The table lists the scores on 2 more treebanks."


def test_of_several_series_that_of_the_best_layer_on_dev_is_told() -> None:
    rows = [
        row(layer=layer, rank=rank, uuas=uuas, dev_uuas=dev_uuas)
        for rank, uuas, dev_uuas in ((2, 0.9, 0.5), (8, 0.6, 0.7))  # test would choose the other
        for layer in (0, 1)
    ]
    (told,) = findings(series_of(rows))
    assert told.startswith("Of 2 layers of probe, rank 8, layer 0 is the best on dev: on test it")
    rows.append(row(treebank="other.conllu", treebank_fingerprint=SECOND))
    (told,) = findings(series_of(rows))
    assert told.startswith("On test.conllu: of 2 layers of probe, rank 8, layer 0 is")

"""What the report shows of controls, stimuli, codelengths and significant differences."""

from __future__ import annotations

import html
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from support.browser import axe_faults, open_report
from support.planted_results import (
    planted_bank,
    planted_behaviour,
    planted_comparison,
    planted_evidence,
)

from structprobe.results.folder import read_rows
from structprobe.results.rows import make_row
from structprobe.results.saved_runs import stimuli_path
from structprobe.results.significance import significance
from structprobe.show.report import build_report, curves, tables, write_report
from structprobe.show.report import evidence as sections
from structprobe.show.report.series import series_of
from structprobe.show.report.tables import conditions_table
from structprobe.show.table import format_table

BANK = planted_bank(30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence") / "DIR"
    planted_evidence(folder, BANK)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return build_report(folder)


def section_of(page: str, name: str) -> str:
    """The markup of one section."""
    (found,) = re.findall(rf'<section aria-labelledby="{name}">(.*?)</section>', page, re.S)
    return found


def tables_of(markup: str) -> list[list[list[str]]]:
    """The text of all cells, by table and row."""
    found = []
    for table in re.findall(r"<table.*?</table>", markup, re.S):
        rows = re.findall(r"<tr.*?</tr>", table, re.S)
        cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows)
        text = [
            [html.unescape(re.sub(r"<[^>]+>", " ", one)).strip() for one in row] for row in cells
        ]
        found.append([[re.sub(r" +", " ", one) for one in row] for row in text])
    return found


def test_each_probe_stands_beside_its_controls(folder: Path, page: str) -> None:
    markup = section_of(page, "controls")
    ((head, *body),) = tables_of(markup)
    assert head[:3] == ["method", "layer", "UUAS"]
    assert head[3:5] == ["form: UUAS", "form: selectivity"]
    assert head[5:] == ["position: UUAS", "position: selectivity"]
    real = [row for row in read_rows(folder) if row["method"] == "probe"]
    for row, cells in zip(real, body, strict=True):
        uuas = 100 * row["uuas"]
        assert cells[:2] == ["probe", str(row["layer"])]
        assert cells[2].startswith(f"{uuas:.1f} ")
        assert cells[3].startswith("0.0 ")
        assert cells[4] == f"{uuas:.1f} -2.0 to 99.0"
        assert cells[6] == f"{uuas - 10:.1f} -2.0 to 99.0"
    assert markup.count("<figcaption>Selectivity</figcaption>") == 1
    assert "probe-control-position: " in markup
    assert "minus that of the same probe trained on a control" in markup
    # The tables of scores have their rows, as before.
    assert "probe-control-form" in section_of(page, "scores")


def test_selectivity_over_ranks() -> None:
    common = {"treebank_fingerprint": "b", "recipe": "auto", "seed": 0}
    rows = []
    for layer, rank in itertools.product((0, 4), (2, 16, 128)):
        place = {**common, "layer": layer, "rank": rank}
        uuas = 0.3 + layer / 10
        rows.append(make_row(method="probe", uuas=uuas, dev_uuas=uuas, **place))
        told = {"control": "form", "uuas": 0.1, "selectivity": uuas - rank / 1000}
        rows.append(make_row(method="probe-control-form", **told, **place))
    markup = sections.controls_section(rows, series_of(rows))
    over_ranks = markup.partition("Selectivity over the ranks")[2]
    told = "Selectivity by rank in per cent. probe-control-form, layer 4: 69.8 at rank 2, highest "
    assert f"{told}69.8 at rank 2, 57.2 at rank 128." in over_ranks
    dots = re.findall(r'<circle cx="([\d.]+)"', over_ranks)
    assert float(dots[1]) - float(dots[0]) == pytest.approx(float(dots[2]) - float(dots[1]))
    few = [row for row in rows if row["rank"] == 2]
    assert "over the ranks" not in sections.controls_section(few, series_of(few))
    no_dev = [{**row, "dev_uuas": None} for row in rows]
    assert "over the ranks" not in sections.controls_section(no_dev, series_of(no_dev))


def test_the_bias_and_scores_by_condition(folder: Path, page: str) -> None:
    markup = section_of(page, "stimuli")
    bias, uuas, edge, distance = tables_of(markup)
    assert bias[0] == ["method", "layer", "stimuli", "near-word bias"]
    assert bias[1:] == [
        ["probe", "0", "26", "-0.05 -0.10 to 0.00"],
        ["probe", "1", "26", "0.05 0.00–0.10"],
        ["probe", "2", "26", "0.15 0.10–0.20"],
    ]
    assert uuas[0] == ["condition", "value", "0", "1", "2"]
    assert uuas[2] == ["distance", "between=<12>", *(f"{n}.0 40.0–90.0" for n in (50, 60, 70))]
    assert edge[1] == ["distance", "between=0", "25.0", "25.0", "25.0"]
    assert distance[3] == ["distance", "all", "1.50", "2.50", "3.50"]
    ticks = re.findall(r'class="tick left">([^<]+)<', markup)
    assert ticks == ["-0.1", "-0.05", "0", "0.05", "0.1", "0.15", "0.2"]
    assert "probe-control" not in markup
    assert "Near-word bias by layer. probe: -0.05 at layer 0, highest 0.15 at layer 2" in markup


def test_a_folder_without_conditions_shows_the_bias_alone(tmp_path: Path) -> None:
    rows = planted_evidence(tmp_path, BANK)
    for row in rows:
        stimuli_path(tmp_path, row["key"]).unlink(missing_ok=True)
    markup = section_of(build_report(tmp_path), "stimuli")
    assert len(tables_of(markup)) == 1
    assert "By condition" not in markup
    nothing = [("layer 0", [{"condition": "distance", "value": "all", "edge": None}])]
    assert conditions_table(nothing, "edge", "Edges") is None


def test_codelengths_are_told_apart_from_scores(folder: Path, page: str) -> None:
    markup = section_of(page, "codelengths")
    (table,) = tables_of(markup)
    assert table == [
        ["method", "layer", "bits", "compression"],
        ["codelength-tree", "0", "1,234", "2.00"],
        ["codelength-tree-control-form", "1", "1,236", "1.00"],
    ]
    assert "the codelengths of different kinds are not comparable" in markup
    assert "codelength" not in section_of(page, "scores")
    printed = format_table(read_rows(folder))
    assert "Codelengths in bits: the codelengths of different kinds are not" in printed
    alone = [row for row in read_rows(folder) if row["codelength"]]
    assert format_table(alone).splitlines()[:2] == [
        "method                        layer  rank   bits  compression",
        "codelength-tree                   0     8  1,234         2.00",
    ]


def test_the_pairs_of_the_best_layer_on_dev(folder: Path, page: str) -> None:
    markup = section_of(page, "differences")
    layers, own, methods, _ = tables_of(markup)
    by_layer = significance(folder, "layer")[0].to_dict()
    (by_method,) = significance(folder, "method")
    for one, cells in zip(by_layer["systems"], layers[1:], strict=True):
        assert (cells[0], cells[2]) == (one["name"], one["letters"])
        assert cells[1].split()[0] == f"{100 * one['value']:.1f}"
    pairs = [pair for pair in by_layer["pairs"] if "layer 1" in (pair["a"], pair["b"])]
    assert [cells[0] for cells in own[1:]] == [f"{pair['a']} – {pair['b']}" for pair in pairs]
    for pair, cells in zip(pairs, own[1:], strict=True):
        assert cells[1].split()[0] == f"{100 * pair['difference']:+.1f}"
        assert cells[4] == ("yes" if pair["differs"] else "no")
    assert "Shown are 2 of 3 pairs, those of layer 1, which has the highest UUAS on dev" in markup
    assert "p-values corrected for 3 pairs after Holm" in markup
    assert [cells[0] for cells in methods[1:]] == [one.name for one in by_method.systems]


def test_the_number_of_pairs_and_groups_is_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "MOST_PAIRS", 1)
    monkeypatch.setattr(sections, "MOST_GROUPS", 1)
    monkeypatch.setattr(sections, "MOST_SERIES", 0)
    page = build_report(folder)
    assert "Left out: scores by condition of 1 more series." in page
    markup = section_of(page, "differences")
    assert "Shown are 1 of 3 pairs" in markup
    assert "Left out: 1 more group of systems." in markup


def test_a_comparison_has_differences_of_methods_and_nothing_else(tmp_path: Path) -> None:
    planted_comparison(tmp_path, BANK)
    page = build_report(tmp_path)
    assert "methods: 30 sentences" in section_of(page, "differences")
    for name in ("controls", "stimuli", "codelengths"):
        assert f'labelledby="{name}"' not in page


def test_several_seeds_show_both_spreads(tmp_path: Path) -> None:
    planted_evidence(tmp_path, BANK, seeds=(0, 1))
    page = build_report(tmp_path)
    rows = [row for row in read_rows(tmp_path) if (row["method"], row["layer"]) == ("probe", 1)]
    low, high = (100 * sum(row[f"uuas_{end}"] for row in rows) / 2 for end in ("low", "high"))
    cells = next(
        row for row in tables_of(section_of(page, "scores"))[0] if row[:2] == ["probe", "1"]
    )
    shown = next(cell for cell in cells if "±" in cell)
    assert re.fullmatch(rf"[\d.]+ ± [\d.]+ {low:.1f}–{high:.1f}", shown)
    bias = tables_of(section_of(page, "stimuli"))[0]
    assert bias[1][-1] == "-0.05 ± 0.00 -0.10 to 0.00"
    assert re.findall("<summary>By condition: (.*?)</summary>", page) == ["probe, seed 0"]
    finding = page.partition('class="finding">')[2].partition("</p>")[0]
    assert f"over 2 seeds) [{low:.1f}, {high:.1f}] of the gold edges" in finding
    table = format_table(read_rows(tmp_path))
    assert "-0.05 ± 0.00 [-0.10, 0.00]" in table
    assert "± one standard deviation over seeds, beside the means of the intervals' bounds" in table


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sections_are_accessible(
    browser: Any, folder: Path, tmp_path: Path, scheme: str
) -> None:
    write_report(folder, tmp_path / "report.html")
    for visit in open_report(
        browser, (tmp_path / "report.html").as_uri(), viewport={"width": 390, "height": 800},
        color_scheme=scheme,
    ):  # fmt: skip
        assert axe_faults(visit.page) == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.faults == []


def test_no_zero_of_the_report_is_negative() -> None:
    for say in (curves._say, tables._say):
        assert (say("near_word_bias", -0.001), say("uuas", -0.0001)) == ("0.00", "0.0")
    assert tables._say("codelength", 12345.6) == "12,346"


def test_behaviour_has_a_section_of_its_own(tmp_path: Path) -> None:
    planted_behaviour(tmp_path)
    page = build_report(tmp_path)
    markup = section_of(page, "behaviour")
    rows, phenomena, shares, margins = tables_of(markup)
    assert rows[0][-3:] == ["pairs or items", "accuracy", "margin"]
    assert [line[-3:] for line in rows[1:]] == [
        ["40", "50.0 40.0–60.0", "1.25 -1.50 to 2.50"],
        ["40", "75.0 65.0–85.0", "-0.75 -1.50 to 2.50"],
        ["40", "100.0 100.0–100.0", "–"],
    ]
    assert phenomena[0] == ["phenomenon", "paradigm", "one/a", "one/b"]
    assert [line[:2] for line in phenomena[1:]] == [
        ["islands", "all"], ["npi", "all"], ["all", "all"],
    ]  # fmt: skip
    assert shares[1] == ["islands", "wh <1>", "50.0 40.0–60.0", "75.0 65.0–85.0"]
    assert margins[4] == ["npi", "ever", "1.25 -1.50 to 2.50", "-0.75 -1.50 to 2.50"]
    for told in (
        "one/a: the score of a sentence is the log-probability by a causal model",
        "An interval without width means that all pairs or items had the same outcome",
        "gym has no scores: no &lt;surprisal&gt;",
        "Warning: gym: only 3 items.",
    ):
        assert told in markup
    assert 'labelledby="scores"' not in page
    assert "<title>one/a, one/b, m/masked on blimp, gym</title>" in page
    printed = format_table(read_rows(tmp_path))
    assert "one/b: the score of a sentence is" in printed
    assert "behaviour has no scores: no <surprisal>" in printed


def test_behaviour_beside_scores_of_trees(tmp_path: Path) -> None:
    planted_evidence(tmp_path, BANK)
    before = section_of(build_report(tmp_path), "scores")
    planted_behaviour(tmp_path)
    page = build_report(tmp_path)
    assert "By paradigm: blimp" in section_of(page, "behaviour")
    assert section_of(page, "scores") == before

"""What a report's page says beside its pictures, and how it looks where room is short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.browser import axe_faults, open_report, wait_until
from support.planted_results import planted_bank, planted_sweep

from structprobe.draw.palette import STROKES
from structprobe.recoverers.linear import LinearChain
from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import make_row, score_values
from structprobe.scores import score
from structprobe.scores.protocol import PENN_PUNCTUATION
from structprobe.show.report import write_report
from structprobe.show.report.curves import _spread, draw_curves
from structprobe.show.report.foot import results_foot
from structprobe.show.report.packing import Explorer
from structprobe.show.report.page import asset
from structprobe.show.report.saved_predictions import read_kept
from structprobe.show.report.series import series_of
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("told")
    planted_sweep(folder / "DIR", planted_bank(20))
    write_report(folder / "DIR", folder / "report.html")
    return (folder / "report.html").as_uri()


def test_a_tree_that_is_not_the_one_scored_says_so(browser: Any, tmp_path: Path) -> None:
    # The chain over the two kept words joins them; the chain over all words does not.
    over_a_comma = Sentence(("one", ",", "two"), [3, 3, 0], upos=("NUM", "PUNCT", "NUM"))
    side_by_side = Sentence(("one", "two", "."), [2, 0, 2], upos=("NUM", "NUM", "PUNCT"))
    bank = [over_a_comma, side_by_side]
    row = make_row(key="a", method="linear", uuas=1.0, part="test", punct="upos",
                   treebank="t.conllu", treebank_fingerprint="beef")  # fmt: skip
    ResultsFolder(tmp_path / "DIR").add(row, bank, LinearChain().predict(bank))
    write_report(tmp_path / "DIR", tmp_path / "report.html")
    for visit in open_report(browser, (tmp_path / "report.html").as_uri()):
        told = visit.page.locator("#status")
        assert told.inner_text() == (
            "linear: 1 of 1 scored edges right (UUAS 100%). The tree drawn, over all words, has 0 "
            "of them; UUAS decodes a tree over the scored words alone."
        )
        visit.page.locator("#next").click()
        assert told.inner_text() == "linear: 1 of 1 scored edges right (UUAS 100%)"


def test_where_nothing_is_found_nothing_seems_to_be(browser: Any, address: str) -> None:
    for visit in open_report(browser, address):
        page = visit.page
        assert page.locator("#hint").is_hidden()
        page.locator("#word").fill("don't")
        assert page.locator("#hint").inner_text().startswith("Search for words as the treebank")
        assert "do n't" in page.locator("#hint").inner_text()
        assert page.locator("#place").inner_text() == "no sentence found"
        assert page.locator("#sentence-id").inner_text() == ""
        assert "no sentence found" in page.locator("#status").inner_text()
        for part in ("#tree", ".key", ".numbers", "#as-table"):
            pale = f"document.querySelector('.view {part}')"
            assert page.evaluate(f"Number(getComputedStyle({pale}).opacity)") < 0.5
            assert page.evaluate(f"{pale}.inert")
        page.locator("#word").fill("w3-0")
        assert page.locator("#hint").is_hidden()
        assert page.locator("#place").inner_text() == "1 of 1"
        assert page.evaluate("getComputedStyle(document.getElementById('tree')).opacity") == "1"
        assert not page.evaluate("document.getElementById('tree').inert")
        page.locator("#word").fill("")
        page.locator("input[name=low]").fill("100")
        page.locator("input[name=high]").fill("0")
        assert page.locator("#place").inner_text() == "no sentence found"
        assert page.locator("#hint").is_hidden()  # no word was asked for
        assert visit.faults == []


def test_bars_over_the_slider_are_explained(browser: Any, address: str) -> None:
    for visit in open_report(browser, address):
        told = visit.page.locator(".bars-told")
        assert told.inner_text().startswith("Bars: UUAS of this sentence")
        bars, words = visit.page.locator("#bars").bounding_box(), told.bounding_box()
        assert 0 < words["y"] - bars["y"] < 100


def test_what_scrolls_sideways_fades_where_there_is_more(browser: Any, address: str) -> None:
    for visit in open_report(browser, address, viewport={"width": 390, "height": 800}):
        page = visit.page
        table = "document.querySelector('.wide:has(.headline)')"
        mask = f"getComputedStyle({table}).maskImage"
        wait_until(page, f"{mask} !== 'none'")
        page.evaluate(f"{table}.scrollLeft = 10000")
        wait_until(page, f"{mask} === 'none'")  # the first column stays and does not fade
        tree = "document.getElementById('tree')"
        page.locator("#word").fill("<script>")
        wait_until(page, f"{tree}.className === 'wide more'")
        page.evaluate(f"{tree}.scrollLeft = 40")
        wait_until(page, f"{tree}.className.split(' ').sort().join() === 'less,more,wide'")
        page.set_viewport_size({"width": 1600, "height": 800})
        page.locator("#word").fill("w3-0")
        wait_until(page, f"{tree}.className === 'wide'")


def test_the_page_has_the_colours_of_the_palette() -> None:
    light = dict(re.findall(r"--(right|wrong|missed): (#\w{6});", asset("style.css").split("}")[0]))
    assert light == {name: STROKES[name].colour for name in ("right", "wrong", "missed")}


def test_tags_are_code_and_no_quotation_marks() -> None:
    row = make_row(method="linear", punct="xpos", min_length=5, max_length=50)
    foot = results_foot([row], [])
    assert re.findall(r"<code>([^<]*)</code>", foot) == list(PENN_PUNCTUATION)
    assert 'punct="xpos": XPOS <code>' in foot
    assert "</code> excluded from UUAS and root; DSpr." in foot
    plain = results_foot([row | {"punct": "upos"}], [])
    assert 'punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr.' in plain


def test_labels_stay_near_their_lines() -> None:
    assert _spread([], 12, 0, 100) == []
    assert _spread([10, 50], 12, 0, 100) == [10, 50]  # nothing to move
    assert _spread([30, 32, 80], 12, 0, 100) == [25, 37, 80]  # both by the same, either way
    assert _spread([30, 30, 38], 12, 0, 100) == pytest.approx([62 / 3, 98 / 3, 134 / 3])
    assert _spread([96, 99], 12, 0, 100) == [88, 100]
    assert _spread([1, 2], 12, 0, 100) == [0, 12]


def test_baselines_tell_their_score_at_the_end_of_their_line() -> None:
    common = {"part": "test", "treebank": "t", "treebank_fingerprint": "beef"}
    rows = [make_row(method="probe", layer=at, uuas=0.5 + at / 10, **common) for at in (0, 1)]
    for method, uuas in (("linear", 0.43), ("left-branching", 0.425)):
        rows.append(make_row(method=method, uuas=uuas, **common))
    curves = draw_curves(series_of(rows))
    lines = [float(y) for y in re.findall(r'd="M34 ([\d.]+)H\d+" class="dashed"', curves)]
    ends = re.findall(r'd="M\d+ ([\d.]+)L\d+ ([\d.]+)" class="leader"', curves)
    labels = re.findall(r'<text x="\d+" y="([\d.]+)" class="tick right">([^<]*)<', curves)
    assert [label for _, label in labels] == ["linear 43.0", "left-branching 42.5"]
    assert [float(start) for start, _ in ends] == lines
    assert [end for _, end in ends] == [y for y, _ in labels]
    first, second = (float(y) for y, _ in labels)
    assert second - first == pytest.approx(12)
    assert (first + second) / 2 == pytest.approx(sum(lines) / 2, abs=0.1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_search_without_hits_and_a_phone_are_accessible(
    browser: Any, address: str, scheme: str
) -> None:
    size = {"width": 390, "height": 800}
    for visit in open_report(browser, address, viewport=size, color_scheme=scheme):
        visit.page.locator("#word").fill("don't")
        visit.page.locator("#hint").wait_for()
        assert axe_faults(visit.page) == []


def test_edges_are_counted_by_the_protocol_of_each_row(tmp_path: Path) -> None:
    tags = ("NOUN", "VERB", "PUNCT")
    bank = Treebank([Sentence(words=("dogs", "bark", "."), heads=(2, 0, 2), upos=tags)])
    results, predictions = ResultsFolder(tmp_path), LinearChain().predict(bank)
    names = {"method": "linear", "part": "test", "treebank": "t", "treebank_fingerprint": "beef"}
    for punct in ("upos", "keep"):
        values = score_values(score(bank, predictions, punct=punct))
        row = make_row(key=punct, **names, **values, n_sentences=1, n_words=3)
        results.add(row, bank, predictions)
    kept = read_kept(tmp_path, series_of(results.rows))
    assert [one.series.name for one in kept] == ["methods, punct upos", "methods, punct keep"]
    packed = Explorer(kept).data
    edges = [packed["banks"][one["bank"]]["edges"] for one in packed["series"]]
    assert edges == [[1], [2]]

"""The page of a report in a real browser: what it shows, and what a reader can do with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import Visit, axe_faults, open_report, open_table, wait_until
from support.planted_results import (
    HOSTILE,
    named,
    noisy,
    planted_bank,
    planted_comparison,
    planted_relations,
    planted_sweep,
)

from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import make_row
from structprobe.show.report import write_report

N = 40


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    planted_sweep(folder / "DIR", planted_bank(N))
    write_report(folder / "DIR", folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    yield from open_report(browser, address, viewport={"width": 1280, "height": 900})


def shown(page: Any) -> str:
    return page.locator("#tree svg").get_attribute("aria-label")


def found(page: Any) -> int:
    return int(page.locator("#count").inner_text().split()[0])


def test_it_opens_without_a_fault_and_asks_for_nothing(visit: Visit, address: str) -> None:
    assert visit.faults == []
    assert [one for one in visit.requests if not one.startswith("data:")] == [address]


def test_what_is_in_a_treebank_stays_text(visit: Visit) -> None:
    page = visit.page
    page.locator("#word").fill("<script>")
    assert found(page) == 1
    assert tuple(page.locator("#tree text.word").all_text_contents()) == HOSTILE
    assert page.locator("#sentence-id").inner_text() == "<i>first</i>"
    open_table(page)
    cells = page.locator("#word-rows td:nth-child(2)").all_text_contents()
    assert tuple(cells) == HOSTILE
    assert "</script>" in page.locator("#word-rows").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, i").count() == 0
    assert visit.faults == []


def test_search(visit: Visit) -> None:
    page = visit.page
    page.locator("#word").fill("W7-1")
    assert found(page) == 1
    assert "w7-1" in shown(page)
    page.locator("#word").fill("no such word")
    assert found(page) == 0
    assert page.locator("#place").inner_text() == "no sentence found"
    page.locator("button[type=reset]").click()
    wait_until(page, f"document.getElementById('count').textContent.startsWith('{N}')")
    page.locator("#deprel").select_option("</script>")
    assert found(page) == 1
    page.locator("#deprel").select_option("obj")
    assert 1 < found(page) < N
    page.locator("#deprel").select_option("")
    page.locator("input[name=low]").fill("100")
    sure = found(page)
    assert 0 < sure < N
    scores = page.locator("#found .score").all_inner_texts()
    assert scores == ["100%"] * sure
    page.locator("input[name=low]").fill("")
    page.locator("#order").select_option("worst")
    scores = page.locator("#found .score").all_inner_texts()
    numbers = [float(score.removesuffix("%")) for score in scores if score != "–"]
    assert numbers == sorted(numbers)
    page.locator("#order").select_option("best")
    assert page.locator("#found .score").first.inner_text() == "100%"


def test_the_slider_redraws_tree_and_map(visit: Visit) -> None:
    page = visit.page
    page.locator("#word").fill("w9-0")
    slider = page.locator("#layer")
    assert slider.get_attribute("aria-valuetext") == "layer 2"  # the best
    snapshot = "document.getElementById('pred-map').toDataURL()"
    seen = {(page.locator("#tree").inner_html(), page.evaluate(snapshot))}
    slider.focus()
    for name in ("layer 3",):
        page.keyboard.press("ArrowRight")
        assert page.locator("#run-name").inner_text() == name
    seen.add((page.locator("#tree").inner_html(), page.evaluate(snapshot)))
    page.keyboard.press("Home")
    assert page.locator("#run-name").inner_text() == "layer 0"
    assert "layer 0:" in page.locator("#status").inner_text()
    seen.add((page.locator("#tree").inner_html(), page.evaluate(snapshot)))
    assert len({tree for tree, _ in seen}) == len({picture for _, picture in seen}) == 3
    gold = page.locator("#tree .arc.right, #tree .arc.missed").count()
    assert gold > 0
    dashes = page.evaluate(
        "(() => { const of = s => { const e = document.querySelector(`.key .${s} path`);"
        " return getComputedStyle(e).strokeDasharray; };"
        " return ['right', 'wrong', 'missed'].map(of); })()"
    )
    assert len(set(dashes)) == 3


def test_steps_and_the_list_by_keyboard(visit: Visit) -> None:
    page = visit.page
    assert page.locator("#place").inner_text() == f"1 of {N}"
    page.locator("#next").focus()
    page.keyboard.press("Enter")
    assert page.locator("#place").inner_text() == f"2 of {N}"
    page.locator("#previous").click()
    page.locator("#previous").click()
    assert page.locator("#place").inner_text() == f"{N} of {N}"
    page.locator("#found button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.locator("#place").inner_text() == f"2 of {N}"
    assert page.locator("#found [aria-current]").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#found, #more, .view') !== null")


def test_a_step_beyond_the_list_extends_it(browser: Any, tmp_path: Path) -> None:
    planted_sweep(tmp_path / "DIR", planted_bank(150, longest=4), n_layers=2)
    write_report(tmp_path / "DIR", tmp_path / "report.html")
    for visit in open_report(browser, (tmp_path / "report.html").as_uri()):
        page = visit.page
        assert page.locator("#found li").count() == 60
        page.locator("#more").click()
        assert page.locator("#found li").count() == 120
        page.locator("#previous").click()
        assert page.locator("#place").inner_text() == "150 of 150"
        assert page.locator("#found li").count() == 150
        assert page.locator("#more").is_hidden()
        box, entry = (
            page.locator(one).bounding_box() for one in ("#found", "#found [aria-current]")
        )
        assert box["y"] <= entry["y"]
        assert entry["y"] + entry["height"] <= box["y"] + box["height"] + 1


def test_gold_and_predicted_stand_beside_one_another(visit: Visit) -> None:
    page = visit.page
    for width in (1280, 1000, 720):
        page.set_viewport_size({"width": width, "height": 800})
        drawn = "document.getElementById('pred-map').clientWidth <= innerWidth / 2"
        wait_until(page, drawn)
        gold, pred = (page.locator(f"#{name}-map").bounding_box() for name in ("gold", "pred"))
        assert gold["y"] == pred["y"]
        assert gold["x"] + gold["width"] < pred["x"]
        assert pred["x"] + pred["width"] <= width


def test_tables_sort(visit: Visit) -> None:
    page = visit.page
    table = page.locator("table.headline")
    head = table.locator("th", has_text=re.compile("^UUAS$"))
    column = table.locator("tbody tr td.number").evaluate_all
    layers = "cells => cells.filter(c => c.cellIndex === 1).map(c => c.textContent)"
    assert column(layers) == ["–", "0", "1", "2", "3"]
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert column(layers)[0] == "2"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(layers)[-1] == "2"
    layer = table.locator("button", has_text="layer")
    layer.click()
    assert column(layers) == ["3", "2", "1", "0", "–"]
    layer.click()
    assert column(layers) == ["0", "1", "2", "3", "–"]  # what is not there stays at the end
    recall = page.locator("table.recall").first
    recall.locator("button", has_text="relation").click()
    names = recall.locator("tbody th").all_inner_texts()
    assert names == sorted(names, key=str.lower)


def test_maps_answer_arrow_keys_and_the_pointer(visit: Visit) -> None:
    page = visit.page
    page.locator("#word").fill("w5-0")
    page.locator("#pred-map").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#pair").inner_text().startswith("w5-0 – w5-0: gold 0, predicted 0.0")
    page.keyboard.press("ArrowDown")
    assert page.locator("#pair").inner_text().startswith("w5-1 – w5-0: gold ")
    box = page.locator("#gold-map").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] - 8)
    last = page.locator("#tree text.word").last.text_content()
    page.locator("#pair", has_text=f"{last} – {last}: gold 0").wait_for()


def test_other_runs_and_links_to_sentences(visit: Visit) -> None:
    page = visit.page
    page.locator("#series").select_option(label="linear")
    assert page.locator("#run-name").inner_text() == "linear"
    assert page.locator("#layer").is_disabled()
    link = page.locator("#extremes ~ .two a").nth(3)
    text = link.locator("bdi").inner_text()
    link.click()
    assert page.locator("#run-name").inner_text() == "layer 2"
    assert " ".join(page.locator("#tree text.word").all_text_contents()) == text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_are_accessible(browser: Any, address: str, scheme: str) -> None:
    for visit in open_report(browser, address, color_scheme=scheme):
        page = visit.page
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        red = int(ground.split("(")[1].split(",")[0])
        assert red > 200 if scheme == "light" else red < 60
        open_table(page)
        assert axe_faults(page) == []


def test_colours_follow_the_system(visit: Visit) -> None:
    page = visit.page
    snapshot = "document.getElementById('pred-map').toDataURL()"
    before = page.evaluate(snapshot)
    page.emulate_media(color_scheme="dark")
    wait_until(page, f"{snapshot} !== {before!r}")


def test_a_phone_and_a_reader_who_wants_no_motion(browser: Any, address: str) -> None:
    size = {"width": 360, "height": 740}
    for visit in open_report(browser, address, viewport=size, reduced_motion="reduce"):
        page = visit.page
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        still = "getComputedStyle(document.querySelector('#bars rect')).transitionDuration"
        assert page.evaluate(still) == "0s"
        page.locator("#next").click()
        assert page.locator("#place").inner_text() == f"2 of {N}"


def test_a_comparison(browser: Any, tmp_path: Path) -> None:
    planted_comparison(tmp_path / "DIR", planted_bank(8))
    write_report(tmp_path / "DIR", tmp_path / "report.html")
    for visit in open_report(browser, (tmp_path / "report.html").as_uri()):
        page = visit.page
        assert page.locator("#run-name").inner_text() == "probe, layer 3"
        page.locator("#layer").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("#run-name").inner_text() == "linear"
        assert visit.faults == []


def relations(page: Any) -> list[str]:
    return page.locator("#tree text.label").all_text_contents()


def places(page: Any) -> list[str]:
    return page.locator("#tree text.word").evaluate_all("all => all.map(e => e.getAttribute('x'))")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report on a method that predicts relations, and one that does not."""
    folder = tmp_path_factory.mktemp("labelled")
    planted_relations(folder / "DIR", planted_bank(8))
    write_report(folder / "DIR", folder / "report.html")
    return (folder / "report.html").as_uri()


def test_relations_stand_on_the_arcs_where_a_run_predicts_them(browser: Any, labelled: str) -> None:
    bank = planted_bank(8)
    for visit in open_report(browser, labelled):
        page = visit.page
        page.locator("#layer").fill("0")
        assert page.locator("#run-name").inner_text() == "probe-relations, layer 3"
        for sentence in bank:
            labels = [one.removeprefix("*") for one in relations(page)]
            gold = [name for name in sentence.deprels if name != "root"]
            assert labels[: len(gold)] == gold
            assert "</script>" not in labels or sentence.sent_id == "<i>first</i>"
            marked = page.locator("#tree text.differs").count()
            assert page.locator("#n-differing").inner_text().startswith(f"*: {marked} of these")
            assert sum(one.startswith("*") for one in relations(page)) == marked
            page.locator("#next").click()
        open_table(page)
        cells = page.locator("#word-rows td:nth-child(7)").all_text_contents()
        assert cells[2] == "flat"
        wide = places(page)
        page.locator("#layer").fill("1")
        assert page.locator("#run-name").inner_text() == "probe, layer 3"
        assert relations(page) == []
        assert places(page) == wide  # words do not jump while the slider moves
        assert page.locator("#n-differing").is_hidden()
        assert page.locator("#recovered-relation").is_hidden()
        page.locator("#next").click()
        page.locator("#previous").click()
        assert float(places(page)[-1]) < float(wide[-1])
        assert visit.faults == []


def test_relations_are_accessible_in_both_schemes(browser: Any, labelled: str) -> None:
    for visit in open_report(browser, labelled):
        visit.page.locator("#layer").fill("0")
        assert visit.page.locator("#tree text.differs").count()
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            assert axe_faults(visit.page) == []


def test_predictions_without_gold_trees_are_drawn(browser: Any, tmp_path: Path) -> None:
    bank = planted_bank(3)
    bare = [type(sentence)(sentence.words) for sentence in bank]
    row = make_row(key="0", method="probe-relations", layer=0, uuas=0.5, part="dev")
    ResultsFolder(tmp_path / "DIR").add(row, bare, named(noisy(bank, 0.2, 0), bank))
    write_report(tmp_path / "DIR", tmp_path / "report.html")
    for visit in open_report(browser, (tmp_path / "report.html").as_uri()):
        assert visit.faults == []
        assert relations(visit.page).count("flat") == 4
        assert not any(one.startswith("*") for one in relations(visit.page))


def test_a_large_report_is_small_and_quick(browser: Any, tmp_path: Path) -> None:
    n = 800
    planted_sweep(tmp_path / "DIR", planted_bank(n, longest=40), n_layers=13)
    told = write_report(tmp_path / "DIR", tmp_path / "report.html")
    assert told["megabytes"] < 20 * n / 2000
    moves = """async () => {
      const slider = document.getElementById('layer'), taken = [], added = [];
      const inside = one => one.querySelectorAll ? one.querySelectorAll('*').length + 1 : 1;
      let count = 0;
      const observer = new MutationObserver(records => {
        for (const { addedNodes } of records) for (const one of addedNodes) count += inside(one);
      });
      observer.observe(document.body, { subtree: true, childList: true });
      for (let at = 0; at <= slider.max; at++) {
        const start = performance.now();
        count = 0;
        slider.value = at;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        taken.push(performance.now() - start);
        added.push(count);
      }
      return { taken, added };
    }"""
    for visit in open_report(browser, (tmp_path / "report.html").as_uri()):
        page = visit.page
        page.locator("#order").select_option("best")
        n_words = page.locator("#tree text.word").count()
        found = page.evaluate(moves)
        taken = sorted(found["taken"])
        print(f"{told['megabytes']} MB; a move: median {taken[6]:.0f}, at most {taken[-1]:.0f} ms")
        # What a move draws is this sentence alone, however many the treebank has.
        assert 0 < max(found["added"]) < 20 * n_words + 40

"""The live page in a real browser: typed, parsed, drawn, and nothing of it run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import Visit, axe_faults, open_table, wait_until
from support.flat_settings import sweep
from support.planted_results import HOSTILE
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder
from structprobe.show.live import LiveProbes
from structprobe.show.live.server import LiveServer


@pytest.fixture(scope="module")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("live")
    encoder = Encoder(save_checkpoint(folder / "model", "bert"))
    banks = tiny_bank(), tiny_bank(seed=1)
    sweep(encoder, *banks, folder=folder / "DIR", max_steps=5, save_probes=True)
    with LiveServer("127.0.0.1", 0) as one:
        one.use(LiveProbes.load([folder / "DIR"], device="cpu"))
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def opened(browser: Any, server: LiveServer, **options: Any) -> Iterator[Visit]:
    visit = Visit(browser, server.address, **options)
    wait_until(visit.page, "document.documentElement.dataset.parsed === '1'")
    yield visit
    visit.close()


@pytest.fixture
def visit(browser: Any, server: LiveServer) -> Iterator[Visit]:
    yield from opened(browser, server)


def words(page: Any) -> list[str]:
    return page.locator("#tree text.word").all_text_contents()


def type_in(page: Any, text: str) -> None:
    """Type a sentence, press Enter, and wait for its tree."""
    before = page.evaluate("document.documentElement.dataset.parsed")
    page.locator("#text").fill(text)
    page.keyboard.press("Enter")
    wait_until(page, f"document.documentElement.dataset.parsed !== {before!r}")


def test_an_example_is_there_and_no_other_server_is_asked(visit: Visit, server: LiveServer) -> None:
    assert len(words(visit.page)) == 10
    own = [one for one in visit.requests if not one.startswith("data:")]
    assert own == [server.address, server.address + "parse"]
    assert visit.faults == []


def test_a_sentence_by_keyboard_and_by_layer(visit: Visit) -> None:
    page = visit.page
    page.locator("#text").focus()
    type_in(page, "the dog saw a cat")
    assert words(page) == ["the", "dog", "saw", "a", "cat"]
    slider = page.locator("#layer")
    slider.focus()
    seen = set()
    for key, name in (("Home", "layer 0"), ("ArrowRight", "layer 1"), ("End", "layer 2")):
        page.keyboard.press(key)
        assert page.locator("#run-name").inner_text() == name
        assert slider.get_attribute("aria-valuetext") == name
        assert page.locator("#status").inner_text().startswith(f"{name}: 5 words, the root is ")
        assert page.locator("#depths circle").count() == 5
        seen.add(page.locator("#depths").inner_html())
    assert len(seen) == 3
    open_table(page)
    assert page.locator("#word-rows tr").count() == 5
    page.locator("#pred-map").focus()
    page.keyboard.press("ArrowDown")
    assert "predicted" in page.locator("#pair").inner_text()


def test_relations_stand_on_the_arcs(
    visit: Visit, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit.page
    labels = page.locator("#tree text.label")
    assert labels.count() == 0
    plain = server.probes.parse

    def named(text: str) -> Any:
        found = plain(text)
        names = [f"<{word}>" for word in found["words"]]
        return found | {"runs": [run | {"deprels": names} for run in found["runs"]]}

    monkeypatch.setattr(server.probes, "parse", named)
    type_in(page, "the dog saw a cat")
    assert labels.count() == 4
    assert {*labels.all_text_contents()} < {"<the>", "<dog>", "<saw>", "<a>", "<cat>"}
    open_table(page)
    assert page.locator("#word-rows td:nth-child(7)").all_text_contents()[1] == "<dog>"
    assert page.locator("#recovered-relation").is_visible()
    assert visit.faults == []


def test_markup_and_emoji_stay_text(visit: Visit) -> None:
    page = visit.page
    typed = [word for word in HOSTILE if word.split() == [word]]
    type_in(page, " ".join(typed))
    assert words(page) == typed
    open_table(page)
    assert page.locator("#word-rows td:nth-child(2)").all_text_contents() == typed
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, main i").count() == 0
    assert visit.faults == []


def test_a_fault_is_told_and_what_was_there_stays(visit: Visit) -> None:
    page = visit.page
    page.locator("#text").fill("the " * 101)
    page.get_by_role("button", name="Parse").click()
    wait_until(page, "document.getElementById('status').textContent.startsWith('Not parsed')")
    assert "the sentence has 101 words; the limit is 100" in page.locator("#status").inner_text()
    assert len(words(page)) == 10


def test_a_page_of_another_site_gets_nothing(
    browser: Any, server: LiveServer, tmp_path: Path
) -> None:
    body = json.dumps({"text": "the dog"})
    page = tmp_path / "other.html"
    page.write_text("<!DOCTYPE html><title>another</title>")
    for kind in ("application/json", "text/plain"):
        visit = Visit(browser, page.as_uri())
        answer = visit.page.evaluate(
            "([address, body, kind]) => fetch(address, {method: 'POST', body, headers: "
            "{'Content-Type': kind}}).then(r => r.text(), e => 'refused')",
            [server.address + "parse", body, kind],
        )
        visit.close()
        assert answer == "refused"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_are_accessible(browser: Any, server: LiveServer, scheme: str) -> None:
    for visit in opened(browser, server, color_scheme=scheme):
        open_table(visit.page)
        assert axe_faults(visit.page) == []


def test_a_phone(browser: Any, server: LiveServer) -> None:
    for visit in opened(browser, server, viewport={"width": 360, "height": 740}):
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        width = visit.page.locator("#pred-map").bounding_box()["width"]
        assert width <= 360


def test_a_long_word_is_shortened_where_it_is_told(visit: Visit) -> None:
    page = visit.page
    type_in(page, "a" * 300 + "b" * 300)
    told = page.locator("#status").inner_text()
    assert told.endswith("the root is " + "a" * 19 + "…" + "b" * 19)
    page.locator("#pred-map").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#pair").inner_text().count("a…b") == 2
    assert words(page) == ["a" * 300 + "b" * 300]
    type_in(page, "👩" * 40)
    assert page.locator("#status").inner_text().endswith("the root is " + "👩" * 40)


def test_a_map_without_names_says_so(visit: Visit) -> None:
    page = visit.page
    caption = page.locator("#pred-figure figcaption")
    assert caption.inner_text() == "Predicted distances"
    type_in(page, " ".join(["word"] * 60))
    assert caption.inner_text() == (
        "Predicted distances (too many words for labels; point at a square for its two words)"
    )
    type_in(page, "few words")
    assert caption.inner_text() == "Predicted distances"

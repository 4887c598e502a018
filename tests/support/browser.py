"""A real headless Chromium, the system's own, or a skip that says what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
AXE = ROOT / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (extra browser)"
    )
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """One page in a fresh context, and what went wrong or was asked for in it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def close(self) -> None:
        self.context.close()


def wait_until(page: Any, expression: str) -> None:
    """Wait for something to be true in a page whose policy forbids to be asked by it."""
    for _ in range(250):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never true: {expression[:200]}")


def open_report(browser: Any, address: str, **options: Any) -> Iterator[Visit]:
    """Open the page of a report, and wait until its scripts are done."""
    visit = Visit(browser, address, **options)
    visit.page.wait_for_selector("html[data-ready=all]", state="attached")
    yield visit
    visit.close()


def open_table(page: Any) -> None:
    """Open the table of the words, which is filled by an event that comes after the click."""
    page.locator("#as-table summary").click()
    page.locator("#word-rows tr").first.wait_for()


def axe_faults(page: Any) -> list[str]:
    """The serious and critical faults that axe-core finds, or a skip where it is not there."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here; `make test` fetches it where npm is installed")
    page.evaluate(AXE.read_text(encoding="utf-8") + "\n;0")
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{one['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]

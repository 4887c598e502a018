"""Take the screenshots in the README: a report and the live page.

    python examples/screenshots.py RESULTS/ --chromium /usr/bin/chromium

RESULTS/ is a results folder written by `structprobe sweep --save-probes`. Needs the extra
``browser`` and an installed Chromium. Writes report.png and serve.png to the folder of this script.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from structprobe.show.live import LiveProbes
from structprobe.show.live.server import LiveServer
from structprobe.show.report import write_report

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1200, 1130
MOST_WORDS = 13  # maximum length of the sentence shown in the report
SENTENCE = "the dog that chased the cat ran to the river"


def picture_report(browser: Browser, folder: Path, out: Path, word: str) -> None:
    """Take a picture of a report, at the first short sentence that contains a word."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "report.html"
        write_report(folder, path)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=all]", state="attached")
        page.locator("#word").fill(word)
        while page.locator("#tree text.word").count() > MOST_WORDS:
            page.locator("#next").click()
        page.evaluate("document.activeElement.blur()")
        page.evaluate("document.getElementById('sentences').scrollIntoView()")
        page.screenshot(path=out)
        page.close()


def picture_live(browser: Browser, folder: Path, out: Path, sentence: str) -> None:
    """Take a picture of the live page with a parsed sentence."""
    with LiveServer("127.0.0.1", 0) as server:
        server.use(LiveProbes.load([folder]))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(server.address)
        page.locator("#text").fill(sentence)
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-parsed='2']", state="attached")
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=out, full_page=True)
        page.close()
        server.shutdown()


def main(argv: list[str] | None = None) -> None:
    """Take both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="results folder of a sweep with --save-probes")
    parser.add_argument(
        "--chromium", default="/usr/bin/chromium", help="path of the Chromium program"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the pictures")
    parser.add_argument(
        "--word", default="who", help="word that the sentence shown in the report contains"
    )
    parser.add_argument("--sentence", default=SENTENCE, help="sentence to type on the live page")
    args = parser.parse_args(argv)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=args.chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        picture_report(browser, args.folder, args.out / "report.png", args.word)
        picture_live(browser, args.folder, args.out / "serve.png", args.sentence)
        browser.close()


if __name__ == "__main__":
    main()

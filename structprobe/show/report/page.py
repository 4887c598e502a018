"""The frame of a page that needs nothing from outside: styles, scripts and data in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from importlib.resources import files

from structprobe._version import __version__
from structprobe.show.report.elements import Child, Markup, element, join

# What draws a sentence, in the order in which it is read, and what a report runs.
VIEW_SCRIPTS = ("nodes.js", "edges.js", "trees.js", "labels.js", "tree_view.js", "heat_view.js",
                "depth_view.js", "sentence_view.js")  # fmt: skip
REPORT_SCRIPTS = (*VIEW_SCRIPTS, "data.js", "sort.js", "search.js", "explorer.js", "report.js")

_HEAD_BYTES = 4096  # within which a page says what made it


def page_body(
    kicker: str, title: str, told: Iterable[str], main: Child, nav: Child = None, foot: Child = None
) -> Markup:
    """Put together what a page shows: what it is, what came out of it, and the rest."""
    header = element(
        "header",
        element("p", kicker, class_="kicker"),
        element("h1", title),
        [element("p", one, class_="finding") for one in told],
        element("nav", nav, aria_label="Sections") if nav else None,
    )
    shown = element("main", main, id="content", tabindex=-1)
    return join(header, shown, element("footer", foot) if foot else None)


def make_page(
    title: str,
    body: Markup,
    *,
    scripts: Iterable[str],
    data: Mapping[str, object] | None = None,
    blocks: Mapping[str, str] | None = None,
    connect: bool = False,
) -> str:
    """Put a whole page together."""
    style = asset("style.css")
    script = f"(() => {{\n'use strict';\n{''.join(map(asset, scripts))}}})();\n"
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        f"img-src data:; base-uri 'none'; form-action 'none'"
    )
    if connect:
        policy += "; connect-src 'self'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"structprobe {__version__}"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    )
    inside = join(
        element("a", "Skip to the content", href="#content", class_="skip"),
        body,
        [_json_block(name, value) for name, value in (data or {}).items()],
        [_block(name, Markup(text)) for name, text in (blocks or {}).items()],
        element("script", Markup(script)),
    )
    whole = element("html", "\n", head, "\n", element("body", inside), "\n", lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def is_page(path: str | os.PathLike[str]) -> bool:
    """Tell whether structprobe wrote a file, which may then be replaced."""
    try:
        with open(path, "rb") as file:
            return b'<meta name="generator" content="structprobe ' in file.read(_HEAD_BYTES)
    except OSError:
        return False


def asset(name: str) -> str:
    """Read a file that pages are made of."""
    return (files("structprobe.show.report") / "assets" / name).read_text(encoding="utf-8")


def _json_block(name: str, value: object) -> Markup:
    """Embed plain values so that nothing in them can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return _block(name, Markup(safe), type_="application/json")


def _block(name: str, text: Markup, type_: str = "text/plain") -> Markup:
    return element("script", text, type=type_, id=name)


def _digest(text: str) -> str:
    """Give the digest by which a policy allows an element's text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

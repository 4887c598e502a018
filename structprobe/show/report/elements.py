"""HTML elements made of names, attributes and text, all of it escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TypeAlias

_VOID = frozenset({"meta", "input", "br", "link"})


class Markup(str):
    """Text that is markup already; only `element` and what reads our own files make it."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"  # text to escape, markup, several, or nothing


def element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Make an element."""
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{told}>" + ("" if name in _VOID else f"{join(*children)}</{name}>"))


def section(id_: str, title: str, *children: Child) -> Markup:
    """Make a section with its heading."""
    return element("section", element("h2", title, id=id_), *children, aria_labelledby=id_)


def wide(label: str, *children: Child, **attributes: object) -> Markup:
    """Make a box that scrolls by itself where its content is too wide."""
    told = {"class_": "wide", "tabindex": 0, "role": "region", "aria_label": label}
    return element("div", *children, **attributes, **told)


def note(*children: Child, **attributes: object) -> Markup:
    """Make a paragraph of small print."""
    return element("p", *children, class_="note", **attributes)


def figure(caption: str, marks: Child, box: str, label: str) -> Markup:
    """Make a figure of a drawing, `label` being what it shows in words."""
    drawing = element("svg", marks, viewBox=box, role="img", aria_label=label, class_="curve")
    return element("figure", element("figcaption", caption), drawing)


def join(*children: Child) -> Markup:
    """Put pieces one behind the other."""
    return Markup("".join(map(_child, children)))


def _child(child: Child) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    return escape(child, quote=False) if isinstance(child, str) else join(*child)


def slider(label: str, *, count: int = 1, at: int = 0, bars: str | None = None) -> Markup:
    """Make the slider that goes through layers or methods."""
    drawn = element("svg", id="bars", preserveAspectRatio="none", aria_hidden="true")
    handle = element("input", type="range", id="layer", min=0, max=count - 1, value=at)
    return element(
        "div",
        element("label", label, for_="layer"),
        element("div", drawn, handle, class_="track"),
        element("output", id="run-name", for_="layer"),
        element("p", bars, class_="bars-told") if bars else None,
        class_="slider",
    )


def text_table(caption: str, cells: Sequence[Sequence[str]]) -> Markup:
    """Make a table of cells of text, the first line its head."""
    head, *body = cells
    table = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", [element("th", one, scope="col") for one in head])),
        element(
            "tbody",
            [
                element(
                    "tr",
                    element("th", line[0].strip(), scope="row"),
                    [element("td", one) for one in line[1:]],
                )
                for line in body
            ],
        ),
        class_="evidence",
    )
    return wide(f"Table: {caption}", table)

"""The parts of a page that show one sentence: picture, maps, table; what scripts fill."""

from __future__ import annotations

from structprobe.show.report.elements import Markup, element, note, wide

_RELATION = "recovered relation"  # a column that scripts show where there are some
_WORD_COLUMNS = ("no.", "word", "UPOS", "gold relation", "gold head", "recovered head",
                 _RELATION, "gold depth", "predicted depth")  # fmt: skip
_SIDES = "edges between all words; gold above, recovered below"
_NUMBERS = ("no.", "gold depth", "predicted depth")


def legend(*, gold: bool) -> Markup:
    """Make the key to the lines of the picture."""
    if not gold:
        return Markup("")
    size = {"viewBox": "0 0 30 10", "width": 30, "height": 10, "aria_hidden": "true"}
    entries = []
    for style in ("right", "wrong", "missed"):
        line = element("g", element("path", d="M0 5H30"), class_=f"arc {style}")
        name = element("span", style, id=f"n-{style}")
        entries.append(element("li", element("svg", line, **size), name))
        if style == "right":
            told = element("span", id="n-differing", class_="differs")
            entries.append(element("li", told, hidden=True))
    return element("ul", entries, element("li", _SIDES), class_="key")


def tree_box() -> Markup:
    """Make the box that the picture of a tree is drawn into."""
    return wide("Tree, scrolls", id="tree")


def numbers(*, gold: bool) -> Markup:
    """Make the place of heat maps and depths."""
    figures = []
    for name, caption in (("gold", "Gold distances"), ("pred", "Predicted distances")):
        canvas = element("canvas", id=f"{name}-map", tabindex=0, role="img", aria_label=caption)
        box = element("div", canvas, class_="wide")
        figures.append(element("figure", element("figcaption", caption), box, id=f"{name}-figure"))
    scale = element(
        "p",
        element("span", "0"),
        element("span", class_="ramp", aria_hidden="true"),
        element("span", id="scale-most"),
        element("span", "edges apart"),
        class_="scale",
    )
    pair = element("div", figures, class_="pair-of-maps")
    maps = element("div", pair, scale, note(id="pair", role="status"), id="maps")
    no_maps = note("There are no predicted distances.", id="no-maps", hidden=True)
    told = "Depths below the root: predicted as dots, gold as rings" if gold else "Depths"
    caption, box = element("figcaption", told), wide("Depths", id="depths")
    depths = element("figure", caption, box, id="depth-figure")
    return element("div", element("div", maps, no_maps), depths, class_="numbers")


def word_table() -> Markup:
    """Make the table that tells the picture word by word."""
    heads = []
    for label in _WORD_COLUMNS:
        hidden = {"id": "recovered-relation", "hidden": True} if label == _RELATION else {}
        kind = "number" if label in _NUMBERS else None
        heads.append(element("th", label, scope="col", class_=kind, **hidden))
    table = element(
        "table",
        element("caption", element("span", "The words of this sentence with heads and depths")),
        element("thead", element("tr", heads)),
        element("tbody", id="word-rows"),
    )
    box = wide("Word table", table)
    return element("details", element("summary", "The same as a table"), box, id="as-table")

"""The parts of a page that show one sentence: picture, maps, table; what scripts fill."""

from __future__ import annotations

from structprobe.show.report.elements import Markup, element

_WORD_COLUMNS = (
    ("no.", True),
    ("word", False),
    ("UPOS", False),
    ("relation", False),
    ("gold head", False),
    ("recovered head", False),
    ("gold depth", True),
    ("predicted depth", True),
)


def slider(label: str, *, count: int = 1, at: int = 0, bars: str | None = None) -> Markup:
    """Make the slider that goes through layers or methods."""
    return element(
        "div",
        element("label", label, for_="layer"),
        element(
            "div",
            element("svg", id="bars", preserveAspectRatio="none", aria_hidden="true"),
            element("input", type="range", id="layer", min=0, max=count - 1, value=at),
            class_="track",
        ),
        element("output", id="run-name", for_="layer"),
        element("p", bars, class_="bars-told") if bars else None,
        class_="slider",
    )


def legend(*, gold: bool) -> Markup:
    """Make the key to the lines of the picture."""
    if not gold:
        return Markup("")
    entries = [
        element("li", _sample(style), element("span", style, id=f"n-{style}"))
        for style in ("right", "wrong", "missed")
    ]
    return element("ul", entries, element("li", "gold above, recovered below"), class_="key")


def tree_box() -> Markup:
    """Make the box that the picture of a tree is drawn into."""
    return element(
        "div", id="tree", class_="wide", tabindex=0, role="region", aria_label="Tree, scrolls"
    )


def numbers(*, gold: bool) -> Markup:
    """Make the place of heat maps and depths."""
    return element("div", _maps(), _depths(gold), class_="numbers")


def _maps() -> Markup:
    """Make the heat maps."""
    figures = [
        element(
            "figure",
            element("figcaption", caption),
            element(
                "div",
                element("canvas", id=f"{name}-map", tabindex=0, role="img", aria_label=caption),
                class_="wide",
            ),
            id=f"{name}-figure",
        )
        for name, caption in (("gold", "Gold distances"), ("pred", "Predicted distances"))
    ]
    scale = element(
        "p",
        element("span", "0"),
        element("span", class_="ramp", aria_hidden="true"),
        element("span", id="scale-most"),
        element("span", "edges apart"),
        class_="scale",
    )
    return element(
        "div",
        element(
            "div",
            element("div", figures, class_="pair-of-maps"),
            scale,
            element("p", id="pair", class_="note", role="status"),
            id="maps",
        ),
        element("p", "There are no predicted distances.", id="no-maps", class_="note",
                hidden=True),
    )  # fmt: skip


def _depths(gold: bool) -> Markup:
    """Make the depths of the words."""
    told = "Depths below the root: predicted as dots, gold as rings" if gold else "Depths"
    box = element("div", id="depths", class_="wide", tabindex=0, role="region", aria_label="Depths")
    return element("figure", element("figcaption", told), box, id="depth-figure")


def word_table() -> Markup:
    """Make the table that tells the picture word by word."""
    heads = [
        element("th", label, scope="col", class_="number" if number else None)
        for label, number in _WORD_COLUMNS
    ]
    table = element(
        "table",
        element("caption", element("span", "The words of this sentence with heads and depths")),
        element("thead", element("tr", heads)),
        element("tbody", id="word-rows"),
    )
    box = element("div", table, class_="wide", tabindex=0, role="region", aria_label="Word table")
    return element("details", element("summary", "The same as a table"), box, id="as-table")


def _sample(style: str) -> Markup:
    """Draw a bit of line as the picture has it."""
    line = element("path", d="M0 5H30")
    return element("svg", element("g", line, class_=f"arc {style}"), viewBox="0 0 30 10",
                   width=30, height=10, aria_hidden="true")  # fmt: skip

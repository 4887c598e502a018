"""Trees as SVG: gold arcs above the words, recovered arcs below."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from xml.sax.saxutils import escape

from numpy.typing import ArrayLike

from structprobe.draw.arcs import DIFFERS, Arc, Tree, compare, count_edges, stack, tell_relations
from structprobe.draw.label_layout import crossing, middle_of_label, widen
from structprobe.draw.palette import DIFFERS_INK, INK, STROKES
from structprobe.draw.word_display import estimated_width, is_right_to_left, visible

SIZE = 18  # of the letters, in pixels; all else is measured by it
GAP = 16  # between words
LEVEL = 20  # between arcs
PORT = 6  # between the arcs at one word
CLEAR = 22  # from the middle of the words to where the arcs begin
MARGIN = 16
SMALL = 13  # size of the letters of labels and legend
TINY = 11  # size of the labels on arcs
AROUND = 7  # a label, kept free of lines
LEGEND = 36  # height of the line that tells the colours


class Svg(str):
    """An ``<svg>`` element, shown as a picture in notebooks."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def draw_svg(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    *,
    deprels: Sequence[str] | None = None,
    pred_deprels: Sequence[str] | None = None,
    distances: ArrayLike | None = None,
    direction: str = "auto",
    title: str | None = None,
    note: str | None = None,
) -> Svg:
    """Draw a tree, or a gold and a recovered tree, as one SVG element.

    Arrows point from head to dependent. With `pred_heads`, the gold tree is above the words and the
    recovered tree below. Edges in both trees (ignoring direction, as in UUAS) are solid blue lines;
    missed gold edges are dotted and purple, wrong edges dashed and red. The same goes for roots.
    Recovered relations are marked as by `draw_text`.

    Parameters
    ----------
    words, heads, pred_heads, deprels, pred_deprels, distances, direction
        As for `draw_text`.
    title : str, optional
        The title for screen readers and tooltips; by default the sentence.
    note : str, optional
        What to add below two trees, behind the numbers of edges.

    Returns
    -------
    Svg
        A string with an ``<svg>`` element, shown as a picture in notebooks. It has no ids or style
        sheets, so that a page can contain several.

    Raises
    ------
    TreeError
        As for `draw_text`.

    Examples
    --------
    >>> svg = draw_svg(["<b>", "ran"], [2, 0])
    >>> svg[:4], "&lt;b&gt;" in svg, "<b>" in svg
    ('<svg', True, False)
    """
    shown, gold, pred = compare(words, heads, pred_heads, distances, deprels, pred_deprels)
    legend, least = _legend(gold, pred, note) if pred else ([], 0.0)
    trees = [tree for tree in (gold, pred) if tree]
    middles, width = _middles(shown, least, is_right_to_left(shown, direction), trees)
    above, up = _side(gold, middles, -1, "missed" if pred else "gold", bool(pred))
    below, down = _side(pred, middles, 1, "wrong", True) if pred else ([], SIZE)
    line = MARGIN + up  # where the words stand
    height = line + down + (LEGEND if pred else 0) + MARGIN / 2
    texts = [
        f'<text x="{_px(x)}" y="{_px(SIZE * 0.35)}">{escape(word)}</text>'
        for x, word in zip(middles, shown, strict=True)
    ]
    label = escape(" ".join(shown) if title is None else visible(title))
    described = _told(shown, gold)
    if pred:
        described = f"Gold: {described} Recovered: {_told(shown, pred)}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_px(width)}" height="{_px(height)}"'
        f' viewBox="0 0 {_px(width)} {_px(height)}" role="img"'
        f' font-family="Helvetica, Arial, sans-serif" font-size="{SIZE}">',
        f"<title>{label}</title>",
        f"<desc>{escape(described)}</desc>",
        f'<rect width="{_px(width)}" height="{_px(height)}" rx="6" fill="#fff"/>',
        f'<g transform="translate(0 {_px(line)})" fill="none" stroke-width="1.6">',
        *above,
        *below,
        '<g fill="#1a1a1a" text-anchor="middle" xml:space="preserve">',
        *texts,
        "</g>",
        "</g>",
        f'<g transform="translate({MARGIN} {_px(height - LEGEND / 2)})" fill="#555">',
        *legend,
        "</g>",
        "</svg>",
    ]
    return Svg("\n".join(lines))


def _middles(
    words: tuple[str, ...], least: float, to_left: bool, trees: Sequence[Tree]
) -> tuple[list[float], float]:
    """Compute the centres of the words, and the total width, which is at least `least`."""
    widths = [max(estimated_width(word, SIZE), 3 * PORT) for word in words]
    middles, _ = _side_by_side(widths, [GAP] * len(widths))
    more = widen(trees, middles, lambda arc: _room(arc) + PORT)
    middles, total = _side_by_side(widths, [GAP + gap for gap in (*more, 0)])
    if to_left:
        middles = [total - middle for middle in middles]
    shift = max(0.0, least - total) / 2
    return [middle + shift for middle in middles], total + 2 * shift


def _side_by_side(widths: list[float], gaps: list[int]) -> tuple[list[float], float]:
    """Put words side by side; return their centres, and the total width."""
    both = zip(widths, gaps, strict=True)
    starts = list(accumulate((width + gap for width, gap in both), initial=float(MARGIN)))
    middles = [start + width / 2 for start, width in zip(starts, widths, strict=False)]
    return middles, starts[-1] - GAP + MARGIN


def _room(arc: Arc) -> float:
    """Estimate how much of a line a label interrupts."""
    return estimated_width(arc.label, TINY) + 2 * AROUND


def _side(
    tree: Tree, middles: list[float], side: int, other: str, compared: bool
) -> tuple[list[str], float]:
    """Draw the arcs of one tree above (-1) or below (1) the words; return them and their height."""
    # An arc leaves its head beside the arc that enters it.
    pairs = [(middles[arc.head], middles[arc.dependent]) for arc in tree.arcs]
    ends = [(head + (PORT if end > head else -PORT), end) for head, end in pairs]
    levels = stack([(min(pair), max(pair)) for pair in ends])
    height = CLEAR + LEVEL * (max(levels, default=0) + 1)
    drawn = []
    # Longer arcs first, and right ones last, so that dashes never lie over a solid line.
    for index in sorted(range(len(ends)), key=lambda i: (tree.arcs[i].shared, -levels[i])):
        arc, (leaves, enters), level = tree.arcs[index], ends[index], levels[index]
        style = "right" if compared and arc.shared else other
        drawn.append(_arc(leaves, enters, side, CLEAR + LEVEL * level, style))
    style = "right" if compared and tree.root_shared else other
    drawn.append(_root(middles[tree.root], side, height, style))
    for arc, pair, level in zip(tree.arcs, ends, levels, strict=True):
        if arc.label:  # Over all lines
            across = [*crossing(ends, levels, level), middles[tree.root]]
            x = middle_of_label(pair, _room(arc), across)
            drawn.append(_label(x, side * (CLEAR + LEVEL * level), arc))
    return drawn, height + SIZE


def _arc(leaves: float, enters: float, side: int, height: float, style: str) -> str:
    """Draw one arc with round corners, and its arrow head."""
    turn = 1 if enters > leaves else -1
    radius = min(LEVEL * 0.6, abs(enters - leaves) / 2)
    top, base = side * height, side * CLEAR
    corner = top - side * radius
    line = (
        f"M{_px(leaves)} {_px(base)}V{_px(corner)}"
        f"Q{_px(leaves)} {_px(top)} {_px(leaves + turn * radius)} {_px(top)}"
        f"H{_px(enters - turn * radius)}"
        f"Q{_px(enters)} {_px(top)} {_px(enters)} {_px(corner)}V{_px(base + side * 5)}"
    )
    return f'<path d="{line}"{_stroke(style)}/>{_arrow(enters, side, STROKES[style].colour)}'


def _root(x: float, side: int, height: float, style: str) -> str:
    """Draw the arrow that enters the root from outside, with its name."""
    end = side * (height + SIZE * 0.35) + SIZE * 0.25
    return (
        f'<path d="M{_px(x)} {_px(side * height)}V{_px(side * (CLEAR + 5))}"{_stroke(style)}/>'
        f"{_arrow(x, side, STROKES[style].colour)}"
        f'<text x="{_px(x)}" y="{_px(end)}" fill="{INK}" font-size="{SMALL}"'
        ' text-anchor="middle">root</text>'
    )


def _label(x: float, y: float, arc: Arc) -> str:
    """Write the label of an arc over its line, interrupting it."""
    ink = DIFFERS_INK if arc.differs else INK
    return (
        f'<text x="{_px(x)}" y="{_px(y + TINY * 0.35)}" fill="{ink}"'
        f' font-size="{TINY}" text-anchor="middle" stroke="#fff" stroke-width="6"'
        f' paint-order="stroke" stroke-linejoin="round">{escape(arc.label)}</text>'
    )


def _stroke(style: str) -> str:
    colour, dashes = STROKES[style]
    pattern = f' stroke-dasharray="{" ".join(map(str, dashes))}"' if dashes else ""
    return f' stroke="{colour}"{pattern}'


def _arrow(x: float, side: int, colour: str) -> str:
    """Draw an arrow head that touches the word."""
    tip, back = side * (CLEAR - 2), side * (CLEAR + 6)
    return (
        f'<path d="M{_px(x)} {_px(tip)}L{_px(x - 4)} {_px(back)}H{_px(x + 4)}Z" fill="{colour}"/>'
    )


def _legend(gold: Tree, pred: Tree, note: str | None) -> tuple[list[str], float]:
    """Draw the line with the number of edges per colour; return it and its width."""
    x, parts = 0.0, []
    told = [(style, f"{count} {style}") for style, count in count_edges(gold, pred).items()]
    if pred.marked:
        told.insert(1, ("", tell_relations(pred)))
    behind = "gold above, recovered below" + (f"; {escape(visible(note))}" if note else "")
    for style, text in [*told, ("", behind)]:
        if style:
            parts.append(f'<path d="M{_px(x)} -4h26" stroke-width="2"{_stroke(style)}/>')
            x += 32
        ink = f' fill="{DIFFERS_INK}"' if text.startswith(DIFFERS) else ""
        parts.append(f'<text x="{_px(x)}" font-size="{SMALL}"{ink}>{text}</text>')
        x += estimated_width(text, SMALL) + GAP
    return parts, x - GAP + 2 * MARGIN


def _told(words: tuple[str, ...], tree: Tree) -> str:
    """Tell a tree in words, for those who do not see it."""
    arcs = [
        f"{words[arc.dependent]} depends on {words[arc.head]}"
        + (f" as {arc.relation}" if arc.relation else "")
        for arc in tree.arcs
    ]
    return "; ".join([f"the root is {words[tree.root]}", *arcs]) + "."


def _px(value: float) -> str:
    """Write a number of pixels, no longer than needed."""
    return f"{value:.1f}".removesuffix(".0")

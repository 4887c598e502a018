"""Gold and recovered trees of a few sentences, by `structprobe.draw`, in any format."""

from __future__ import annotations

import difflib
import hashlib
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.draw.svg import Svg
from structprobe.errors import ResultError, counted
from structprobe.scores.result import Scores
from structprobe.scores.table import column
from structprobe.show.pictures.library import fonts_for
from structprobe.show.pictures.style import new_figure
from structprobe.treebank.sentence import Sentence
from structprobe.trees import edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TYPICAL = range(8, 21)  # the words of a sentence that is drawn where none is named
_LONGEST = 150  # characters of a sentence's name that its file has
_POINTS = 0.75  # to a pixel
_PAD = 1.5  # points that are free around a label
_NARROWER = 0.88  # letters of matplotlib's font take more room than those SVG is laid out for


def typical(sentences: Sequence[Sentence], scores: Scores, count: int = 3) -> list[int]:
    """Choose sentences of medium length whose share of edges found is nearest to the UUAS."""
    scored, right = (column(scores.table, name) for name in ("edges", "right_edges"))
    uuas = right.sum() / max(1, scored.sum())
    fitting = [at for at, one in enumerate(sentences) if len(one) in TYPICAL and scored[at]]
    fitting.sort(key=lambda at: abs(right[at] / scored[at] - uuas))  # the first of equal ones
    return fitting[:count] or [0]


def choose_sentence(sentences: Sequence[Sentence], sent_id: str | None) -> int:
    """Find a sentence by its name, or else the first of usual length."""
    if sent_id is None:
        return next((at for at, one in enumerate(sentences) if len(one) in TYPICAL), 0)
    if sent_id in (every := [one.sent_id for one in sentences]):
        return every.index(sent_id)
    known = [one for one in every if one]
    near = difflib.get_close_matches(sent_id, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the first is {known[0]!r}" if known else None
    raise ResultError(f"no sentence has the sent_id {sent_id!r}", hint=hint)


def scored_note(sentence: Sentence, heads: NDArray[np.integer], scores: Scores, at: int) -> str:
    """Say how many edges UUAS counts in a sentence, where its trees over all words have others."""
    gold, pred = ({*map(tuple, edges(np.asarray(one)).tolist())} for one in (sentence.heads, heads))
    right, all_ = (int(column(scores.table, name)[at]) for name in ("right_edges", "edges"))
    same = (right, all_) == (len(gold & pred), len(gold))
    return "" if same else f"UUAS counts {right} of {counted(all_, 'edge')} right"


def tree_name(sentence: Sentence, place: int) -> str:
    """Name the file of a sentence's tree."""
    plain = re.sub(r"[^\w.-]+", "_", sentence.sent_id or "")
    if len(plain) > _LONGEST:  # no file system takes a name of any length
        digest = hashlib.blake2b(plain.encode(), digest_size=4).hexdigest()
        plain = f"{plain[:_LONGEST]}-{digest}"
    return f"tree-{plain or place + 1}"


def to_figure(svg: Svg) -> Figure:
    """Draw what `draw_svg` gives with matplotlib, for the formats that are no SVG."""
    root = ElementTree.fromstring(svg)
    width, height = (float(root.get(side, "")) for side in ("width", "height"))
    figure = new_figure(width * _POINTS / 72, height * _POINTS / 72, layout=None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    texts = [element.text or "" for element in root.iter() if element.tag.endswith("}text")]
    _draw(axes, root, {"family": fonts_for(texts)}, (0.0, 0.0))
    return figure


def _draw(
    axes: Axes, element: ElementTree.Element, inherited: Mapping[str, Any], at: tuple[float, float]
) -> None:
    """Draw an element and what is in it, `at` being where its origin stands."""
    style = {**inherited, **element.attrib}
    kind = element.tag.rpartition("}")[2]
    if moved := re.fullmatch(r"translate\((\S+) (\S+)\)", element.get("transform", "")):
        at = at[0] + float(moved[1]), at[1] + float(moved[2])
    if kind == "path":
        _draw_path(axes, style, at)
    elif kind == "text":
        _draw_text(axes, element.text or "", style, at)
    for child in element:
        _draw(axes, child, style, at)


def _draw_path(axes: Axes, style: Mapping[str, Any], at: tuple[float, float]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = {"M": [Path.MOVETO], "L": [Path.LINETO], "Q": [Path.CURVE3] * 2, "Z": [Path.CLOSEPOLY]}
    steps = [*_steps(style["d"])]
    path = Path(
        np.array([point for _, points in steps for point in points]) + at,
        [code for command, _ in steps for code in codes[command]],
    )
    width = float(style["stroke-width"]) * _POINTS
    dashes = [float(one) * _POINTS / width for one in style.get("stroke-dasharray", "").split()]
    filled, stroked = style.get("fill", "none"), style.get("stroke", "none")
    options = {"facecolor": filled, "edgecolor": stroked, "linewidth": width, "capstyle": "butt"}
    axes.add_patch(PathPatch(path, **options, linestyle=(0, dashes) if dashes else "-"))


def _steps(line: str) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Read the commands of a path with the points that each goes to."""
    x, y = 0.0, 0.0
    for command, text in re.findall(r"([A-Za-z])([^A-Za-z]*)", line):
        numbers = [float(number) for number in text.split()]
        if command in "Hh":
            points = [(numbers[0] + (x if command == "h" else 0), y)]
        elif command == "V":
            points = [(x, numbers[0])]
        else:
            points = [*zip(numbers[::2], numbers[1::2], strict=True)] or [(x, y)]
        x, y = points[-1]
        yield ("L" if command in "HhV" else command), points


def _draw_text(axes: Axes, text: str, style: Mapping[str, Any], at: tuple[float, float]) -> None:
    x, y = float(style["x"]) + at[0], float(style.get("y", 0)) + at[1]
    size = float(style["font-size"]) * _POINTS * _NARROWER
    ha = "center" if style.get("text-anchor") == "middle" else "left"
    look = {"color": style["fill"], "fontfamily": style["family"], "parse_math": False}
    if ground := style.get("stroke"):  # Of a label, which interrupts its line
        look["bbox"] = {"facecolor": ground, "edgecolor": "none", "pad": _PAD}
    axes.text(x, y, text, fontsize=size, ha=ha, va="baseline", **look)

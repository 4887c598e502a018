"""Trees as LaTeX code for the tikz-dependency package."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from numpy.typing import ArrayLike

from structprobe.draw.arcs import Tree, compare, count_edges, stack, tell_relations
from structprobe.draw.label_layout import widen
from structprobe.draw.palette import DIFFERS_INK, STROKES
from structprobe.draw.word_display import estimated_width, is_right_to_left

LEVEL = 3  # between arcs, in ex
# In points, for the usual size of letters; wider than most fonts are, as nobody measures them.
SIZE, SMALL = 10, 8  # of words and labels
GAP = 10  # between words
AROUND = 6  # a label

# What would be a command or a ligature. ``\&`` itself separates the words.
_NAMES = {"\\": "backslash", "^": "asciicircum", "~": "asciitilde", "<": "less", ">": "greater",
          "|": "bar", "`": "asciigrave"}  # fmt: skip
_ESCAPES = {
    **{char: rf"\text{name}{{}}" for char, name in _NAMES.items()},
    **{char: rf"\{char}" for char in "{}$#%_"},
    **{char: rf"\symbol{{{ord(char)}}}" for char in '&"'},
    **{char: f"{char}{{}}" for char in "'-,?!"},
}
# ``right`` is a key of TikZ itself.
_STYLES = {
    "found": ("right", "thick"),
    "missed": ("missed", "thick, dotted"),
    "wrong": ("wrong", "thick, dashed"),
}


def draw_tikz(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    *,
    deprels: Sequence[str] | None = None,
    pred_deprels: Sequence[str] | None = None,
    distances: ArrayLike | None = None,
    direction: str = "auto",
) -> str:
    r"""Draw a tree, or a gold and a recovered tree, as a ``dependency`` environment.

    The document needs ``\usepackage{tikz-dependency}``. With `pred_heads`, the gold tree is above
    the words, the recovered tree below. Edges in both trees (ignoring direction, as in UUAS) have
    the style ``found``, others ``missed`` or ``wrong``, which are defined at the top. Recovered
    relations are marked as by `draw_text`. Words stand apart so that relations fit in between at a
    size of 10 pt.

    Parameters
    ----------
    words : sequence of str, length n
        The words, escaped for LaTeX; those that are not ASCII need XeLaTeX or LuaLaTeX, and a
        font that has the letters.
    heads, pred_heads, deprels, pred_deprels, distances, direction
        As for `draw_text`.

    Returns
    -------
    str
        LaTeX code, without a final line break.

    Raises
    ------
    TreeError
        As for `draw_text`.

    Examples
    --------
    >>> print(draw_tikz(["100", "%", "$ure"], [2, 3, 0]))
    \begin{dependency}
      \begin{deptext}[column sep=1em]
        {100} \& {\%} \& {\$ure} \\
      \end{deptext}
      \deproot[edge unit distance=1.875ex]{3}{root}
      \depedge[hide label, edge height=3ex]{2}{1}{}
      \depedge[hide label, edge height=3ex]{3}{2}{}
    \end{dependency}
    """
    shown, gold, pred = compare(words, heads, pred_heads, distances, deprels, pred_deprels)
    if is_right_to_left(shown, direction):
        shown, gold, pred = shown[::-1], gold.mirrored(), pred.mirrored() if pred else None
    cells = _row(shown, [tree for tree in (gold, pred) if tree])
    styles = [
        line
        for name, (told, keys) in _STYLES.items()
        for line in (
            rf"  \definecolor{{{name}}}{{HTML}}{{{STROKES[told].colour[1:].upper()}}}",
            rf"  \depstyle{{{name}}}{{draw={name}, {keys}}}",
        )
    ]
    inside = [
        r"  \begin{deptext}[column sep=1em]",
        rf"    {cells} \\",
        r"  \end{deptext}",
        *_arcs(gold, "missed" if pred else "", ""),
    ]
    if pred and pred.marked:
        styles.append(rf"  \definecolor{{differs}}{{HTML}}{{{DIFFERS_INK[1:].upper()}}}")
    if pred:
        inside = [*styles, *inside, *_arcs(pred, "wrong", "edge below"), *_legend(gold, pred)]
    return "\n".join([r"\begin{dependency}", *inside, r"\end{dependency}"])


def escape_latex(text: str) -> str:
    r"""Escape a text so that LaTeX prints it unchanged."""
    return "".join(_ESCAPES.get(char, char) for char in text)


def _row(words: Sequence[str], trees: Sequence[Tree]) -> str:
    """Write the words, with space between them where labels need it."""
    widths = [estimated_width(word, SIZE) + GAP for word in words]
    starts = [*accumulate(widths, initial=0.0)]
    middles = [start + (width - GAP) / 2 for start, width in zip(starts, widths, strict=False)]
    gaps = widen(trees, middles, lambda arc: estimated_width(arc.label, SMALL) + 2 * AROUND)
    row = f"{{{escape_latex(words[0])}}}"
    for gap, word in zip(gaps, words[1:], strict=True):
        more = f"[{gap}pt]" if gap else ""
        row += rf" \&{more} {{{escape_latex(word)}}}"
    return row


def _arcs(tree: Tree, other: str, side: str) -> list[str]:
    """Write the commands for one tree; `other` is the style of what the other tree lacks."""
    spans = [tuple(sorted((arc.head, arc.dependent))) for arc in tree.arcs]
    levels = stack([(first, last) for first, last in spans])
    # The package puts the root's label four unit distances away, and an arc by its height.
    unit = LEVEL * (max(levels, default=0) + 1.5) / 4
    keys = _keys(other, tree.root_shared, side, f"edge unit distance={unit:g}ex")
    lines = [rf"  \deproot[{keys}]{{{tree.root + 1}}}{{root}}"]
    for arc, level in zip(tree.arcs, levels, strict=True):
        height = f"edge height={LEVEL * level}ex"
        keys = ("" if arc.label else "hide label, ") + _keys(other, arc.shared, side, height)
        if arc.differs:
            keys += ", label style={text=differs}"
        ends = f"{{{arc.head + 1}}}{{{arc.dependent + 1}}}"
        lines.append(rf"  \depedge[{keys}]{ends}{{{escape_latex(arc.label)}}}")
    return lines


def _legend(gold: Tree, pred: Tree) -> list[str]:
    """Write the line with the number of edges per style."""
    counts = count_edges(gold, pred)
    notes = [
        rf"\tikz[baseline=-.5ex]\draw[draw={name}, {keys}] (0,0) -- (1.5em,0); "
        f"{counts[told]} {told}"
        for name, (told, keys) in _STYLES.items()
    ]
    if pred.marked:
        notes.insert(1, tell_relations(pred))
    text = r" \quad ".join([*notes, "gold above, recovered below"])
    return [
        r"  \node[anchor=north, font=\footnotesize] at (current bounding box.south)",
        rf"    {{{text}}};",
    ]


def _keys(other: str, shared: bool, *keys: str) -> str:
    """Join options and the style of an arc; it has none where there is nothing to compare with."""
    return ", ".join(filter(None, ("found" if other and shared else other, *keys)))

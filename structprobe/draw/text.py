"""Trees in the terminal: arcs above the words, or one word per line where that is too wide."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import accumulate
from math import floor

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.arcs import Tree, compare, stack, tell_relations
from structprobe.draw.label_layout import crossing, middle_of_label, widen
from structprobe.draw.word_display import cells, held, is_right_to_left
from structprobe.errors import counted

# Words are not cut to fewer columns, however narrow the terminal is.
SHORTEST = 12
SHORTEST_RELATION = 4  # likewise

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
# The character whose strokes are the sum of those numbers.
_STROKES = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"
_DASHED = {_UP | _DOWN: "╎", _LEFT | _RIGHT: "╌"}
_MIRROR = str.maketrans("┘┐┤└┌├►▷", "└┌├┘┐┤◄◁")
_FLIP = str.maketrans("┘┐└┌┴┬▼▽", "┐┘┌└┬┴▲△")


def draw_text(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    *,
    deprels: Sequence[str] | None = None,
    pred_deprels: Sequence[str] | None = None,
    distances: ArrayLike | None = None,
    direction: str = "auto",
    width: int | None = None,
) -> str:
    """Draw a tree, or a gold and a recovered tree, with box-drawing characters.

    Arrows point from head to dependent, ``●`` marks the root. With `pred_heads`, the gold tree is
    above the words and the recovered tree below. Edges that are in only one tree (ignoring
    direction, as in UUAS) are dashed with a hollow arrow: missed above, wrong below. ``○`` marks a
    root that differs from the other tree's. A drawing wider than `width` has one word per line,
    with the gold tree to the left and the recovered tree, mirrored, to the right; words and
    relations that are still too long are cut with an ellipsis.

    If both trees have relations, ``*`` marks a recovered relation on an edge in both trees if the
    gold tree has no such arc with that relation (ignoring subtypes, as in LAS).

    Parameters
    ----------
    words : sequence of str, length n
        The words. Invisible characters are shown escaped.
    heads : array_like of int, shape (n,)
        The head of each word, 1-based, 0 for the root.
    pred_heads : array_like of int, shape (n,), optional
        The recovered heads.
    deprels, pred_deprels : sequence of str, length n, optional
        The relation of each word to its head in `heads` and in `pred_heads`, to be shown on the
        arcs; ``_`` for none.
    distances : array_like of float, shape (n, n), optional
        Predicted distances between words, to be shown on the arcs of both trees.
    direction : {"auto", "ltr", "rtl"}
        Direction of the words; "auto": right to left if most letters are.
    width : int, optional
        The available columns; by default the width of the terminal.

    Returns
    -------
    str
        The drawing, without a final line break. Words in right-to-left scripts are enclosed in
        invisible left-to-right marks, so that terminals do not reorder them.

    Raises
    ------
    TreeError
        If the heads are not a tree, heads, relations or distances do not match the words, or the
        direction is unknown.

    Examples
    --------
    >>> print(draw_text("the dog chased cats".split(), [2, 3, 0, 3], [2, 0, 2, 2], width=80))
     ┌──┐┌───┐ ┌╌╌╌╌┐
     ▼  │▼   │○╎    ▽
    the dog chased cats
     ▲  │○│   ▲     △
     └──┘ ├───┘     ╎
          └╌╌╌╌╌╌╌╌╌┘
    gold above, recovered below: 2 of 3 edges right; dashed: in only one of the trees
    >>> print(draw_text("the dog chased cats".split(), [2, 3, 0, 3], width=10))
     ┌─► the
    ┌┴─► dog
    ├──● chased
    └──► cats
    >>> print(draw_text(["dogs", "bark"], [2, 0], deprels=["nsubj", "root"], width=80))
     ┌nsubj┐
     ▼     │●
    dogs  bark
    """
    shown, gold, pred = compare(words, heads, pred_heads, distances, deprels, pred_deprels)
    width = shutil.get_terminal_size().columns if width is None else width
    upright = shown, gold, pred
    if is_right_to_left(shown, direction):
        upright = shown[::-1], gold.mirrored(), pred.mirrored() if pred else None
    lines = _upright(*upright)
    turned = max(map(cells, lines)) > width
    if turned:
        lines = _turned(shown, gold, pred, width)
    if pred:
        sides = "left, recovered right" if turned else "above, recovered below"
        count = f"{pred.n_shared} of {counted(len(pred.arcs), 'edge')} right"
        lines.append(f"gold {sides}: {count}; dashed: in only one of the trees")
        if pred.marked:
            lines.append(tell_relations(pred))
    return "\n".join(line.rstrip() for line in lines)


def _upright(words: tuple[str, ...], gold: Tree, pred: Tree | None) -> list[str]:
    """Draw the words in one row, with arcs above and below."""
    trees = [tree for tree in (gold, pred) if tree]
    ports = [_ports(tree, len(words)) for tree in trees]
    numbers = [len(arc.number) for tree in trees for arc in tree.arcs]
    least = max(numbers, default=-1) + 2 if any(numbers) else 1  # a number fits over any arc
    sizes = [max(least, cells(word), *(p[at][1] for p in ports)) for at, word in enumerate(words)]
    gaps = [1] * (len(words) - 1)
    for tree, one in zip(trees, ports, strict=True):
        entries = _entries(one, sizes, gaps)
        more = widen([tree], entries, lambda arc: cells(arc.label) + 2)
        gaps = [gap + wider for gap, wider in zip(gaps, more, strict=True)]
    boxes = [_centred(word, size) for word, size in zip(words, sizes, strict=True)]
    text = "".join(f"{box}{' ' * gap}" for box, gap in zip(boxes, [*gaps, 0], strict=True))
    sides = [
        _arcs(tree, _entries(one, sizes, gaps), sum(sizes) + sum(gaps))
        for tree, one in zip(trees, ports, strict=True)
    ]
    flipped = (line.translate(_FLIP) for side in sides[1:] for line in side[::-1])
    return [*sides[0], text, *flipped]


def _ports(tree: Tree, n: int) -> list[tuple[bool, int]]:
    """Tell whether arcs leave a word to the left, and at how many places arcs meet it."""
    ends = {(arc.head, arc.dependent < arc.head) for arc in tree.arcs}
    return [((at, True) in ends, 1 + sum((at, side) in ends for side in (0, 1))) for at in range(n)]


def _entries(ports: list[tuple[bool, int]], sizes: list[int], gaps: list[int]) -> list[int]:
    """Give the column at which an arc enters each word."""
    lefts = accumulate((s + gap for s, gap in zip(sizes, gaps, strict=False)), initial=0)
    return [
        left + (size - count) // 2 + to_left
        for left, size, (to_left, count) in zip(lefts, sizes, ports, strict=True)
    ]


def _arcs(tree: Tree, entries: list[int], width: int) -> list[str]:
    """Draw the arcs of a tree above words."""
    ends = [
        (entries[arc.head] + (1 if arc.dependent > arc.head else -1), entries[arc.dependent])
        for arc in tree.arcs
    ]
    levels = stack([(min(pair), max(pair)) for pair in ends])
    arrows = max(levels, default=0)  # the row of the arrow heads
    canvas = _Canvas(arrows + 2, width)
    for arc, (leaves, enters), level in zip(tree.arcs, ends, levels, strict=True):
        canvas.across(arrows - level, leaves, enters, solid=arc.shared)
        canvas.along(leaves, arrows - level, arrows + 1, solid=arc.shared)
        canvas.along(enters, arrows - level, arrows, solid=arc.shared)
        canvas.mark(arrows, enters, "▼" if arc.shared else "▽")
        size = cells(arc.label)
        middle = middle_of_label((leaves, enters), size + 1, crossing(ends, levels, level))
        canvas.write(arrows - level, floor(middle - (size - 1) / 2), arc.label)
    canvas.mark(arrows, entries[tree.root], "●" if tree.root_shared else "○")
    return canvas.lines()[:-1]


def _turned(words: tuple[str, ...], gold: Tree, pred: Tree | None, width: int) -> list[str]:
    """Draw one word per line, the tree to the left, the recovered one mirrored to the right."""
    longest = max(map(cells, words))
    trees = [tree for tree in (gold, pred) if tree]
    named = max(cells(arc.named) for tree in trees for arc in tree.arcs) if len(words) > 1 else 0
    # First the branches are narrowed, then words are cut, then relations.
    cut, shortest = range(named - 1, SHORTEST_RELATION - 1, -1), min(longest, SHORTEST)
    steps = [(2, named, longest), (1, named, longest), (1, named, shortest)]
    steps += [(1, most, shortest) for most in cut]
    for step, most, least in steps:
        sides = [
            _labelled(_branches(tree, len(words), step), tree, most, right=tree is pred)
            for tree in trees
        ]
        room = width - sum(cells(side[0]) + 1 for side in sides)
        if least <= room:
            break
    size = min(longest, max(room, SHORTEST))
    words = tuple(_clipped(word, size) for word in words)
    lines = [f"{branch} {held(word)}" for branch, word in zip(sides[0], words, strict=True)]
    if pred:
        lines = [
            f"{line}{' ' * (size - cells(word))} {branch}"
            for line, word, branch in zip(lines, words, sides[1], strict=True)
        ]
    return lines


def _labelled(branches: list[str], tree: Tree, most: int, *, right: bool) -> list[str]:
    """Put labels, relations of at most so many columns, between branches and words."""
    if right:  # It is mirrored
        branches = [line[::-1].translate(_MIRROR) for line in branches]
    relations, numbers = [""] * len(branches), [""] * len(branches)
    for arc in tree.arcs:
        relations[arc.dependent] = _clipped(arc.named, most)
        numbers[arc.dependent] = arc.number
    for column, at_branch in ((relations, True), (numbers, False)):
        size = max(map(cells, column))
        if not size:
            continue
        for word, label in enumerate(column):
            blank = " " * (size - cells(label))
            # Relations stand at the branch, numbers one below another.
            label = label + blank if at_branch and not right else blank + label
            branches[word] = f"{label} {branches[word]}" if right else f"{branches[word]} {label}"
    return branches


def _branches(tree: Tree, n: int, step: int) -> list[str]:
    """Draw the tree as branches that grow to the right; every head has its own vertical line."""
    above = {arc.dependent: arc for arc in tree.arcs}
    below: dict[int, list[int]] = {}
    for arc in tree.arcs:
        below.setdefault(arc.head, []).append(arc.dependent)
    # Vertical lines farther from the root are farther right, and none overlaps another.
    columns: dict[int, int] = {}
    taken: list[tuple[int, int, int]] = []
    queue = [tree.root]
    for word in queue:
        children = below.get(word, [])
        queue += children
        top, bottom = min([word, *children]), max([word, *children])
        column = columns[above[word].head] + 1 if word in above else 0
        while any(c == column and top <= b and a <= bottom for c, a, b in taken if children):
            column += 1
        columns[word] = column
        if children:
            taken.append((column, top, bottom))
    edge = step * (1 + max(column for column, _, _ in taken)) + 1 if taken else 0
    canvas = _Canvas(n, edge + 1)
    for word in range(n):
        entry = above.get(word)
        solid = entry.shared if entry else tree.root_shared
        start = columns[entry.head] if entry else columns[word]
        canvas.across(word, step * start, edge, solid=solid)
        if entry:
            canvas.along(step * start, entry.head, word, solid=solid)
        hollow, full = "▷►" if entry else "○●"
        canvas.mark(word, edge, full if solid else hollow)
    return canvas.lines()


def _clipped(word: str, size: int) -> str:
    if cells(word) <= size:
        return word
    while cells(word) > size - 1:
        word = word[:-1]
    return word + "…"


def _centred(word: str, size: int) -> str:
    before = (size - cells(word)) // 2
    return " " * before + held(word) + " " * (size - cells(word) - before)


class _Canvas:
    """A grid of characters to draw lines on."""

    def __init__(self, rows: int, columns: int) -> None:
        self._strokes = np.zeros((rows, columns), dtype=np.uint8)
        self._solid = np.zeros((rows, columns), dtype=np.bool_)
        self._marks: dict[tuple[int, int], str] = {}

    def across(self, row: int, start: int, stop: int, *, solid: bool) -> None:
        """Draw a line along a row, both ends included."""
        start, stop = sorted((start, stop))
        self._strokes[row, start:stop] |= _RIGHT
        self._strokes[row, start + 1 : stop + 1] |= _LEFT
        self._solid[row, start : stop + 1] |= solid

    def along(self, column: int, start: int, stop: int, *, solid: bool) -> None:
        """Draw a line along a column, both ends included."""
        start, stop = sorted((start, stop))
        self._strokes[start:stop, column] |= _DOWN
        self._strokes[start + 1 : stop + 1, column] |= _UP
        self._solid[start : stop + 1, column] |= solid

    def mark(self, row: int, column: int, char: str) -> None:
        """Put a character over whatever is there."""
        self._marks[row, column] = char

    def write(self, row: int, column: int, text: str) -> None:
        """Put a text over whatever is there."""
        for char in text:
            size = cells(char)
            if not size:  # It joins the one before
                self._marks[row, column - 1] = self._marks.get((row, column - 1), "") + char
            for place in range(size):
                self.mark(row, column + place, "" if place else char)
            column += size

    def lines(self) -> list[str]:
        """Give the drawing."""
        chars = [[_STROKES[stroke] for stroke in row] for row in self._strokes.tolist()]
        for row, column in np.argwhere(~self._solid).tolist():
            chars[row][column] = _DASHED.get(int(self._strokes[row, column]), chars[row][column])
        for (row, column), char in self._marks.items():
            chars[row][column] = char
        return ["".join(row) for row in chars]

"""What the pages' scripts compute, held against our own Python, in a real browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.browser import chromium

from structprobe.draw.arcs import compare, stack
from structprobe.draw.label_layout import middle_of_label, widen
from structprobe.recoverers.random_tree import random_heads
from structprobe.show.report.page import VIEW_SCRIPTS, asset
from structprobe.trees import gold_depths, gold_distances

TREES = [random_heads(n, np.random.default_rng(n)).tolist() for n in (1, 2, 3, 8, 21, 60)]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with chromium() as browser:
        page = browser.new_page()
        page.add_script_tag(content="\n".join(map(asset, VIEW_SCRIPTS)))
        yield page


@pytest.mark.parametrize("heads", TREES, ids=len)
def test_distances_and_depths(page: Any, heads: list[int]) -> None:
    found = page.evaluate("heads => [...treeDistances(heads)]", heads)
    expected = gold_distances([np.array(heads)])[0]
    np.testing.assert_array_equal(np.reshape(found, expected.shape), expected)
    depths = page.evaluate("heads => [...treeDepths(heads)]", heads)
    assert depths == gold_depths([np.array(heads)])[0].tolist()


@pytest.mark.parametrize("heads", TREES[1:], ids=len)
def test_arcs_that_two_trees_share(page: Any, heads: list[int]) -> None:
    others = random_heads(len(heads), np.random.default_rng(7)).tolist()
    found = page.evaluate("([gold, pred]) => compareTrees(gold, pred)", [heads, others])
    _, gold, pred = compare(["w"] * len(heads), heads, others)
    for mine, theirs in ((found["gold"], gold), (found["pred"], pred)):
        assert [(arc["head"], arc["dependent"], arc["shared"]) for arc in mine] == [
            (arc.head, arc.dependent, arc.shared) for arc in theirs.arcs
        ]
    assert found["right"] == pred.n_shared


@pytest.mark.parametrize("heads", TREES[1:], ids=len)
def test_relations_of_two_trees(page: Any, heads: list[int]) -> None:
    """Some arcs are the same, some turned; some relations differ in their subtype alone."""
    generator = np.random.default_rng(len(heads))
    others = random_heads(len(heads), generator).tolist()
    names = ["obj", "obj:agent", "obl", "_"]
    for among in (3, 4):
        deprels, own = ([names[at] for at in generator.integers(0, among, len(heads))]
                        for _ in range(2))  # fmt: skip
        for pred in (heads, others):
            found = page.evaluate("all => compareTrees(...all)", [heads, pred, deprels, own])
            _, _, tree = compare(["w"] * len(heads), heads, pred, None, deprels, own)
            assert [(arc["label"], arc["differs"]) for arc in found["pred"]] == [
                (arc.label, arc.differs) for arc in tree.arcs
            ]
            assert (found["marked"], found["differing"]) == (tree.marked, tree.n_differs)


@pytest.mark.parametrize("heads", TREES, ids=len)
def test_room_for_labels(page: Any, heads: list[int]) -> None:
    generator = np.random.default_rng(1)
    middles = np.cumsum(generator.integers(10, 40, len(heads))).tolist()
    deprels = [("obj", "compound:prt", "_")[at % 3] for at in range(len(heads))]
    _, tree, _ = compare(["w"] * len(heads), heads, None, None, deprels)
    expected = widen([tree], middles, lambda arc: 9.5 * len(arc.label))
    arcs = [{"head": a.head, "dependent": a.dependent, "label": a.label} for a in tree.arcs]
    found = (
        "([arcs, middles, gaps]) => widen(arcs, middles, ({ label }) => 9.5 * label.length, gaps)"
    )
    assert page.evaluate(found, [arcs, middles, []]) == expected
    wide = [gap + 50 * (at % 2) for at, gap in enumerate(expected)]
    assert page.evaluate(found, [arcs, middles, wide]) == wide  # never narrower than before
    mirrored = [-x for x in middles]  # from right to left
    assert page.evaluate(found, [arcs, mirrored, []]) == expected


def test_places_of_labels(page: Any) -> None:
    generator = np.random.default_rng(2)
    for size in (5, 20, 60):
        for n in (0, 1, 4):
            ends, across = generator.uniform(0, 100, 2).tolist(), generator.uniform(0, 100, n)
            found = page.evaluate("all => middleOfLabel(...all)", [ends, size, across.tolist()])
            assert found == pytest.approx(middle_of_label(ends, size, across.tolist()))


def test_levels_of_arcs(page: Any) -> None:
    generator = np.random.default_rng(0)
    for n in (1, 5, 40):
        spans = np.sort(generator.permutation(2 * n).reshape(n, 2), axis=1).tolist()
        assert page.evaluate("spans => stackArcs(spans)", spans) == stack(spans)


def test_heads_that_are_no_tree(page: Any) -> None:
    assert page.evaluate("rootOf([2, 1])") == -1
    assert page.evaluate("arcsOf([1, 1, 0]).length") == 1  # a word that names itself has no arc
    assert all(map(math.isnan, page.evaluate("[...treeDepths([2, 1])]")))
    assert page.evaluate("Number.isNaN(treeDistances([1, 0])[1])")


@pytest.mark.parametrize(
    ("words", "backwards"),
    [(["הילד", "אכל", "."], True), (["قرأ", "the", "الكتاب"], True), (["猫", "が"], False),
     (["the", "שלום", "dog"], False), (["1", "."], False)],
)  # fmt: skip
def test_scripts_from_right_to_left_are_laid_out_so(
    page: Any, words: list[str], backwards: bool
) -> None:
    middles = page.evaluate("words => middlesOf(words).middles", words)
    assert middles == sorted(middles, reverse=backwards)


@pytest.mark.parametrize(
    ("words", "backwards"), [(["a", "b", "c"], False), (["הילד", "אכל", "."], True)]
)
def test_columns_of_a_map_go_the_way_of_the_words(
    page: Any, words: list[str], backwards: bool
) -> None:
    """Squares by their colour, what a pointer asks for, and what the arrow keys do."""
    blank, told, pointed, moved = page.evaluate(
        """words => {
          document.documentElement.style = "--near: #000000; --middle: #808080; --far: #ffffff";
          const canvas = document.createElement("canvas");
          document.body.replaceChildren(canvas);
          const asked = [];
          const map = new HeatMap(canvas, "Gold", (cell) => asked.push(map.cell = cell));
          const values = [0, 1, NaN, 0, 1, NaN, 0, 1, NaN];  // by columns
          map.show(words, values, 1, null, 300);
          const x = (place) => map.left + map.size * (place + 0.5);
          const y = map.top + map.size * 0.5;
          const context = canvas.getContext("2d");
          const pixel = (place) => [...context.getImageData(x(place), y, 1, 1).data];
          const box = canvas.getBoundingClientRect();
          canvas.dispatchEvent(new PointerEvent("pointerdown",
            { clientX: box.left + x(0), clientY: box.top + y }));
          canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
          return [[0, 1, 2].map((place) => pixel(place)[3] === 0),
                  [0, 1, 2].map((place) => pixel(place)[0]), asked[0], asked[1]];
        }""",
        words,
    )
    order = [2, 1, 0] if backwards else [0, 1, 2]  # which column stands at which place
    assert blank == [column == 2 for column in order]
    assert [red for red, none in zip(told, blank, strict=True) if not none] == [
        255 * column for column in order if column < 2
    ]
    assert (pointed, moved) == ([0, order[0]], [0, order[1]])

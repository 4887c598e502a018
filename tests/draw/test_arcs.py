"""Two trees compared, and arcs stacked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structprobe.draw import draw_svg, draw_text, draw_tikz
from structprobe.draw.arcs import Arc, compare, stack
from structprobe.errors import TreeError


def test_edges_are_compared_whatever_their_direction():
    words, gold, pred = compare(["a", "b\x00", "c"], [2, 0, 2], [0, 1, 1])
    assert words == ("a", "b\\x00", "c")
    assert gold.arcs == (Arc(1, 0, True), Arc(1, 2, False))
    assert pred.arcs == (Arc(0, 1, True), Arc(0, 2, False))
    assert (gold.root, pred.root, gold.root_shared, pred.root_shared) == (1, 0, False, False)
    assert gold.n_shared == pred.n_shared == 1


def test_one_tree_agrees_with_itself():
    _, gold, pred = compare(["a", "b"], [0, 1])
    assert pred is None
    assert gold.arcs == (Arc(0, 1, True),)
    assert gold.root_shared


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), max_size=15))
def test_overlapping_arcs_have_different_levels_and_longer_ones_lie_over(pairs):
    spans = [(start, start + size) for start, size in pairs]
    levels = stack(spans)
    assert sorted(set(levels)) == list(range(1, max(levels, default=0) + 1))
    for (a, b), one in zip(spans, levels, strict=True):
        for (c, d), other in zip(spans, levels, strict=True):
            if a < d and c < b and b - a < d - c:
                assert one < other


@pytest.mark.parametrize("draw", [draw_text, draw_svg, draw_tikz])
@pytest.mark.parametrize(
    ("words", "heads", "pred_heads", "message"),
    [
        (["a", "b"], [0], None, r"heads of shape \(1,\) do not match 2 words"),
        (["a", "b"], None, None, r"heads of shape \(\) do not match 2 words"),
        (["a", "b"], [0, 1], [0], r"pred_heads of shape \(1,\) do not match 2 words"),
        (["a", "b"], [0, 0], None, "2 roots"),
        (["a", "b"], [0, 1], [2, 1], "no word is the root"),
        (["a", "b", "c"], [0, 3, 2], None, "form a cycle"),
        ([], [], None, "must be a sequence of integers"),
    ],
)
def test_what_cannot_be_drawn(draw, words, heads, pred_heads, message):
    with pytest.raises(TreeError, match=message):
        draw(words, heads, pred_heads)


@pytest.mark.parametrize("draw", [draw_text, draw_svg, draw_tikz])
def test_what_cannot_be_written_on_arcs(draw):
    with pytest.raises(TreeError, match=r"distances of shape \(2,\) do not match 2 words; give"):
        draw(["a", "b"], [0, 1], distances=[1.0, 2.0])
    with pytest.raises(TreeError, match="unknown direction 'left'"):
        draw(["a", "b"], [0, 1], direction="left")


def test_mirrored():
    _, tree, _ = compare(["a", "b", "c"], [2, 0, 2], None, [[0, 1, 2], [1, 0, 3], [2, 3, 0]])
    assert [arc.distance for arc in tree.arcs] == [1, 3]
    assert tree.mirrored().arcs == (Arc(1, 0, True, 3.0), Arc(1, 2, True, 1.0))
    assert tree.mirrored().root == 1
    assert tree.mirrored().mirrored() == tree

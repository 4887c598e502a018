"""Two trees compared, and arcs stacked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tree_cases import trees

from structprobe import Prediction, Sentence, score
from structprobe.draw import draw_svg, draw_text, draw_tikz, to_networkx
from structprobe.draw.arcs import Arc, compare, stack
from structprobe.errors import TreeError


def test_edges_are_compared_whatever_their_direction():
    words, gold, pred = compare(["a", "b\x00", "c"], [2, 0, 2], [0, 1, 1])
    assert words == ("a", "b\\x00", "c")
    assert gold.arcs == (Arc(1, 0, True), Arc(1, 2, False))
    assert pred.arcs == (Arc(0, 1, True), Arc(0, 2, False))
    assert (gold.root, pred.root, gold.root_shared, pred.root_shared) == (1, 0, False, False)
    assert gold.n_shared == pred.n_shared == 1


def marks(heads, pred_heads, deprels, pred_deprels):
    """Which arcs of the recovered tree, by dependent, are marked; and whether any can be."""
    words = ["w"] * len(heads)
    _, gold, pred = compare(words, heads, pred_heads, None, deprels, pred_deprels)
    assert not any(arc.differs for arc in gold.arcs)
    return [arc.dependent for arc in pred.arcs if arc.differs], pred.marked


def test_relations_are_compared_as_las_does():
    heads, names = [2, 0, 2, 3], ["nsubj:pass", "root", "obj", "det"]
    assert marks(heads, heads, names, ["nsubj", "root", "obl", "det"]) == ([2], True)
    # Whatever the relation of an arc that is turned, or of one that is not there.
    assert marks(heads, [0, 1, 2, 2], names, names) == ([1], True)
    assert marks(heads, [0, 1, 2, 2], names, ["root", "nsubj", "obj", "obj"]) == ([1], True)


@given(st.data())
def test_edges_without_a_mark_are_those_that_las_counts(data):
    heads = data.draw(trees(min_size=2, max_size=9))
    n = len(heads)
    names = st.lists(st.sampled_from(["obj", "obj:x", "obl"]), min_size=n, max_size=n)
    pred_heads, deprels, pred_deprels = data.draw(trees(n, n)), data.draw(names), data.draw(names)
    _, _, pred = compare(["w"] * n, heads, pred_heads, None, deprels, pred_deprels)
    scores = score(
        [Sentence(("w",) * n, heads, tuple(deprels))],
        [Prediction(np.array(pred_heads), deprels=tuple(pred_deprels))],
        punct=None,
    )
    right = scores.las * n - (heads.index(0) == pred_heads.index(0)) * (
        deprels[heads.index(0)][:3] == pred_deprels[heads.index(0)][:3]
    )
    assert pred.n_shared - pred.n_differs == pytest.approx(right)


def test_relations_that_are_not_known_are_not_compared():
    assert marks([2, 0], [2, 0], None, ["obj", "root"]) == ([], False)
    assert marks([2, 0], [2, 0], ["_", "root"], ["obj", "root"]) == ([], False)
    _, tree, _ = compare(["a", "b"], [2, 0], None, None, ["_", "root"])
    assert tree.arcs == (Arc(1, 0, True),)


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


@pytest.mark.parametrize("draw", [draw_text, draw_svg, draw_tikz, to_networkx])
@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"deprels": ["obj"]}, "deprels with 1 relation do not match 2 words; give one"),
        ({"deprels": "obj"}, "deprels is 'obj', not a list of relations"),
        ({"deprels": 2}, "deprels is 2, not a list of relations"),
        ({"deprels": ["obj", None]}, r"deprels\[1\] is None, not a relation"),
        ({"pred_deprels": ["obj", "root"]}, "pred_deprels without pred_heads; pass one tree as"),
    ],
)
def test_relations_that_cannot_be_drawn(draw, named, message):
    with pytest.raises(TreeError, match=message):
        draw(["a", "b"], [2, 0], **named)


def test_mirrored():
    _, tree, _ = compare(["a", "b", "c"], [2, 0, 2], None, [[0, 1, 2], [1, 0, 3], [2, 3, 0]])
    assert [arc.distance for arc in tree.arcs] == [1, 3]
    assert tree.mirrored().arcs == (Arc(1, 0, True, 3.0), Arc(1, 2, True, 1.0))
    assert tree.mirrored().root == 1
    assert tree.mirrored().mirrored() == tree

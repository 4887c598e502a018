"""Pictures of one sentence: numbers as given, words in place, the tree over the right points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.result_rows import probe_row

from structprobe.draw.palette import STROKES
from structprobe.errors import ResultError, TreeError
from structprobe.show import draw_depths, draw_distances, draw_principal_axes, draw_unfolding
from structprobe.show.pictures.library import fonts_for
from structprobe.show.pictures.principal_axes import principal_axes

pytest.importorskip("matplotlib")

WORDS, HEADS = ["the", "$dog$", "ran\x1b"], [2, 3, 0]
SHOWN = ["the", "$dog$", "ran\\x1b"]


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_distances_side_by_side_on_one_scale() -> None:
    pred = np.array([[0, 1.5, 2], [1.5, 0, 7], [2, 7, 0]])
    gold, predicted = draw_distances(WORDS, HEADS, pred, row=probe_row(3))
    assert gold.get_images()[0].get_array().tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert predicted.get_images()[0].get_array().tolist() == pred.tolist()
    for ax in (gold, predicted):
        assert ax.get_images()[0].get_clim() == (0, 7)
        assert labels(ax.xaxis) == labels(ax.yaxis) == SHOWN
    told = gold.get_title(loc="left").split("\n")
    assert "bert, layer 3," in told[0]
    assert max(map(len, told)) > 50  # the lines reach over both tables
    assert (told[-1], predicted.get_title(loc="left")) == ("Gold distances", "Predicted distances")
    assert gold.figure is predicted.figure
    gold.figure.canvas.draw()  # no word is read as mathematics


def test_depths_along_the_sentence() -> None:
    ax = draw_depths(WORDS, HEADS, [2.5, 1, 0.25], row=probe_row(3))
    gold, pred = ax.lines
    assert gold.get_ydata().tolist() == [2, 1, 0]
    assert pred.get_ydata().tolist() == [2.5, 1, 0.25]
    assert labels(ax.xaxis) == SHOWN
    assert ax.yaxis_inverted()
    assert not ax.xaxis_inverted()
    assert gold.get_linestyle() != pred.get_linestyle()
    ax.figure.canvas.draw()


def test_right_to_left_begins_at_the_right() -> None:
    words = ["הכלב", "רץ"]
    assert draw_depths(words, [2, 0], [1, 0]).xaxis_inverted()
    assert not draw_depths(words, [2, 0], [1, 0], direction="ltr").xaxis_inverted()
    gold, pred = draw_distances(words, [2, 0], np.ones((2, 2)))
    assert gold.xaxis_inverted()
    assert pred.xaxis_inverted()


@given(st.integers(2, 8), st.integers(1, 5), st.integers(0, 99))
def test_places_are_those_of_principal_components(n, rank, seed) -> None:
    points = np.random.default_rng(seed).normal(size=(n, rank))
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    places, shares = principal_axes(squared)
    centred = points - points.mean(axis=0)
    u, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    expected = np.zeros((n, 2))
    known = min(2, len(sizes))
    expected[:, :known] = (u * sizes)[:, :known]
    assert np.abs(places) == pytest.approx(np.abs(expected), abs=1e-6)
    assert shares[:known] == pytest.approx((sizes**2 / (sizes**2).sum())[:known], abs=1e-9)


def test_tree_over_the_projected_words() -> None:
    points = np.array([[0, 0], [3, 0], [3, 1.0]])
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    ax = draw_principal_axes(WORDS, HEADS, squared, [2, 0, 1], row=probe_row(3))
    lines = {line.get_label(): line for line in ax.lines if line.get_linestyle() != "None"}
    assert set(lines) == {"right", "missed", "wrong"}
    for style, line in lines.items():
        assert line.get_color() == STROKES[style].colour
        ends = line.get_xydata()
        length = {"right": 9, "missed": 1, "wrong": 10}[style]
        assert ((ends[0] - ends[1]) ** 2).sum() == pytest.approx(length)
    assert len({line.get_linestyle() for line in lines.values()} | {"-"}) > 1
    assert [text.get_text() for text in ax.texts] == SHOWN
    assert "100%" not in ax.get_ylabel()
    ax.figure.canvas.draw()
    alone = draw_principal_axes(WORDS, HEADS, squared)
    assert [line.get_color() for line in alone.lines[:2]] == [STROKES["gold"].colour] * 2
    assert len(draw_principal_axes(["a"], [0], [[0]]).texts) == 1


def test_bad_input() -> None:
    with pytest.raises(ResultError, match=r"shape \(3, 3\) and .* \(2, 2\) do not match 3 words"):
        draw_distances(WORDS, HEADS, np.ones((2, 2)))
    with pytest.raises(ResultError, match=r"shape \(3,\) and .* \(2,\) do not match 3 words"):
        draw_depths(WORDS, HEADS, [1, 2])
    with pytest.raises(TreeError, match="2 roots"):
        draw_depths(WORDS, [0, 0, 1], [1, 2, 3])
    with pytest.raises(TreeError, match=r"distances of shape \(2, 2\)"):
        draw_principal_axes(WORDS, HEADS, np.ones((2, 2)))
    with pytest.raises(ResultError, match="not all finite"):
        draw_principal_axes(WORDS, HEADS, np.full((3, 3), np.nan))


def test_fonts(caplog: pytest.LogCaptureFixture) -> None:
    assert fonts_for(["dog", "naïve"]) == ["DejaVu Sans"]
    assert not caplog.text
    assert fonts_for(["\U0010fffd"])[0] == "DejaVu Sans"
    assert "no installed font has U+10FFFD" in caplog.text


UNFOLDING = [[0], [2, 0], [0, 1, 1]]  # the-dog, then the-dog and the-ran


def arcs(ax) -> set[tuple[str, int, int, int]]:
    """What is drawn: the colour of each arc, its row, and the words at its ends."""
    lines = [line for line in ax.lines if len(line.get_xdata()) > 3]
    return {
        (line.get_color(), round(float(line.get_ydata()[0])), *sorted(
            round(float(line.get_xdata()[at])) for at in (0, -1)
        ))
        for line in lines
    }  # fmt: skip


def test_one_row_for_the_tree_after_each_word() -> None:
    ax = draw_unfolding(WORDS, UNFOLDING, HEADS, row=probe_row(3))
    right, wrong, missed = (STROKES[kind].colour for kind in ("right", "wrong", "missed"))
    assert arcs(ax) == {
        (right, 2, 0, 1), (right, 3, 0, 1), (wrong, 3, 0, 2), (missed, 3, 1, 2)
    }  # fmt: skip
    assert labels(ax.yaxis) == labels(ax.xaxis) == SHOWN
    assert ax.yaxis_inverted()
    rows = [line.get_xdata() for line in ax.lines if line.get_marker() == "."]
    assert [len(row) for row in rows] == [1, 2, 3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "right", "wrong", "gold, missed"
    ]  # fmt: skip
    assert "bert, layer 3" in ax.get_title(loc="left")
    for line in ax.lines:  # an arc stays below the row above it
        if len(line.get_ydata()) > 3:
            assert line.get_ydata().max() - line.get_ydata().min() < 1
    ax.figure.canvas.draw()


def test_words_that_are_left_out_have_no_arcs() -> None:
    trees = [[0], [0, -1], [3, -1, 0]]
    ax = draw_unfolding(WORDS, trees, HEADS)
    assert arcs(ax) == {(STROKES["wrong"].colour, 3, 0, 2)}  # both gold edges are of word 2


def test_without_gold_trees_nothing_is_right_or_wrong() -> None:
    ax = draw_unfolding(["הכלב", "רץ"], [[0], [2, 0]])
    assert arcs(ax) == {(STROKES["gold"].colour, 2, 0, 1)}
    assert ax.get_legend() is None
    assert ax.xaxis_inverted()


def test_trees_of_other_prefixes_are_refused() -> None:
    for trees in (UNFOLDING[:2], [[0], [2, 0], [0, 1]]):
        with pytest.raises(ResultError, match=r"trees of .* heads for 3 words; give one"):
            draw_unfolding(WORDS, trees)
    with pytest.raises(ResultError, match=r"gold heads of shape \(2,\) for 3 words"):
        draw_unfolding(WORDS, UNFOLDING, [2, 0])
    with pytest.raises(TreeError, match="word 1 is its own head"):
        draw_unfolding(WORDS, UNFOLDING, [1, 0, 2])

"""SVG: well formed whatever the words, with each arc in the style that its edge deserves."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tree_cases import LABELLED, is_projective, trees

from structprobe.draw import draw_svg
from structprobe.draw.palette import DIFFERS_INK, INK, STROKES
from structprobe.draw.svg import SIZE, TINY
from structprobe.draw.word_display import estimated_width, visible

NAMESPACE = "{http://www.w3.org/2000/svg}"
RIGHT, MISSED, WRONG = "#0072b2", "#a8447c", "#d55e00"


def parsed(svg):
    return ElementTree.fromstring(svg)


def words_in(root):
    """The texts in the group of the words, with their places."""
    group = next(one for one in root.iter(f"{NAMESPACE}g") if one.get("fill") == "#1a1a1a")
    return [(float(text.get("x")), text.text or "") for text in group]


def lines(root):
    """Colour and dashes of the lines of both trees, the legend left out."""
    group = root.find(f"{NAMESPACE}g")
    return [
        (path.get("stroke"), path.get("stroke-dasharray"))
        for path in group.findall(f"{NAMESPACE}path")
        if path.get("stroke")
    ]


def test_one_tree():
    root = parsed(draw_svg(["the", "dog", "ran"], [2, 3, 0]))
    assert [word for _, word in words_in(root)] == ["the", "dog", "ran"]
    assert root.find(f"{NAMESPACE}title").text == "the dog ran"
    described = "the root is ran; the depends on dog; dog depends on ran."
    assert root.find(f"{NAMESPACE}desc").text == described
    assert root.get("role") == "img"
    assert len(set(lines(root))) == 1
    assert len(lines(root)) == 3
    assert "recovered below" not in draw_svg(["the", "dog", "ran"], [2, 3, 0])


def test_right_missed_and_wrong_differ_in_colour_and_in_dashes():
    svg = draw_svg(["a", "b", "c", "d"], [2, 0, 2, 3], [0, 1, 1, 3])
    # Right: a-b and c-d, above and below; missed: b-c and the root; wrong: a-c and the root.
    found = lines(parsed(svg))
    assert found.count((RIGHT, None)) == 4
    assert len([one for one in found if one[0] == MISSED]) == 2
    assert len([one for one in found if one[0] == WRONG]) == 2
    assert len(set(found)) == 3
    assert len({dashes for _, dashes in found}) == 3
    assert "2 right" in svg
    assert "1 missed" in svg
    assert "1 wrong" in svg
    described = parsed(svg).find(f"{NAMESPACE}desc").text
    assert described.startswith("Gold: the root is b; a depends on b; c depends on b;")
    assert "Recovered: the root is a; b depends on a; c depends on a; d depends on c." in described


@given(st.data(), st.lists(st.text(st.characters(codec=None), max_size=8), min_size=1, max_size=6))
def test_well_formed_whatever_the_words(data, words):
    heads = data.draw(trees(len(words), len(words)))
    pred_heads = data.draw(st.none() | trees(len(words), len(words)))
    root = parsed(draw_svg(words, heads, pred_heads, title=data.draw(st.none() | st.text())))
    assert sorted(word for _, word in words_in(root)) == sorted(map(visible, words))
    assert len(lines(root)) == len(words) * (1 if pred_heads is None else 2)
    width = float(root.get("width"))
    assert all(0 < x < width for x, _ in words_in(root))
    assert not any("id" in element.attrib for element in root.iter())


@pytest.mark.fault_class("strangers")
def test_title_is_escaped():
    root = parsed(draw_svg(["a"], [0], title="<script>&\x1b"))
    assert root.find(f"{NAMESPACE}title").text == r"<script>&\x1b"


def test_sentences_written_from_right_to_left_are_drawn_so():
    places = [x for x, _ in words_in(parsed(draw_svg(["הכלב", "רץ", "מהר"], [2, 0, 2])))]
    assert places == sorted(places, reverse=True)
    places = [x for x, _ in words_in(parsed(draw_svg(["dog", "runs", "כלב"], [2, 0, 2])))]
    assert places == sorted(places)
    turned = draw_svg(["dog", "runs", "כלב"], [2, 0, 2], direction="rtl")
    places = [x for x, _ in words_in(parsed(turned))]
    assert places == sorted(places, reverse=True)


def test_distances_stand_on_the_arcs_of_both_trees():
    distances = [[0, 1.24, 9], [1.24, 0, 3.96], [9, 3.96, 0]]
    svg = draw_svg(["a", "b", "c"], [2, 0, 2], [2, 0, 1], distances=distances)
    numbers = [text for text in parsed(svg).iter(f"{NAMESPACE}text") if text.get("paint-order")]
    assert sorted(text.text for text in numbers) == ["1.2", "1.2", "4.0", "9.0"]
    assert [float(text.get("y")) < 0 for text in numbers].count(True) == 2
    assert "paint-order" not in draw_svg(["a", "b", "c"], [2, 0, 2], [2, 0, 1])


def labels_in(svg):
    """The labels on arcs: text, place, height and colour of each."""
    return [
        (one.text, float(one.get("x")), float(one.get("y")), one.get("fill"))
        for one in parsed(svg).iter(f"{NAMESPACE}text")
        if one.get("paint-order")
    ]


def test_relations_stand_on_the_arcs_and_wrong_ones_are_marked():
    svg = draw_svg(**LABELLED)
    above = [(text, ink) for text, _, y, ink in labels_in(svg) if y < 0]
    below = [(text, ink) for text, _, y, ink in labels_in(svg) if y > 0]
    assert above == [(name, INK) for name in LABELLED["deprels"] if name != "root"]
    assert below == [
        (f"*{name}", DIFFERS_INK) if name in {"mark", "obl"} else (name, INK)
        for name in LABELLED["pred_deprels"]
        if name != "root"
    ]
    assert ">*: 2 of these with wrong direction or relation</text>" in svg
    assert "that depends on chased as nsubj;" in parsed(svg).find(f"{NAMESPACE}desc").text
    alone = draw_svg(LABELLED["words"], LABELLED["heads"], deprels=LABELLED["deprels"])
    assert [(text, ink) for text, _, _, ink in labels_in(alone)] == above
    assert "*" not in alone


@pytest.mark.fault_class("strangers")
def test_relations_are_escaped():
    svg = draw_svg(["a", "b"], [2, 0], [2, 0], deprels=["<&\x1b", "r"], pred_deprels=["<b>", "r"])
    assert [text for text, *_ in labels_in(svg)] == [r"<&\x1b", "*<b>"]


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@given(st.data())
def test_labels_overlap_neither_one_another_nor_lines_of_trees_without_crossings(direction, data):
    heads = data.draw(trees(min_size=2, max_size=12).filter(is_projective))
    names = st.sampled_from(["obj", "nsubj:pass", "advcl:relcl", "compound:prt", "*?", "_"])
    deprels = data.draw(st.lists(names, min_size=len(heads), max_size=len(heads)))
    svg = draw_svg(["w"] * len(heads), heads, deprels=deprels, direction=direction)
    boxes = [
        (x - estimated_width(text, TINY) / 2, x + estimated_width(text, TINY) / 2, y - TINY * 0.35)
        for text, x, y, _ in labels_in(svg)
    ]
    assert len(boxes) == sum(name != "_" for name, head in zip(deprels, heads, strict=True) if head)
    for index, (left, right, y) in enumerate(boxes):
        level = [(start, end) for start, end, other in boxes[:index] if other == pytest.approx(y)]
        assert not any(left < end and start < right for start, end in level)
        tall = [x for x, top in uprights(svg) if top < y - 1]
        assert not any(left < x < right for x in tall)


def uprights(svg):
    """The uprights of arcs above the words, and of the root's arrow: where, and up to where."""
    found = []
    for path in parsed(svg).find(f"{NAMESPACE}g").findall(f"{NAMESPACE}path"):
        numbers = [float(one) for one in re.findall(r"-?[\d.]+", path.get("d"))]
        if "Q" in path.get("d"):
            found += [(numbers[0], numbers[4]), (numbers[8], numbers[4])]
        elif path.get("stroke"):
            found.append(tuple(numbers[:2]))
    return found


def test_labels_keep_off_lines_that_cross():
    """The arc from 4 to 1 crosses the root's arrow, that from 2 to 5 the arc from 4."""
    svg = draw_svg(list("abcde"), [4, 0, 2, 2, 2], deprels=["a", "root", "b", "c", "d"])
    tall = [x for x, top in uprights(svg)]
    for text, x, y, _ in labels_in(svg):
        if text in "ad":
            assert all(abs(x - other) > 8 for other, top in uprights(svg) if top < y - 8)
    assert len(tall) == 9


def test_notebooks_show_it():
    svg = draw_svg(["a"], [0])
    assert svg._repr_html_() == svg


@pytest.mark.parametrize("stroke", STROKES.values())
def test_lines_show_on_white_paper(stroke):
    assert 1.05 / (luminance(stroke.colour) + 0.05) >= 3
    assert all(1.05 / (luminance(ink) + 0.05) >= 4.5 for ink in (INK, DIFFERS_INK))


def luminance(colour):
    """Relative luminance of a colour (WCAG 2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_words_do_not_run_into_one_another():
    words = ["i", "WWWW", "猫猫猫", "e\u0301", "x"]
    places = [x for x, _ in words_in(parsed(draw_svg(words, [0, 1, 2, 3, 4])))]
    for index, (left, right) in enumerate(pairwise(places)):
        need = sum(estimated_width(words[at], SIZE) for at in (index, index + 1)) / 2
        assert right - left > need


@pytest.mark.parametrize(("text", "width"), [("", 0), ("猫", 10), ("i", 3.6), ("x", 6), ("X", 7.4)])
def test_estimated_width(text, width):
    assert estimated_width(text, 10) == pytest.approx(width)

"""Drawings in the terminal: by hand, and read back into trees."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tree_cases import LABELLED, is_projective, trees

from structprobe.draw import draw_text
from structprobe.draw.word_display import cells
from structprobe.errors import counted

RELATIVE = ["the", "dog", "that", "chased", "the", "cat", "ran"]
GOLD, PRED = [2, 7, 4, 2, 6, 4, 0], [2, 0, 4, 2, 6, 2, 6]


def test_one_tree():
    assert draw_text(RELATIVE, GOLD, width=40) == (
        "     ┌──────────────────────┐\n"
        "     │┌────────┐┌────────┐  │\n"
        " ┌──┐││  ┌────┐││    ┌──┐│  │\n"
        " ▼  │▼│  ▼    │▼│    ▼  │▼  │●\n"
        "the dog that chased the cat ran"
    )


def test_gold_above_and_recovered_below():
    assert draw_text(RELATIVE, GOLD, PRED, width=80) == (
        "     ┌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┐\n"
        "     ╎┌────────┐┌╌╌╌╌╌╌╌╌┐  ╎\n"
        " ┌──┐╎│  ┌────┐│╎    ┌──┐╎  ╎\n"
        " ▼  │▽│  ▼    │▼╎    ▼  │▽  ╎○\n"
        "the dog that chased the cat ran\n"
        " ▲  │○│  ▲     │▲    ▲  │△╎  △\n"
        " └──┘ │  └─────┘│    └──┘╎└╌╌┘\n"
        "      ├─────────┘        ╎\n"
        "      └╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘\n"
        "gold above, recovered below: 4 of 6 edges right; dashed: in only one of the trees"
    )


def test_one_word_a_line_where_it_is_too_wide():
    assert draw_text(RELATIVE, GOLD, PRED, width=31) != draw_text(RELATIVE, GOLD, PRED, width=30)
    assert draw_text(RELATIVE, GOLD, PRED, width=20) == (
        " ┌───► the    ◄──┐\n"
        "┌┼╌╌╌▷ dog    ○╌╌┤\n"
        "╎│┌──► that   ◄─┐│\n"
        "╎└┼──► chased ◄─┴┤\n"
        "╎ ╎┌─► the    ◄─┐╎\n"
        "╎ └┴╌▷ cat    ◁╌┼┘\n"
        "└╌╌╌╌○ ran    ◁╌┘\n"
        "gold left, recovered right: 4 of 6 edges right; dashed: in only one of the trees"
    )
    assert draw_text(["a", "b", "c"], [2, 0, 2], width=4) == "┌─► a\n├─● b\n└─► c"


def test_arcs_that_cross():
    words, heads = ["aaa", "bbb", "ccc", "ddd"], [3, 4, 0, 3]
    assert draw_text(words, heads, width=15) == (
        "     ┌──────┐\n ┌───┼──┐ ┌─┼┐\n ▼   ▼  │●│ │▼\naaa bbb ccc ddd"
    )
    assert draw_text(words, heads, width=14) == "┌────► aaa\n│ ┌──► bbb\n├─┼──● ccc\n└─┴──► ddd"


def test_one_word():
    assert draw_text(["Hi"], [0]) == "●\nHi"
    assert draw_text(["Hi"], [0], [0], width=80).startswith("●\nHi\n●\ngold above")
    assert draw_text(["Hi"], [0], width=1) == "● Hi"


def test_wide_and_combining_characters_keep_their_columns():
    wide = draw_text(["吾輩", "は", "猫"], [3, 1, 0], width=80)
    plain = draw_text(["xxxx", "xx", "xx"], [3, 1, 0], width=80)
    assert wide.splitlines()[:-1] == plain.splitlines()[:-1]
    marked = draw_text(["e\u0301te\u0301", "x"], [0, 1], width=80)
    assert marked.splitlines()[:-1] == draw_text(["ete", "x"], [0, 1], width=80).splitlines()[:-1]


def test_distances_stand_on_the_arcs():
    distances = [[0, 1.24, 9], [1.24, 0, 12.96], [9, 12.96, 0]]
    assert draw_text(["a", "b", "c"], [2, 0, 2], [2, 0, 1], distances=distances, width=90) == (
        "  ┌─1.2─┐ ┌13.0╌┐\n"
        "  ▼     │●╎     ▽\n"
        "  a      b      c\n"
        "  ▲╎     │●     △\n"
        "  └┼1.2──┘      ╎\n"
        "   └╌╌╌╌9.0╌╌╌╌╌┘\n"
        "gold above, recovered below: 1 of 2 edges right; dashed: in only one of the trees"
    )
    assert draw_text(["a", "b", "c"], [2, 0, 2], [2, 0, 1], distances=distances, width=9) == (
        "┌─►  1.2 a 1.2 ◄─┬┐\n"
        "├─●      b     ●─┼┘\n"
        "└╌▷ 13.0 c 9.0 ◁╌┘\n"
        "gold left, recovered right: 1 of 2 edges right; dashed: in only one of the trees"
    )


def test_relations_stand_on_the_arcs_and_wrong_ones_are_marked():
    assert draw_text(**LABELLED, width=60) == (
        "      ┌─────────────nsubj─────────────┐\n"
        "      │           ┌──────obj───────┐  │\n"
        "      │┌acl:relcl┐│    ┌╌╌╌det╌╌╌╌┐│  │ ┌╌╌╌╌punct╌╌╌╌┐\n"
        " ┌det┐││  ┌nsubj┐││    ╎     ┌amod┤│  │ ├advmod┐      ╎\n"
        " ▼   │▼│  ▼     │▼│    ▽     ▼    │▼  │●│      ▼      ▽\n"
        "The  dog that  chased the  black  cat ran     away    .\n"
        " ▲   │▲│  ▲     │▲│    △    ╎▲    │▲  │●│      ▲╎     △\n"
        " └det┘││  └*mark┘││    └amod┘└amod┘│  │ └─*obl─┘└punct┘\n"
        "      │└───acl───┘└──────obj───────┘  │\n"
        "      └─────────────nsubj─────────────┘\n"
        "gold above, recovered below: 7 of 9 edges right; dashed: in only one of the trees\n"
        "*: 2 of these with wrong direction or relation"
    )
    assert draw_text(**LABELLED, width=45) == (
        " ┌───► det       The      det ◄────┐\n"
        "┌┼───► nsubj     dog    nsubj ◄────┼┐\n"
        "││┌──► nsubj     that   *mark ◄───┐││\n"
        "│└┼──► acl:relcl chased   acl ◄───┼┘│\n"
        "│ │┌╌▷ det       the     amod ◁╌┐ │ │\n"
        "│ │├─► amod      black   amod ◄─┴┐│ │\n"
        "│ └┴─► obj       cat      obj ◄──┴┘ │\n"
        "├────●           ran          ●─────┤\n"
        "├────► advmod    away    *obl ◄────┬┘\n"
        "└╌╌╌╌▷ punct     .      punct ◁╌╌╌╌┘\n"
        "gold left, recovered right: 7 of 9 edges right; dashed: in only one of the trees\n"
        "*: 2 of these with wrong direction or relation"
    )


def test_relations_are_cut_where_words_cannot_be():
    one = {name: LABELLED[name] for name in ("words", "heads", "deprels")}
    cut = (
        " ┌───► det    The\n"
        "┌┼───► nsubj  dog\n"
        "││┌──► nsubj  that\n"
        "│└┼──► acl:r… chased\n"
        "│ │┌─► det    the\n"
        "│ │├─► amod   black\n"
        "│ └┴─► obj    cat\n"
        "├────●        ran\n"
        "├────► advmod away\n"
        "└────► punct  ."
    )
    assert draw_text(**one, width=20) == cut
    for width, name in ((24, "acl:relcl "), (21, "acl:re… "), (18, "acl… "), (5, "acl… ")):
        assert f"│└┼──► {name}chased\n" in draw_text(**one, width=width)


def test_relations_and_distances_together():
    named = {"deprels": ["nsubj", "root", "advmod"], "distances": [[0, 1, 2], [1, 0, 9.5], [2] * 3]}
    assert draw_text(["dogs", "bark", "loudly"], [2, 0, 2], **named, width=40) == (
        "  ┌nsubj 1.0┐ ┌advmod 2.0┐\n  ▼         │●│          ▼\ndogs       bark        loudly"
    )
    assert draw_text(["dogs", "bark", "loudly"], [2, 0, 2], **named, width=20) == (
        "┌─► nsubj 1.0 dogs\n├─●           bark\n└─► advm… 2.0 loudly"
    )


def test_relations_keep_off_lines_that_cross():
    """The arc from 3 to 1 crosses those from 2, whose relations move aside."""
    named = {"deprels": ["x", "_", "y", "z"], "width": 80}
    assert draw_text(["aa", "bb", "cc", "dd"], [3, 0, 2, 2], **named) == (
        "┌──x──┐\n│   ┌─┼z─┐\n│   ├y┼┐ │\n▼  ●│ │▼ ▼\naa bb cc dd"
    )


def test_relations_of_wide_letters_keep_their_columns():
    named = {"deprels": ["主語", "根"], "pred_deprels": ["xe\u0301x", "r"], "width": 80}
    assert draw_text(["a", "b"], [2, 0], [2, 0], **named) == (
        "┌主語┐\n"
        "▼    │●\n"
        "a    b\n"
        "▲    │●\n"
        "└*xe\u0301x┘\n"
        "gold above, recovered below: 1 of 1 edge right; dashed: in only one of the trees\n"
        "*: 1 of these with wrong direction or relation"
    )


@given(st.data(), st.integers(40, 300))
def test_relations_are_written_whole_within_the_width(data, width):
    heads = data.draw(trees(min_size=2, max_size=9).filter(is_projective))
    names = st.sampled_from(["obj", "nsubj:pass", "compound:prt", "_"])
    deprels = data.draw(st.lists(names, min_size=len(heads), max_size=len(heads)))
    lines = draw_text(words_of(heads), heads, deprels=deprels, width=width).splitlines()
    assert max(map(cells, lines)) <= width
    found = re.findall("[a-z:]+", re.sub(r"w\d\d", " ", "\n".join(lines)))
    known = [name for name, head in zip(deprels, heads, strict=True) if head and name != "_"]
    assert sorted(found) == sorted(known)


@given(st.data())
def test_every_distance_is_written_whole(data):
    heads = data.draw(trees(min_size=2, max_size=8))
    n = len(heads)
    distances = [[1 + 7.5 * abs(i - j) for j in range(n)] for i in range(n)]
    drawing = draw_text(words_of(heads), heads, distances=distances, width=10)
    numbers = re.findall(r"\d+\.\d", drawing)
    assert numbers == [f"{distances[i][h - 1]:.1f}" for i, h in enumerate(heads) if h]
    if is_projective(heads):
        drawing = draw_text(words_of(heads), heads, distances=distances, width=500)
        assert sorted(re.findall(r"\d+\.\d", drawing)) == sorted(numbers)


def test_right_to_left():
    words = ["הכלב", "רץ", "מהר"]
    drawing = draw_text(words, [2, 0, 2], width=80)
    plain = draw_text(["xxx", "yy", "zzzz"], [2, 0, 2], width=80)
    assert drawing.split("\n")[:-1] == plain.split("\n")[:-1]
    row = drawing.split("\n")[-1]
    assert row.split() == [f"\u200e{word}\u200e" for word in words[::-1]]
    assert cells(row) == cells(plain.split("\n")[-1])
    assert draw_text(["a", "b"], [0, 1], direction="rtl", width=80).endswith("b a")


def test_the_width_of_the_terminal_is_the_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "31")
    assert draw_text(RELATIVE, GOLD) == draw_text(RELATIVE, GOLD, width=31)
    monkeypatch.setenv("COLUMNS", "30")
    assert draw_text(RELATIVE, GOLD) == draw_text(RELATIVE, GOLD, width=30)


def test_words_too_long_for_a_line_are_cut():
    long = "https://example.org/" + "吾" * 50
    lines = draw_text([long, "x", "y"], [2, 0, 2], [0, 1, 1], width=40).splitlines()[:-1]
    assert {cells(line) for line in lines} <= {39, 40}
    assert "…" in lines[0]
    assert "https://exa…" in draw_text([long, "x"], [2, 0], width=3)


@given(
    st.data(),
    st.lists(st.text(st.characters(codec=None), max_size=8), min_size=1, max_size=8),
    st.integers(1, 60),
)
def test_no_word_moves_the_cursor(data, words, width):
    heads = data.draw(trees(len(words), len(words)))
    pred_heads = data.draw(st.none() | trees(len(words), len(words)))
    drawing = draw_text(words, heads, pred_heads, width=width)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", drawing)
    assert all(line == line.rstrip() for line in drawing.split("\n"))


def words_of(heads):
    return [f"w{index:02}" for index in range(len(heads))]


def read_upright(drawing, n):
    """Heads from arcs that do not cross: from each arrow up, then along to the upright."""
    *rows, text = drawing.split("\n")
    grid = [row.ljust(len(text) + 1) for row in rows]
    word_at = {m.start() + i: int(m[1]) for m in re.finditer(r"w(\d\d)", text) for i in range(3)}
    heads = [None] * n
    for column, char in enumerate(grid[-1]):
        if char in "▼●":
            row = len(grid) - 2
            while char == "▼" and grid[row][column] not in "┌┐":
                row -= 1
            step = 1 if grid[row][column] == "┌" else -1
            end = column + step
            while char == "▼" and grid[row][end] == "─":
                end += step
            heads[word_at[column]] = 0 if char == "●" else word_at[end] + 1
    return heads


def read_turned(drawing, n):
    """Heads from branches that do not cross: from each arrow to the left, then along."""
    rows = drawing.split("\n")
    heads = []
    for row, line in enumerate(rows):
        column = re.search("[►●]", line).start() - 1
        while column >= 0 and line[column] in "─┬┴┼┤":
            column -= 1
        run = {row}
        for ends, step in (("┌┬ ", -1), ("└┴ ", 1)):
            place = row
            while "●" not in line and rows[place][column] not in ends:
                place += step
                run.add(place)
        above = [place for place in run if rows[place][column] in "┬┴┼" or "●" in rows[place]]
        heads.append(0 if "●" in line else above[0] + 1)
    return heads


@given(trees(max_size=14).filter(is_projective))
def test_arcs_read_back(heads):
    drawing = draw_text(words_of(heads), heads, width=200)
    assert read_upright(drawing, len(heads)) == heads


@given(trees(min_size=2, max_size=14).filter(is_projective), st.sampled_from([1, 40]))
def test_branches_read_back(heads, width):
    drawing = draw_text(words_of(heads), heads, width=min(width, 4 * len(heads) - 2))
    assert read_turned(drawing, len(heads)) == heads


@given(st.data(), st.sampled_from([10, 200]))
def test_every_arc_has_an_arrow_and_is_marked(data, width):
    heads = data.draw(trees(max_size=10))
    pred_heads = data.draw(trees(len(heads), len(heads)))
    drawing = draw_text(words_of(heads), heads, pred_heads, width=width)
    edges = [
        {frozenset((word, head)) for word, head in enumerate(tree, 1) if head}
        for tree in (heads, pred_heads)
    ]
    shared, n = len(edges[0] & edges[1]), len(heads) - 1
    assert len(re.findall("[▼▲►◄]", drawing)) == 2 * shared
    assert len(re.findall("[▽△▷◁]", drawing)) == 2 * (n - shared)
    assert drawing.count("●") + drawing.count("○") == 2
    assert f"{shared} of {counted(n, 'edge')} right" in drawing


@pytest.mark.parametrize("n", [60, 120])
def test_long_chains_still_draw(n):
    lines = draw_text([str(i) for i in range(n)], list(range(n)), width=80).splitlines()
    assert len(lines) == n

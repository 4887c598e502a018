"""A parsed sentence draws and exports itself."""

from __future__ import annotations

from dataclasses import replace

import networkx
import numpy as np
import pytest

from structprobe import ParsedSentence, Prediction, Sentence, Treebank
from structprobe.draw import draw_svg, draw_text, draw_tikz
from structprobe.errors import ProbeError

BLOCK = """\
# sent_id = s1
# text = du Nord
1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\t_\t_\t3\tcase\t3:case\t_
2\tle\tle\tDET\t_\t_\t3\tdet\t_\tSpaceAfter=No
3\tNord\tNord\tPROPN\t_\tNumber=Sing\t0\troot\t_\t_

"""


@pytest.fixture
def parsed() -> ParsedSentence:
    (sentence,) = Treebank.from_text(BLOCK)
    return ParsedSentence(sentence, Prediction(np.array([2, 0, 2])))


def test_words_and_heads(parsed: ParsedSentence) -> None:
    assert parsed.words == ("de", "le", "Nord")
    assert parsed.heads.tolist() == [2, 0, 2]
    assert len(parsed) == 3


def test_draws_itself(parsed: ParsedSentence) -> None:
    both = (parsed.words, parsed.gold_heads, parsed.heads)
    assert str(parsed) == repr(parsed) == parsed.to_text() == draw_text(*both)
    assert parsed.to_svg() == parsed._repr_html_() == draw_svg(*both)
    assert parsed.to_tikz() == draw_tikz(*both)
    for draw in (draw_text, draw_svg, draw_tikz):
        alone = getattr(parsed, f"to_{draw.__name__.removeprefix('draw_')}")(gold=False)
        assert alone == draw(parsed.words, parsed.heads) != draw(*both)


def test_without_a_gold_tree_the_recovered_one_stands_alone() -> None:
    parsed = ParsedSentence(Sentence(("a", "b")), Prediction(np.array([2, 0])))
    assert parsed.gold_heads is None
    assert str(parsed) == draw_text(("a", "b"), [2, 0])
    assert list(parsed.to_networkx(missed=True).edges(data=True)) == [(2, 1, {})]


def test_distances_on_request(parsed: ParsedSentence) -> None:
    with pytest.raises(ProbeError, match="no distances to show on the arcs; leave"):
        parsed.to_svg(distances=True)
    distances = np.array([[0, 1.25, 2], [1.25, 0, 0.5], [2, 0.5, 0]])
    parsed = ParsedSentence(parsed.sentence, Prediction(parsed.heads, distances))
    for drawing in (
        parsed.to_svg(distances=True),
        parsed.to_tikz(distances=True),
        parsed.to_text(distances=True, width=80),
        str(parsed.to_displacy(distances=True)),
    ):
        assert "1.2" in drawing
        assert "0.5" in drawing
    assert "0.5" not in parsed.to_svg() + parsed.to_tikz() + str(parsed)
    assert parsed.to_networkx().edges[2, 1]["distance"] == 1.25


def test_relations_are_drawn_where_they_are_predicted(parsed: ParsedSentence) -> None:
    names = ("case", "root", "flat")
    named = ParsedSentence(parsed.sentence, replace(parsed.prediction, deprels=names))
    assert named.deprels == names
    assert parsed.deprels is None
    both = (parsed.words, parsed.gold_heads, parsed.heads)
    gold = parsed.sentence.deprels
    for draw in (draw_text, draw_svg, draw_tikz):
        own = getattr(named, f"to_{draw.__name__.removeprefix('draw_')}")
        assert own() == draw(*both, deprels=gold, pred_deprels=names)
        assert own(gold=False) == draw(named.words, named.heads, deprels=names)
        assert own(deprels=False) == draw(*both)
    assert str(named) == named.to_text()
    assert named._repr_html_() == named.to_svg()
    assert [arc["label"] for arc in named.to_displacy()["arcs"]] == ["case", "flat"]
    assert [arc["label"] for arc in named.to_displacy(deprels=False)["arcs"]] == ["", ""]
    assert dict(named.to_networkx().edges) == {
        (2, 1): {"gold": False, "recovered": True, "status": "wrong", "pred_deprel": "case"},
        (2, 3): {"gold": False, "recovered": True, "status": "right", "pred_deprel": "flat"},
    }
    bare = ParsedSentence(Sentence(parsed.words), named.prediction)
    assert bare.to_text() == named.to_text(gold=False)
    assert bare.to_networkx().edges[2, 1] == {"deprel": "case"}


def test_gold_trees_without_relations_stay_without(parsed: ParsedSentence) -> None:
    sentence = Sentence(("a", "b"), [2, 0])
    named = ParsedSentence(sentence, Prediction(np.array([2, 0]), deprels=("nsubj", "root")))
    assert named.to_svg().count(">nsubj</text>") == 1
    assert "*" not in str(named)


def test_graph(parsed: ParsedSentence) -> None:
    graph = parsed.to_networkx()
    # Gold joins 3-1 and 3-2; recovered 2-1 and 2-3, of which the second is the first's edge.
    assert dict(graph.edges) == {
        (2, 1): {"gold": False, "recovered": True, "status": "wrong"},
        (2, 3): {"gold": False, "recovered": True, "status": "right"},
    }
    assert dict(graph.nodes(data="word")) == {1: "de", 2: "le", 3: "Nord"}
    assert dict(graph.nodes(data="root")) == {1: False, 2: True, 3: False}
    assert graph.graph["root"] == 2
    assert networkx.is_arborescence(graph)
    both = parsed.to_networkx(missed=True)
    assert both.edges[3, 1] == {
        "deprel": "case",
        "gold": True,
        "recovered": False,
        "status": "missed",
    }
    assert both.edges[3, 2]["status"] == "right"
    assert len(both.edges) == 4


def test_displacy_tells_the_recovered_tree(parsed: ParsedSentence) -> None:
    told = parsed.to_displacy()
    assert told["words"][0] == {"text": "de", "tag": "ADP"}
    assert [(arc["start"], arc["end"], arc["dir"]) for arc in told["arcs"]] == [
        (0, 1, "left"),
        (1, 2, "right"),
    ]
    assert parsed.to_displacy(direction="rtl")["settings"] == {"direction": "rtl"}


def test_conllu_keeps_all_but_the_tree(parsed: ParsedSentence) -> None:
    assert parsed.to_conllu() == (
        BLOCK.replace("3\tcase\t3:case", "2\tdep\t_")
        .replace("3\tdet\t_", "0\troot\t_")
        .replace("0\troot\t_\t_\n\n", "2\tdep\t_\t_\n\n")
    )

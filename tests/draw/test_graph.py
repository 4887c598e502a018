"""Trees for networkx and displaCy: what goes in comes out again."""

from __future__ import annotations

import json

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tree_cases import trees

from structprobe.draw import to_displacy, to_networkx
from structprobe.draw.word_display import visible
from structprobe.errors import TreeError


def heads_of(arcs, n):
    """Heads from arcs (head, dependent), counted from 1."""
    heads = [0] * n
    for head, dependent in arcs:
        heads[dependent - 1] = head
    return heads


@given(trees())
def test_graph_of_one_tree_reads_back(heads):
    n = len(heads)
    distances = np.arange(n * n).reshape(n, n)
    graph = to_networkx(list("abcdefghijkl"[:n]), heads, distances=distances)
    assert networkx.is_arborescence(graph)
    assert heads_of(graph.edges, n) == heads
    assert heads[graph.graph["root"] - 1] == 0
    assert all(d == distances[b - 1, a - 1] for a, b, d in graph.edges(data="distance"))


@given(st.data())
def test_graph_of_two_trees_reads_back(data):
    heads = data.draw(trees())
    n = len(heads)
    pred_heads = data.draw(trees(n, n))
    named = {name: [f"{name[0]}{i}" for i in range(n)] for name in ("deprels", "pred_deprels")}
    graph = to_networkx(["x"] * n, heads, pred_heads, **named)
    arcs = list(graph.edges(data=True))
    assert heads_of([(a, b) for a, b, told in arcs if told["gold"]], n) == heads
    assert heads_of([(a, b) for a, b, told in arcs if told["recovered"]], n) == pred_heads
    assert pred_heads[graph.graph["root"] - 1] == 0
    edges = [{frozenset((i, h)) for i, h in enumerate(one, 1) if h} for one in (heads, pred_heads)]
    for a, b, told in arcs:
        shared = frozenset((a, b)) in edges[0] & edges[1]
        alone = "missed" if told["gold"] else "wrong"
        assert told["status"] == ("right" if shared else alone)
        assert told.get("deprel") == (f"d{b - 1}" if told["gold"] else None)
        assert told.get("pred_deprel") == (f"p{b - 1}" if told["recovered"] else None)


@given(st.data(), st.lists(st.text(st.characters(codec=None), max_size=5), min_size=1, max_size=6))
def test_displacy_reads_back(data, words):
    heads = data.draw(trees(len(words), len(words)))
    told = json.loads(json.dumps(to_displacy(words, heads, upos=words, deprels=words)))
    assert [word["text"] for word in told["words"]] == [visible(word) for word in words]
    arcs = [
        (arc["end"] + 1, arc["start"] + 1)
        if arc["dir"] == "left"
        else (arc["start"] + 1, arc["end"] + 1)
        for arc in told["arcs"]
    ]
    assert all(arc["start"] < arc["end"] for arc in told["arcs"])
    assert heads_of(arcs, len(words)) == heads
    markup = "".join([arc["label"] for arc in told["arcs"]] + [w["tag"] for w in told["words"]])
    assert "<" not in markup


def test_displacy_labels_and_direction():
    told = to_displacy(["כלב", "רץ"], [2, 0], deprels=["nsubj", "root"], distances=np.ones((2, 2)))
    assert told == {
        "words": [{"text": "כלב", "tag": ""}, {"text": "רץ", "tag": ""}],
        "arcs": [{"start": 0, "end": 1, "label": "nsubj 1.0", "dir": "left"}],
        "settings": {"direction": "rtl"},
    }
    (arc,) = to_displacy(["a", "b"], [2, 0], deprels=["_", "root"])["arcs"]
    assert arc["label"] == ""
    assert to_displacy(["a"], [0], direction="rtl")["settings"]["direction"] == "rtl"


def test_bad_input():
    with pytest.raises(TreeError, match="2 roots"):
        to_networkx(["a", "b"], [0, 0])
    with pytest.raises(TreeError, match="unknown direction 'up'; choose from 'auto', 'ltr', 'rtl'"):
        to_displacy(["a"], [0], direction="up")

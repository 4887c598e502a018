"""A parsed sentence draws and exports itself."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from structprobe import ParsedSentence, Prediction, Treebank
from structprobe.draw import draw_svg, draw_text, draw_tikz

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
    assert str(parsed) == repr(parsed) == draw_text(parsed.words, parsed.heads)
    assert parsed.to_svg() == parsed._repr_html_() == draw_svg(parsed.words, parsed.heads)
    assert parsed.to_tikz() == draw_tikz(parsed.words, parsed.heads)
    assert "Nord" in str(parsed)
    assert "<svg" in parsed.to_svg()
    assert "\\begin{dependency}" in parsed.to_tikz()


def test_graph(parsed: ParsedSentence) -> None:
    graph = parsed.to_networkx()
    assert set(graph.edges) == {(2, 1), (2, 3)}
    assert dict(graph.nodes(data="word")) == {1: "de", 2: "le", 3: "Nord"}
    assert dict(graph.nodes(data="root")) == {1: False, 2: True, 3: False}
    assert graph.graph["root"] == 2
    assert networkx.is_arborescence(graph)


def test_conllu_keeps_all_but_the_tree(parsed: ParsedSentence) -> None:
    assert parsed.to_conllu() == (
        BLOCK.replace("3\tcase\t3:case", "2\tdep\t_")
        .replace("3\tdet\t_", "0\troot\t_")
        .replace("0\troot\t_\t_\n\n", "2\tdep\t_\t_\n\n")
    )

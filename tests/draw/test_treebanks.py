"""Real sentences of several scripts: drawings keep to the width and hold every arc."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from structprobe.draw import draw_svg, draw_text
from structprobe.draw.word_display import cells
from structprobe.errors import counted


@pytest.mark.parametrize(
    "name",
    [
        "UD_English-EWT/en_ewt-ud-test",
        "UD_Japanese-GSD/ja_gsd-ud-dev",
        "UD_Turkish-BOUN/tr_boun-ud-test",
        "UD_Vietnamese-VTB/vi_vtb-ud-test",
    ],
)
def test_first_sentences(treebanks, name):
    text = (treebanks / f"{name}.conllu").read_text(encoding="utf-8")
    for block in text.strip().split("\n\n")[:100]:
        rows = [row.split("\t") for row in block.split("\n")]
        rows = [row for row in rows if row[0].isdigit()]
        words, heads = [row[1] for row in rows], [int(row[6]) for row in rows]
        n, deprels = len(words), [row[7] for row in rows]
        drawing = draw_text(words, heads, list(range(n)), width=150)
        *lines, note = drawing.split("\n")
        assert max(map(cells, lines)) <= 150
        assert len(re.findall("[▼▲►◄▽△▷◁●○]", "".join(lines))) >= 2 * n
        assert f"of {counted(n - 1, 'edge')} right" in note
        labelled = draw_text(words, heads, heads, deprels=deprels, pred_deprels=deprels, width=150)
        *lines, note, more = labelled.split("\n")
        assert max(map(cells, lines)) <= 150
        assert f"{n - 1} of {counted(n - 1, 'edge')} right" in note
        assert more.startswith("*: 0 of these")
        svg = ElementTree.fromstring(draw_svg(words, heads, deprels=deprels))
        labels = [one.text for one in svg.findall(".//{*}text[@paint-order]")]
        assert labels == [row[7] for row in rows if row[6] != "0"]
        assert len(svg.findall(".//{*}path[@stroke]")) == n

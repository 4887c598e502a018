"""What our objects show in a line and in a notebook: plain, short, and escaped."""

from __future__ import annotations

import numpy as np
import pytest

from structprobe import ParsedSentence, Prediction, Sentence, Treebank, score
from structprobe.notebook import html_table

HEADS = np.array([2, 0, 2])


@pytest.mark.fault_class("strangers")
def test_text_is_escaped() -> None:
    html = html_table("a < b", {"<b>": "&", "n": 3})
    assert "a &lt; b" in html
    assert "&lt;b&gt;" in html
    assert "&amp;" in html
    assert '<td style="text-align:left">3</td>' in html


def test_scores_are_one_line_and_a_table_in_per_cent() -> None:
    scores = score([HEADS, HEADS], [Prediction(HEADS), Prediction(np.array([0, 1, 2]))])
    assert repr(scores).startswith("<Scores: UUAS 100.0, UAS 66.7, LAS –, root 50.0, DSpr. –")
    assert "\n" not in repr(scores)
    html = scores._repr_html_()
    assert html.startswith("<table>")
    assert "2 sentences, 6 words" in html
    for label, value in (("UUAS", "100.0"), ("UAS", "66.7"), ("LAS", "–"), ("root", "50.0")):
        assert f'>{label}</th><td style="text-align:left">{value}</td>' in html


def test_a_treebank_shows_its_size_and_how_it_begins() -> None:
    bank = Treebank.from_words([[f"<{i}>", "dogs"] for i in range(9)])
    assert repr(bank) == "Treebank(9 sentences, 18 words)"
    html = bank._repr_html_()
    assert "Treebank(9 sentences, 18 words)" in html
    assert "&lt;4&gt; dogs" in html
    assert "&lt;5&gt;" not in html
    assert "and 4 more" in html
    assert "more" not in bank[:5]._repr_html_()


def test_sentences_and_predictions_show_what_they_have() -> None:
    words = ("dogs", "chase", "cats")
    assert repr(Sentence(words, HEADS)) == "Sentence(3 words: 'dogs chase cats')"
    assert repr(Prediction(HEADS)) == "Prediction(3 words: heads [2, 0, 2])"
    full = Prediction(HEADS, distances=np.zeros((3, 3)), depths=np.zeros(3))
    assert repr(full) == "Prediction(3 words: heads [2, 0, 2], with distances, depths)"
    long = repr(Prediction(np.arange(40)))
    assert long == "Prediction(40 words: heads [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …])"
    assert "<svg" in ParsedSentence(Sentence(words), Prediction(HEADS))._repr_html_()

"""Words joined to a text, with the characters of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structprobe.treebank import join_words


def test_by_hand():
    text, spans = join_words(["I", "do", "n't", "."], [" ", "", "", " "])
    assert text == "I don't."
    assert spans.tolist() == [[0, 1], [2, 4], [4, 7], [7, 8]]


def test_nothing():
    text, spans = join_words([], [])
    assert text == ""
    assert spans.shape == (0, 2)
    assert spans.dtype == "int64"


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        join_words(["a", "b"], [" "])


@given(st.lists(st.tuples(st.text(), st.sampled_from(["", " ", "  "]))))
def test_each_span_holds_its_word(pairs):
    words = [word for word, _ in pairs]
    gaps = [gap for _, gap in pairs]
    text, spans = join_words(words, gaps)
    assert [text[start:end] for start, end in spans] == words
    between = [text[a:b] for a, b in zip(spans[:-1, 1], spans[1:, 0], strict=True)]
    assert between == gaps[:-1]
    assert len(text) == (spans[-1, 1] if words else 0)

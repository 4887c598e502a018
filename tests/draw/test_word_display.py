"""Words as they may be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structprobe.draw.word_display import cells, is_right_to_left, visible


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b2J", r"\x9b2J"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\tb\nc\rd", r"a\tb\nc\rd"),
        ("\x7f\x00", r"\x7f\x00"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\u2028\u2029\ufeff\u200b\xad", r"\u2028\u2029\ufeff\u200b\xad"),
        ("\ud800", r"\ud800"),
        ("\uffff\ufffe", r"\uffff\ufffe"),
        ("\U0001fffe", r"\U0001fffe"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻 naïve\xa0\\", "👩\u200d💻 naïve\xa0\\"),
    ],
)
def test_visible(word, shown):
    assert visible(word) == shown


@pytest.mark.fault_class("strangers")
@given(st.text(st.characters(codec=None)))
def test_nothing_hidden_is_left(word):
    shown = visible(word)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert visible(shown) == shown
    assert shown.encode("utf-8").decode() == shown


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("dog", 3),
        ("吾輩", 4),
        ("カ", 2),
        ("ｶ", 1),
        ("e\u0301", 1),
        ("한", 2),
        ("\u1112\u1161\u11ab", 2),
    ],
)
def test_cells(text, columns):
    assert cells(text) == columns


def test_direction_of_writing():
    assert is_right_to_left(("القطة", "!"))
    assert not is_right_to_left(("dog", "123", "!"))
    assert not is_right_to_left(())

"""Whatever is written comes back; whatever is read is a treebank or one of our errors."""

from __future__ import annotations

import gzip

from hypothesis import example, given
from hypothesis import strategies as st
from support.conllu_text import block, dog, line
from support.tree_cases import trees

from structprobe.errors import TreebankError
from structprobe.treebank import Sentence, Treebank, join_blocks, rewrite

# Anything that a column can hold: all of Unicode but the tab, the line feed, NUL and surrogates.
CELL = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\0"), min_size=1, max_size=6
).filter(lambda cell: cell != "_")
NAME = st.none() | st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1)


@st.composite
def sentences(draw) -> Sentence:
    heads = draw(trees(max_size=8))
    column = st.lists(CELL, min_size=len(heads), max_size=len(heads))
    gap = st.sampled_from(["", " "])
    return Sentence(
        words=draw(column),
        heads=heads,
        deprels=draw(column),
        upos=draw(column),
        xpos=draw(column),
        gaps=draw(st.lists(gap, min_size=len(heads), max_size=len(heads))),
        sent_id=draw(NAME),
    )


BANKS = st.lists(sentences(), min_size=1, max_size=4).map(Treebank)


@given(BANKS)
def test_tree_to_text_to_tree_is_the_identity(bank):
    text = bank.to_conllu()
    again = Treebank.from_text(text.encode())
    assert again == bank
    assert again.fingerprint == bank.fingerprint
    assert again.to_conllu() == text


@given(BANKS)
def test_line_endings_and_marks_change_nothing_that_is_said(bank):
    crlf = "\ufeff" + bank.to_conllu().replace("\n", "\r\n")
    assert Treebank.from_text(crlf.encode()) == bank
    assert Treebank.from_text(gzip.compress(crlf.encode())) == bank
    assert Treebank.from_text(crlf.rstrip("\r\n")) == bank


@given(st.data())
def test_rewrite_says_the_new_heads_and_nothing_of_the_old(data):
    bank = data.draw(BANKS)
    read = Treebank.from_text(bank.to_conllu())
    new = [data.draw(trees(min_size=len(s), max_size=len(s))) for s in bank]
    text = join_blocks(map(rewrite, bank, new))
    assert text == join_blocks(map(rewrite, read, new))
    again = Treebank.from_text(text)
    for before, after, heads in zip(bank, again, new, strict=True):
        assert after.heads.tolist() == heads
        assert after.deprels == tuple("dep" if head else "root" for head in heads)
        assert (after.words, after.upos, after.xpos) == (before.words, before.upos, before.xpos)
        assert (after.gaps, after.sent_id) == (before.gaps, before.sent_id)


def attempt(data: bytes | str, on_error: str) -> Treebank | TreebankError:
    """Read, or give the one kind of error that may come of it."""
    try:
        return Treebank.from_text(data, path="x", on_error=on_error)
    except TreebankError as error:
        return error


def read_or_refuse(data: bytes | str) -> None:
    """Read; the text comes back as it was, or the error is ours, in one line."""
    strict, lenient = attempt(data, "raise"), attempt(data, "skip")
    if isinstance(strict, Treebank):
        assert strict.to_conllu() == (data if isinstance(data, str) else data.decode())
        assert lenient == strict
        assert lenient.skipped == ()
    else:
        assert "\n" not in str(strict)
        assert str(strict).startswith("x:")
        if isinstance(lenient, Treebank):
            assert str(lenient.skipped[0]) == str(strict)
            assert len(lenient) > 0
        else:
            assert str(strict) in str(lenient)


@given(st.binary())
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf\xef\xbb\xbf1\ta")
def test_any_bytes(data):
    read_or_refuse(data)


@given(st.text(st.sampled_from("1234_-.#=\t\n\r a\xa0\ufeff\u2028\0"), max_size=60))
@example("\n\ufeff# a\n\n")
def test_any_text_of_telling_characters(text):
    read_or_refuse(text)


ID = st.sampled_from(["1", "2", "3", "1-2", "2-3", "1-1", "0.1", "1.1", "1.2", "2.1", "0", "x"])
HEAD = st.sampled_from(["_", "0", "1", "2", "3", "9", "-1"])


@given(
    st.lists(
        st.one_of(
            st.builds(line, ID, CELL | st.just(""), HEAD),
            st.sampled_from(
                ["", "# c", "#", " ", "\ufeff", "# sent_id = x", "# global.columns = ID"]
            ),
        ),
        max_size=8,
    )
)
@example(["", "# c"])
@example([line(1, "a", 0), "", "\ufeff# c"])
def test_any_lines(lines):
    read_or_refuse("\n".join(lines))


@given(st.data())
def test_any_damage_to_one_byte(data):
    text = bytearray(
        (dog("one") + block(line("1-2", "ab"), line(1, "a", 2), line(2, "b", 0))).encode()
    )
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(text))

"""Treebanks: files cut and damaged at every byte, random ones, and what was written read again."""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from support.conllu_text import block, dog, line
from support.scorecard import Tally
from support.tree_cases import trees
from treebank.test_fuzz import BANKS, CELL, HEAD, ID, attempt, read_or_refuse

from structprobe.errors import TreebankError
from structprobe.treebank import Sentence, Treebank

pytestmark = pytest.mark.fault_class("treebanks")

# A small file with all that a file can hold.
EVERYTHING = (
    "\ufeff# newdoc id = d\n# global.columns = "
    "ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC\n"
    + dog("eins")
    + block(
        "# text = du c\u0153ur \U0001f600",
        line("0.1", "rien"),
        line("1-2", "du", misc="SpaceAfter=No"),
        line(1, "de", 3, upos="ADP", deprel="case"),
        line("1.1", "\u2014", deps="3:dep"),
        line(2, "le", 3, feats="Gender=Masc|Number=Sing", upos="DET", deprel="det"),
        line(3, "c\u0153ur", 0, "SpaceAfter=No", upos="NOUN", deprel="root"),
        line(4, "\U0001f600", 3),
        sent_id="zw\xf6lf",
    )
    + block("# \u7d42", line(1, "\u72ac\u3000", 0), sent_id="\u4e09").replace("\n", "\r\n")
    + "# end\n"
).encode()


def test_files_cut_at_every_byte(tally: Tally):
    all_of_it = [(one.words, one.heads.tolist()) for one in Treebank.from_text(EVERYTHING)]

    def check(end: int) -> None:
        """Hold the sentences before the last to what the whole file says of them."""
        read_or_refuse(EVERYTHING[:end])
        found = attempt(EVERYTHING[:end], "skip")
        # Comments at the end belong to the last sentence: cut within a character, they spoil it.
        sure = len(re.findall(rb"\n\r?\n", EVERYTHING[:end])) - 1
        if sure > 0:
            assert [(one.words, one.heads.tolist()) for one in found[:sure]] == all_of_it[:sure]

    tally.each(check, [(end,) for end in range(len(EVERYTHING) + 1)])


def test_gzip_files_cut_at_every_byte(tally: Tally):
    data = gzip.compress(EVERYTHING, mtime=0)
    assert Treebank.from_text(data) == Treebank.from_text(EVERYTHING)

    def check(end: int) -> None:
        found = attempt(data[:end], "raise")
        assert isinstance(found, TreebankError)
        assert "an empty file" in str(found) if end == 0 else "gzip" in str(found) or end == 1

    tally.each(check, [(end,) for end in range(len(data))])


def test_each_byte_replaced(tally: Tally, whole):
    """By bytes that mean something: white space, digits, punctuation, half a character."""

    def check(at: int, byte: int) -> None:
        changed = EVERYTHING[:at] + bytes([byte]) + EVERYTHING[at + 1 :]
        read_or_refuse(changed)

    telling = b"\0\t\n\r #-.019_=a\x80\xc3\xed\xff"
    pairs = [(at, byte) for at in range(len(EVERYTHING)) for byte in telling]
    tally.each(check, pairs if whole else pairs[::23])


# Hypothesis, by the clock: so many seconds for each property, all together 20, or 600 with --whole.
@pytest.fixture
def seconds(whole: bool) -> float:
    return 120.0 if whole else 4.0


def fuzz(
    tally: Tally, seconds: float, strategy: st.SearchStrategy[Any], check: Callable[[Any], object]
) -> None:
    """Try a property on ever new examples until the time is over; none may take 20 seconds."""
    end = monotonic() + seconds
    seed = 0
    while monotonic() < end:

        @hypothesis.seed(seed)
        @hypothesis.settings(max_examples=100, database=None, deadline=timedelta(seconds=20))
        @hypothesis.given(strategy)
        def run(example: Any) -> None:
            tally.one(check, example)

        run()
        seed += 1


@st.composite
def any_banks(draw: st.DrawFn) -> Treebank:
    """Treebanks of whatever a `Sentence` accepts, and nothing where it refuses."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        heads = draw(st.none() | trees(max_size=6))
        n = draw(st.integers(1, 6)) if heads is None else len(heads)
        words = draw(st.lists(st.text(max_size=4), min_size=n, max_size=n))
        gaps = draw(
            st.lists(st.sampled_from(["", " "]) | st.text(max_size=2), min_size=n, max_size=n)
        )
        with contextlib.suppress(TreebankError):
            made.append(Sentence(words, heads, gaps=gaps, sent_id=draw(st.none() | st.text())))
    return Treebank(made)


def assert_read_as_written(bank: Treebank) -> None:
    if len(bank):
        again = Treebank.from_text(bank.to_conllu().encode())
        assert again == bank
        assert again.to_conllu() == bank.to_conllu()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trees_written_and_read(tally, seconds, tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda file: None)  # how sure the disk is, is not the question

    def check(bank: Treebank) -> None:
        path = tmp_path / "x.conllu.gz"
        bank.write(path)
        again = Treebank.read(path)
        assert again == bank
        assert again.fingerprint == bank.fingerprint
        assert again.to_conllu() == bank.to_conllu()

    fuzz(tally, seconds, BANKS, check)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whatever_a_sentence_accepts_is_read_as_written(tally, seconds):
    fuzz(tally, seconds, any_banks(), assert_read_as_written)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_bytes(tally, seconds):
    near = st.lists(
        st.sampled_from([*EVERYTHING.split(b"\n"), b"\n", b"\t"]) | st.binary(max_size=9)
    )
    packed = st.binary().map(gzip.compress) | st.binary().map(b"\x1f\x8b\x08".__add__)
    fuzz(tally, seconds, st.binary(max_size=400) | near.map(b"\n".join) | packed, any_bytes)


def any_bytes(data: bytes) -> None:
    """Read bytes; what is gzip cannot come back byte for byte."""
    if data.startswith(b"\x1f\x8b"):
        attempt(data, "raise")
    else:
        read_or_refuse(data)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_lines(tally, seconds):
    rows = st.builds(
        line, ID | st.text(max_size=3), CELL | st.text(max_size=3), HEAD | st.text(max_size=3)
    )
    others = st.sampled_from(["", "", "# c", " ", "\ufeff", "# sent_id = x", "\r"]) | st.text(
        max_size=9
    )
    fuzz(tally, seconds, st.lists(rows | others, max_size=12).map("\n".join), read_or_refuse)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_damage(tally, seconds):
    place = st.integers(0, len(EVERYTHING))

    def damaged(changes: list[tuple[int, int, bytes]]) -> bytes:
        data = EVERYTHING
        for start, length, new in changes:
            data = data[:start] + new + data[start + length :]
        return data

    change = st.tuples(
        place, st.integers(0, 40), st.binary(max_size=4) | st.sampled_from([b"\n", b"\t", b"\n\n"])
    )
    fuzz(tally, seconds, st.lists(change, min_size=1, max_size=6).map(damaged), any_bytes)


@pytest.mark.parametrize(
    "changes",
    [
        {"words": ("a", "b", "c")},
        {"heads": (0, 1, 2)},
        {"deprels": ("a", "b", "c")},
        {"upos": ("A", "B", "C")},
        {"gaps": ("", "", " ")},
        {"sent_id": "two"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_changed_copy_is_written_as_changed(changes):
    bank = Treebank([replace(Treebank.from_text(dog("one"))[0], **changes)])
    assert_read_as_written(bank)


def test_lists_of_words_written_and_read(tally):
    banks = [[["a", "_"], ["b"]], [["\u3000"], ["#", "1\xa0000"]], [["a"] * 5000]]
    tally.each(
        lambda words: assert_read_as_written(Treebank.from_words(words)), [(b,) for b in banks]
    )

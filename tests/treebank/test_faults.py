"""Every fault of a CoNLL-U file is an error that names file, line, sentence and value."""

from __future__ import annotations

import re

import pytest
from support.conllu_text import block, dog, line

from structprobe.errors import TreebankError
from structprobe.tree_faults import tree_fault
from structprobe.treebank import Treebank

# name: the lines of the faulty sentence, the index of the line to blame, what the message says
FAULTS = {
    "nine columns": ([line(1, "a", 0).rsplit("\t", 1)[0]], 0, "9 columns instead of ten"),
    "eleven columns": ([line(1, "a", 0) + "\tx"], 0, "11 columns instead of ten"),
    "spaces for tabs": ([line(1, "a", 0).replace("\t", "  ")], 0, "1 column instead of ten"),
    "a line of blanks": ([line(1, "a", 0), " \t "], 1, "the line between two sentences must be"),
    "no-break space alone": ([line(1, "a", 0), "\xa0"], 1, "between two sentences must be empty"),
    "empty FORM": ([line(1, "", 0)], 0, "FORM (column 2) is empty"),
    "empty MISC": ([line(1, "a", 0, "")], 0, "MISC (column 10) is empty; write `_`"),
    "HEAD a word": ([line(1, "a", "zero")], 0, "HEAD 'zero' is neither a number nor `_`"),
    "HEAD negative": ([line(1, "a", "-1")], 0, "HEAD '-1' is neither"),
    "HEAD a decimal": ([line(1, "a", "1.1")], 0, "HEAD '1.1' is neither"),
    "HEAD with zeros": ([line(1, "a", "00")], 0, "HEAD '00' is neither"),
    "HEAD in other digits": ([line(1, "a", "\u0660")], 0, "HEAD '\u0660' is neither"),
    "HEAD with a blank": ([line(1, "a", " 0")], 0, "HEAD ' 0' is neither"),
    "HEAD out of range": ([line(1, "a", 0), line(2, "b", 3)], 1, "HEAD '3' is out of range"),
    "HEAD enormous": ([line(1, "a", "9" * 5000)], 0, "is out of range; write the ID of a word, 1"),
    "HEAD mixed": (
        [line(1, "a", 2), line(2, "b"), line(3, "c", 0)],
        1,
        "HEAD is `_` here, but a number for 2 of 3 words",
    ),
    "HEAD on a range": (
        [line("1-2", "ab", 2), line(1, "a", 2), line(2, "b", 0)],
        0,
        "HEAD '2' on '1-2', which is not a word",
    ),
    "HEAD on an empty node": (
        [line(1, "a", 0), line("1.1", "b", 1)],
        1,
        "HEAD '1' on '1.1', which is not a word",
    ),
    "self-head": ([line(1, "a", 0), line(2, "b", 2)], 1, "word 2 is its own head"),
    "cycle": (
        [line(1, "a", 0), line(2, "b", 3), line(3, "c", 4), line(4, "d", 2)],
        1,
        "the heads form a cycle: 2 → 3 → 4 → 2",
    ),
    "no root": ([line(1, "a", 2), line(2, "b", 1)], 0, "no word is the root"),
    "two roots": ([line(1, "a", 0), line(2, "b", 0)], 1, "2 roots: words 1, 2"),
    "ID repeated": (
        [line(1, "a", 0), line(1, "b", 1)],
        1,
        "ID '1' out of order: the next word should be 2",
    ),
    "ID left out": (
        [line(1, "a", 0), line(3, "b", 1)],
        1,
        "ID '3' out of order: the next word should be 2",
    ),
    "ID from 0": ([line(0, "a", 0)], 0, "ID '0' out of order: the next word should be 1"),
    "ID no number": ([line("one", "a", 0)], 0, "'one' is not a valid ID"),
    "ID with a blank": ([line("1 ", "a", 0)], 0, "'1 ' is not a valid ID"),
    "ID with a no-break space": ([line("\xa01", "a", 0)], 0, r"'\xa01' is not a valid ID"),
    "range backwards": ([line("2-1", "ab"), line(1, "a", 0)], 0, "the range '2-1' is reversed"),
    "range out of place": (
        [line(1, "a", 0), line("1-2", "ab"), line(2, "b", 1)],
        1,
        "ID '1-2' out of order: the next word should be 2",
    ),
    "range behind range": (
        [line("1-2", "ab"), line("1-2", "ab"), line(1, "a", 0), line(2, "b", 1)],
        1,
        "the range '1-2' overlaps the one before it",
    ),
    "range in range": (
        [line("1-3", "abc"), line(1, "a", 0), line("2-3", "bc"), line(2, "b", 1), line(3, "c", 1)],
        2,
        "the range '2-3' overlaps the one before it",
    ),
    "range beyond the end": (
        [line(1, "a", 0), line("2-3", "bc"), line(2, "b", 1)],
        1,
        "a range ends at 3, but the last word is 2",
    ),
    "range enormous": (
        [line("1-9999999999", "a"), line(1, "a", 0)],
        0,
        "'1-9999999999' is not a valid ID",
    ),
    "empty node out of place": (
        [line(1, "a", 0), line("2.1", "b")],
        1,
        "ID '2.1' out of order: the next word should be 2",
    ),
    "empty node from 2": ([line(1, "a", 0), line("1.2", "b")], 1, "ID '1.2' out of order"),
    "empty node in a range's head": (
        [line("1-2", "ab"), line("0.1", "x"), line(1, "a", 0), line(2, "b", 1)],
        1,
        "ID '0.1' out of order: the next word should be 1",
    ),
    "no words": ([line("0.1", "a")], 0, "a sentence without words"),
    "sentences run together": (
        [line(1, "a", 0), "# sent_id = bad", line(1, "b", 0)],
        2,
        "leave an empty line between sentences",
    ),
    "other columns": (
        ["# global.columns = ID FORM HEAD", line(1, "a", 0)],
        0,
        "unsupported global.columns: 'ID FORM HEAD'",
    ),
    "BOM inside": ([line("\ufeff1", "a", 0)], 0, "a byte order mark inside the file; remove it"),
    "NUL": ([line(1, "a\0b", 0)], 0, "a NUL character"),
    "lone surrogate": ([line(1, "a", 0), line(2, "\ud800", 1)], 1, "lone surrogate U+D800"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_names_its_place(name):
    lines, at, what = FAULTS[name]
    text = dog("good") + block(*lines, sent_id="bad") + dog("also good")
    with pytest.raises(TreebankError) as caught:
        Treebank.from_text(text, path="some.conllu")
    message = str(caught.value)
    assert what in message
    assert message.startswith(f"some.conllu:{7 + at}: sent_id 'bad': ")
    assert "\n" not in message
    assert len(message) < 300
    assert caught.value.hint


@pytest.mark.parametrize("name", FAULTS)
def test_fault_can_be_skipped(name, caplog):
    lines, at, what = FAULTS[name]
    text = dog("good") + block(*lines, sent_id="bad") + dog("also good")
    bank = Treebank.from_text(text, path="some.conllu", on_error="skip")
    assert [sentence.sent_id for sentence in bank] == ["good", "also good"]
    (fault,) = bank.skipped
    assert what in str(fault)
    assert fault.line == 7 + at
    (record,) = caplog.records
    assert record.message == f"skipped faulty input: 1 error, the first: {fault}"
    assert "1 skipped" in repr(bank)
    assert bank[:1].skipped == bank.filter(len).skipped == bank.skipped


def test_invalid_utf8_names_its_line():
    bad = dog("bad").encode().replace(b"barks", b"b\xe4rks")
    data = dog("good").encode() + bad + dog("also good").encode()
    what = "x.conllu:9: sent_id 'bad': invalid UTF-8: byte 0xE4 at character 4"
    with pytest.raises(TreebankError, match=re.escape(what)):
        Treebank.from_text(data, path="x.conllu")
    bank = Treebank.from_text(data, path="x.conllu", on_error="skip")
    assert [sentence.sent_id for sentence in bank] == ["good", "also good"]
    assert bank.skipped[0].line == 9


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(encoding):
    data = dog("a").encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data
    with pytest.raises(TreebankError, match=r"x\.conllu:1: .*UTF-16"):
        Treebank.from_text(data, path="x.conllu")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "x.conllu: an empty file; give a CoNLL-U file"),
        (b"\xef\xbb\xbf", "x.conllu: no sentence in 1 characters"),
        (b"\n\n\r\n", "no sentence in 4 characters"),
        (b"# only\n\n# comments\n", "no sentence in 19 characters"),
    ],
)
def test_file_without_a_sentence(data, what):
    with pytest.raises(TreebankError, match=re.escape(what)):
        Treebank.from_text(data, path="x.conllu")
    with pytest.raises(TreebankError, match=r"no valid sentence: x\.conllu"):
        Treebank.from_text(data, path="x.conllu", on_error="skip")


def test_text_without_a_path_says_text():
    with pytest.raises(TreebankError, match=r"^<text>: an empty file"):
        Treebank.from_text("")
    with pytest.raises(TreebankError, match=r"^<text>:1: 'x' is not a valid ID"):
        Treebank.from_text(block(line("x", "a", 0)))


def test_unknown_on_error_lists_the_choices(tmp_path):
    for read in (Treebank.from_text, Treebank.read):
        with pytest.raises(TreebankError, match="on_error 'ignore'; choose from 'raise', 'skip'"):
            read(dog(), on_error="ignore")


def test_what_conllu_refuses_is_ours_too(monkeypatch):
    import conllu
    from conllu.exceptions import ParseException

    def refuse(data, **_):
        raise ParseException("no reason")

    monkeypatch.setattr(conllu, "parse_token_and_metadata", refuse)
    with pytest.raises(TreebankError, match="<text>:1: rejected by conllu: no reason"):
        Treebank.from_text(dog())


def test_long_circles_and_many_roots_are_shown_short():
    circle = [*range(2, 31), 1, 0]
    assert tree_fault(circle)[1] == ("the heads form a cycle: 1 → 2 → 3 → 4 → … → 28 → 29 → 30 → 1")
    assert tree_fault([0] * 9)[1] == "9 roots: words 1, 2, 3, 4, 5, …"


def test_circle_is_found_from_outside_and_blamed_on_a_word_of_it():
    # 1 hangs on 2, outside; 2 and 3 hang on one another; 4 is the root.
    assert tree_fault([2, 3, 2, 0])[:2] == (1, "the heads form a cycle: 2 → 3 → 2")


def test_non_projective_trees_are_welcome():
    rows = [line(1, "a", 3), line(2, "b", 4), line(3, "c", 0), line(4, "d", 3)]
    assert Treebank.from_text(block(*rows))[0].heads.tolist() == [3, 4, 0, 3]


def test_no_heads_at_all():
    bank = Treebank.from_text(block(line(1, "a"), line(2, "b")))
    assert bank[0].heads is None

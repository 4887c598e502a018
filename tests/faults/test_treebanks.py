"""Treebanks: bad and odd files, files cut short, and whatever else bytes can be."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import hypothesis
import pytest
from faults.treebank_files import FILES, PENDING, Expected, read, refused
from hypothesis import strategies as st
from support.conllu_text import block, dog, line
from support.scorecard import Tally
from support.tree_cases import trees
from treebank.test_fuzz import BANKS, CELL, HEAD, ID, read_or_refuse

from structprobe.errors import TreebankError
from structprobe.treebank import Sentence, Treebank

pytestmark = pytest.mark.fault_class("treebanks")

DOG = dog("one")


def lacking(reason: str) -> pytest.MarkDecorator:
    """Expect a failure where the package does not do yet what is wanted."""
    return pytest.mark.xfail(reason=reason, strict=True)


def attempt(source: object, **options: Any) -> Treebank | TreebankError:
    """Read a path, several, or bytes; any other exception than ours passes through."""
    try:
        way = Treebank.from_text if isinstance(source, bytes) else Treebank.read
        return way(source, **options)
    except TreebankError as error:
        return error


def assert_as_expected(
    found: Treebank | TreebankError, told: list[str], expected: Expected
) -> None:
    """Hold what came of reading a file, and what was logged, to the table."""
    if not expected.sentences:
        assert isinstance(found, TreebankError), f"read as {found!r}"
        assert str(found).isprintable()
        assert len(found.what) < 500
        assert expected.line in (None, found.line)
        assert re.search(expected.says, str(found)), str(found)
        return
    if isinstance(found, TreebankError):
        raise found
    assert (len(found), found.n_words) == (expected.sentences, expected.words)
    if expected.heads is not None:
        assert tuple(found[0].heads.tolist()) == expected.heads
    assert len(told) == (expected.says is not None), told
    assert all(re.search(expected.says, one) for one in told)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=lacking(PENDING[name]) if name in PENDING else ()) for name in FILES],
)
def test_bad_and_odd_files(name, tmp_path, caplog, whole):
    data, expected = FILES[name]
    path = tmp_path / "x.conllu"
    path.write_bytes(data)
    for source in (path, data) if whole else (path,):
        caplog.clear()
        found = attempt(source)
        assert_as_expected(found, caplog.messages, expected)
        lenient = attempt(source, on_error="skip")
        if isinstance(lenient, TreebankError):
            assert str(found) in str(lenient)
            continue
        if isinstance(found, TreebankError):
            assert str(lenient.skipped[0]) == str(found)
            continue
        assert (lenient, lenient.skipped) == (found, ())
        text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        assert found.to_conllu().encode() == text
        found.write(tmp_path / "again.conllu.gz")
        assert Treebank.read(tmp_path / "again.conllu.gz") == found


# What may be named as a file: how it is made in a folder of its own, and what is to be said of it.
Made = Callable[[Path], object]


def written(name: str, data: bytes = DOG.encode()) -> Made:
    """Write a file."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def linked(name: str, target: str) -> Made:
    """Make a symbolic link."""

    def make(folder: Path) -> Path:
        written("x.conllu")(folder)
        (folder / name).symlink_to(target)
        return folder / name

    return make


def piped(folder: Path) -> Path:
    """Make a named pipe that somebody writes to, as ``<(zcat x.gz)`` does in the shell."""
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=(folder / "pipe").write_text, args=(DOG,), daemon=True)
    writer.start()
    return folder / "pipe"


def closed(folder: Path) -> Path:
    """Make a file that may not be read."""
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    path = written("x.conllu")(folder)
    path.chmod(0)
    return path


NOT_OURS = "fails with a ValueError of Python"
UNPRINTABLE = "prints the name of a file as it is"
PATHS: dict[str, tuple[Made, Expected, str | None]] = {
    "a folder": (
        lambda folder: folder,
        refused(None, r"is a folder, not a file.*\*\.conllu"),
        None,
    ),
    "a pipe": (piped, read(1, 3), None),
    "/dev/null": (lambda _: "/dev/null", refused(None, "an empty file"), None),
    "a missing file": (lambda folder: folder / "x", refused(None, "no such file"), None),
    "a missing folder": (lambda folder: folder / "x" / "y", refused(None, "no folder"), None),
    "a file as a folder": (
        lambda folder: f"{written('x')(folder)}/y",
        refused(None, "no such file.*cannot be listed"),
        None,
    ),
    "a link": (linked("y", "x.conllu"), read(1, 3), None),
    "a link to nothing": (linked("y", "z"), refused(None, "no such file"), None),
    "a link to itself": (linked("y", "y"), refused(None, "no such file"), None),
    "a link to its folder": (linked("y", "."), refused(None, "is a folder"), None),
    "a file that may not be read": (closed, refused(None, "cannot be read: Permission"), None),
    "an empty name": (lambda _: "", refused(None, "no such file"), None),
    "no name": (lambda _: [], refused(None, "no input file was given"), None),
    "an endless name": (lambda _: "x" * 5000, refused(None, "no such file"), None),
    "an endless folder": (lambda _: "x/" * 5000 + "y", refused(None, "no such file"), None),
    "NUL in a name": (lambda _: "a\0b", refused(None, "no such file|NUL"), UNPRINTABLE),
    "NUL in a folder": (lambda _: "a\0b/c", refused(None, "no such file|NUL"), NOT_OURS),
    "a line feed in a name": (written("a\nb", b""), refused(None, "empty file"), UNPRINTABLE),
    "an escape in a name": (written("\x1b[31mx", b""), refused(None, "empty file"), UNPRINTABLE),
    "a name that is no UTF-8": (
        written(os.fsdecode(b"caf\xe9.conllu"), b""),
        refused(None, "an empty file"),
        UNPRINTABLE,
    ),
    "a name of blanks": (written(" a b "), read(1, 3), None),
    "a name like a pattern": (written("x[1]*?.conllu"), read(1, 3), None),
    "a name like an option": (written("--help"), read(1, 3), None),
    "a pattern of nothing": (
        lambda folder: f"{folder}/*.x",
        refused(None, "matches no file"),
        None,
    ),
    "a pattern of folders": (
        lambda folder: ((folder / "sub").mkdir(), f"{folder}/s*")[1],
        refused(None, "matches no file"),
        None,
    ),
    "a pattern without an end": (lambda folder: f"{folder}/[", refused(None, "no file"), None),
    "the same file twice": (lambda folder: [written("x")(folder)] * 2, read(2, 6), None),
    "gzip by its name alone": (written("x.conllu.gz"), read(1, 3), None),
    "gzip by its content alone": (
        written("x.conllu", gzip.compress(DOG.encode())),
        read(1, 3),
        None,
    ),
    "xz by its name alone": (written("x.conllu.xz"), read(1, 3), None),
    "zip by its name alone": (written("x.zip"), read(1, 3), None),
    "no suffix": (written("x"), read(1, 3), None),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=lacking(reason) if reason else ())
        for name, (_, _, reason) in PATHS.items()
    ],
)
@pytest.mark.timeout(60)
def test_what_may_be_named_as_a_file(name, tmp_path, caplog):
    make, expected, _ = PATHS[name]
    found = attempt(make(tmp_path))
    if isinstance(found, TreebankError):  # however long the path
        assert "\n" not in str(found)
        found.args = (found.what,) if found.path and len(found.path) > 1000 else found.args
    assert_as_expected(found, caplog.messages, expected)


ENDLESS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
from structprobe import Treebank
from structprobe.errors import TreebankError
try:
    Treebank.read(sys.argv[1])
except TreebankError as error:
    print(error)
"""


@lacking("reads a device until the memory is full")
@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no /dev/zero")
def test_a_device_without_an_end():
    command = [sys.executable, "-c", ENDLESS, "/dev/zero"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("/dev/zero: is a device"), done.stderr[-300:]


# What `parse` and `score` of a system may be given: sentences whose heads are no trees.
NO_TREES = {
    "heads that are partly `_`": block(line(1, "a", 2), line(2, "b"), line(3, "c", 0)),
    "a cycle": block(line(1, "a", 2), line(2, "b", 1), line(3, "c", 0)),
    "no root": block(line(1, "a", 2), line(2, "b", 1)),
    "two roots": block(line(1, "a", 0), line(2, "b", 0)),
    "its own head": block(line(1, "a", 1), line(2, "b", 0)),
    "out of range": block(line(1, "a", 7), line(2, "b", 0)),
    "no number": block(line(1, "a", "x"), line(2, "b", 0)),
    "heads on a range": block(line("1-2", "ab", 0), line(1, "a", 2), line(2, "b", 0)),
}


@lacking("has no way to read words alone")
@pytest.mark.parametrize("name", NO_TREES)
def test_heads_do_not_matter_where_words_alone_are_read(name, caplog):
    text = NO_TREES[name]
    bank = Treebank.from_text(text, heads="ignore")
    assert all(sentence.heads is None for sentence in bank)
    assert bank.to_conllu() == text
    assert caplog.messages == []


@lacking("has no way to read arcs that form no tree")
@pytest.mark.parametrize("name", ["a cycle", "no root", "two roots", "its own head"])
def test_arcs_that_form_no_tree_can_be_read(name):
    bank = Treebank.from_text(NO_TREES[name], heads="any")
    cells = [line.split("\t") for line in NO_TREES[name].split("\n") if line]
    assert bank[0].heads.tolist() == [int(row[6]) for row in cells]


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
        found = attempt(EVERYTHING[:end], on_error="skip")
        # Comments at the end belong to the last sentence: cut within a character, they spoil it.
        sure = len(re.findall(rb"\n\r?\n", EVERYTHING[:end])) - 1
        if sure > 0:
            assert [(one.words, one.heads.tolist()) for one in found[:sure]] == all_of_it[:sure]

    tally.each(check, [(end,) for end in range(len(EVERYTHING) + 1)])


def test_gzip_files_cut_at_every_byte(tally: Tally):
    data = gzip.compress(EVERYTHING, mtime=0)
    assert Treebank.from_text(data) == Treebank.from_text(EVERYTHING)

    def check(end: int) -> None:
        found = attempt(data[:end], path="x.gz")
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
def test_trees_written_and_read(tally, seconds, tmp_path):
    def check(bank: Treebank) -> None:
        path = tmp_path / "x.conllu.gz"
        bank.write(path)
        again = Treebank.read(path)
        assert again == bank
        assert again.fingerprint == bank.fingerprint
        assert again.to_conllu() == bank.to_conllu()

    fuzz(tally, seconds, BANKS, check)


@lacking("writes a sent_id and gaps that it reads otherwise")
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
        attempt(data)
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


@lacking("writes the lines that were read, whatever was changed")
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
    bank = Treebank([replace(Treebank.from_text(DOG)[0], **changes)])
    assert_read_as_written(bank)


def test_lists_of_words_written_and_read(tally):
    banks = [[["a", "_"], ["b"]], [["\u3000"], ["#", "1\xa0000"]], [["a"] * 5000]]
    tally.each(
        lambda words: assert_read_as_written(Treebank.from_words(words)), [(b,) for b in banks]
    )

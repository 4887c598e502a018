"""Treebanks: bad and odd files, what may be named as one, and what is none."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.treebank_files import FILES, Expected, read, refused, warned
from support.conllu_text import block, dog, line

from structprobe.errors import TreebankError
from structprobe.treebank import Sentence, Treebank, join_blocks, rewrite
from structprobe.treebank.files import to_text

pytestmark = pytest.mark.fault_class("treebanks")

DOG = dog("one")


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


@pytest.mark.parametrize("name", FILES)
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


PATHS: dict[str, tuple[Made, Expected]] = {
    "a folder": (lambda folder: folder, refused(None, r"is a folder, not a file.*\*\.conllu")),
    "a pipe": (piped, read(1, 3)),
    "/dev/null": (lambda _: "/dev/null", refused(None, "an empty file")),
    "a missing file": (lambda folder: folder / "x", refused(None, "no such file")),
    "a missing folder": (lambda folder: folder / "x" / "y", refused(None, "no folder")),
    "a file as a folder": (
        lambda folder: f"{written('x')(folder)}/y",
        refused(None, "no such file.*cannot be listed"),
    ),
    "a link": (linked("y", "x.conllu"), read(1, 3)),
    "a link to nothing": (linked("y", "z"), refused(None, "no such file")),
    "a link to itself": (linked("y", "y"), refused(None, "no such file")),
    "a link to its folder": (linked("y", "."), refused(None, "is a folder")),
    "a file that may not be read": (closed, refused(None, "cannot be read: Permission")),
    "an empty name": (lambda _: "", refused(None, "no such file")),
    "no name": (lambda _: [], refused(None, "no input file was given")),
    "an endless name": (lambda _: "x" * 5000, refused(None, "no such file")),
    "an endless folder": (lambda _: "x/" * 5000 + "y", refused(None, "no such file")),
    "NUL in a name": (lambda _: "a\0b", refused(None, "no such file|NUL")),
    "NUL in a folder": (lambda _: "a\0b/c", refused(None, "no such file|NUL")),
    "a line feed in a name": (written("a\nb", b""), refused(None, "empty file")),
    "an escape in a name": (written("\x1b[31mx", b""), refused(None, "empty file")),
    "a name that is no UTF-8": (
        written(os.fsdecode(b"caf\xe9.conllu"), b""),
        refused(None, "an empty file"),
    ),
    "a name of blanks": (written(" a b "), read(1, 3)),
    "a name like a pattern": (written("x[1]*?.conllu"), read(1, 3)),
    "a name like an option": (written("--help"), read(1, 3)),
    "a pattern of nothing": (lambda folder: f"{folder}/*.x", refused(None, "matches no file")),
    "a pattern of folders": (
        lambda folder: ((folder / "sub").mkdir(), f"{folder}/s*")[1],
        refused(None, "matches no file"),
    ),
    "a pattern without an end": (lambda folder: f"{folder}/[", refused(None, "no file")),
    "the same file twice": (
        lambda folder: [written("x")(folder)] * 2,
        warned(2, 6, "x: is given 2 times"),
    ),
    "gzip by its name alone": (written("x.conllu.gz"), read(1, 3)),
    "gzip by its content alone": (written("x.conllu", gzip.compress(DOG.encode())), read(1, 3)),
    "xz by its name alone": (written("x.conllu.xz"), read(1, 3)),
    "zip by its name alone": (written("x.zip"), read(1, 3)),
    "no suffix": (written("x"), read(1, 3)),
}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.timeout(60)
def test_what_may_be_named_as_a_file(name, tmp_path, caplog):
    make, expected = PATHS[name]
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


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/random", "/dev/tty"])
def test_devices_are_no_files(name):
    if not os.path.exists(name):
        pytest.skip(f"there is no {name}")
    with pytest.raises(TreebankError, match=f"^{name}: is a device, which may have no end; give"):
        Treebank.read(name)


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


@pytest.mark.parametrize("name", NO_TREES)
def test_heads_do_not_matter_where_words_alone_are_read(name, caplog):
    text = NO_TREES[name]
    bank = Treebank.from_text(text, heads="ignore")
    assert all(sentence.heads is None for sentence in bank)
    assert bank.to_conllu() == text
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["a cycle", "no root", "two roots", "its own head"])
def test_arcs_that_form_no_tree_can_be_read(name):
    bank = Treebank.from_text(NO_TREES[name], heads="any")
    cells = [line.split("\t") for line in NO_TREES[name].split("\n") if line]
    assert bank[0].heads.tolist() == [int(row[6]) for row in cells]


# Two sentences of CoNLL-U Plus: HEAD in another place, and a column that is not ours.
PLUS = (
    "# global.columns = ID HEAD FORM A:B\n# sent_id = one\n"
    "1\t2\ta\tx\n2\t0\tb\ty\n\n"
    "# sent_id = two\n1\t0\tc\tz\n\n"
)


def as_said(bank: Treebank) -> list[tuple[object, ...]]:
    """Give all that counts of each sentence."""
    return [(s.words, s.heads.tolist(), s.sent_id) for s in bank]


@pytest.mark.parametrize("part", [slice(1), slice(1, None), slice(None, None, -1)], ids=str)
def test_a_part_of_plus_says_its_columns(part):
    """Whichever sentence comes first, and once alone."""
    bank = Treebank.from_text(PLUS)
    text = bank[part].to_conllu()
    assert text.startswith("# global.columns = ID HEAD FORM A:B\n")
    assert as_said(Treebank.from_text(text)) == as_said(bank)[part]


def test_new_heads_go_into_their_column_of_plus():
    bank = Treebank.from_text(PLUS)
    text = join_blocks([rewrite(bank[0], [0, 1]), rewrite(bank[1], [0])])
    assert text == PLUS.replace("1\t2\ta", "1\t0\ta").replace("2\t0\tb", "2\t1\tb")


def test_plus_and_plain_are_not_mixed_up():
    bank = Treebank([*Treebank.from_text(PLUS), *Treebank.from_text(DOG)])
    try:
        text = bank.to_conllu()
    except TreebankError:
        return
    assert as_said(Treebank.from_text(text)) == as_said(bank)


def ranges(n: int) -> str:
    """A sentence of n words, each in a range of its own."""
    return block(
        *(row for i in range(1, n + 1) for row in (line(f"{i}-{i}", "a"), line(i, "a", i - 1)))
    )


@pytest.mark.slow
@pytest.mark.timeout(40)  # a minute and more on a free machine where the time grows with the square
def test_very_many_ranges_take_no_ages():
    assert Treebank.from_text(ranges(30_000)).n_words == 30_000


# What beginners give for a path, for text, or for the columns of a sentence.
NO_PATHS = [None, 3, b"x.conllu", [None], [DOG], {"a": 1}.items(), Treebank.from_text(DOG)]
NO_TEXTS = [None, 3, [DOG], Path("x.conllu"), DOG.split("\n")]
NO_SENTENCES = [
    {"words": (3,)},
    {"words": (None,)},
    {"words": 3},
    {"words": None},
    {"words": ("a",), "gaps": (3,)},
    {"words": ("a",), "gaps": "_"},
    {"words": ("a",), "upos": (None,)},
    {"words": ("a",), "upos": 3},
    {"words": ("a",), "heads": ["x"]},
    {"words": ("a",), "heads": [0.0]},
    {"words": ("a",), "heads": "0"},
    {"words": ("a",), "sent_id": 3},
    *(
        {"words": ("a",), "sent_id": name}
        for name in ("", " ", " a", "a ", "a\nb", "a\0", "\ud800")
    ),
    *({"words": ("a",), "gaps": (gap,)} for gap in ("_", "  ", "\n", "\xa0")),
    *({"words": (word,)} for word in ("", "\t", "a\nb", "\0", "\ud800")),
]


def assert_refused(make: Callable[[], object]) -> None:
    """Hold a mistake to one line of ours."""
    with pytest.raises(TreebankError) as caught:
        make()
    assert str(caught.value).isprintable()


def test_what_is_no_path(tally):
    tally.each(lambda x: assert_refused(lambda: Treebank.read(x)), [(x,) for x in NO_PATHS])


def test_what_is_no_text(tally):
    tally.each(lambda x: assert_refused(lambda: Treebank.from_text(x)), [(x,) for x in NO_TEXTS])


def test_what_is_no_sentence(tally):
    tally.each(lambda x: assert_refused(lambda: Sentence(**x)), [(x,) for x in NO_SENTENCES])


# What beginners give for sentences, and for the path of a file to write.
NO_BANKS = [None, 3, [None], [["a"]], "the dog", b"x"]
NO_WORDS = [None, 3, [None], [3], ["the dog"], "the dog", [[3]], [[None]], [[]], b"x"]
NO_TARGETS = [None, 3, b"x", "", "a\0b", "/"]


def test_what_is_no_list_of_sentences(tally):
    tally.each(lambda x: assert_refused(lambda: Treebank(x)), [(x,) for x in NO_BANKS])


def test_what_is_no_list_of_words(tally):
    tally.each(lambda x: assert_refused(lambda: Treebank.from_words(x)), [(x,) for x in NO_WORDS])


def test_what_is_no_path_to_write_to(tally):
    bank = Treebank.from_text(DOG)
    tally.each(lambda x: assert_refused(lambda: bank.write(x)), [(x,) for x in NO_TARGETS])


def test_plain_text_is_not_taken_for_an_archive(tally):
    """Text that begins like one, or as an archive may be named; `parse --text` reads it."""
    texts = ["BZhang", "PK", "ustar" * 60, "x" * 257 + "ustar is a format", "\x1f"]

    def check(text: str) -> None:
        assert to_text(text.encode(), None) == text

    tally.each(check, [(text,) for text in texts])

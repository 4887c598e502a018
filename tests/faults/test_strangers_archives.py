"""Strangers: archives of treebanks that lie, lead elsewhere, or unpack without end."""

from __future__ import annotations

import gzip
import io
import random
import sys
import tarfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.strangers import harmless, refuse, some, told
from support.ud_server import SENTENCE

from structprobe.treebank import archive
from structprobe.treebank.archive import unpack

pytestmark = [pytest.mark.fault_class("strangers"), pytest.mark.timeout(300)]

TOP = "UD_Toy-One-r2.16"
TRAIN = f"{TOP}/toy_one-ud-train.conllu"


def header(name: str | bytes, size: int | bytes = 0, kind: bytes = b"0", link: str = "") -> bytes:
    """The block before a file, its size being whatever is said."""
    told_size = size if isinstance(size, bytes) else b"%011o\0" % size
    raw = name.encode() if isinstance(name, str) else name
    fields = raw[:100].ljust(100, b"\0") + b"0000644\0" * 3 + told_size.ljust(12, b"\0")
    fields += b"%011o\0" % 0 + b" " * 8 + kind + link.encode().ljust(100, b"\0")
    block = bytearray((fields + b"ustar\x0000").ljust(512, b"\0"))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: str | bytes, data: bytes = b"", kind: bytes = b"0", **more: object) -> bytes:
    return header(name, len(data), kind, **more) + data.ljust(-(-len(data) // 512) * 512, b"\0")


def pax(kind: bytes = b"x", **records: str) -> bytes:
    """A header of further records, such as a size beyond what the first can say."""
    lines = b""
    for name, value in records.items():
        line = f" {name.replace('__', '.')}={value}\n".encode()
        length = len(line)
        while length != len(line) + len(str(length)):
            length = len(line) + len(str(length))
        lines += str(length).encode() + line
    return member("pax", lines, kind)


def binary(size: int) -> bytes:
    """A size in base 256, which can be negative or of 88 bits."""
    return bytes([0xFF if size < 0 else 0x80]) + (size % 2**88).to_bytes(11, "big")


GOOD = member(TRAIN, SENTENCE.format(name="a").encode()) + member(f"{TOP}/LICENSE.txt", b"CC0")
END = bytes(1024)
LONG = "x" * 5000
ZEROS = bytes(2**20)

ARCHIVES: dict[str, bytes] = {
    **{f"a name that leads to {name!r}": GOOD + member(name, b"evil") + END
       for name in ("../x.conllu", f"{TOP}/../../x.conllu", "/etc/x.conllu", f"{TOP}/..", "..",
                    f"{TOP}//../../x", "//x/y.conllu")},
    **{f"a member of kind {kind!r}": GOOD + member(f"{TOP}/a.conllu", kind=kind, link=link) + END
       for kind in (b"1", b"2", b"3", b"4", b"6") for link in ("/etc/passwd", "../../outside/x")},
    "a long name that leads out": GOOD + member("././@LongLink", b"../" * 90 + b"x.conllu", b"L")
    + member("x", b"evil") + END,
    "a record that leads out": GOOD + pax(path="../../x.conllu") + member("x", b"evil") + END,
    "a record for all that leads out": pax(b"g", path="/x.conllu") + GOOD + END,
    "a long name of 4 GB": header("././@LongLink", 2**32, b"L") + END,
    "a long name of 2^80": header("././@LongLink", binary(2**80), b"L") + END,
    "a long name of 300 KB": member("././@LongLink", b"x" * 300_000, b"L") + GOOD + END,
    "records of 4 GB": header("pax", 2**32, b"x") + END,
    "records for all of 4 GB": header("pax", 2**32, b"g") + END,
    "a long link of 4 GB": header("././@LongLink", 2**32, b"K") + END,
    "long names without end": member("././@LongLink", b"x", b"L") * 3000 + GOOD + END,
    "records without end": pax(comment="x") * 3000 + GOOD + END,
    "a size below 0": GOOD + header(f"{TOP}/a.conllu", binary(-512)) + END,
    "a long name below 0": header("././@LongLink", binary(-512), b"L") + END,
    "a size of 2^80": GOOD + header(f"{TOP}/a.conllu", binary(2**80)) + END,
    "a record with a size below 0": GOOD + pax(size="-1024") + header(f"{TOP}/a.conllu") + END,
    "a record with a size of 10^30": GOOD + pax(size="1" + "0" * 30) + header("x/a") + END,
    "a record with 5,000 digits": GOOD + pax(size="9" * 5000) + header("x/a") + END,
    "a file larger than the rest": header(TRAIN, 2**20) + END,
    "holes of 10^12": GOOD + pax(GNU__sparse__major="1", GNU__sparse__minor="0",
                                 GNU__sparse__name=f"{TOP}/a.conllu",
                                 GNU__sparse__realsize=str(10**12))
    + member("x", b"1\n0\n1\n" + bytes(506)) + END,
    "holes without end": GOOD + pax(GNU__sparse__major="1", GNU__sparse__minor="0")
    + member("x", b"9" * 510 + b"\n1") + END,
    "holes of the old kind": GOOD + header(f"{TOP}/a.conllu", 512, b"S") + bytes(512) + END,
    "an octal size that is none": GOOD + header(f"{TOP}/a.conllu", b"99999999999\0") + GOOD + END,
    "a name of 10,000 bytes": GOOD
    + member("././@LongLink", f"{TOP}/{LONG * 2}.conllu".encode(), b"L")
    + member("x", b"x") + END,
    "a name with NUL": GOOD + pax(path=f"{TOP}/a\0.conllu/../../x") + member("x", b"x") + END,
    "the same file twice": GOOD + GOOD + END,
    "the same file by two names": GOOD + member(TRAIN.replace("/", "/./"), b"x") + END,
    "more than a hundred times": GOOD + ZEROS * 70 + END,
    "a file of zeros": member(TRAIN, ZEROS * 70) + END,
    "a file that is left out of zeros": member(f"{TOP}/x", ZEROS * 70) + GOOD + END,
    "zeros behind the end": GOOD + END + ZEROS * 70,
    "many tiny files": b"".join(member(f"{TOP}/{i}") for i in range(500)) + END,
    "another archive within": gzip.compress(GOOD + END),
    "nothing": b"",
}  # fmt: skip


def try_to_unpack(data: bytes, folder: Path) -> str:
    """Unpack an archive, and see what of it is there."""
    room = folder / "room"
    room.mkdir(exist_ok=True)
    path = folder / "packed"
    path.write_bytes(data)
    for old in room.iterdir():
        old.unlink()
    if told(unpack, path, room, "url"):
        return "refused"
    assert {one.name for one in room.iterdir()} <= {"toy_one-ud-train.conllu", "LICENSE.txt"}
    return "unpacked"


def test_archives(tmp_path, monkeypatch, tally, whole):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 400)
    outside = tmp_path / "outside"
    outside.mkdir()

    def check(name: str) -> None:
        with harmless(outside):
            found = try_to_unpack(gzip.compress(ARCHIVES[name], 9, mtime=0), tmp_path)
        leaves_out = name in ("a record with 5,000 digits", "a name of 10,000 bytes")
        leaves_out |= name == "a size below 0" and sys.version_info >= (3, 14)
        assert found == "refused" or leaves_out
        assert sorted(one.name for one in tmp_path.iterdir()) == ["outside", "packed", "room"]

    tally.each(check, some([(name,) for name in ARCHIVES], whole, 12))


def test_archives_of_odd_but_true_files(tmp_path):
    """What is left out may have any name or kind; deep folders, long names and records are read."""
    deep = member("././@LongLink", f"{TOP}/{'d/' * 2000}x".encode(), b"L") + member("x", b"x")
    others = [member(f"{TOP}/\x1b[31m.exe", b"x"), member(f"{TOP}/link", kind=b"2", link="/etc")]
    data = pax(b"g", comment="0" * 40) + deep + b"".join(others) + pax(mtime="1.5") + GOOD + END
    assert try_to_unpack(gzip.compress(data), tmp_path) == "unpacked"


def test_archives_cut_anywhere(tmp_path, tally, whole):
    data = gzip.compress(GOOD + END, mtime=0)
    ends = range(len(data)) if whole else range(0, len(data), 9)

    def check(end: int) -> None:
        assert try_to_unpack(data[:end], tmp_path) == "refused"

    tally.each(check, [(end,) for end in ends])


def damaged(data: bytes, generator: random.Random) -> bytes:
    wrong = bytearray(data)
    for _ in range(generator.randint(1, 6)):
        at = generator.randrange(len(wrong) // 512) * 512 + generator.choice(
            (*range(20), *range(100, 160), 257, 345)
        )
        wrong[at] = generator.choice((0, 0x80, 0xFF, 0x2F, 0x2E, generator.randrange(256)))
    for start in range(0, len(wrong) - 512, 512):  # checksums that are right again
        if generator.random() < 0.9 and wrong[start + 257 : start + 262] == b"ustar":
            wrong[start + 148 : start + 156] = b" " * 8
            wrong[start + 148 : start + 156] = b"%06o\0 " % sum(wrong[start : start + 512])
    return bytes(wrong)


def test_archives_with_damaged_headers(tmp_path, tally, whole):
    """Whatever the headers say: unpacked, or one of our errors, and little memory."""
    outside = tmp_path / "outside"
    outside.mkdir()
    generator = random.Random(0)
    data = pax(path=TRAIN, size="3") + member("x", b"abc") + GOOD + member("n", b"x", b"L") + GOOD
    with harmless(outside):
        tally.each(
            lambda _: try_to_unpack(gzip.compress(damaged(data, generator), 1), tmp_path),
            [(number,) for number in range(3000 if whole else 60)],
        )
    assert not (tmp_path / "x.conllu").exists()


def test_what_the_limits_are(tmp_path, monkeypatch):
    """As stated: a hundred times the download, 4 GB, and so many files."""
    assert (archive.MAX_UNPACKED, archive.MAX_MEMBERS) == (2**32, 20_000)
    words = "".join(random.Random(1).choices("abcdef ", k=2**20)).encode()
    data = gzip.compress(member(TRAIN, words) + END)
    assert try_to_unpack(data, tmp_path) == "unpacked"
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2**19)
    (tmp_path / "room" / "toy_one-ud-train.conllu").unlink()
    assert "more than 524288 bytes" in refuse(unpack, tmp_path / "packed", tmp_path / "room", "url")


def test_large_archives_take_little_memory(tmp_path):
    (tmp_path / "room").mkdir()
    words = random.Random(1).randbytes(2**20)
    with gzip.open(tmp_path / "packed", "wb", 1) as file:
        file.write(header(TRAIN, 6 * 2**20))
        for _ in range(6):
            file.write(words)
        file.write(END)
    tracemalloc.start()
    unpack(tmp_path / "packed", tmp_path / "room", "url")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def names(data: bytes) -> Iterable[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as members:
        return members.getnames()


def test_the_archives_say_what_they_are_meant_to():
    """The library reads the sizes and names that the blocks were made with."""
    assert names(GOOD + END) == [TRAIN, f"{TOP}/LICENSE.txt"]
    assert names(pax(path="../../x.conllu") + member("x", b"evil") + END) == ["../../x.conllu"]

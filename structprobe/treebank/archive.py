"""Unpacking the archive of a treebank's repository, without trusting its content."""

from __future__ import annotations

import gzip
import re
import reprlib
import shutil
import struct
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from structprobe.errors import TreebankError
from structprobe.treebank.files import MAX_EXPANSION, SMALL

WANTED = re.compile(r"[\w.-]{1,200}\.conllu|(LICENSE|README)[\w.-]{0,200}", re.ASCII)
MAX_UNPACKED = 4 * 2**30  # bytes; the largest treebanks have a tenth of it
MAX_TAIL = 2**20  # bytes behind the last file: tar pads with some 10,000 zeros
MAX_MEMBERS = 20_000  # files; the largest repositories have some hundred
_CHUNK = 2**16  # bytes that are read at a time; no record of a long name needs more
# What the library raises for archives that are damaged or lie, such as sizes that are no numbers.
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, ValueError, RecursionError, OverflowError,
           gzip.BadGzipFile, MemoryError, IndexError, struct.error)  # fmt: skip


class _Unpacked(gzip.GzipFile):
    """The archive, of which only little is held in memory at a time."""

    def read(self, size: int | None = -1) -> bytes:
        """Refuse what the header of a long name, or of nothing, asks for."""
        if size is None or not 0 <= size <= 2 * _CHUNK:
            raise EOFError("a record is too long")
        return super().read(size)


def unpack(archive: Path, folder: Path, name: str) -> None:
    """Unpack only the treebank, its licence and its README."""
    try:
        most = min(MAX_UNPACKED, max(SMALL, MAX_EXPANSION * archive.stat().st_size))
        with _Unpacked(archive) as packed, tarfile.open(fileobj=packed, mode="r:") as members:
            _unpack(members, folder, name, most)
            # Reading to the end is what lets gzip compare its checksum.
            for _ in range(MAX_TAIL // _CHUNK):
                if not (tail := packed.read(_CHUNK)):
                    return
                if tail.strip(b"\0"):  # behind a header that is none, where the library stops
                    raise EOFError("data after its end")
            raise TreebankError("too much data after the last file of the archive", path=name)
    except TreebankError:
        raise
    except _DAMAGE as error:
        what = f"the download is not a complete archive: {error}"
        raise TreebankError(what, path=name, hint="try again") from error


def _unpack(members: tarfile.TarFile, folder: Path, name: str, most: int) -> None:
    size = 0
    for number, member in enumerate(members, start=1):
        place, shown = PurePosixPath(member.name), reprlib.repr(member.name)
        size += max(member.size, 0)
        if size > most:
            raise TreebankError(f"unpacks to more than {most} bytes", path=name)
        if number > MAX_MEMBERS:
            raise TreebankError(f"has more than {MAX_MEMBERS} members", path=name)
        if place.is_absolute() or ".." in place.parts:
            raise _unsafe(f"{shown} points outside the archive's folder", name)
        if member.size < 0 or member.issparse():
            raise _unsafe(f"{shown} is not as large as it says", name)
        if len(place.parts) != 2 or member.isdir() or not WANTED.fullmatch(place.name):
            continue
        source = members.extractfile(member) if member.isreg() else None
        if source is None:
            raise _unsafe(f"{shown} is a link or a device, not a regular file", name)
        if (folder / place.name).exists():
            raise _unsafe(f"{shown} occurs twice", name)
        with source, (folder / place.name).open("xb") as target:
            shutil.copyfileobj(source, target, _CHUNK)


def _unsafe(what: str, name: str) -> TreebankError:
    what = f"the archive was not unpacked: {what}"
    return TreebankError(what, path=name, hint="its source should not be trusted")

"""Unpacking the archive of a treebank's repository, without trusting its content."""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from structprobe.errors import TreebankError

WANTED = re.compile(r"[\w.-]+\.conllu|(LICENSE|README)[\w.-]*", re.ASCII)
MAX_UNPACKED = 4 * 2**30  # bytes; the largest treebanks have a tenth of it
MAX_TAIL = 2**20  # bytes behind the last file: tar pads with some 10,000 zeros


def unpack(archive: Path, folder: Path, name: str) -> None:
    """Unpack only the treebank, its licence and its README."""
    try:
        with gzip.open(archive) as packed, tarfile.open(fileobj=packed, mode="r:") as members:
            _unpack(members, folder, name)
            # Reading to the end is what lets gzip compare its checksum.
            if len(packed.read(MAX_TAIL)) == MAX_TAIL:
                raise TreebankError("too much data after the last file of the archive", path=name)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        what = f"the download is not a complete archive: {error}"
        raise TreebankError(what, path=name, hint="try again") from error


def _unpack(members: tarfile.TarFile, folder: Path, name: str) -> None:
    size = 0
    for member in members:
        place = PurePosixPath(member.name)
        size += max(member.size, 0)
        if size > MAX_UNPACKED:
            raise TreebankError(f"unpacks to more than {MAX_UNPACKED} bytes", path=name)
        if place.is_absolute() or ".." in place.parts:
            raise _unsafe(f"{member.name!r} points outside the archive's folder", name)
        if len(place.parts) != 2 or member.isdir() or not WANTED.fullmatch(place.name):
            continue
        source = members.extractfile(member) if member.isreg() else None
        if source is None:
            raise _unsafe(f"{member.name!r} is a link or a device, not a regular file", name)
        if (folder / place.name).exists():
            raise _unsafe(f"{member.name!r} occurs twice", name)
        with source, (folder / place.name).open("xb") as target:
            shutil.copyfileobj(source, target)


def _unsafe(what: str, name: str) -> TreebankError:
    what = f"the archive was not unpacked: {what}"
    return TreebankError(what, path=name, hint="its source should not be trusted")

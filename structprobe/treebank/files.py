"""From paths and glob patterns to the bytes and text of files."""

from __future__ import annotations

import difflib
import glob
import io
import os
import zlib
from collections.abc import Iterable
from gzip import GzipFile
from pathlib import Path

from structprobe.errors import TreebankError

GZIP_MAGIC = b"\x1f\x8b"
# CoNLL-U shrinks by 5 to 20 under gzip. A file that unfolds to more than this many times its
# size, and to more than `SMALL` bytes, was made to fill the memory and is refused.
MAX_EXPANSION = 100
SMALL = 64 * 2**20


def find_files(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the files for a path, a glob pattern or several of them."""
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    found = [file for path in paths for file in _matches(os.fspath(path))]
    if not found:
        raise TreebankError("no input file was given", hint="give a path or a pattern")
    return found


def find_parts(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """List the files of a Universal Dependencies treebank by the part they belong to."""
    if not os.path.lexists(folder):
        raise TreebankError(
            "no such folder",
            path=os.fspath(folder),
            hint="give the folder of a UD treebank; `structprobe treebank` downloads one by name",
        )
    found = {
        part: sorted(Path(folder).glob(f"*-ud-{part}*.conllu*"))
        for part in ("train", "dev", "test")
    }
    if not any(found.values()):
        raise TreebankError(
            "is not a UD treebank folder",
            path=os.fspath(folder),
            hint="its files should have names such as en_ewt-ud-train.conllu",
        )
    return {part: files for part, files in found.items() if files}


def _matches(path: str) -> list[Path]:
    if os.path.isdir(path):
        raise TreebankError(
            "is a folder, not a file", path=path, hint=f"give its files, such as {path}/*.conllu"
        )
    if os.path.exists(path):
        return [Path(path)]
    if glob.has_magic(path):
        files = sorted(Path(m) for m in glob.glob(path, recursive=True) if os.path.isfile(m))
        if not files:
            raise TreebankError("the pattern matches no file", path=path, hint=_nearby(path))
        return files
    raise TreebankError("no such file", path=path, hint=_nearby(path))


def _nearby(path: str) -> str:
    """Suggest a similar file, or say what is wrong with the folder."""
    folder, name = os.path.split(path)
    try:
        names = sorted(set(os.listdir(folder or ".")) - {name})
    except FileNotFoundError:
        return f"there is no folder {folder!r} either"
    except OSError as error:
        return f"its folder cannot be listed: {error.strerror}"
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {os.path.join(folder, near[0])!r}?" if near else "check the path"


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read one file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TreebankError(f"cannot be read: {error.strerror}", path=str(path)) from error


def to_text(data: bytes, path: str | None) -> str:
    """Decode the bytes of a file, unpacking gzip, recognised by its first two bytes."""
    if data.startswith(GZIP_MAGIC):
        data = _unfold(data, path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TreebankError(
            f"UTF-16, not UTF-8: begins with the bytes {data[:2].hex(' ')}",
            path=path,
            line=1,
            hint="convert it with: iconv -f UTF-16 -t UTF-8",
        )
    return data.decode("utf-8", errors="surrogateescape")


def _unfold(data: bytes, path: str | None) -> bytes:
    limit = max(SMALL, MAX_EXPANSION * len(data))
    try:
        text = GzipFile(fileobj=io.BytesIO(data)).read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise TreebankError(
            f"damaged gzip file: {error}", path=path, hint="download or compress the file again"
        ) from error
    if len(text) > limit:
        raise TreebankError(
            f"{len(data)} bytes of gzip unpack to more than {limit}",
            path=path,
            hint="unpack it yourself if this is intended",
        )
    return text

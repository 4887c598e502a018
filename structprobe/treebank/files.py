"""From paths and glob patterns to the bytes and text of files."""

from __future__ import annotations

import difflib
import glob
import io
import os
import zlib
from collections.abc import Iterable
from gzip import GzipFile
from importlib import resources
from pathlib import Path

from structprobe.errors import Hint, TreebankError
from structprobe.treebank.ud_names import NAME, known_names, nearest_names

FOLDER_VARIABLE = "STRUCTPROBE_TREEBANKS"  # names the folder where fetched treebanks are kept
SAMPLE = "sample"  # the embedded treebank's name

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


def find_parts(name: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """List the files of a treebank by part, for a folder or a name as in `find_folder`."""
    found = part_files(find_folder(name))
    if not found:
        what = "is not the folder of a treebank"
        hint = "its files should have names such as en_ewt-ud-train.conllu or train.conllu"
        raise TreebankError(what, path=os.fspath(name), hint=hint)
    return found


def find_folder(name: str | os.PathLike[str]) -> Path:
    """Find the folder of a treebank: a path, the name of a downloaded one, or the sample."""
    text = os.fspath(name)
    if os.path.isdir(text):
        return Path(text)
    if os.path.lexists(text):
        hint = Hint("read it with Treebank.read", shell="name files with --train, --dev and --test")
        raise TreebankError("is a file, not the folder of a treebank", path=text, hint=hint)
    if text == SAMPLE:
        return Path(str(resources.files("structprobe.data"))) / "sample"
    if NAME.fullmatch(text.rstrip("/")):
        kept = kept_folder(text)
        if kept.is_dir():
            return kept
        near = [] if text.rstrip("/") in known_names() else nearest_names(text.rstrip("/"), n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        fetch = f"`structprobe treebank {near[0] if near else text}` fetches it"
        raise TreebankError("no such treebank here", path=text, hint=f"{meant}{fetch}")
    told = "give the folder of a treebank, or a name such as UD_English-EWT that"
    told = f"{told} `structprobe treebank` has fetched"
    raise TreebankError("no such folder", path=text, hint=told)


def kept_folder(name: str) -> Path:
    """Return the default folder for a treebank: here, or where the variable points."""
    return Path(os.environ.get(FOLDER_VARIABLE) or ".", name.rstrip("/"))


def part_files(folder: Path) -> dict[str, list[Path]]:
    """List the files by part, named as in Universal Dependencies, or by the part alone."""
    found = {
        part: sorted(folder.glob(f"*-ud-{part}*.conllu*")) or sorted(folder.glob(f"{part}.conllu*"))
        for part in ("train", "dev", "test")
    }
    return {part: files for part, files in found.items() if files}


def _matches(path: str) -> list[Path]:
    if os.path.isdir(path):
        told = f"give its files, such as {os.path.join(path, '*.conllu')}"
        hint = Hint(told, shell=f"{told}, or the folder as --treebank if the command has it")
        raise TreebankError("is a folder, not a file", path=path, hint=hint)
    if os.path.exists(path):
        return [Path(path)]
    is_pattern = glob.has_magic(path)
    matches = glob.glob(path, recursive=True) if is_pattern else []
    if files := sorted(Path(match) for match in matches if os.path.isfile(match)):
        return files
    what = "the pattern matches no file" if is_pattern else "no such file"
    raise TreebankError(what, path=path, hint=_nearby(path))


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
        what = f"UTF-16, not UTF-8: begins with the bytes {data[:2].hex(' ')}"
        hint = "convert it with: iconv -f UTF-16 -t UTF-8"
        raise TreebankError(what, path=path, line=1, hint=hint)
    return data.decode("utf-8", errors="surrogateescape")


def _unfold(data: bytes, path: str | None) -> bytes:
    limit = max(SMALL, MAX_EXPANSION * len(data))
    try:
        text = GzipFile(fileobj=io.BytesIO(data)).read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        hint = "download or compress the file again"
        raise TreebankError(f"damaged gzip file: {error}", path=path, hint=hint) from error
    if len(text) > limit:
        what = f"{len(data)} bytes of gzip unpack to more than {limit}"
        raise TreebankError(what, path=path, hint="unpack it yourself if this is intended")
    return text

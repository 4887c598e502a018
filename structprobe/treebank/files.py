"""From paths and glob patterns to the bytes and text of files."""

from __future__ import annotations

import difflib
import glob
import io
import os
import re
import reprlib
import stat
import zlib
from collections.abc import Iterable
from gzip import GzipFile
from importlib import resources
from pathlib import Path

from structprobe.errors import Hint, TreebankError, escaped
from structprobe.treebank.ud_names import NAME, known_names, nearest_names

FOLDER_VARIABLE = "STRUCTPROBE_TREEBANKS"  # names the folder where fetched treebanks are kept
SAMPLE = "sample"  # the embedded treebank's name

_PART = r"(?P<part>train|dev|test)"
# How the files of a treebank are named: as in UD and SUD, by the part alone, or with the part among
# other words; and how they end. Of a folder, the first kind that it has counts.
_NAMES = tuple(
    re.compile(rf"(?!\.){name}\.{ending}(?P<packed>\.(?:gz|xz|bz2|zip))?")
    for name in (
        rf"(?P<bank>.+-m?s?ud)-{_PART}(?:[-_.\d].*)?",
        rf"(?P<bank>){_PART}",
        rf"(?P<bank>.+)[-_.]{_PART}(?:[-_.]?\d+)?",
        rf"{_PART}[-_.](?P<bank>.+)",
    )
    for ending in ("conllu", "conllup", "cupt", "conll")
)

GZIP_MAGIC = b"\x1f\x8b"
# Other packed files: how they begin, what they are, and what unpacks them.
_PACKED = (
    (rb"\xfd7zXZ\0", "an xz file", "xz -dc"),
    (rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)", "a bzip2 file", "bzip2 -dc"),
    (rb"\x28\xb5\x2f\xfd", "a zstandard file", "zstd -dc"),
    (rb"PK\x03\x04", "a zip archive", "unzip -p"),
    (rb"PK\x05\x06", "an empty zip archive", "unzip -p"),
    (rb"(?s:.{257})ustar(?:\0|  \0)", "a tar archive", "tar -xOf"),
)
_UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# CoNLL-U shrinks by 5 to 20 under gzip. A file that unfolds to more than this many times its
# size, and to more than `SMALL` bytes, was made to fill the memory and is refused.
MAX_EXPANSION = 100
SMALL = 64 * 2**20


def find_files(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the files for a path, a glob pattern or several of them."""
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    if isinstance(listed, bytes) or not isinstance(listed, Iterable):
        raise _no_path(listed)
    paths = list(listed)
    for path in paths:
        if not isinstance(path, str | os.PathLike) or _is_text(path):
            raise _no_path(path)
    found = [file for path in paths for file in _matches(os.fspath(path))]
    if not found:
        raise TreebankError("no input file was given", hint="give a path or a pattern")
    return found


def _is_text(path: object) -> bool:
    """Check whether CoNLL-U was given in the place of a path."""
    return isinstance(path, str) and "\t" in path and "\n" in path


def _no_path(given: object) -> TreebankError:
    hint = "give a path, a glob pattern or a list of them"
    if isinstance(given, bytes) or _is_text(given):
        hint += "; Treebank.from_text reads text"
    return TreebankError(f"{reprlib.repr(given)} is not a path", hint=hint)


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
    """List the files by part; see `_NAMES`. Hidden files, copies and unfinished files are none."""
    try:
        names = sorted(file.name for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise TreebankError(f"cannot be listed: {error.strerror}", path=str(folder)) from error
    for pattern in _NAMES:
        if found := [*filter(None, map(pattern.fullmatch, names))]:
            break
    else:
        return {}
    if len(banks := sorted({match["bank"] for match in found})) > 1:
        what = f"holds {len(banks)} treebanks: {escaped(', '.join(banks))}"
        hint = "name the files of one, or give each a folder of its own"
        shell = "name the files of one with --train, --dev and --test"
        raise TreebankError(what, path=str(folder), hint=Hint(hint, shell=shell))
    parts: dict[str, list[Path]] = {"train": [], "dev": [], "test": []}
    for match in found:
        # Of a file that is there packed too, the unpacked one.
        if not (match["packed"] and match[0].removesuffix(match["packed"]) in names):
            parts[match["part"]].append(folder / match[0])
    return {part: files for part, files in parts.items() if files}


def _matches(path: str) -> list[Path]:
    if os.path.isdir(path):
        told = f"give its files, such as {escaped(os.path.join(path, '*.conllu'))}"
        hint = Hint(told, shell=f"{told}, or the folder as --treebank if the command has it")
        raise TreebankError("is a folder, not a file", path=path, hint=hint)
    if os.path.exists(path):
        return [Path(path)]
    is_pattern = glob.has_magic(path)
    matches = glob.glob(path, recursive=True) if is_pattern else []
    if files := sorted(Path(match) for match in matches if os.path.isfile(match)):
        return files
    what = "the pattern matches no file" if is_pattern else "no such file"
    if re.match(r"\w+://", path):
        raise TreebankError("an address, not a file", path=path, hint="download the file first")
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
    except ValueError:
        return "a path cannot hold a NUL character"
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {os.path.join(folder, near[0])!r}?" if near else "check the path"


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read one file."""
    try:
        mode = os.stat(path).st_mode
        is_device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
        if is_device and os.path.realpath(path) != os.devnull:
            what = "is a device, which may have no end"
            raise TreebankError(what, path=str(path), hint="give a file or a pipe")
        return Path(path).read_bytes()
    except OSError as error:
        raise TreebankError(f"cannot be read: {error.strerror}", path=str(path)) from error


def to_text(data: bytes, path: str | None) -> str:
    """Decode the bytes of a file, unpacking gzip, recognised by its first two bytes."""
    if data.startswith(GZIP_MAGIC):
        data = _unfold(data, path)
        if data.startswith(GZIP_MAGIC):
            hint = "unpack it once with: gzip -dc"
            raise TreebankError("compressed by gzip twice", path=path, hint=hint)
    for beginning, what, command in _PACKED:
        if re.match(beginning, data):
            hint = f"unpack it with: {command}"
            raise TreebankError(f"{what}, not CoNLL-U", path=path, hint=hint)
    for marks, name in ((_UTF32, "UTF-32"), (_UTF16, "UTF-16")):
        if data.startswith(marks):
            what = f"{name}, not UTF-8: begins with the bytes {data[: len(marks[0])].hex(' ')}"
            hint = f"convert it with: iconv -f {name} -t UTF-8"
            raise TreebankError(what, path=path, line=1, hint=hint)
    text = data.decode("utf-8", errors="surrogateescape")
    check_line_ends(text, path)
    return text


def check_line_ends(text: str, path: str | None) -> None:
    """Refuse lines that end as on the first Macintosh."""
    if "\n" not in text and "\r" in text.rstrip("\r"):
        what = "the lines end in carriage returns alone"
        hint = r"convert it with: tr '\r' '\n'"
        raise TreebankError(what, path=path, line=1, hint=hint)


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

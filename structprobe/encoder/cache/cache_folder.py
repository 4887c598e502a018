"""Cache folders: their marker, atomic writes of small files, and one-line errors."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from structprobe.drafts import draft_file
from structprobe.errors import StoreError
from structprobe.output_paths import disk_hint
from structprobe.stored_files import MAX_JSON, parse_json, read_stored

VERSION = 1
MAX_JOURNAL = 2**28  # bytes, for 33 million sentences
MARKER, KIND = "structprobe-vectors.json", "structprobe word vectors"
_OURS = "layer-", "lock", "manifest.json", "offsets.npy"  # beginnings of the names among vectors


def claim(folder: Path) -> None:
    """Create the folder if it does not exist, and mark it as a cache."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / MARKER, {"kind": KIND, "version": VERSION})


def refuse_foreign(folder: Path) -> None:
    """Reject a folder that is not a cache, or was made by another version."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file, not a cache folder")
    marker = read_json(folder / MARKER)
    if not isinstance(marker, dict) or marker.get("kind") != KIND:
        if any(not path.name.lstrip(".").startswith(MARKER) for path in folder.iterdir()):
            hint = "choose a new or empty folder"
            raise StoreError(f"{folder} exists and is not a structprobe cache", hint=hint)
    elif marker.get("version") != VERSION:
        what = f"version {marker.get('version')} of the cache format, but version {VERSION}"
        raise StoreError(f"{folder} has {what} is needed", hint="choose a new folder")


def refuse_strange(folder: Path) -> None:
    """Reject links, pipes and devices among vectors: others' files would be read or written.

    The folder itself may be a link, to these very vectors on another disk.
    """
    hint = f"delete {folder} if you did not make it"
    if folder.is_symlink() and not describes(read_json(folder / "manifest.json"), folder):
        raise StoreError(f"{folder} is a link, but not to the vectors of that name", hint=hint)
    if os.path.lexists(folder) and not folder.is_dir():
        raise StoreError(f"{folder} is not a folder", hint=hint)
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.name.lstrip(".").lower().startswith(_OURS):
            continue
        try:
            info = path.lstat()
        except FileNotFoundError:  # the draft of another process
            continue
        if not stat.S_ISREG(info.st_mode):
            raise StoreError(f"{path} is a link, or not a regular file", hint=hint)
        if path.suffix == ".journal" and info.st_size > MAX_JOURNAL:
            raise StoreError(f"{path} is damaged: it is too large", hint=f"delete {folder}")


def describes(manifest: object, folder: Path) -> bool:
    """Whether a manifest is the one that a folder of vectors is named by."""
    try:
        return short_digest(to_json(manifest).encode()) == folder.name
    except RecursionError:  # lists that are too deep
        return False


@contextlib.contextmanager
def one_line_faults(folder: Path) -> Iterator[None]:
    """Turn errors of the operating system within the block into one-line messages."""
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        full = disk_hint(error)
        hint = f"{full} and run again: the run resumes" if full else None
        raise StoreError(f"cannot use {place}: {error.strerror or error}", hint=hint) from error


def save_array(file: BinaryIO, array: NDArray[Any]) -> None:
    """Write an array, by parts; NumPy alone would not say why it cannot, as on a full disk."""
    np.save(_WriteOnly(file.write), array, allow_pickle=False)


@dataclass(frozen=True)
class _WriteOnly:
    """A file that NumPy does not take for one of the system, which it would write itself."""

    write: Callable[[bytes], object]


def to_json(value: object) -> str:
    """Write plain values as JSON, equal values always in the same way."""
    return json.dumps(value, sort_keys=True, indent=1)


def short_digest(content: bytes) -> str:
    """Give the digest that names a cached file or folder."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write a JSON file, unless it has this content already."""
    if read_json(path) != json.loads(to_json(value)):
        with draft_file(path) as file:
            file.write(to_json(value).encode())


def read_json(path: Path) -> object:
    """Read a JSON file of a cache; None if there is none, or it is damaged."""
    try:
        return parse_json(read_stored(path, path.parent, StoreError, MAX_JSON), path, StoreError)
    except StoreError:
        return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, if folders can be opened (not on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

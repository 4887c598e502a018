"""Files and folders that appear whole or not at all.

Each is written under another name beside its place, and renamed. A process that is killed leaves
its draft behind: a draft is locked while it is written, so the next process that writes to the same
place can tell one of the dead from one of the living, and removes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from structprobe.output_paths import nearest_existing

try:
    import fcntl
except ImportError:  # Windows: what is left behind stays
    fcntl = None  # type: ignore[assignment]  # a module for mypy, which looks at Unix alone

_END, _OLD = ".draft", ".old"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextlib.contextmanager
def draft_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes this path when it is complete and safely on disk."""
    with draft_path(path) as draft, draft.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def draft_path(path: Path) -> Iterator[Path]:
    """Give the path of an empty file that takes another path when the block ends."""
    with _draft(path, path.parent, Path.touch) as draft:
        yield draft
        draft.replace(path)


@contextlib.contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of `path`, or of the folder there, at the end."""
    path = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
    clear_drafts(path, path.parent.parent)  # where a draft is as long as there is no parent
    with _draft(path, nearest_existing(path.parent), Path.mkdir) as draft:
        yield draft
        path.parent.mkdir(parents=True, exist_ok=True)
        while not _swapped(draft, path):  # another process was faster
            pass


def discard(path: Path) -> None:
    """Remove a folder: whoever looks, now or after a crash, finds it whole or not at all."""
    clear_drafts(path, path.parent)
    with contextlib.suppress(OSError):  # it is not there; or it is in use, on Windows
        path = path.rename(_draft_of(path, path.parent))
    shutil.rmtree(path, ignore_errors=True)


def clear_drafts(path: Path, folder: Path) -> None:
    """Remove what processes that were killed left in place of a path, or put it back."""
    start = f".{glob.escape(path.name)}."
    for old in folder.glob(f"{start}{'[0-9a-f]' * 8}{_OLD}"):
        if old.is_dir() and not old.is_symlink():
            _settle(old, path)
    for left in folder.glob(f"{start}*{_END}"):
        if (dead := _hold(left, wait=False)) is not None:
            _remove(left)
            os.close(dead)


def _draft_of(path: Path, folder: Path) -> Path:
    return folder / f".{path.name}.{secrets.token_hex(4)}{_END}"


@contextlib.contextmanager
def _draft(path: Path, folder: Path, make: Callable[..., None]) -> Iterator[Path]:
    """Make a draft and lock it; remove it in the end, and those of processes that were killed."""
    clear_drafts(path, folder)
    while True:
        draft = _draft_of(path, folder)
        make(draft, exist_ok=False)
        held = _hold(draft, wait=True)
        if held is not None or draft.exists():  # as ever, unless just taken for one of the dead
            break
    try:
        yield draft
    finally:
        _remove(draft)
        if held is not None:
            os.close(held)


def _remove(draft: Path) -> None:
    """Remove a draft, if it is there and may be removed."""
    with contextlib.suppress(OSError):
        shutil.rmtree(draft) if draft.is_dir() and not draft.is_symlink() else draft.unlink()


def _hold(draft: Path, *, wait: bool) -> int | None:
    """Lock a draft; None if it is gone or held, or the system has no such locks."""
    if fcntl is None:
        return None
    with contextlib.suppress(OSError):
        descriptor = os.open(draft, os.O_RDONLY if draft.is_dir() else os.O_RDWR)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(descriptor), os.stat(draft)):
                return descriptor
        os.close(descriptor)
    return None


def _swapped(draft: Path, path: Path) -> bool:
    """Put a folder into its place, and the older one into that of the draft."""
    if not os.path.lexists(path):
        return _moved(draft, path)
    if _exchange(draft, path):
        return True
    old = draft.with_suffix(_OLD)
    with contextlib.suppress(FileNotFoundError):
        path.rename(old)
    try:
        return _moved(draft, path)
    finally:
        _settle(old, path)


def _settle(old: Path, path: Path) -> None:
    """Put a folder back that was to be replaced, or remove it where another has its place."""
    if os.path.lexists(path):
        shutil.rmtree(old, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):  # it is not there, or another process was faster
            old.rename(path)


def _moved(draft: Path, path: Path) -> bool:
    """Rename a folder; tell whether another was there."""
    try:
        draft.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders, which not every system can do."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)

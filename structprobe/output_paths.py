"""Checks, before long work, that a file or folder can be created."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile

from structprobe.errors import Hint, ResultError, StructprobeError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def nearest_existing(path: Path) -> Path:
    """Find the path itself, or its nearest parent that exists."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def check_room(
    folder: str | os.PathLike[str],
    *,
    where: str | os.PathLike[str] | None = None,
    error: type[StructprobeError] = ResultError,
) -> None:
    """Refuse a folder that cannot be written to or created."""
    told = str(where if where is not None else folder)
    there = nearest_existing(Path(os.path.realpath(folder)))
    if not there.is_dir():
        what = f"{str(there)!r} is a file, not a folder"
        raise error(what, where=told, hint="choose another folder")
    # Permissions are not enough: root may write anywhere, but not to /proc or a read-only disk.
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as fault:
        what = f"{str(there)!r} cannot be written to: {fault.strerror or fault}"
        raise error(what, where=told, hint=disk_hint(fault, "choose another folder")) from fault


def disk_hint(error: OSError, hint: str = "") -> str:
    """Give a hint on a write that failed; on a full disk, it begins with what helps."""
    return "; ".join(filter(None, ("free some disk space" * (error.errno in _FULL), hint)))


def is_of_disk(error: BaseException | None) -> bool:
    """Whether an error is, or was raised from, one of a disk: full, read-only or failing."""
    if isinstance(error, OSError) and error.errno in (*_FULL, errno.EROFS, errno.EIO):
        return True
    return error is not None and is_of_disk(error.__cause__)


def replace_hint(kind: str) -> Hint:
    """Say what to do about a file or folder that exists."""
    told = f"choose another {kind}, or"
    return Hint(f"{told} pass force=True to replace it", shell=f"{told} use --force to replace it")


def check_file(path: str | os.PathLike[str], *, force: bool) -> None:
    """Refuse a file that exists, without `force`, or that cannot be written."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        what = "is a folder" if target.is_dir() else "is not a regular file"
        raise ResultError(what, where=str(path), hint="give a file name")
    if target.exists() and not force:
        raise ResultError("already exists", where=str(path), hint=replace_hint("file"))
    if not target.parent.exists():
        what = f"there is no folder {str(target.parent)!r}"
        raise ResultError(what, where=str(path), hint="create it, or choose another")
    check_room(target.parent, where=path)

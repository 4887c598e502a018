"""Whether a file or a folder can be made at a place, tried before long work."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from structprobe.errors import Hint, ResultError, StructprobeError


def nearest_existing(path: Path) -> Path:
    """Find what is there of a path, or above it."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def check_room(
    folder: str | os.PathLike[str],
    *,
    where: str | os.PathLike[str] | None = None,
    error: type[StructprobeError] = ResultError,
) -> None:
    """Refuse a folder that nothing can be written into, or that cannot be made.

    A folder is made there and removed again, since the permissions of a folder do not tell all:
    root may write anywhere, and yet not into ``/proc`` nor onto a disk that is read only.
    """
    told = str(where if where is not None else folder)
    there = nearest_existing(Path(os.path.realpath(folder)))
    if not there.is_dir():
        what = f"{str(there)!r} is a file, not a folder"
        raise error(what, where=told, hint="name another folder")
    try:
        with TemporaryDirectory(prefix=".structprobe-", dir=there):
            pass
    except OSError as fault:
        what = f"{str(there)!r} cannot be written to: {fault.strerror or fault}"
        raise error(what, where=told, hint="name another folder") from fault


def check_file(path: str | os.PathLike[str], *, force: bool) -> None:
    """Refuse a file that must not or cannot be written."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        what = "is a folder" if target.is_dir() else "is not a regular file"
        raise ResultError(what, where=str(path), hint="name a file")
    if target.exists() and not force:
        raise ResultError(
            "exists already",
            where=str(path),
            hint=Hint(
                "name another file, or pass force=True to replace it",
                shell="name another file, or replace it with --force",
            ),
        )
    if not target.parent.exists():
        what = f"there is no folder {str(target.parent)!r}"
        raise ResultError(what, where=str(path), hint="make it, or name another")
    check_room(target.parent, where=path)

"""Reading files of folders that may come from anyone: saved probes, results, cached vectors."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from structprobe.errors import StructprobeError

MAX_BYTES = 2**30  # of one file, unless less is enough
MAX_JSON = 2**26

Fault = type[StructprobeError]


def read_stored(path: Path, root: Path, error: Fault, most: int = MAX_BYTES) -> bytes:
    """Read a regular file of at most so many bytes that lies in a folder."""
    refuse_links(path, root, error)
    try:
        # Without waiting: opening a pipe would wait for someone to write to it.
        with open(path, "rb", opener=_open_at_once) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise error("is not a regular file", where=str(path))
            if info.st_size > most:
                raise error(f"is larger than {most:,} bytes", where=str(path))
            return file.read()
    except OSError as fault:
        raise error(f"cannot be read: {fault.strerror or fault}", where=str(path)) from fault


def refuse_links(path: Path, root: Path, error: Fault) -> None:
    """Refuse a path that leads out of a folder, by links within it."""
    home, place = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    # The hub's cache keeps the files of all snapshots in a folder beside these.
    hubs = [parent.parent for parent in home.parents if parent.name == "snapshots"]
    blobs = [Path(os.path.realpath(hub / "blobs")) for hub in hubs]
    if not any(place.is_relative_to(folder) for folder in (home, *blobs)):
        what = f"is a link to {str(place)!r}, outside of {str(root)!r}"
        raise error(what, where=str(path), hint="replace it by a copy if you trust its source")


def parse_json(content: bytes, path: Path, error: Fault, hint: str | None = None) -> Any:
    """Read JSON, however large its numbers or deep its lists are."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as fault:
        raise error(f"not valid JSON: {fault}", where=str(path), hint=hint) from fault


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

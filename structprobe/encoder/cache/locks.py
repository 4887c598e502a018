"""One writer at a time: a file lock that dies with its process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from structprobe.errors import StoreError

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_held: dict[Path, int] = {}  # which thread of this process holds which lock


def lock(path: Path) -> Callable[[], None]:
    """Take the lock, waiting as long as another process or thread holds it."""
    path = path.resolve()
    file = path.open("ab")
    try:
        _wait(file, path)
    except BaseException:
        file.close()
        raise
    _held[path] = threading.get_ident()

    def unlock() -> None:
        if not file.closed:
            del _held[path]
            file.close()

    return unlock


def _wait(file: IO[bytes], path: Path) -> None:
    """Try until the lock is ours."""
    import fcntl  # not on Windows, where the rest of the package works

    told = False
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _held.get(path) == threading.get_ident():
                hint = "finish or close the other store first"
                raise StoreError(f"{path.parent} is being written already", hint=hint) from None
        if not told:
            _LOG.info("waiting for another process that writes %s", path.parent)
            told = True
        time.sleep(_POLL_SECONDS)

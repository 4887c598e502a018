"""One writer at a time: a file lock that dies with its process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from structprobe.errors import StoreError

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_held: dict[Path, threading.Thread] = {}  # which thread of this process holds which lock


def lock(path: Path) -> Callable[[], None]:
    """Take the lock, waiting as long as another process or thread holds it; give what frees it."""
    path = path.resolve()
    file = FileLock(path, thread_local=False)  # any thread may free it
    try:
        file.acquire(timeout=0)
    except Timeout:
        if _held.get(path) is threading.current_thread():
            hint = "finish or close the other store first"
            raise StoreError(f"{path.parent} is being written already", hint=hint) from None
        _LOG.info("waiting for another process that writes %s", path.parent)
        file.acquire(poll_interval=_POLL_SECONDS)
    _held[path] = threading.current_thread()

    def unlock() -> None:
        if file.is_locked:
            del _held[path]
            file.release()

    return unlock

"""File locks, for one writer at a time; they end with their process."""

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
    """Acquire a lock, waiting for other processes and threads; return what releases it."""
    path = path.parent.resolve() / path.name  # the lock itself must not be a link
    file = FileLock(path, thread_local=False)  # any thread may free it
    try:
        file.acquire(timeout=0)
    except Timeout:
        if _held.get(path) is threading.current_thread():
            hint = "finish or close the other store first"
            raise StoreError(f"{path.parent} is already being written", hint=hint) from None
        _LOG.info("waiting for another process to finish writing %s", path.parent)
        file.acquire(poll_interval=_POLL_SECONDS)
    _held[path] = threading.current_thread()

    def unlock() -> None:
        if file.is_locked:
            del _held[path]
            file.release()

    return unlock

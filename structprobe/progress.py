"""Progress bars, on standard error, and by default only in a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(
    kind: str,
    total: int | None,
    unit: str,
    *,
    shown: bool | None = None,
    done: int = 0,
    delay: float = 0,
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar with rate and remaining time, if there is something to do."""
    hidden = None if shown is None else not shown
    lock = threading.Lock()
    with tqdm(
        desc=kind,
        total=total,
        initial=done,
        unit=unit,
        unit_scale=unit == "B",
        delay=delay,
        leave=None,  # a bar on its own stays, one nested in another does not
        disable=True if total == 0 else hidden,
    ) as bar:

        def advance(count: int) -> None:
            with lock:
                bar.update(count)

        yield advance

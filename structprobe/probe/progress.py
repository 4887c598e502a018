"""A progress bar over training steps, on standard error, and only for somebody who looks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress(kind: str, n_steps: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Show a progress bar while something is trained.

    Parameters
    ----------
    kind : str
        What is trained.
    n_steps : int
        Steps in all, at most.
    shown : bool
        Whether to show anything; nothing is shown where standard error is no terminal.

    Yields
    ------
    callable
        Takes how many more steps are done; any thread may call it.
    """
    drawn = shown and sys.stderr.isatty()
    lock = threading.Lock()
    with tqdm(desc=kind, total=n_steps, unit="step", disable=not drawn) as bar:

        def on_steps(count: int) -> None:
            with lock:
                bar.update(count)

        yield on_steps

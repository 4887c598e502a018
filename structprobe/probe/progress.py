"""A progress bar over training steps, on standard error, and only for somebody who looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress(kind: str, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar while something is trained.

    Parameters
    ----------
    kind : str
        What is trained.
    shown : bool
        Whether to show anything; nothing is shown where standard error is no terminal.

    Yields
    ------
    callable
        Takes the step just done, counted from 1, and the number of steps in all.
    """
    with tqdm(desc=kind, unit="step", disable=not (shown and sys.stderr.isatty())) as bar:

        def on_step(step: int, max_steps: int) -> None:
            bar.total = max_steps
            bar.update(step - bar.n)

        yield on_step

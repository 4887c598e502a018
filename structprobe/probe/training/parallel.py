"""Several fits in parallel, each in a thread with its share of the cores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
Goes = Callable[[], None]


class Abandoned(Exception):  # noqa: N818 -- it is no error
    """Ends a piece of work whose result is no longer needed."""


def side_by_side(pieces: Sequence[Callable[[Goes], T]], n_workers: int) -> Iterator[T]:
    """Run pieces of work in parallel, and give their results in order."""
    if n_workers <= 1:
        for piece in pieces:
            yield piece(lambda: None)
        return
    n_threads, abandoned = torch.get_num_threads(), threading.Event()

    def goes() -> None:
        if abandoned.is_set():
            raise Abandoned

    pool = ThreadPoolExecutor(
        n_workers, "structprobe", torch.set_num_threads, (max(1, n_threads // n_workers),)
    )
    try:
        futures: list[Future[T]] = [pool.submit(piece, goes) for piece in pieces]
        for future in futures:
            yield future.result()
    finally:
        abandoned.set()
        pool.shutdown(cancel_futures=True)
        # Otherwise, threads started later would inherit the number set for the workers.
        torch.set_num_threads(n_threads)

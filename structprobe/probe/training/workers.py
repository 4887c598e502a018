"""Several fits side by side on the processor's cores, each on a thread of its own.

A step of training is two large products and some twenty small operations, and the small ones
gain nothing from threads: a second core that waits for them is lost. So each fit gets one core
where there are enough fits to keep all cores busy, and a share of them where there are not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
Goes = Callable[[], None]


class Abandoned(Exception):  # noqa: N818 -- it is no error
    """Ends a task whose result is wanted no more."""


def side_by_side(tasks: Sequence[Callable[[Goes], T]], n_workers: int) -> Iterator[T]:
    """Do tasks, some at a time, and give their results in order."""
    if n_workers <= 1:
        for task in tasks:
            yield task(lambda: None)
        return
    n_threads, abandoned = torch.get_num_threads(), threading.Event()

    def goes() -> None:
        if abandoned.is_set():
            raise Abandoned

    pool = ThreadPoolExecutor(
        n_workers, "structprobe", torch.set_num_threads, (max(1, n_threads // n_workers),)
    )
    try:
        futures: list[Future[T]] = [pool.submit(task, goes) for task in tasks]
        for future in futures:
            yield future.result()
    finally:
        abandoned.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(
            n_threads
        )  # else threads that are yet to come take the workers' share

"""Clocks: CPU and wall seconds of a call, peak memory, and a process of its own for a stage."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Seconds:
    """Seconds of one stage: medians over its repeats, CPU of all threads."""

    cpu: float
    wall: float

    def __mul__(self, times: float) -> Seconds:
        return Seconds(self.cpu * times, self.wall * times)

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.cpu + other.cpu, self.wall + other.wall)


def timed(call: Callable[[], object], *, repeats: int = 3, warm_up: bool = True) -> Seconds:
    """Time a call, medians of CPU and wall seconds, after one call that is not counted."""
    if warm_up:
        call()
    cpu, wall = [], []
    for _ in range(repeats):
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        call()
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    return Seconds(statistics.median(cpu), statistics.median(wall))


def in_turn(
    ours: Callable[[], object], floor: Callable[[], object], *, repeats: int = 3
) -> tuple[Seconds, Seconds]:
    """Time two calls in turn, so that both see the same machine: the pair of median ratio."""
    pairs = [
        (timed(ours, repeats=1, warm_up=False), timed(floor, repeats=1, warm_up=False))
        for _ in range(repeats)
    ]
    return sorted(pairs, key=lambda pair: pair[0].cpu / pair[1].cpu)[repeats // 2]


def peak_memory() -> float:
    """Tell the most memory that this process ever held, in MB; mapped files count where read."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held before this program began
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a fresh process, so that its peak memory is that of one stage."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def rise(call: Callable[[], object]) -> float:
    """Tell how far a call lifts this process's memory above what it held before, in MB."""
    peaks = Path("/proc/self/clear_refs")
    if peaks.exists():
        peaks.write_text("5")  # the peak starts anew from what is held now
    before = peak_memory()
    call()
    return peak_memory() - before


def peak_of_own(call: Callable[[], object], seconds: float = 0.005) -> float:
    """Tell the most memory of its own that this process holds during a call, in MB.

    Pages of mapped files, which the system takes back when it wants to, do not count; looked at
    every few milliseconds.
    """
    done, seen = threading.Event(), [_own_memory()]

    def look() -> None:
        while not done.wait(seconds):
            seen.append(_own_memory())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        call()
    finally:
        done.set()
        watcher.join()
    return max(seen)


def _own_memory() -> float:
    """Memory of this process that no file backs, in MB; its peak where the system tells no more."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return peak_memory()

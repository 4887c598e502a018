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


class Stopwatch:
    """CPU and wall seconds since it was made or restarted."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin at zero."""
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def read(self) -> Seconds:
        """Tell the time."""
        return Seconds(time.process_time() - self.cpu, time.perf_counter() - self.wall)


def peak_memory() -> float:
    """Tell the most memory that this process ever held, in MB; mapped files count where read."""
    # Not from getrusage where it can be helped: that counts what the parent held at the fork.
    peak = _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if peak is None else peak


def held_memory() -> float:
    """Tell the memory that this process holds now, in MB; its peak where the system is silent."""
    held = _status("VmRSS")
    return peak_memory() if held is None else held


def restart_peak() -> None:
    """Let the peak start anew from what is held now, where the system can."""
    peaks = Path("/proc/self/clear_refs")
    if peaks.exists():
        peaks.write_text("5")


def peak_of_own(call: Callable[[], object], seconds: float = 0.005) -> float:
    """Tell the most memory of its own that this process holds during a call, in MB.

    Pages of mapped files, which the system takes back when it wants to, do not count; looked at
    every few milliseconds.
    """
    done, seen = threading.Event(), [0.0]

    def look() -> None:
        while not done.wait(seconds):
            own = _status("RssAnon")
            seen.append(peak_memory() if own is None else own)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        call()
    finally:
        done.set()
        watcher.join()
    return max(seen)


def _status(name: str) -> float | None:
    """Read a size of this process from Linux, in MB; None on other systems."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) / 1024 if found else None


def in_own_process(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a fresh process, so that its peak memory is that of one stage."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()

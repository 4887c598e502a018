"""Clocks: CPU and wall seconds of a call, peak memory of a process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Seconds:
    """Seconds of one stage: medians over its repeats, CPU of all threads."""

    cpu: float
    wall: float


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


def peak_memory(code: str) -> float:
    """Run code in a process of its own; give the most memory it held, in GB."""
    told = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{told}"], check=True, capture_output=True, text=True
    )
    return int(done.stdout.splitlines()[-1]) / 1024**2

"""Work that takes its worker down, and clusters to do it on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from structprobe.experiments.groups import Group

ROOT = Path(__file__).resolve().parents[2]
KILLED = "STRUCTPROBE_TEST_KILLED"  # names the file that says which process was killed


class DeadlyGroup(Group):
    """A group that kills the process it runs in, once, when it is about to run layer 2."""

    def __call__(self):
        flag = Path(self.device.partition("@")[2])
        if self.runs[0].layer == 2 and not flag.exists():
            flag.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return Group(self.runs, self.vectors, self.banks, "cpu")()


@dataclass(frozen=True)
class Deadly:
    """Kill the process, always."""

    def __call__(self):
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Square:
    """Give a square, or fail."""

    number: int

    def __call__(self):
        if self.number < 0:
            raise ValueError(f"{self.number} is negative")
        return self.number**2


@dataclass(frozen=True)
class Lacking:
    """Need a package that is not there."""

    def __call__(self):
        import structprobe_of_another_world  # noqa: F401 -- that it fails is the point


@contextlib.contextmanager
def dask_cluster(folder: Path, workers: int = 2, path: str | None = None) -> Iterator[tuple]:
    """Start a scheduler and workers on loopback; give its address and the processes."""
    address = folder / "scheduler.json"
    tests = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    plain = ["--no-dashboard", "--scheduler-file", str(address)]
    where = ["--host", "127.0.0.1"]
    with contextlib.ExitStack() as stack:

        def start(role: str, *options: str, path: str = tests):
            log = stack.enter_context((folder / f"{role}-{len(processes)}.log").open("w"))
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{role}", *plain, *where, *options],
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
                cwd=folder,
            )
            processes.append(process)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        processes: list[subprocess.Popen] = []
        start("scheduler", "--port", "0")
        deadline = time.monotonic() + 60
        while not address.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        for _ in range(workers):
            start("worker", "--nthreads", "1", "--no-nanny", path=tests if path is None else path)
        import json

        yield json.loads(address.read_text())["address"], processes

"""Work that takes its worker down, and clusters to do it on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structprobe.encoder.cache.store import MemoryStore, VectorStore
from structprobe.experiments.runs.groups import Group

ROOT = Path(__file__).resolve().parents[2]
PATH = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"


@dataclass(frozen=True, slots=True)
class DeadlyGroup(Group):
    """A group that kills the process it runs in, once, when it is about to run layer 2."""

    parent: int = 0  # The process that must not do the work
    flag: Path = Path()  # The file by which the group knows whether it has killed before

    def __call__(self):
        assert os.getpid() != self.parent, "not done by a worker"
        if self.runs[0].layer == 2 and not self.flag.exists():
            self.flag.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return Group(self.runs, self.vectors, self.banks, self.training)()


@dataclass(frozen=True)
class DeadlyPart:
    """A part of a treebank that kills the process that encodes it, once, when it has written."""

    part: Any
    flag: Path  # The file by which it knows whether it has killed before

    def __call__(self) -> None:
        if not self.flag.exists():
            self.flag.write_text(str(os.getpid()))
            VectorStore.write = write_and_die  # type: ignore[method-assign]
        self.part()


def write_and_die(store: VectorStore, *given: Any) -> None:
    """Write some vectors as a store does, and kill the process."""
    MemoryStore.write(store, *given)
    store._fresh += given[0].tolist()
    store._sync()
    os.kill(os.getpid(), signal.SIGKILL)


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
def dask_scheduler(folder: Path) -> Iterator[tuple[str, Callable[[str], subprocess.Popen]]]:
    """Start a scheduler on loopback; give its address, and what starts a worker with a path."""
    told = folder / "scheduler.json"
    processes: list[subprocess.Popen] = []

    def start(role: str, path: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", "--no-dashboard"]
        command += ["--host", "127.0.0.1", "--scheduler-file", str(told), *options]
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        with (folder / f"{role}-{len(processes)}.log").open("w") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        processes.append(process)
        return process

    def start_worker(path: str = PATH) -> subprocess.Popen:
        return start("worker", path, "--nthreads", "1", "--no-nanny")

    try:
        start("scheduler", PATH, "--port", "0")
        deadline = time.monotonic() + 60
        # The file is made before it is written.
        while not (told.exists() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield json.loads(told.read_text())["address"], start_worker
    finally:
        for process in processes:
            process.kill()
            process.wait()

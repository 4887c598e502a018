"""Commands in processes that are forked from a warm one, and mishaps that befall them.

Each command runs in a process, and a group, of its own, as from a terminal; but what it imports is
there already, so that hundreds of them take little time. This file is also what the warm process
runs: it reads requests from stdin, a line of JSON each, forks, and answers with the child's status.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
SECONDS = 240  # after which a command counts as hanging
LITTLE = 50  # bytes, of which no file that is written has fewer
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.fsync", "os.write"}


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    status: int  # the exit status, or minus the signal that ended it
    process: int
    cpu: float  # seconds of the processor
    seconds: float
    out: str
    err: str
    events: list[tuple[str, str]]  # the changes on disk: what, and the path below the folder


class Warm:
    """The warm process, and what is asked of it."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        environment.pop("PYTEST_XDIST_WORKER", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.warm"], env=environment, text=True, cwd=TESTS.parent,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def setenv(self, name: str, value: str) -> None:
        self.ask({"set": name, "to": value})

    def start(self, *words: object, **mishap: Any) -> Started:
        """Start a command; a mishap is one of those of `befall`."""
        room = Path(tempfile.mkdtemp(prefix="structprobe-warm-"))
        request = {"argv": [*map(str, words)], "room": str(room), "mishap": mishap}
        return Started(self, self.ask(request), room, time.monotonic())

    def run(self, *words: object, **mishap: Any) -> Done:
        return self.start(*words, **mishap).wait()

    def run_until(
        self, seconds: float, number: int, *words: object, cpu: bool = True, times: int = 1
    ) -> Done:
        """Run a command, and send it a signal when it has used so much time, of the processor."""
        started = self.start(*words)
        clock = (~started.process << 3) | 2  # that of another process, on Linux
        begun = time.monotonic()
        with contextlib.suppress(OSError):  # it has ended before
            while not started.has_ended() and seconds > (
                time.clock_gettime(clock) if cpu else time.monotonic() - begun
            ):
                time.sleep(0.002)
            for _ in range(times):
                os.killpg(started.process, number)
                time.sleep(0.003 * (times > 1))
        return started.wait()


@dataclass(frozen=True)
class Started:
    """A command that runs."""

    warm: Warm
    process: int
    room: Path
    begun: float

    def has_ended(self) -> bool:
        return self._state() in "ZX"  # one that waits to be asked for is as good as gone

    def until_it_stops_itself(self) -> None:
        """Wait until a process has stopped itself, or has ended."""
        while self._state() not in "TZX":
            time.sleep(0.005)

    def _state(self) -> str:
        """Give the letter of Linux for what a process does."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()[0]
        return "X"

    def go_on_when_told(self, other: Started, text: str) -> None:
        """Let a process that stopped itself go on, as soon as another has told something."""
        deadline = time.monotonic() + 60
        told = other.room / "err"
        while not (told.exists() and text in told.read_text()):
            assert time.monotonic() < deadline, f"never told: {text}"
            assert not other.has_ended(), f"ended without telling: {text}"
            time.sleep(0.01)
        os.kill(self.process, signal.SIGCONT)

    def wait(self) -> Done:
        status, cpu = self.warm.ask({"wait": self.process})
        out, err = ((self.room / name).read_text(errors="replace") for name in ("out", "err"))
        lines = self.room / "events"
        text = lines.read_text() if lines.exists() else ""
        events = [tuple(json.loads(one)) for one in text.splitlines()]
        for path in self.room.iterdir():
            path.unlink()
        self.room.rmdir()
        seconds = time.monotonic() - self.begun
        return Done(status, self.process, cpu, seconds, out, err, events)


def moments(n: int, seed: int, least: float = 0.01, most: float = 0.98) -> list[float]:
    """Give random parts of a run, one in each of `n` equal stretches of it."""
    generator = random.Random(seed)
    width = (most - least) / n
    return [least + (i + generator.random()) * width for i in range(n)]


def main() -> None:
    """Answer requests until there are no more."""
    _warm_up()
    for line in sys.stdin:
        request = json.loads(line)
        if "set" in request:
            answer: Any = os.environ.update({request["set"]: request["to"]})
        elif "wait" in request:
            answer = _wait(request["wait"])
        elif not (answer := os.fork()):
            _end(_run(request))
        print(json.dumps(answer), flush=True)


def _warm_up() -> None:
    """Import what the commands import, and leave no thread behind."""
    import importlib
    import pkgutil
    import warnings

    import structprobe
    from structprobe.cli.main import COMMANDS, build_parser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in COMMANDS:
            build_parser(name)
        for one in pkgutil.walk_packages(structprobe.__path__, "structprobe."):
            if not one.name.endswith(("__main__", "make_sample")) and ".data" not in one.name:
                importlib.import_module(one.name)
        for name in (
            "joblib.externals.loky",
            "matplotlib.pyplot",
            "matplotlib.backends.backend_pdf",
        ):
            importlib.import_module(name)
        from transformers import AutoModel, BertModel, PreTrainedTokenizerFast  # noqa: F401
    gc.collect()
    gc.freeze()  # what is shared by all children is not copied into each


def _end(status: int) -> None:
    """End as Python does, but leave memory to the system: a second for each child."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _wait(process: int) -> tuple[int, float]:
    """Wait for a child; end it, and all that it started, if it hangs."""
    deadline = time.monotonic() + SECONDS
    while True:
        found, status, usage = os.wait4(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        if time.monotonic() > deadline:
            os.killpg(process, signal.SIGKILL)
        time.sleep(0.005)


def _run(request: dict[str, Any]) -> int:
    """Run a command in the child."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    room = Path(request["room"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(room / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww")
    )
    mishap = request["mishap"]
    if to := mishap.pop("stdout", None):
        os.dup2(os.open(to, os.O_WRONLY), 1)
    befall(room, **mishap)
    from structprobe.cli.main import main as command

    sys.argv[1:] = request["argv"]
    try:
        return command()
    except SystemExit as exit:
        return exit.code


def befall(
    room: Path,
    *,
    watch: str | None = None,
    at: int | None = None,
    do: str = "nothing",
    size: int | None = None,
    weak: bool = False,
) -> None:
    """Prepare a mishap in this process.

    Below the folder `watch`, the changes on disk are counted and noted; at number `at`, `do` this:
    be killed (-9), at once or within the next write, stop, be interrupted, or fail with an error
    of the system, as does each change from then on. No file may grow beyond `size`: its write
    fails. What is `weak` has to heed permissions, as root.
    """
    if weak:
        _heed_permissions()
    if watch is not None:
        _watch(watch, room / "events", at, do)
    if size is not None:
        _limit(size, kill=False)


def _limit(size: int, kill: bool) -> None:
    import resource

    if kill:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _watch(watch: str, events: Path, at: int | None, do: str) -> None:
    """Note the changes on disk below a folder, just before they are made."""
    notes = os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    fsync, write, count = os.fsync, os.write, 0
    root = os.path.realpath(watch)

    def seen(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            if not args[2] & WRITES or args[2] & os.O_TMPFILE == os.O_TMPFILE:
                return
        elif event not in CHANGES:
            return
        path = args[0]
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        elif event in ("os.remove", "os.rmdir") and args[1] != -1:  # relative to an open folder
            path = os.path.join(os.readlink(f"/proc/self/fd/{args[1]}"), path)
        path = os.path.abspath(os.fsdecode(path))
        if not path.startswith(root):
            return
        count += 1
        if at is None:
            write(notes, f"{json.dumps([event, os.path.relpath(path, root)])}\n".encode())
        if at is None or count < at:
            return
        if do == "kill within":
            if count == at:
                _limit(LITTLE, kill=True)
        elif do == "stop":
            if count == at:
                os.kill(os.getpid(), signal.SIGSTOP)
        elif do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif do == "interrupt" and count == at:
            signal.raise_signal(signal.SIGINT)
        elif do.isdecimal() and event != "os.remove" and event != "os.rmdir":
            raise OSError(int(do), os.strerror(int(do)), path)

    def audited(event: str, real: Any) -> Any:
        def call(descriptor: Any, *more: Any) -> Any:
            number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
            seen(event, (number,))
            return real(descriptor, *more)

        return call

    os.fsync, os.write = audited("os.fsync", fsync), audited("os.write", write)
    sys.addaudithook(seen)


def _heed_permissions() -> None:
    """Give up what lets root write anywhere, if this is root."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, data) == 0
    for i in (0, 1):  # effective, permitted: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        data[i] &= ~((1 << 1) | (1 << 2))
    assert libc.capset(header, data) == 0


@contextlib.contextmanager
def small_mount(folder: Path, options: str) -> Iterator[Path]:
    """Mount a small file system of its own, in memory, or skip."""
    import pytest

    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False, text=True)
        why = done.stderr.strip() if done.returncode else ""
    except OSError as error:
        why = str(error)
    if why:
        pytest.skip(f"no small file system can be mounted here: {why}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


if __name__ == "__main__":
    main()

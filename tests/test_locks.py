"""Locks: one holder at a time, with and without the locks of POSIX."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What is to be seen of a lock, wherever: run in a process of its own, which may lack `fcntl`.
LOGIC = """
import logging, pathlib, sys, threading, time, warnings
if sys.argv[1] == "hidden":
    sys.modules["fcntl"] = None
    warnings.simplefilter("ignore")  # filelock says that its locks are soft ones
from structprobe.errors import StoreError
from structprobe.locks import lock

logging.basicConfig(format="%(message)s", stream=sys.stdout)
logging.getLogger("structprobe").setLevel(logging.INFO)
path = pathlib.Path(sys.argv[2]) / "lock"
unlock = lock(path)
lock(path.with_name("other"))()
try:
    lock(path)
except StoreError as error:
    print(error)
taken = []
thread = threading.Thread(target=lambda: taken.append(lock(path)))
thread.start()
time.sleep(0.5)
print("waits", not taken)
unlock()
thread.join(20)
print("has it", len(taken))
unlock()  # a second time, which must not take it from the thread
thread = threading.Thread(target=lambda: lock(path)())
thread.start()
time.sleep(0.3)
print("waits", thread.is_alive())
taken.pop()()
thread.join(20)
print("waits", thread.is_alive())
lock(path)()
"""


@pytest.mark.parametrize("fcntl", ["there", "hidden"])
@pytest.mark.fault_class("two at once")
def test_one_holder_at_a_time_with_and_without_fcntl(tmp_path: Path, fcntl: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOGIC, fcntl, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.stderr == ""
    waiting = f"waiting for another process to finish writing {tmp_path}"
    assert done.stdout.splitlines() == [
        f"{tmp_path} is already being written; finish or close the other store first",
        waiting,
        "waits True",
        "has it 1",
        waiting,
        "waits True",
        "waits False",
    ]


@pytest.mark.fault_class("crash")
def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    from structprobe.locks import lock

    code = (
        "import os, pathlib, sys\nfrom structprobe.locks import lock\n"
        "held = lock(pathlib.Path(sys.argv[1]))\nos._exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], cwd=ROOT)
    assert done.returncode == 7
    lock(tmp_path / "lock")()


@pytest.mark.slow
def test_the_package_needs_no_module_that_windows_lacks(tmp_path: Path) -> None:
    """Every file can be imported without them; those that use one do without it."""
    code = (
        "import importlib, pkgutil, sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "sys.modules.update(dict.fromkeys(['fcntl', 'resource', 'pwd', 'grp', 'termios']))\n"
        "import structprobe\n"
        "found = pkgutil.walk_packages(structprobe.__path__, 'structprobe.')\n"
        "names = [one.name for one in found]\n"
        "for name in names:\n"
        "    if not name.endswith(('__main__', 'make_sample')) and '.data' not in name:\n"
        "        importlib.import_module(name)\n"
        "from structprobe.experiments.runs.planning import _peak_bytes\n"
        "assert _peak_bytes() == 0\n"
        "print(len(names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100

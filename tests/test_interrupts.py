"""The tests of Ctrl-C hold in the background too, where shells have it ignored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent

CHILD = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


@pytest.mark.skipif(os.name != "posix", reason="there is no Ctrl-C of this kind")
@pytest.mark.parametrize(("before", "heeded"), [("", "False"), ("import conftest", "True")])
def test_what_a_test_starts_heeds_an_interrupt(before: str, heeded: str) -> None:
    script = f"import subprocess, sys\n{before}\nsubprocess.run([sys.executable, '-c', {CHILD!r}])"
    done = subprocess.run(
        ["bash", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, script],
        capture_output=True, text=True, check=True, cwd=TESTS,
    )  # fmt: skip
    assert done.stdout.split() == [heeded]

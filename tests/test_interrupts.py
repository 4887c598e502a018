"""Ctrl-C and what a command starts: workers, trackers, and tests in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from structprobe.cli.main import _quieten_trackers, main
from structprobe.experiments.runs.backends import _heeding_no_interrupts as heeding_no_interrupts

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


LEAKS = "from multiprocessing import resource_tracker as r; r.register('/none', 'semaphore')"


@pytest.mark.skipif(os.name != "posix", reason="there are no such semaphores")
@pytest.mark.parametrize("given", [None, "error::FutureWarning"])
def test_what_workers_leave_is_removed_without_a_word(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """In the processes that the command line starts; other warnings are printed as ever."""
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    if given:
        monkeypatch.setenv("PYTHONWARNINGS", given)

    def told() -> str:
        script = f"{LEAKS}; import os, warnings; warnings.warn('other'); os._exit(0)"
        command = [sys.executable, "-c", script]
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True).stderr

    assert "leaked semaphore" in told()
    _quieten_trackers()
    assert "leaked" not in (said := told())
    assert "UserWarning: other" in said


def test_the_command_line_leaves_warnings_of_a_library_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    assert main(["score", "none.conllu", "none.conllu"]) == 1
    assert "PYTHONWARNINGS" not in os.environ
    assert "none.conllu" in capsys.readouterr().err


@pytest.mark.skipif("sys.platform != 'linux'", reason="signals are looked up as on Linux")
def test_workers_leave_ctrl_c_to_their_parent() -> None:
    def blocked() -> int:
        script = "print(open('/proc/self/status').read().split('SigBlk:')[1].split()[0])"
        command = [sys.executable, "-c", script]
        return int(subprocess.run(command, capture_output=True, check=True).stdout, 16)

    bit = 1 << signal.SIGINT - 1
    with heeding_no_interrupts():
        assert blocked() & bit
    assert not blocked() & bit

"""The bar of whatever takes long: what it tells, and to whom."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from structprobe.progress import progress_bar


def drawn(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Give the states of all bars in the order in which they were drawn."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return [state for state in captured.err.replace("\n", "\r").split("\r") if state.strip()]


def run(kind: str = "runs", total: int | None = 4, unit: str = "run", **how) -> None:
    with progress_bar(kind, total, unit, **how) as advance:
        advance(1)
        advance(3)


@pytest.mark.parametrize(
    ("terminal", "shown", "there"),
    [
        (True, None, True),
        (False, None, False),
        (True, False, False),
        (False, False, False),
        (True, True, True),
        (False, True, True),
    ],
)
def test_who_sees_it(
    terminal: bool,
    shown: bool | None,
    there: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    run(shown=shown)
    assert bool(drawn(capsys)) is there


def test_what_it_tells(capsys: pytest.CaptureFixture[str]) -> None:
    run(shown=True)
    first, *_, last = drawn(capsys)
    assert first.startswith("runs:   0%")
    assert "0/4 [00:00<?, ?run/s]" in first  # done, time taken, time left, rate
    assert last.startswith("runs: 100%")
    assert "4/4 [00:00<00:00, " in last
    assert last.endswith(("run/s]", "s/run]"))
    run("fetch", 8_000_000, "B", shown=True, done=2_000_000)
    first, *_ = drawn(capsys)
    assert first.startswith("fetch:  25%")
    assert "2.00M/8.00M [" in first
    run(total=None, shown=True)
    assert "4run [" in drawn(capsys)[-1]


def test_no_bar_where_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("runs", 0, "run", shown=True):
        pass
    run(shown=True, delay=60)  # done before that
    assert drawn(capsys) == []


def test_one_within_another_goes(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("methods", 2, "method", shown=True) as advance:
        run("encode", shown=True)
        advance(1)
        run("probe", shown=True)
        advance(1)
    told = capsys.readouterr().err
    *_, left = [state for state in told.split("\r") if state.strip()]
    assert left.startswith("methods: 100%")
    assert left.endswith("\n")
    assert "encode: 100%" not in left


def test_any_thread_may_advance(capsys: pytest.CaptureFixture[str]) -> None:
    start = threading.Barrier(8)
    with progress_bar("probe", 8000, "step", shown=True) as advance:

        def work(_: int) -> None:
            start.wait()
            for _ in range(1000):
                advance(1)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    assert "8000/8000 [" in drawn(capsys)[-1]

"""The benchmark's rows, limits and results; no test asserts a time."""

from __future__ import annotations

import time

import pytest

from benchmarks import clock, table
from benchmarks.clock import Seconds
from benchmarks.scale import exponent
from benchmarks.table import Limit, Line, Reference, Stage


def test_a_stage_is_a_row():
    stage = Stage(
        "train",
        Seconds(2.0, 1.0),
        peak=512.3,
        floor=1.6,
        reference=Reference(209.04, "1/25, scaled"),
        limits=(Limit("at most 1.3 × floor", True), Limit("1/400 of the reference", False)),
    )
    assert table.stage_row(stage) == (
        "| train | 2.00 | 1.00 | 512 | 1.60 | 1.25 | 209 (1/25, scaled) | 105 "
        "| at most 1.3 × floor: holds; 1/400 of the reference: MISSED |"
    )
    assert table.STAGE_HEADER.splitlines()[0].count("|") == table.stage_row(stage).count("|")


def test_what_was_not_measured_is_a_dash():
    assert table.stage_row(Stage("read", Seconds(3.14159, 10))) == (
        "| read | 3.14 | 10.0 | – | – | – | – | – | – |"
    )


def test_a_figure_is_a_row():
    line = Line("growth", "exponent 1.02", "1.0 ± 0.1", True)
    assert table.line_row(line) == "| growth | exponent 1.02 | 1.0 ± 0.1 | holds |"
    assert table.LINE_HEADER.splitlines()[0].count("|") == table.line_row(line).count("|")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "–"),
        (0, "0"),
        (0.00123, "0.0012"),
        (0.0456, "0.0456"),
        (1.236, "1.24"),
        (12.36, "12.4"),
        (123.6, "124"),
        (12345.6, "12,346"),
        (float("inf"), "∞"),
    ],
)
def test_numbers_have_three_digits(value, told):
    assert table.number(value) == told


def test_limits():
    assert table.at_most(1.3, 1.3, "× floor") == Limit("at most 1.3 × floor", True)
    assert not table.at_most(1.31, 1.3, "× floor").holds
    assert table.times_the_reference(2.0, Reference(200), 100) == Limit(
        "1/100 of the reference", True
    )
    assert not table.times_the_reference(2.1, Reference(200), 100).holds


def test_what_is_missed_is_named():
    rows = [
        Line("a", "1", "at most 2", True),
        Line("b", "3", "at most 2", False),
        Stage("c", Seconds(1, 1), limits=(Limit("x", True), Limit("y", False))),
    ]
    assert table.missed(rows) == ["b (at most 2)", "c (y)"]


def test_the_last_run_replaces_the_one_before(tmp_path):
    path = tmp_path / "RESULTS.md"
    table.write_results(["the processor", "| a |"], "--scale --write", path)
    table.write_results(["the processor", "| b |"], "", path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Latest benchmark run\n\n`python -m benchmarks`, 2")
    assert text.endswith("the processor\n| b |\n")
    assert [one.name for one in tmp_path.iterdir()] == ["RESULTS.md"]


def test_the_machine_is_named():
    assert "torch" in table.machine()
    assert "cores" in table.machine()


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_growth(power):
    sizes = [1 / 8, 1 / 4, 1 / 2, 1]
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_seconds_add_up_and_scale():
    assert Seconds(1, 2) + Seconds(3, 4) * 2 == Seconds(7, 10)


def test_calls_are_counted():
    called = []
    clock.timed(lambda: called.append("ours"), repeats=2)
    assert called == ["ours"] * 3  # one to get warm
    called.clear()
    clock.in_turn(lambda: called.append("ours"), lambda: called.append("floor") or _work())
    assert called == ["ours", "floor"] * 3


def _work():
    return sum(range(10_000))


def rise() -> tuple[float, float]:
    """Hold 64 MB, and tell how much the memory rose by it and what it was at most."""
    clock.restart_peak()
    before = clock.held_memory()
    held = b"x" * 64 * 2**20
    risen = clock.peak_memory() - before
    return risen, clock.peak_of_own(lambda: time.sleep(0.1 if held else 0))


def test_memory_is_seen_to_rise():
    # In a process of its own: here the allocator may have room left by earlier tests.
    risen, at_most = clock.in_own_process(rise)
    assert risen > 48
    assert at_most > 64


def test_a_process_of_its_own_gives_its_result():
    assert clock.in_own_process(len, "four") == 4

"""Ctrl-C at any moment: one line, what was done is kept, and the same command ends as ever."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
from faults.mishaps import (
    ON_LINUX,
    SEED,
    Whole,
    check_whole,
    empty,
    files_in,
    kinds_of,
    one_of,
    run,
    run_whole,
    wait_for_end,
    words_of,
)
from support.warm import Done, Warm, moments

pytestmark = [
    pytest.mark.fault_class("interrupts"),
    ON_LINUX,
]

RESUMES = ("encode", "sweep", "compare")


def check_told(done: Done, name: str, command: list[str], world: Path) -> None:
    """One line, which says how to go on; or, if it came very early, that nothing was done."""
    assert done.status == 130, (done.status, done.err)
    assert done.out == ""
    kept = "nothing was written; cached word vectors are kept"
    if name in RESUMES:
        kept = f"finished work is kept; resume with: {shlex.join(['structprobe', *command])}"
    if done.err == "structprobe: interrupted; nothing was done\n":
        assert not files_in(world / "out")
    else:
        assert done.err == f"structprobe: interrupted; {kept}\n"


def check_next(warm: Warm, world: Path, name: str, whole: Whole, command: list[str]) -> None:
    """What was done is kept, and the next run ends as if nothing had happened."""
    before = without_commands(files_in(world / "out"))
    check_whole(before, whole.files, whole.passing)
    done = warm.run(*command)
    assert (done.status, done.err) == (0, "")
    after = without_commands(files_in(world / "out"))
    assert after == without_commands(whole.files)
    for name, rows in before.items():
        if name.endswith("rows.jsonl"):
            assert rows[-1] == b""  # no line is torn
            assert after[name][: len(rows) - 1] == rows[:-1]


def without_commands(files: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the commands were."""
    return {name: one for name, one in files.items() if not name.endswith("commands.jsonl")}


def in_order(files: dict[str, Any]) -> dict[str, Any]:
    """Sort rows, which are written as workers finish them."""
    return {
        name: sorted(rows, key=repr) if name.endswith(("rows.jsonl", "rows.csv")) else rows
        for name, rows in files.items()
    }


@pytest.mark.parametrize("name", ["encode", "fit", "sweep", "compare"])
def test_ctrl_c_at_random_moments(name, warm, world, known, tally, whole):
    undisturbed = run_whole(warm, world, name, known)
    print("seed", SEED)
    command = words_of(world, name)

    def interrupt_at(part: float) -> None:
        empty(world)
        while not (done := warm.run_until(part * undisturbed.cpu, signal.SIGINT, *command)).status:
            assert done.err == ""
            part *= 0.9  # it had ended before
            empty(world)
        check_told(done, name, command, world)
        check_next(warm, world, name, undisturbed, words_of(world, name))

    parts = moments(20, SEED)
    some = one_of(parts, whole)
    tally.each(interrupt_at, [(part,) for part in some])


@pytest.mark.parametrize("name", ["encode", "fit", "sweep", "compare", "report", "treebank"])
def test_ctrl_c_within_each_kind_of_write(name, warm, world, known, tally, whole):
    undisturbed = run_whole(warm, world, name, known)

    def interrupt(kind: tuple[str, str], number: int) -> None:
        empty(world)
        done = run(warm, world, name, watch=str(world / "out"), at=number, do="interrupt")
        if done.status:
            check_told(done, name, words_of(world, name), world)
        check_next(warm, world, name, undisturbed, words_of(world, name))

    cases = [*kinds_of(undisturbed.events).items()]
    tally.each(interrupt, one_of(cases, whole)[::2])


@pytest.mark.slow
def test_ctrl_c_where_workers_do_the_work(warm, world, known, tally, whole):
    undisturbed = run_whole(warm, world, "sweep", known)
    wanted = in_order(without_commands(undisturbed.files))
    passing = in_order(undisturbed.passing)
    command = [*words_of(world, "sweep"), "--jobs", "2"]
    seconds = 8.0
    if whole:
        empty(world)
        done = warm.run(*command)
        assert (done.status, done.err) == (0, "")
        seconds = done.seconds

    def interrupt_at(part: float) -> None:
        empty(world)
        while not (
            done := warm.run_until(part * seconds, signal.SIGINT, *command, cpu=False)
        ).status:
            assert done.err == ""
            part *= 0.9
            empty(world)
        check_told(done, "sweep", command, world)
        wait_for_end(done.process)
        check_whole(in_order(without_commands(files_in(world / "out"))), wanted, passing)
        done = warm.run(*words_of(world, "sweep"))
        assert (done.status, done.err) == (0, "")
        assert in_order(without_commands(files_in(world / "out"))) == wanted

    parts = moments(20, SEED)
    some = one_of(parts, whole)
    tally.each(interrupt_at, [(part,) for part in some])


@pytest.mark.parametrize("name", ["encode", "fit", "sweep", "compare"])
def test_ctrl_c_twice(name, warm, world, known, tally, whole):
    """As the impatient press it: the second comes while the first is being told."""
    undisturbed = run_whole(warm, world, name, known)

    def twice(part: float) -> None:
        empty(world)
        seconds = part * undisturbed.cpu
        done = warm.run_until(seconds, signal.SIGINT, *words_of(world, name), times=3)
        if done.status:
            check_told(done, name, words_of(world, name), world)
        check_next(warm, world, name, undisturbed, words_of(world, name))

    tally.each(twice, [(part,) for part in moments(10 if whole else 1, SEED + 1, 0.2, 0.8)])

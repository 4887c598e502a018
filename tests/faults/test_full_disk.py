"""Places that cannot be written to: one line says why, and what was there before is whole."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess

import pytest
from faults.mishaps import (
    COMMANDS,
    ON_LINUX,
    SLOW,
    check_whole,
    empty,
    files_in,
    kinds_of,
    one_of,
    run,
    run_whole,
    skip_unless_usual,
)
from support.warm import Done, small_mount

pytestmark = [
    pytest.mark.fault_class("full disk"),
    ON_LINUX,
]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REASONS = {n: os.strerror(n) for n in (*FULL, errno.EROFS, errno.EACCES, errno.EIO)}


def check_told(done: Done, *reasons: str) -> None:
    """One line, which says why."""
    assert done.status == 1, done.err
    (line,) = done.err.splitlines()
    assert line.startswith("structprobe: error: ")
    assert any(reason in line for reason in reasons), line
    assert done.out == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_each_kind_of_write_that_fails(name, warm, world, known, tried, tally, whole):
    skip_unless_usual(name, whole)
    undisturbed = run_whole(warm, world, name, known)
    wanted = undisturbed.files
    first = {
        kind: number
        for kind, number in kinds_of(undisturbed.events).items()
        if kind[0] not in ("os.remove", "os.rmdir") and kind not in tried
    }
    if whole:
        tried.update(first)

    def fail(kind: tuple[str, str], number: int, reason: int) -> None:
        empty(world)
        how = {"watch": str(world / "out"), "at": number, "do": str(reason)}
        done = run(warm, world, name, **how)
        if kind != ("os.rename", "swept/vectors"):  # which only tidies up
            check_told(done, REASONS[reason])
            assert ("free some" in done.err) == (reason in FULL), done.err
        check_whole(files_in(world / "out"), wanted, undisturbed.passing)
        assert run(warm, world, name).status == 0
        assert files_in(world / "out") == wanted

    cases = [(*one, [*REASONS][i % len(REASONS)]) for i, one in enumerate(first.items())]
    if name in SLOW:
        cases = cases[::5]
    some = one_of(cases, whole)
    tally.each(fail, some)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_small_file_system_that_fills_up(name, warm, world, known, tally, whole):
    skip_unless_usual(name, whole)
    undisturbed = run_whole(warm, world, name, known)
    wanted = undisturbed.files
    needed = sum(len(str(one)) for one in wanted.values())
    pages = sorted({int(needed * part) // 4096 * 4 for part in (0, 0.2, 0.4, 0.6, 0.8)} - {0})
    limits = [f"size={page}k" for page in pages or [4]] + [f"nr_inodes={n}" for n in (2, 3, 5, 8)]

    def fill(limit: str) -> None:
        shutil.rmtree(world / "out")
        with small_mount(world / "out", limit) as out:
            done = run(warm, world, name)
            if done.status:
                check_told(done, REASONS[errno.ENOSPC])
                assert "free some" in done.err
            check_whole(files_in(out), wanted, undisturbed.passing)
            more = "remount,size=9m,nr_inodes=999"
            subprocess.run(["mount", "-o", more, str(out)], check=True)
            assert run(warm, world, name).status == 0
            assert files_in(out) == wanted

    some = one_of(limits, whole)
    try:
        tally.each(fill, [(limit,) for limit in some])
    finally:
        (world / "out").mkdir(exist_ok=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_places_that_may_not_be_written_to(name, warm, world, tally, whole):
    """Read-only file systems, and folders without permission: nothing is written, or changed."""
    skip_unless_usual(name, whole)
    shutil.rmtree(world / "out")

    def check(done: Done, reason: int) -> None:
        check_told(done, REASONS[reason])
        assert not files_in(world / "out")

    def read_only() -> None:
        shutil.rmtree(world / "out", ignore_errors=True)
        with small_mount(world / "out", "ro"):
            check(run(warm, world, name), errno.EROFS)

    def no_permission() -> None:
        (world / "out").mkdir(mode=0o555)
        check(run(warm, world, name, weak=True), errno.EACCES)

    try:
        tally.each(lambda case: case(), [(no_permission,), (read_only,)])
    finally:
        shutil.rmtree(world / "out", ignore_errors=True)
        (world / "out").mkdir()


READ = {
    "report": "report {0}/out/swept -o {0}/new.html --force",
    "evaluate": "evaluate {0}/out/probe {0}/dev.conllu",
    "parse": "parse {0}/out/probe {0}/dev.conllu",
    "encode": COMMANDS["encode"],
}


def test_what_is_whole_is_read_where_nothing_can_be_written(warm, world, tally):
    """Results, probes and caches on a disk that is read-only."""
    shutil.rmtree(world / "out")
    try:
        with small_mount(world / "out", "size=9m") as out:
            assert run(warm, world, "encode").status == 0
            for name in ("probe", "swept"):
                shutil.copytree(world / name, out / name)
            subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)

            def check(name: str) -> None:
                done = warm.run(*READ[name].format(world).split(), "-q")
                assert (done.status, done.err) == (0, "")

            tally.each(check, [(name,) for name in READ])
    finally:
        (world / "out").mkdir(exist_ok=True)


TO_STDOUT = {
    "score": "score {0}/dev.conllu {0}/dev.conllu",
    "parse": "parse {0}/probe {0}/dev.conllu",
    "evaluate": "evaluate {0}/probe {0}/dev.conllu",
    "help": "sweep --help",
    "version": "--version",
}


@pytest.mark.parametrize("name", TO_STDOUT)
def test_standard_output_that_is_full(name, warm, world):
    words = TO_STDOUT[name].format(world).split()
    done = warm.run(*words, *(["-q"] if len(words) > 2 else []), stdout="/dev/full")
    check_told(done, REASONS[errno.ENOSPC])
    assert "standard output" in done.err

"""Several processes at one place: each works, waits or reuses, and the result is the same."""

from __future__ import annotations

import shutil
import signal
from typing import Any

import pytest
from faults.mishaps import (
    COMMANDS,
    ON_LINUX,
    SEED,
    empty,
    files_in,
    run,
    run_whole,
    skip_unless_usual,
    words_of,
)
from support.warm import Done, Warm, moments

from structprobe.results.folder import read_rows

pytestmark = [
    pytest.mark.fault_class("two at once"),
    ON_LINUX,
]

LOUD = {name: command.removesuffix(" -q") for name, command in COMMANDS.items()}


def at_once(warm: Warm, *commands: list[str]) -> list[Done]:
    """Run commands side by side."""
    started = [warm.start(*command) for command in commands]
    return [one.wait() for one in started]


def unordered(files: dict[str, Any]) -> dict[str, Any]:
    """Leave out the order of rows, which is that in which processes were done."""
    return {
        name: sorted(content, key=str) if isinstance(content, list) else content
        for name, content in files.items()
    }


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("n", [2, 3])
def test_processes_that_do_the_same(n, name, warm, world, known, whole):
    skip_unless_usual(name, whole and n == 2)
    if n == 2 and not whole:
        pytest.skip("tried with --whole: three are more than two")
    undisturbed = run_whole(warm, world, name, known)
    empty(world)
    for done in at_once(warm, *[words_of(world, name)] * n):
        assert (done.status, done.err) == (0, "")
    assert unordered(files_in(world / "out")) == unordered(undisturbed.files)


def test_sweeps_that_share_some_runs_and_a_cache(warm, world):
    """Two grids that overlap, in one folder, with one cache: each run is done once."""
    empty(world)
    first = [*words_of(world, "sweep"), "--cache", f"{world}/out/cache"]
    second = [word.replace("0,1", "1-2") for word in first]
    for done in at_once(warm, first, second):
        assert (done.status, done.err) == (0, "")
    rows = read_rows(world / "out/swept")
    assert sorted(row["layer"] for row in rows if row["method"] == "probe") == [0, 1, 2]
    assert len({row["key"] for row in rows}) == len(rows)
    named = {row["probe"] for row in rows if row["method"] == "probe"}
    assert {path.name for path in (world / "out/swept/probes").iterdir()} == named


@pytest.mark.parametrize("reader", ["report", "plot"])
def test_a_sweep_while_others_read(reader, warm, world, whole, tally):
    """A report, or figures, of a folder at any moment of a sweep."""
    skip_unless_usual(reader, whole)
    empty(world)
    written = warm.start(*words_of(world, "sweep"), "--ranks", "1,2,3,4")
    command = LOUD[reader].format(world).replace(f"{world}/swept", f"{world}/out/swept").split()

    def read() -> None:
        done = warm.run(*command, "-q")
        assert done.status in (0, 1)
        if done.status:  # too early: there is nothing yet
            (line,) = done.err.splitlines()
            assert any(told in line for told in EARLY), line

    while not written.has_ended():
        tally.one(read)
    assert written.wait().status == 0
    tally.one(read)
    assert len(read_rows(world / "out/swept")) == 4 + 8


EARLY = ("no such folder", "the results folder is empty", "nothing to draw", "not a results folder",
         "neither a results folder nor", "contains no results")  # fmt: skip


def test_fit_over_a_probe_that_others_read(warm, world):
    """Whoever reads finds the older probe or the newer one, whole, at any moment."""
    from structprobe import StructuralProbe

    empty(world)
    place = world / "out/probe"
    shutil.copytree(world / "probe", place)
    command = words_of(world, "fit")
    command[command.index("--layer") + 1] = "0"
    started = [warm.start(*command) for _ in range(3)]
    layers = set()
    while not all(one.has_ended() for one in started):
        layers.add(StructuralProbe.from_pretrained(place).origin_["layer"])
    assert [one.wait().status for one in started] == [0, 0, 0]
    layers.add(StructuralProbe.from_pretrained(place).origin_["layer"])
    assert layers == {0, 1}
    assert [path.name for path in (world / "out").iterdir() if "probe" in path.name] == ["probe"]


@pytest.mark.parametrize("name", ["encode", "sweep", "compare"])
def test_one_of_two_is_killed(name, warm, world, known, tally, whole):
    """The other takes its place, and ends as ever."""
    undisturbed = run_whole(warm, world, name, known)

    def kill_at(part: float) -> None:
        empty(world)
        other = warm.start(*words_of(world, name))
        warm.run_until(part * undisturbed.cpu, signal.SIGKILL, *words_of(world, name))
        done = other.wait()
        assert (done.status, done.err) == (0, "")
        left = unordered(files_in(world / "out"))
        assert left.items() >= unordered(undisturbed.files).items()
        assert run(warm, world, name).status == 0

    parts = moments(5, SEED, 0.3, 0.9)
    tally.each(kill_at, [(part,) for part in (parts if whole else parts[2:3])])


def test_who_waits_says_so_and_reuses(warm, world):
    empty(world)
    command = LOUD["encode"].format(world).split()
    first = warm.start(*command, watch=str(world / "out"), at=30, do="stop")
    first.until_it_stops_itself()
    second = warm.start(*command)
    first.go_on_when_told(second, "waiting for another process to finish writing")
    assert [first.wait().status, second.wait().status] == [0, 0]

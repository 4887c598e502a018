"""Commands that are killed: what is whole stays whole, and the same command goes on to the end."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from faults import mishaps
from faults.mishaps import (
    COMMANDS,
    ON_LINUX,
    SEED,
    SLOW,
    WAITING,
    Whole,
    check_whole,
    empty,
    files_in,
    kinds_of,
    one_of,
    run,
    run_whole,
    skip_unless_usual,
    words_of,
)
from support.warm import Warm, moments

pytestmark = [
    pytest.mark.fault_class("crash"),
    ON_LINUX,
]


def check_next(warm: Warm, world: Path, name: str, whole: Whole, *others: dict[str, Any]) -> None:
    """What is there is whole, and the next run ends as if nothing had happened, without waiting."""
    check_whole(files_in(world / "out"), whole.files, whole.passing, *others)
    done = run(warm, world, name)
    assert done.status == 0, done.err
    assert "waiting for" not in done.err
    assert files_in(world / "out") == whole.files


@pytest.mark.parametrize("name", ["encode", "fit", "sweep", "compare"])
def test_kill_9_at_random_moments(name, warm, world, known, tally, whole):
    undisturbed = run_whole(warm, world, name, known)
    print("seed", SEED)

    def kill_at(part: float) -> None:
        empty(world)
        command = words_of(world, name)
        while warm.run_until(part * undisturbed.cpu, signal.SIGKILL, *command).status != -9:
            part *= 0.9  # it had ended before
            empty(world)
        check_next(warm, world, name, undisturbed)

    parts = moments(30, SEED)
    some = one_of(parts, whole)
    tally.each(kill_at, [(part,) for part in some])


@pytest.mark.parametrize("name", COMMANDS)
def test_kill_9_before_and_in_each_kind_of_write(name, warm, world, known, tried, tally, whole):
    skip_unless_usual(name, whole)
    undisturbed = run_whole(warm, world, name, known)
    first = kinds_of(undisturbed.events)
    if whole:  # what other commands write in the same way is tried once
        first = {kind: number for kind, number in first.items() if kind not in tried}
        tried.update(first)

    def kill(kind: tuple[str, str], number: int, how: str) -> None:
        empty(world)
        done = run(warm, world, name, watch=str(world / "out"), at=number, do=how)
        # A file that is opened and gets no content may be the last.
        assert done.status == -9 or (how != "kill" and done.status in (0, -signal.SIGXFSZ))
        check_next(warm, world, name, undisturbed)

    cases = [(*one, "kill") for one in first.items()]
    cases += [(*one, "kill within") for one in first.items() if one[0][0] == "open"]
    if name in SLOW:  # of which the figures are all written in the same way
        cases = cases[::5]
    some = one_of(cases, whole)
    tally.each(kill, some)


OLDER = {"fit": "probe", "treebank": "UD_Toy-One", "parse": "parsed.conllu"}
OLDER["report"] = "report.html"


@pytest.mark.parametrize("name", OLDER)
def test_kill_9_leaves_an_earlier_result_until_the_new_one_is_whole(
    name, warm, world, known, tally, whole
):
    skip_unless_usual(name, whole)
    undisturbed = run_whole(warm, world, name, known)
    older, out = world / f"older {name}", world / "out"
    empty(world)
    run(warm, world, name)
    shutil.copytree(out, older)
    place = OLDER[name]
    for path in (older / place, older / place / "README.md"):
        if path.is_file():
            path.write_bytes(b"of an earlier run " + path.read_bytes())
    before = files_in(older)

    def begin() -> None:
        shutil.rmtree(out)
        shutil.copytree(older, out)

    begin()
    done = run(warm, world, name, watch=str(out))
    numbers = [n for n, (_, path) in enumerate(done.events, start=1) if "cache" not in path]

    def kill_before(number: int) -> None:
        begin()
        assert run(warm, world, name, watch=str(out), at=number, do="kill").status == -9
        now = {key: one for key, one in files_in(out).items() if key.startswith(place)}
        assert now in [
            {key: one for key, one in whole.items() if key.startswith(place)}
            for whole in (before, undisturbed.files)
        ]
        check_next(warm, world, name, undisturbed, before)

    # The last are those around the change of names.
    tally.each(kill_before, [(n,) for n in (numbers if whole else numbers[-1:])])


@pytest.mark.slow
def test_kill_9_of_a_sweep_whose_workers_live_on(warm, world, known):
    undisturbed = run_whole(warm, world, "sweep", known)
    empty(world)
    command = [*words_of(world, "sweep"), "--jobs", "2"]
    started = warm.start(*command, watch=str(world / "out"), at=100, do="kill")
    assert started.wait().status == -9
    done = warm.run(*words_of(world, "sweep"))
    assert (done.status, "waiting for" in done.err) == (0, False)
    assert files_in(world / "out").keys() == undisturbed.files.keys()
    mishaps.wait_for_end(started.process)


def test_a_temporary_folder_that_was_half_removed_stops_nobody(warm, world, known, tally):
    """As a process leaves it that is killed while it removes it."""
    undisturbed = run_whole(warm, world, "sweep", known)
    rename = undisturbed.events.index(("os.rename", "swept/vectors")) + 1
    removals = range(rename + 1, rename + 12)
    assert {undisturbed.events[n - 1][0] for n in removals} >= {"os.remove"}

    def kill_before(number: int) -> None:
        empty(world)
        run(warm, world, "sweep", watch=str(world / "out"), at=number, do="kill")
        more = [word.replace("0,1", "0-2") for word in words_of(world, "sweep")]
        assert warm.run(*more).status == 0
        assert not [*(world / "out/swept").glob(".vectors.*.draft")]

    tally.each(kill_before, [(n,) for n in random.Random(SEED).sample(removals, 2)])


def test_kill_9_between_the_name_of_a_probe_and_its_row(warm, world, known, tally, whole):
    undisturbed = run_whole(warm, world, "sweep", known)
    (named, _) = [
        number
        for number, (event, path) in enumerate(undisturbed.events, start=1)
        if event == "os.rename" and WAITING.search(f"{path}/")
    ]

    def kill_before(number: int) -> None:
        empty(world)
        assert run(warm, world, "sweep", watch=str(world / "out"), at=number, do="kill").status
        check_next(warm, world, "sweep", undisturbed)

    tally.each(kill_before, [(n,) for n in range(named + 1, named + (10 if whole else 2))])

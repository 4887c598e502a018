"""Commands that are killed: what is whole stays whole, and the same command goes on to the end."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import mishaps
from faults.mishaps import COMMANDS, check_whole, empty, files_in, kind_of, words_of
from support.ud_server import good_files, make_archive, serving
from support.warm import Warm, moments

pytestmark = [
    pytest.mark.fault_class("crash"),
    pytest.mark.skipif("sys.platform != 'linux'", reason="processes are watched as on Linux"),
]

SEED = 18
SLOW = {"heads", "plot"}  # of which each kind is tried on request alone


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Path:
    return mishaps.make_world(tmp_path_factory.mktemp("world"), warm)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What each command writes, and by which changes on disk, as far as it was asked for."""
    return {}


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with serving() as server:
        server.put("UD_Toy-One", make_archive(good_files()))
        yield server.url


def run_whole(warm: Warm, world: Path, name: str, known: dict[str, Any]) -> Any:
    """Run a command undisturbed, once: its files, its changes on disk, its time."""
    if name not in known:
        empty(world)
        done = warm.run(*words_of(world, name), watch=str(world / "out"))
        assert done.status == 0, done.err
        known[name] = files_in(world / "out"), done.events, done.cpu
    return known[name]


def check_next(warm: Warm, world: Path, name: str, wanted: dict[str, Any]) -> None:
    """What is there is whole, and the next run ends as if nothing had happened, without waiting."""
    check_whole(files_in(world / "out"), wanted)
    done = warm.run(*words_of(world, name))
    assert done.status == 0, done.err
    assert "waiting for" not in done.err
    assert files_in(world / "out") == wanted


@pytest.mark.parametrize("name", ["encode", "fit", "sweep", "compare"])
def test_kill_9_at_random_moments(name, warm, world, undisturbed, tally, whole):
    wanted, _, cpu = run_whole(warm, world, name, undisturbed)
    print("seed", SEED)

    def kill_at(part: float) -> None:
        empty(world)
        while warm.run_until(part * cpu, signal.SIGKILL, *words_of(world, name)).status != -9:
            part /= 2  # it had ended before
            empty(world)
        check_next(warm, world, name, wanted)

    parts = moments(30, SEED)
    some = parts if whole else random.Random(SEED).sample(parts, 3)
    tally.each(kill_at, [(part,) for part in some])


@pytest.mark.parametrize("name", COMMANDS)
def test_kill_9_before_and_in_the_middle_of_each_kind_of_write(
    name, warm, world, undisturbed, tally, whole, served
):
    if name in SLOW and not whole:
        pytest.skip("takes long")
    warm.setenv("STRUCTPROBE_UD_URL", served)
    wanted, events, _ = run_whole(warm, world, name, undisturbed)
    first: dict[tuple[str, str], int] = {}
    for number, (event, path) in enumerate(events, start=1):
        first.setdefault((event, kind_of(path)), number)
    out = world / "out"

    def kill_before(kind: tuple[str, str], number: int) -> None:
        empty(world)
        done = warm.run(*words_of(world, name), watch=str(out), at=number, do="kill")
        assert done.status == -9, done.err
        check_next(warm, world, name, wanted)

    def kill_within(kind: tuple[str, str], number: int) -> None:
        empty(world)
        done = warm.run(*words_of(world, name), watch=str(out), at=number, do="kill within")
        assert done.status in (0, -signal.SIGXFSZ), done.err  # 0: a file without content
        check_next(warm, world, name, wanted)

    cases = [(kill_before, *one) for one in first.items()]
    cases += [(kill_within, *one) for one in first.items() if one[0][0] == "open"]
    some = cases if whole else random.Random(SEED).sample(cases, min(6, len(cases)))
    tally.each(lambda check, *case: check(*case), some)

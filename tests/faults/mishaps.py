"""Commands that write every kind of file, and what they leave behind, without what takes time."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_file
from support.warm import Done, Warm

T = TypeVar("T")

ON_LINUX = pytest.mark.skipif("sys.platform != 'linux'", reason="processes are watched as on Linux")
SEED = 18  # of the moments and cases that are drawn
SLOW = {"heads", "plot"}  # which write many files in the same way

# Each writes below {0}/out; {0} is the world. "force": so that the same command can be run again.
FILES = "--train {0}/train.conllu --dev {0}/dev.conllu"
MODEL = "--model {0}/model --device cpu"
STEPS = "--max-steps 5"
COMMANDS = {
    "encode": f"encode {MODEL} {{0}}/train.conllu {{0}}/dev.conllu --untrained"
    " --batch-tokens 40 --cache {0}/out/cache",
    "fit": f"fit {MODEL} {FILES} --layer 1 {STEPS} --cache {{0}}/out/cache -o {{0}}/out/probe"
    " --force",
    "sweep": f"sweep {MODEL} {FILES} --layers 0,1 --ranks 2 {STEPS} --save-probes"
    " --keep-predictions --memory-gb 1e-5 -o {0}/out/swept",
    "compare": f"compare {MODEL} {FILES} --test {{0}}/test.conllu --methods"
    " linear,attention-max,attention-probe[max_steps=5] --cache {0}/out/cache -o {0}/out/compared",
    "heads": f"heads {MODEL} {FILES} --test {{0}}/test.conllu -o {{0}}/out/heads --force",
    "report": "report {0}/swept -o {0}/out/report.html --force",
    "plot": "plot {0}/swept --format svg -o {0}/out/figures --force",
    "parse": "parse {0}/probe {0}/dev.conllu -o {0}/out/parsed.conllu --force",
    "parse to gzip": "parse {0}/probe {0}/dev.conllu -o {0}/out/parsed.conllu.gz --force",
    "treebank": "treebank UD_Toy-One -o {0}/out/UD_Toy-One --force",
}
COMMANDS = {name: f"{command} -q" for name, command in COMMANDS.items()}
USUAL = {"encode", "fit", "sweep", "compare", "report", "treebank"}
LOCKS = {"lock", ".lock", ".vectors.lock"}
TIMES = {"cpu_seconds", "wall_seconds", "checksum", "time"}
# What a file is called while it is not yet whole.
WAITING = re.compile(r"probes/[0-9a-f]{16}/")  # for a name, of which there is none before the row
UNFINISHED = re.compile(r"^\.|\.(part|journal)$")


def one_of(cases: Sequence[T], whole: bool) -> Sequence[T]:
    """Give all cases if they are wanted, or else one that is drawn."""
    return cases if whole else random.Random(SEED).sample(cases, min(1, len(cases)))


def make_world(folder: Path, warm: Warm) -> Path:
    """A folder with a tiny model, treebanks, a probe and a sweep."""
    save_checkpoint(folder / "model", "bert")
    for seed, part in enumerate(("train", "dev", "test")):
        tiny_file(folder / f"{part}.conllu", n=12, seed=seed)
    (folder / "out").mkdir()
    for name in ("fit", "sweep"):
        assert run(warm, folder, name).status == 0
    (folder / "out/probe").rename(folder / "probe")
    (folder / "out/swept").rename(folder / "swept")
    return folder


@dataclass(frozen=True)
class Whole:
    """What an undisturbed command writes, how, and in what time."""

    files: dict[str, Any]
    passing: dict[str, Any]  # that are there for a while
    events: list[tuple[str, str]]
    cpu: float


def run_whole(warm: Warm, world: Path, name: str, known: dict[str, Whole]) -> Whole:
    """Run a command undisturbed, once."""
    if name not in known:
        empty(world)
        out = world / "out"
        done = run(warm, world, name, watch=str(out))
        assert (done.status, done.err) == (0, "")
        files, passing = files_in(out), {}
        if (change := ("os.rename", "swept/vectors")) in done.events:
            at = done.events.index(change) + 1
            empty(world)
            assert run(warm, world, name, watch=str(out), at=at, do="kill").status == -9
            passing = files_in(out)
        known[name] = Whole(files, passing, done.events, done.cpu)
    return known[name]


def kinds_of(events: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Give the kinds of changes on disk, and the number of the first of each kind."""
    first: dict[tuple[str, str], int] = {}
    for number, (event, path) in enumerate(events, start=1):
        path = re.sub(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b", "*", path)
        path = re.sub(r"\.[0-9a-f]{8}\.draft\b", ".#", path)
        # Caches are written in the same way wherever they are.
        path = re.sub(r"^(cache|swept/vectors)/", "vectors/", re.sub(r"layer-\d+", "layer", path))
        first.setdefault((event, path), number)
    return first


def skip_unless_usual(name: str, whole: bool) -> None:
    """Skip a command that is tried on request alone."""
    if not whole and name not in USUAL:
        pytest.skip("tried with --whole")


def words_of(world: Path, name: str) -> list[str]:
    return COMMANDS[name].format(world).split()


def run(warm: Warm, world: Path, name: str, **mishap: Any) -> Done:
    return warm.run(*words_of(world, name), **mishap)


def empty(world: Path) -> None:
    """Take away what was written."""
    shutil.rmtree(world / "out")
    (world / "out").mkdir()


def files_in(folder: Path) -> dict[str, Any]:
    """Give the content of all files but locks, without what takes time."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in LOCKS)
    return {str(path.relative_to(folder)): _content(path) for path in paths}


def _content(path: Path) -> Any:
    if path.suffix == ".jsonl":
        lines = path.read_bytes().split(b"\n")
        return [_timeless(json.loads(line)) for line in lines[:-1]] + lines[-1:]
    if path.name == "rows.csv":
        with path.open(newline="") as file:
            return [_timeless(row) for row in csv.DictReader(file)]
    if path.name == "heads.json":
        with contextlib.suppress(ValueError):  # half-written
            return _timeless(json.loads(path.read_bytes()))
    return path.read_bytes()


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in TIMES}


def check_whole(found: dict[str, Any], wanted: dict[str, Any], *others: dict[str, Any]) -> None:
    """Whatever has its final name is whole: as it will be, or was, or some of its rows."""
    for name, content in found.items():
        if any(UNFINISHED.search(part) for part in Path(name).parts):
            continue
        if name.endswith((".jsonl", "rows.csv")):
            left = iter(wanted[name])  # a comparison goes on with the methods after one that failed
            assert all(row in left for row in content if isinstance(row, dict)), name
        else:
            whole = [one[name] for one in (wanted, *others) if name in one]
            if WAITING.search(name):
                whole += [wanted[one] for one in wanted if Path(one).name == Path(name).name]
            assert content in whole, f"{name} is half-written"


def wait_for_end(group: int) -> None:
    """Wait until no process of a group is left, for a while; then end them."""
    deadline = time.monotonic() + 60
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
        raise AssertionError("workers live on without the process that they worked for")

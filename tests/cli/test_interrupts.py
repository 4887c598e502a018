"""Ctrl-C, as a terminal sends it: what was done is kept, and the printed command goes on."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_file

from structprobe.cli.main import main
from structprobe.results.folder import ROWS

N_LAYERS = 12
N_SENTENCES = 2000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="there is no Ctrl-C of this kind"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model and a deep one, a small treebank and a longer one."""
    folder = tmp_path_factory.mktemp("world")
    save_checkpoint(folder / "model", "bert")
    save_checkpoint(folder / "deep", "bert", num_hidden_layers=N_LAYERS)
    tiny_file(folder / "a few.conllu", n=30)
    tiny_file(folder / "many.conllu", n=N_SENTENCES, seed=1)
    return folder


def interrupted(arguments: list[str], begun: Callable[[], bool]) -> list[str]:
    """Run a command, press Ctrl-C as soon as it has begun; give the command that it prints."""
    command = [sys.executable, "-m", "structprobe", *arguments]
    # In a group of its own, all of which is sent the signal, as by a terminal.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while process.poll() is None and not begun():
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)
        out, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    last = told.splitlines()[-1]
    start, _, resume = last.partition("resume with: ")
    assert start == "structprobe: interrupted; finished work is kept; "
    assert out == ""
    program, *rest = shlex.split(resume)
    assert program == "structprobe"
    assert rest == arguments
    return rest


def rows_of(folder: Path) -> Iterator[str]:
    """Give the whole lines of rows that are there; each tells how long its run took."""
    path = folder / ROWS
    yield from (line for line in (path.read_text() if path.exists() else "").splitlines(True))


def methods_of(folder: Path) -> list[str]:
    return [json.loads(line)["method"] for line in rows_of(folder) if line.endswith("\n")]


@pytest.mark.fault_class("interrupts")
def test_a_sweep(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank, out = str(world / "a few.conllu"), world / "swept"
    # So little room that each layer is trained by itself, and its row written then.
    how = ["--ranks", "2", "--max-steps", "60", "--device", "cpu", "--memory-gb", "1e-5"]
    files = ["--model", str(world / "deep"), "--train", bank, "--dev", bank, "-o", str(out)]
    resume = interrupted(["sweep", *files, *how], lambda: "probe" in methods_of(out))
    kept = [*rows_of(out)]
    n_runs = 4 + N_LAYERS + 1  # the baselines, the layers, the embeddings
    assert 5 <= len(kept) < n_runs
    assert main(resume) == 0
    assert f"structprobe: {n_runs - len(kept)} of {n_runs} runs to do\n" in capsys.readouterr().err
    rows = [*rows_of(out)]
    assert rows[: len(kept)] == kept
    assert len({json.loads(row)["key"] for row in rows}) == len(rows) == n_runs


@pytest.mark.fault_class("interrupts")
def test_a_comparison(world: Path) -> None:
    bank, out = str(world / "a few.conllu"), world / "compared"
    files = [argument for part in ("train", "dev", "test") for argument in (f"--{part}", bank)]
    how = ["--methods", "linear,right-branching,probe,random", "--device", "cpu"]
    command = ["compare", "--model", str(world / "model"), *files, *how, "-o", str(out), "-q"]
    resume = interrupted(command, lambda: "linear" in methods_of(out))
    kept = [*rows_of(out)]
    assert 1 <= len(kept) <= 2
    assert main(resume) == 0
    assert [*rows_of(out)][: len(kept)] == kept
    assert methods_of(out) == ["linear", "right-branching", "probe", "random"]


@pytest.mark.fault_class("interrupts")
def test_encoding(world: Path) -> None:
    """Rows that are kept are written over, to see that they are not written again."""
    cache = world / "cache"
    files = ["--model", str(world / "model"), "--cache", str(cache), str(world / "many.conllu")]
    how = ["--layers", "1", "--device", "cpu", "--batch-tokens", "16", "-q"]

    def begun() -> bool:
        parts = [
            part for part in cache.rglob("*.part") if part.stat().st_size > 128
        ]  # has a header
        return any(np.load(part, mmap_mode="r").any() for part in parts)

    resume = interrupted(["encode", *files, *how], begun)
    (folder,) = {path.parent for path in cache.rglob("layer-01.*")}
    noted = np.fromfile(folder / "layer-01.journal", "<i8") - 1
    assert 0 < len(set(noted)) == len(noted) < N_SENTENCES
    offsets = np.load(folder / "offsets.npy")
    part = np.load(folder / "layer-01.part", mmap_mode="r+")
    is_kept = np.repeat(np.isin(np.arange(N_SENTENCES), noted), np.diff(offsets))
    part[is_kept] = 7
    part.flush()
    assert main(resume) == 0
    vectors = np.load(folder / "layer-01.npy")
    assert (vectors[is_kept] == 7).all()
    assert not (vectors[~is_kept] == 7).any()
    assert np.any(vectors[~is_kept], axis=1).all()
    assert not [*folder.glob("*.part"), *folder.glob("*.journal")]

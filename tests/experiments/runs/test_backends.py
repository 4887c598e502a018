"""A sweep gives the same table wherever its runs are done, and whoever dies on the way."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.deadly import Deadly, DeadlyGroup, Lacking, Square, dask_scheduler
from support.flat_settings import sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder
from structprobe.cli.main import main
from structprobe.errors import ClusterError
from structprobe.experiments import sweep as sweeping
from structprobe.experiments.runs import backends
from structprobe.experiments.runs.backends import HERE, Backend, cores
from structprobe.results.folder import read_rows
from structprobe.results.rows import Row

BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
GRID: dict[str, Any] = {"layers": "0,2", "ranks": (2, None), "seeds": (0,), "max_steps": 5}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("model"), "bert"), device="cpu")


@pytest.fixture(scope="module")
def distributed() -> None:
    pytest.importorskip("distributed")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As each worker has: sums of other lengths round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def table(rows: list[Row]) -> list[Row]:
    """All of the rows but how long they took."""
    return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in rows]


@pytest.fixture(scope="module")
def plain(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("plain")
    return table(sweep(encoder, *BANKS, folder=folder, **GRID))


def with_a_death(encoder: Encoder, folder: Path, backend: Backend) -> list[Row]:
    """Sweep, and have the worker killed that begins with layer 2."""
    flag = folder / "killed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping, "Group", partial(DeadlyGroup, parent=os.getpid(), flag=flag))
        rows = sweep(encoder, *BANKS, folder=folder / "DIR", backend=backend, device="cpu", **GRID)
    assert flag.exists()
    assert sorted(row["key"] for row in read_rows(folder / "DIR")) == sorted(
        row["key"] for row in rows
    )
    return table(rows)


@pytest.mark.slow
@pytest.mark.fault_class("crash")
def test_processes_one_of_which_is_killed(
    encoder: Encoder, plain: list[Row], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert with_a_death(encoder, tmp_path, Backend(2)) == plain
    assert "a worker died; its run is repeated" in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("distributed")
@pytest.mark.fault_class("crash")
def test_a_dask_cluster_one_of_whose_workers_is_killed(
    encoder: Encoder, plain: list[Row], tmp_path: Path
) -> None:
    with dask_scheduler(tmp_path) as (address, start_worker):
        workers = [start_worker(), start_worker()]  # it begins with the first that is there
        assert with_a_death(encoder, tmp_path, Backend(scheduler=address)) == plain
        assert sorted(worker.poll() is None for worker in workers) == [False, True]
        dask = Backend(1, "dask", address)
        (left,) = [worker.pid for worker in workers if worker.poll() is None]
        assert list(dask.run([os.getpid])) == [left]  # not here, though there is one worker only
        assert sorted(dask.run([Square(n) for n in range(4)])) == [0, 1, 4, 9]
        with pytest.raises(ValueError, match="-1 is negative"):
            list(dask.run([Square(-1)]))
        with pytest.raises(ClusterError, match="a worker cannot import a package: No module named"):
            list(dask.run([Lacking()]))


@pytest.mark.slow
@pytest.mark.usefixtures("distributed")
def test_faults_of_a_cluster(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "CONNECT_SECONDS", 1)
    (tmp_path / "structprobe").mkdir()
    (tmp_path / "structprobe" / "__init__.py").write_text("raise ModuleNotFoundError('none')")
    with dask_scheduler(tmp_path) as (address, start_worker):
        dask = Backend(1, "dask", address)
        with pytest.raises(ClusterError, match="has no workers; start them with: dask worker"):
            dask.check()
        monkeypatch.setattr(backends, "CONNECT_SECONDS", 30)
        start_worker(str(tmp_path))
        with pytest.raises(ClusterError, match=r"the worker tcp://.* lacks structprobe; install"):
            dask.check()
    assert not (tmp_path / "DIR").exists()


def test_a_worker_with_another_version() -> None:
    client = types.SimpleNamespace(run=lambda *_, **__: {"tcp://a:1": "0.0.1"})
    with pytest.raises(ClusterError, match=r"worker tcp://a:1 has structprobe 0\.0\.1; install"):
        backends._check_workers(client)


@pytest.mark.usefixtures("distributed")
@pytest.mark.parametrize("address", ["nowhere", "tcp://127.0.0.1", "http://127.0.0.1:8786"])
def test_what_is_no_address_is_told_without_a_client(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of what is no address prints a traceback 20 s after the message."""
    monkeypatch.setattr("distributed.Client", None)
    with pytest.raises(ClusterError, match=f"no Dask scheduler at {address}: "):
        Backend(scheduler=address).check()


@pytest.mark.slow
@pytest.mark.usefixtures("distributed")
def test_a_dead_scheduler_is_one_line_and_the_rows_stay(
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(backends, "CONNECT_SECONDS", 1)
    bank = tiny_file(tmp_path / "bank.conllu").paths[0]
    command = f"sweep --model {encoder.model} --train {bank} --dev {bank} -o {tmp_path}/DIR".split()
    command += ["--max-steps", "2", "-q", "--device", "cpu", "--layers"]
    assert main([*command, "0"]) == 0
    before = read_rows(tmp_path / "DIR")
    capsys.readouterr()
    assert main([*command, "1", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9"]) == 1
    told = capsys.readouterr().err
    assert "structprobe: error: no Dask scheduler at tcp://127.0.0.1:9: " in told
    assert told.count("structprobe: error") == 1
    assert "Traceback" not in told
    assert read_rows(tmp_path / "DIR") == before


@pytest.mark.parametrize("name", ["threading", "multiprocessing", "sequential"])
def test_any_registered_backend(
    encoder: Encoder, plain: list[Row], tmp_path: Path, name: str
) -> None:
    how: dict[str, Any] = {"folder": tmp_path, "backend": Backend(2, name)}
    assert table(sweep(encoder, *BANKS, **how, **GRID)) == plain


def test_a_backend_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from joblib.parallel import BACKENDS, register_parallel_backend

    def register_ray() -> None:
        register_parallel_backend("ray", BACKENDS["threading"])

    for name in ("ray", "ray.util"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    made = types.ModuleType("ray.util.joblib")
    made.register_ray = register_ray  # type: ignore[attr-defined] -- a module made here
    monkeypatch.setitem(sys.modules, "ray.util.joblib", made)
    monkeypatch.setattr("joblib.parallel.BACKENDS", dict(BACKENDS))
    assert sorted(Backend(2, "ray").run([Square(2), Square(3)])) == [4, 9]


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (Backend(2, "dusk"), r"unknown backend 'dusk' \(did you mean 'dask'\?\); choose from"),
        (Backend(2, "spark"), "the backend 'spark' is not installed: No module named"),
        (Backend(2, "dask"), "the backend 'dask' needs a scheduler; give its address"),
        (
            Backend(2, "loky", "tcp://a:1"),
            "the backend 'loky' does not use a scheduler",
        ),
        (Backend(scheduler="nowhere"), "no Dask scheduler at nowhere"),
    ],
)
def test_what_cannot_be_run_on(
    backend: Backend, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "CONNECT_SECONDS", 1)
    with pytest.raises(ClusterError, match=words):
        backend.check()


@pytest.mark.parametrize("lacks", ["distributed", "joblib._dask"])
def test_without_dask(lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from joblib.parallel import BACKENDS

    if lacks != "distributed":
        plain = {name: made for name, made in BACKENDS.items() if name != "dask"}
        monkeypatch.setattr("joblib.parallel.BACKENDS", plain)
    monkeypatch.setitem(sys.modules, lacks, None)
    with pytest.raises(ClusterError, match=r"'dask' is not installed; install it with: pip"):
        Backend(scheduler="tcp://127.0.0.1:9").check()


@pytest.mark.slow
@pytest.mark.fault_class("crash")
def test_a_part_that_kills_every_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "TRIES", 2)
    with pytest.raises(ClusterError, match=r"a worker died 2 times .* try fewer jobs"):
        list(Backend(2).run([Deadly(), Deadly()]))


def test_faults_of_the_cluster_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class LostError(Exception):
        __module__ = "distributed.scheduler"

    class Failing:
        def __call__(self) -> None:
            raise LostError("a worker died 4 times\nand more")

    with pytest.raises(
        ClusterError, match=r"the Dask cluster failed: LostError: a worker died 4 times$"
    ):
        list(Backend(1, "threading").run([Failing()]))


def test_here_is_lazy_and_threads_are_shared() -> None:
    Backend().check()
    given = HERE.run([Square(3), Square(-1)])
    assert next(given) == 9
    assert HERE.is_here
    assert not Backend(2).is_here
    assert cores() >= 1

"""Vectors read from disk batch by batch give what vectors in memory give, bit for bit."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.planted import planted
from support.small_disk import no_file_beyond

from structprobe import LayerSweep, StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.data import ragged_vectors as words_module
from structprobe.probe.data.ragged_vectors import Words, give_back
from structprobe.probe.estimator import fit_together
from structprobe.probe.training import fit as fitting
from structprobe.probe.training.streaming import ReadAhead, Spool, Streamed

X, HEADS = planted(400, seed=0, noise=0.3)
DEV = planted(40, seed=1, noise=0.3)
# 80 kB: room for the largest batches, twice over; all vectors are some 280 kB, half in bfloat16.
LITTLE = 80e-6
RECIPES = [
    {"recipe": "whitened", "max_steps": 60, "batch_size": 8},
    {"recipe": "auto", "max_steps": 20, "batch_size": 8},
    {"recipe": "published", "max_steps": 60, "batch_size": 8, "learning_rate": 0.05},
]


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> list[Spool]:
    """The files that are made; vectors are laid out some fifty words at a time."""
    made: list[Spool] = []
    start = Spool.__init__

    def noting(spool: Spool, *shape: Any) -> None:
        made.append(spool)
        start(spool, *shape)

    monkeypatch.setattr(Spool, "__init__", noting)
    monkeypatch.setattr(words_module, "CHUNK_SIZE", 50 * 24)
    return made


@pytest.fixture(autouse=True, params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """One fit after another, and two side by side; each on one thread, so that sums are alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def same(a: StructuralProbe, b: StructuralProbe) -> bool:
    """Whether two probes learned the same, bit for bit."""
    return (
        np.array_equal(a.distance_components_, b.distance_components_)
        and np.array_equal(a.depth_components_, b.depth_components_)
        and a.history_ == b.history_
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=["whitened", "auto", "published"])
@pytest.mark.parametrize("given_dev", [True, False], ids=["dev", "held out"])
@pytest.mark.parametrize("products", ["float32", "bfloat16"])
@pytest.mark.fault_class("memory")
def test_what_is_streamed_is_trained_as_in_memory(
    recipe: dict[str, Any], given_dev: bool, products: str, spools: list[Spool]
) -> None:
    settings = {"rank": 12, "random_state": 3, "device": "cpu", "products": products, **recipe}
    dev = DEV if given_dev else None
    resident = StructuralProbe(**settings).fit(X, HEADS, dev=dev)
    assert not spools
    streamed = StructuralProbe(**settings, memory_gb=LITTLE).fit(X, HEADS, dev=dev)
    types = [getattr(torch, products), torch.float32]  # of train and dev, for each of two kinds
    assert sorted(str(spool.dtype) for spool in spools) == sorted(2 * [str(one) for one in types])
    assert same(resident, streamed)


def test_layers_that_lost_a_direction_and_words_without_an_arc(spools: list[Spool]) -> None:
    flat = [x @ (np.eye(24) - 1 / 24) for x in X]  # as layer norm leaves them: they sum to zero
    lengths = [len(one) for one in HEADS]
    assert 1 in lengths
    probes = [
        StructuralProbe(rank=5, random_state=0, batch_size=8, max_steps=20, memory_gb=room)
        for room in (4.0, LITTLE)
    ]
    assert same(*(probe.fit(flat, HEADS, dev=DEV) for probe in probes))
    assert len(spools) == 4


def test_layers_ranks_and_seeds_are_streamed_one_layer_at_a_time(spools: list[Spool]) -> None:
    layers, dev_layers = {0: X, 4: [2 * x for x in X]}, {0: DEV[0], 4: [2 * x for x in DEV[0]]}
    grid = [(0, 24, 0), (4, 24, 0), (4, 5, 0), (4, 5, 1)]
    found = []
    for room in (4.0, 2 * LITTLE):
        jobs = [
            (
                layer,
                StructuralProbe(
                    rank=rank,
                    random_state=seed,
                    max_steps=20,
                    batch_size=8,
                    device="cpu",
                    memory_gb=room,
                ),
            )
            for layer, rank, seed in grid
        ]
        done = list(fit_together(jobs, layers, HEADS, dev=(dev_layers, DEV[1])))
        found.append(jobs)
    assert [len(group) for group in done] == [1, 2, 1]
    assert len(spools) == 3 * 4  # a layer and seed, of each the two kinds, train and dev
    for (_, resident), (_, streamed) in zip(*found, strict=True):
        assert same(resident, streamed)


def test_a_sweep_passes_the_room_on(spools: list[Spool]) -> None:
    how: dict[str, Any] = {"random_state": 0, "max_steps": 5, "batch_size": 8, "device": "cpu"}
    resident = LayerSweep(**how).fit({2: X}, HEADS).probes_
    streamed = LayerSweep(**how, memory_gb=LITTLE).fit({2: X}, HEADS).probes_
    assert len(spools) == 4
    assert streamed[2].memory_gb == LITTLE
    assert same(resident[2], streamed[2])


@pytest.mark.parametrize("recipe", RECIPES, ids=["whitened", "auto", "published"])
def test_less_room_than_a_batch_takes_is_refused_with_what_is_needed(
    recipe: dict[str, Any], spools: list[Spool]
) -> None:
    how = {"random_state": 0, "device": "cpu", **recipe, "max_steps": 3}
    with pytest.raises(
        ProbeError, match=r"memory_gb 1e-07 is too small: .* bytes; set it to"
    ) as told:
        StructuralProbe(**how, memory_gb=1e-7).fit(X, HEADS, dev=DEV)
    assert not spools
    (n_bytes,) = re.findall(r"take ([\d,]+) bytes", told.value.what)
    needed = int(n_bytes.replace(",", ""))
    # All of dev is one batch, beside 8 sentences of the training set; both with a little padding.
    rows = sum(map(len, DEV[1])) + 8 * 12
    assert 0.8 < needed / (24 * 4 * rows) < 1.2
    StructuralProbe(**how, memory_gb=float(re.findall(r"at least (\S+)", told.value.hint)[0])).fit(
        X, HEADS, dev=DEV
    )
    with pytest.raises(ProbeError, match="too small"):
        StructuralProbe(**how, memory_gb=(needed - 1) / 1e9).fit(X, HEADS, dev=DEV)


@pytest.mark.fault_class("full disk")
def test_a_full_disk_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    probe = StructuralProbe(max_steps=3, batch_size=8, random_state=0, memory_gb=LITTLE)
    with (
        no_file_beyond(40_000),
        pytest.raises(
            ProbeError, match=r"cannot write [\d,]+ bytes of vectors to disk.* TMPDIR"
        ) as told,
    ):
        probe.fit(X, HEADS, dev=DEV)
    assert told.value.where == str(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(ProbeError, match=r"cannot write .* to disk"):
        probe.fit(X, HEADS, dev=DEV)
    assert not list(tmp_path.iterdir())


def seen(tmp_path: Path) -> list[str]:
    return [path.name for path in tmp_path.iterdir()]


def test_the_file_has_no_name_where_the_system_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    train, names = fitting.train, []

    def looking(*parts: Any) -> None:
        names.extend(seen(tmp_path))
        train(*parts)

    monkeypatch.setattr(fitting, "train", looking)
    StructuralProbe(max_steps=3, batch_size=8, memory_gb=LITTLE).fit(X, HEADS)
    assert os.name != "posix" or not names
    assert not seen(tmp_path)


@pytest.fixture(params=["advice", "plain", "seeking"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems with all calls, without advice, and with none but the oldest."""
    if request.param != "advice":
        monkeypatch.delattr(os, "posix_fadvise", raising=False)
    if request.param == "seeking":
        monkeypatch.delattr(os, "preadv", raising=False)


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_come_back_where_they_were_put(dtype: torch.dtype) -> None:
    spool = Spool(9, 3, dtype, 9)
    values = torch.arange(1.0, 13.0, dtype=torch.float64).view(6, 2)
    spool.write(np.array([4, 5, 6, 1, 0, 8]), values)
    spool.write(np.array([], dtype=np.int64), values[:0])
    expected = torch.zeros(9, 3, dtype=dtype)
    expected[[4, 5, 6, 1, 0, 8], :2] = values.to(dtype)
    rows = Streamed(spool, torch.device("cpu"))
    for index in (slice(0, 9), slice(3, 7), torch.tensor([8, 2, 4, 5, 2, 0]), torch.tensor([7])):
        spool.will_need(index)
        found = rows[index]
        assert found.dtype == dtype
        assert torch.equal(found, expected[index])
    assert rows.dim() == 2
    spool.close()


@pytest.mark.usefixtures("system")
def test_several_may_read_at_once() -> None:
    spool = Spool(2000, 64, torch.float32, 100)
    spool.write(np.arange(2000), torch.arange(2000.0)[:, None].expand(2000, 64))

    def read(seed: int) -> bool:
        rng, rows = np.random.default_rng(seed), Streamed(spool, torch.device("cpu"))
        for start in rng.integers(0, 1900, 300).tolist():
            found = rows[slice(start, start + 100)]
            if not torch.equal(found[:, -1], torch.arange(start, start + 100.0)):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(8)))
    spool.close()


def test_the_disk_is_asked_one_batch_ahead() -> None:
    class Noting:
        def __init__(self) -> None:
            self.asked: list[Any] = []

        def will_need(self, rows: Any) -> None:
            self.asked.append(rows)

    class One:
        def __init__(self, rows: slice) -> None:
            self.rows = rows

    batches, disk = [One(slice(i, i + 1)) for i in range(3)], Noting()
    ahead: Any = ReadAhead(batches, disk)  # type: ignore[arg-type]
    coming = iter(ahead)
    assert next(coming) is batches[0]
    assert disk.asked == [slice(1, 2)]
    assert next(coming) is batches[1]
    assert disk.asked == [slice(1, 2), slice(2, 3)]
    assert [*coming] == [batches[2]]
    assert [*ahead] == batches


def mapped(path: Path, mode: Any) -> np.memmap:
    return np.memmap(path, np.float32, mode, shape=(100_000, 64))


def file_pages() -> int:
    """Memory of this process that is pages of files, in kB."""
    (line,) = re.findall(r"RssFile:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what pages are held")
def test_pages_of_a_map_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    np.ones((100_000, 64), np.float32).tofile(path)
    values = np.asarray(mapped(path, "r"))[5:]
    before = file_pages()
    assert values.sum(dtype=np.float64) == 64 * (100_000 - 5)
    assert file_pages() - before > 20_000
    give_back(values)
    assert file_pages() - before < 2_000
    assert values[-1].tolist() == [1] * 64
    words = Words(values, np.arange(99_000), np.ones(99_000, np.int64))
    assert sum(float(chunk.sum()) for chunk in words.chunks()) == 64 * 99_000
    assert file_pages() - before < 2_000


def test_what_was_written_into_an_array_or_a_private_map_stays(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    np.zeros((100_000, 64), np.float32).tofile(path)
    private, plain = mapped(path, "c"), np.zeros((4, 2))
    private[:] = 7
    for values in (private, private[3:], plain, plain[1:]):
        give_back(values)
    assert (private == 7).all()

"""A sweep's probes are named for people, and found by layer, rank and seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.flat_settings import sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, ProbeRecoverer, StructuralProbe
from structprobe.errors import ResultError
from structprobe.results.folder import ResultsFolder, read_rows
from structprobe.results.rows import make_row
from structprobe.results.saved_probes import find_probe, probe_label, saved_probes
from structprobe.results.saved_runs import name_probe, probe_path, unnamed_probe_path

BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
SMALL: dict[str, Any] = {"max_steps": 4, "save_probes": True, "baselines": False}


def planted(folder: Path, **values: Any) -> None:
    """Add a row, with a folder where its probe would be."""
    told = {"method": "probe", "rank": 8, "seed": 0, "punct": "upos", "model": "m", **values}
    row = make_row(**told)
    results = ResultsFolder(folder)
    waiting = unnamed_probe_path(folder, row["key"])
    waiting.mkdir(parents=True)
    results.add(row)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    encoder = Encoder(save_checkpoint(folder / "bert", "bert"))
    sweep(encoder, *BANKS, folder=folder / "DIR", layers="0,2", ranks=(2, 8), **SMALL)
    return folder


def test_probes_are_named_for_people(world: Path) -> None:
    names = sorted(path.name for path in (world / "DIR" / "probes").iterdir())
    assert names == [f"layer-{layer:02d}_rank-{rank}_seed-0" for layer in (0, 2) for rank in (2, 8)]
    rows = read_rows(world / "DIR")
    assert sorted(row["probe"] for row in rows) == names
    for row in rows:
        probe = StructuralProbe.from_pretrained(probe_path(world / "DIR", row))
        assert probe.origin_ is not None
        assert (probe.origin_["layer"], probe.rank) == (row["layer"], row["rank"])


def test_more_parts_where_a_folder_holds_more(world: Path) -> None:
    folder = world / "DIR"
    encoder = Encoder(str(world / "bert"))
    how: dict[str, Any] = {"folder": folder, "layers": "0", "ranks": (2,), **SMALL}
    more = [
        *sweep(encoder, *BANKS, **how, recipe="published"),
        *sweep(encoder, *BANKS, **how, untrained=True)[1:],
        *sweep(Encoder(str(world / "bert"), pooling="first"), *BANKS, **how),
        *sweep(Encoder(save_checkpoint(world / "gpt2", "gpt2")), *BANKS, **how),
        *sweep(encoder, BANKS[2], *BANKS[1:], **how),  # a list has no name
    ]
    base = "layer-00_rank-2_seed-0"
    names = [row["probe"] for row in more]
    assert names[:4] == [
        f"{base}_recipe-published",
        f"probe-untrained_{base}",
        f"{base}_pooling-first",
        f"{base}_model-gpt2",
    ]
    assert names[4] == f"{base}_{more[4]['key'][:8]}"
    assert all(probe_path(folder, row).is_dir() for row in more)


def test_a_name_that_is_taken_on_the_disk_is_not_used() -> None:
    row = make_row(method="probe", layer=3, rank=8, seed=1, key="0123456789abcdef")
    assert name_probe(row, {}) == "layer-03_rank-8_seed-1"
    assert name_probe(row, {}, ["layer-03_rank-8_seed-1"]) == "layer-03_rank-8_seed-1_01234567"
    other = {**row, "key": "f"}
    assert name_probe(row, {"layer-03_rank-8_seed-1": other}).endswith("_01234567")


def test_a_probe_of_a_sample_is_not_named_as_one_of_all_sentences() -> None:
    """Samples come first in a sweep."""
    told = {"method": "probe", "layer": 3, "rank": 8, "seed": 1, "key": "0123456789abcdef"}
    sample = make_row(**told, train_sentences=100)
    name = name_probe(sample, {})
    assert name == "layer-03_rank-8_seed-1_train_sentences-100"
    assert name_probe(make_row(**told), {name: sample}) == "layer-03_rank-8_seed-1"


def test_the_best_on_dev_is_meant_where_nothing_is_named(tmp_path: Path) -> None:
    """Never the best on test."""
    for key, layer, rank, dev, test in [
        ("a", 0, 8, 0.2, 0.9), ("b", 1, 8, 0.6, 0.1), ("c", 1, 4, 0.6, 0.3), ("d", 2, 8, 0.5, 0.8),
    ]:  # fmt: skip
        planted(tmp_path, key=key, layer=layer, rank=rank, dev_uuas=dev, uuas=test, part="test")
    path, row = find_probe(tmp_path)
    assert (row["key"], path.name) == ("c", "layer-01_rank-4_seed-0")
    assert probe_label(row) == "layer 1, rank 4, seed 0 (UUAS 60.0 on dev)"
    assert find_probe(tmp_path, layer=2)[1]["key"] == "d"
    assert find_probe(tmp_path, rank=8)[1]["key"] == "b"
    assert find_probe(tmp_path, layer=1, rank=8, seed=0)[1]["key"] == "b"
    for wanted, words in [
        ({"layer": 9}, "no saved probe has layer 9; saved: layer 0, 1, 2"),
        ({"layer": 2, "rank": 4}, "no saved probe has rank 4; saved: rank 8"),
        ({"model": "n"}, "no saved probe has model n; saved: model m"),
        ({"method": "probe-untrained"}, "this results folder holds no saved probes"),
    ]:
        with pytest.raises(ResultError, match=words):
            find_probe(tmp_path, **wanted)  # type: ignore[arg-type]


def test_what_does_not_compare_is_listed(tmp_path: Path) -> None:
    common: dict[str, Any] = {"layer": 1, "dev_uuas": 0.5}
    planted(tmp_path, key="a", model="x/bert", fingerprint="1", **common)
    planted(tmp_path, key="b", model="y/gpt2", fingerprint="2", **common)
    with pytest.raises(ResultError, match="more than one model: x/bert, y/gpt2; give the folder"):
        find_probe(tmp_path)
    assert find_probe(tmp_path, model="gpt2")[1]["key"] == "b"
    planted(tmp_path, key="c", model="y/gpt2", fingerprint="3", **common)
    with pytest.raises(ResultError, match="more than one fingerprint: 2, 3"):
        find_probe(tmp_path, model="y/gpt2")
    assert find_probe(tmp_path, fingerprint="3")[1]["key"] == "c"
    planted(tmp_path, key="d", model="z", layer=1, dev_uuas=None)
    planted(tmp_path, key="e", model="z", layer=2, dev_uuas=None)
    with pytest.raises(ResultError, match=r"without dev scores to choose by: layer 1, .*layer 2, "):
        find_probe(tmp_path, model="z")
    assert find_probe(tmp_path, model="z", layer=2)[1]["key"] == "e"


def test_probes_that_an_older_version_named_by_key_are_found(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.add(make_row(key="0123456789abcdef", method="probe", layer=1, rank=2, seed=0))
    (tmp_path / "probes" / "0123456789abcdef").mkdir(parents=True)
    ((path, row),) = saved_probes(tmp_path)
    assert (path.name, row["probe"]) == ("0123456789abcdef", None)
    assert find_probe(tmp_path)[0] == path


def test_a_folder_of_results_stands_for_one_of_its_probes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = Encoder(save_checkpoint(tmp_path / "bert", "bert"))
    rows = sweep(encoder, *BANKS, folder=tmp_path / "DIR", layers="0-2", **SMALL)
    best = max(rows, key=lambda row: row["dev_uuas"])
    with caplog.at_level("INFO", logger="structprobe"):
        recoverer = ProbeRecoverer.from_pretrained(tmp_path / "DIR", device="cpu")
    assert recoverer.layer == best["layer"]
    assert f"DIR: using the probe of layer {best['layer']}, rank 8, seed 0 (UUAS " in caplog.text
    assert ProbeRecoverer.from_pretrained(tmp_path / "DIR", layer=1, device="cpu").layer == 1
    probe = StructuralProbe.from_pretrained(tmp_path / "DIR", layer=1, rank=8, seed=0)
    assert probe.origin_ is not None
    assert probe.origin_["layer"] == 1
    with pytest.raises(ResultError, match="no saved probe has layer 7; saved: layer 0, 1, 2"):
        StructuralProbe.from_pretrained(tmp_path / "DIR", layer=7)
    one = tmp_path / "DIR" / "probes" / "layer-01_rank-8_seed-0"
    with pytest.raises(ResultError, match="layer 1 was given, but this is not a results folder"):
        StructuralProbe.from_pretrained(one, layer=1)

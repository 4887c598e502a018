"""The store on disk: whole or not there, never stale, never ours by mistake."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.vector_writer import KEY, OFFSETS, expected, fill, filled, open_at

from structprobe.encoder.cache.cache_folder import MARKER, refuse_strange
from structprobe.encoder.cache.store import MemoryStore, VectorStore, storage_dtype
from structprobe.encoder.cache.verifying import verify_cache
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import EncoderError, StoreError


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_what_is_written_is_read(tmp_path, where):
    opened = open_at(tmp_path / "cache" if where == "disk" else None, layers=[2, 0, np.int64(2)])
    assert isinstance(opened, VectorStore if where == "disk" else MemoryStore)
    assert opened.layers == opened.missing_layers == (0, 2)
    assert list(opened.missing) == [0, 1, 2, 3, 4]
    with opened:
        opened.write([3, 0], {n: np.concatenate([expected(n, 3), expected(n, 0)]) for n in (0, 2)})
        assert list(opened.missing) == [1, 2, 4]
        with pytest.raises(StoreError, match="3 sentences are not written, the first is 1"):
            opened.finish()
        fill(opened)
    assert opened.missing.size == 0
    for layer in (0, 2):
        values = opened.layer(layer)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, expected(layer))


def test_layers_are_numpy_files_of_python_ints_mapped_read_only(tmp_path):
    opened = filled(tmp_path / "cache", hidden_size=np.int64(4))
    path = opened.folder / "layer-02.npy"
    np.testing.assert_array_equal(np.load(path), expected(2))
    assert b"(14, 4)" in path.read_bytes()[:128]
    np.testing.assert_array_equal(np.load(opened.folder / "offsets.npy"), OFFSETS)
    with pytest.raises(ValueError, match="read-only"):
        opened.layer(2)[0] = 1
    bank = EncodedBank({n: opened.layer(n) for n in opened.layers}, opened.offsets, {"model": "m"})
    assert len(pickle.dumps(bank)) < 2000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(bank)).layer(2)[4], expected(2, 4))


def test_a_whole_store_costs_nothing_and_writes_nothing(tmp_path):
    folder = filled(tmp_path / "cache").folder
    before = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
    for layers in ((0, 2), (2,), (0,)):
        with open_at(folder.parent, layers=layers) as again:
            assert again.missing_layers == ()
            assert again.missing.size == 0
            np.testing.assert_array_equal(again.layer(layers[0]), expected(layers[0]))
            again.finish()
    assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == before


def test_other_layers_are_added_to_those_there(tmp_path):
    folder = filled(tmp_path / "cache").folder
    with open_at(folder.parent, layers=(0, 1, 2)) as more:
        assert more.missing_layers == (1,)
        assert list(more.missing) == [0, 1, 2, 3, 4]
        fill(more)
    there = {path.name for path in folder.iterdir()} - {"lock"}  # some filelocks take it away
    assert sorted(there) == [
        "layer-00.check",
        "layer-00.npy",
        "layer-01.check",
        "layer-01.npy",
        "layer-02.check",
        "layer-02.npy",
        "manifest.json",
        "offsets.npy",
    ]
    np.testing.assert_array_equal(more.layer(1), expected(1))
    with pytest.raises(StoreError, match=r"layer-07\.npy is incomplete"):
        more.layer(7)


@pytest.mark.parametrize(
    "change",
    [
        {"key": KEY | {"fingerprint": "other"}},
        {"key": KEY | {"pooling": "first"}},
        {"key": KEY | {"bos": True}},
        {"offsets": [0, 3, 4, 4, 9, 14]},
        {"hidden_size": 3},
        {"dtype": "float16"},
    ],
)
@pytest.mark.fault_class("stale")
def test_a_changed_key_never_meets_the_old_vectors(tmp_path, change):
    old = filled(tmp_path / "cache")
    with open_at(tmp_path / "cache", **change) as new:
        assert new.folder != old.folder
        assert list(new.missing) == [0, 1, 2, 3, 4]
        with pytest.raises(StoreError, match="is incomplete"):
            new.layer(0)
    with open_at(tmp_path / "cache") as again:
        assert again.missing.size == 0


def test_key_order_and_tuples_do_not_matter(tmp_path):
    old = filled(tmp_path / "cache", key={"a": (1, 2), "b": None})
    with open_at(tmp_path / "cache", key={"b": None, "a": [1, 2]}) as again:
        assert again.folder == old.folder
        assert again.missing.size == 0


@pytest.mark.parametrize("content", ["notes.txt", MARKER])
def test_a_folder_that_is_not_ours_is_refused(tmp_path, content):
    (tmp_path / content).write_text('{"kind": "something else"}')
    (tmp_path / "more.txt").write_text("mine")
    with pytest.raises(
        StoreError, match="is not a structprobe cache; choose a new or empty folder"
    ):
        open_at(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([content, "more.txt"])


def test_a_file_another_version_and_an_empty_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file, not a cache folder"):
        open_at(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    filled(tmp_path / "empty")
    marker = tmp_path / "empty" / MARKER
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"version": 99}))
    with pytest.raises(StoreError, match="version 99 of the cache format, but version 1 is"):
        open_at(tmp_path / "empty")


def test_a_folder_that_may_not_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot use .*file.*Not a directory"):
        open_at(tmp_path / "file" / "cache")


@pytest.mark.parametrize("damage", ["short", "long", "header"])
@pytest.mark.fault_class("stale")
def test_a_damaged_layer_is_never_mapped(tmp_path, damage):
    opened = filled(tmp_path / "cache")
    path = opened.folder / "layer-02.npy"
    content = path.read_bytes()
    changed = {"short": content[:-1], "long": content + b"x", "header": b"x" + content[1:]}[damage]
    path.write_bytes(changed)
    with pytest.raises(StoreError, match=r"layer-02\.npy is damaged.*delete it and encode again"):
        opened.layer(2)
    with pytest.raises(StoreError, match="is damaged"):
        open_at(tmp_path / "cache")
    path.unlink()
    with open_at(tmp_path / "cache") as again:
        assert again.missing_layers == (2,)


@pytest.mark.parametrize("content", [None, "{", "{}"])
@pytest.mark.fault_class("stale")
def test_a_damaged_manifest_is_named(tmp_path, content):
    manifest = filled(tmp_path / "cache").folder / "manifest.json"
    if content is None:
        manifest.unlink()
    else:
        manifest.write_text(content)
    with pytest.raises(StoreError, match=r"manifest\.json is damaged or missing; delete"):
        open_at(tmp_path / "cache")


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_what_does_not_fit_is_refused(tmp_path, where):
    with open_at(tmp_path / "cache" if where == "disk" else None) as opened:
        with pytest.raises(StoreError, match=r"layer 0 has shape \(3, 4\), expected \(1, 4\)"):
            opened.write([1], {0: np.zeros((3, 4)), 2: np.zeros((1, 4))})
        with pytest.raises(StoreError, match="vectors of layer 2 are missing"):
            opened.write([1], {0: np.zeros((1, 4))})
        assert opened.missing.size == 5


def test_offsets_that_cut_nothing_are_refused(tmp_path):
    with pytest.raises(EncoderError, match="starts at 0"):
        open_at(tmp_path / "cache", offsets=[1, 2])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("offsets", [[0], [0, 0, 0]])
def test_a_treebank_without_words(tmp_path, offsets):
    with open_at(tmp_path / "cache", offsets=offsets) as opened:
        for number in opened.missing:
            opened.write([number], {n: np.zeros((0, 4)) for n in (0, 2)})
        opened.finish()
    assert opened.layer(0).shape == (0, 4)
    with open_at(tmp_path / "cache", offsets=offsets) as again:
        assert again.missing_layers == ()


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("float32", np.float32),
        (torch.float16, np.float16),
        (torch.bfloat16, np.float32),
        (np.dtype("float32"), np.float32),
        ("torch.float16", np.float16),
    ],
)
def test_types(tmp_path, dtype, stored):
    assert storage_dtype(dtype) == stored
    opened = filled(tmp_path / "cache", dtype=dtype)
    assert opened.layer(0).dtype == stored
    np.testing.assert_array_equal(opened.layer(0), expected(0).astype(stored))


def test_bfloat16_survives_exactly(tmp_path):
    values = torch.randn(14, 4, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    with open_at(tmp_path / "cache", layers=(0,), dtype=values.dtype) as opened:
        opened.write(range(5), {0: values.float().numpy()})
        opened.finish()
    assert torch.equal(torch.tensor(opened.layer(0)).to(torch.bfloat16), values)


def test_another_type_is_refused():
    with pytest.raises(StoreError, match=r"unknown dtype 'float64'.*choose from 'float32'"):
        storage_dtype("float64")


@given(lengths=st.lists(st.integers(0, 4), max_size=6), data=st.data())
def test_any_order_of_writing_gives_the_same(lengths, data):
    offsets = np.cumsum([0, *lengths])
    order = data.draw(st.permutations(range(len(lengths))))
    cut = data.draw(st.integers(0, len(lengths)))
    values = np.random.default_rng(0).normal(size=(offsets[-1], 3)).astype(np.float32)
    with open_at(None, layers=(5,), offsets=offsets, hidden_size=3) as opened:
        for numbers in (order[:cut], order[cut:]):
            rows = [values[offsets[i] : offsets[i + 1]] for i in numbers]
            opened.write(np.array(numbers, dtype=int), {5: np.concatenate([values[:0], *rows])})
        opened.finish()
    np.testing.assert_array_equal(opened.layer(5), values)


def test_what_tools_put_among_vectors_is_passed_over(tmp_path):
    store = filled(tmp_path / "cache")
    for name in (".ipynb_checkpoints", "@eaDir"):
        (store.folder / name).mkdir()
    (store.folder / "notes.txt").symlink_to("/dev/null")
    with open_at(tmp_path / "cache") as again:
        np.testing.assert_array_equal(again.layer(2), expected(2))
    assert verify_cache(tmp_path / "cache") == 2


def test_vectors_on_another_disk(tmp_path):
    store = filled(tmp_path / "cache", layers=(2,))
    store.folder.rename(tmp_path / "disk")
    store.folder.symlink_to(tmp_path / "disk")
    assert filled(tmp_path / "cache", layers=(0, 2)).layer(0) is not None
    assert (tmp_path / "disk" / "layer-00.npy").exists()


@pytest.mark.fault_class("two at once")
def test_a_draft_of_another_process_that_is_gone_again(tmp_path, monkeypatch):
    store = filled(tmp_path / "cache")
    gone = store.folder / ".manifest.json.00000000.draft"
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: [*listed(path), gone])
    monkeypatch.setattr(os.path, "lexists", lambda _: True)
    refuse_strange(store.folder)

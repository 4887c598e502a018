"""The store on disk: whole or not there, resumed, never stale, never ours by mistake."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.vector_writer import KEY, OFFSETS, expected, fill

from structprobe.encoder import layer_file, store
from structprobe.encoder.cache_folder import MARKER
from structprobe.encoder.layer_file import LayerFile
from structprobe.encoder.locks import lock
from structprobe.encoder.store import MemoryStore, VectorStore, open_store, storage_dtype
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import EncoderError, StoreError

ROOT = Path(__file__).resolve().parents[2]


def open_at(folder, layers=(0, 2), key=KEY, offsets=OFFSETS, hidden_size=4, dtype="float32"):
    return open_store(
        folder, key=key, layers=layers, offsets=offsets, hidden_size=hidden_size, dtype=dtype
    )


def filled(folder, **changes):
    with open_at(folder, **changes) as opened:
        fill(opened)
    return opened


def in_subprocess(script: str, folder: Path, *args: object, wait: bool = True):
    """Run a line of `support.vector_writer` in another process."""
    command = [sys.executable, "-c", f"import sys; from support.vector_writer import *; {script}"]
    command += [str(folder), *map(str, args)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return (process, *process.communicate(timeout=60)) if wait else process


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_what_is_written_is_read(tmp_path, where):
    opened = open_at(tmp_path / "cache" if where == "disk" else None, layers=[2, 0, np.int64(2)])
    assert isinstance(opened, VectorStore if where == "disk" else MemoryStore)
    assert opened.layers == opened.missing_layers == (0, 2)
    assert list(opened.missing) == [0, 1, 2, 3, 4]
    with opened:
        opened.write([3, 0], {n: np.concatenate([expected(n, 3), expected(n, 0)]) for n in (0, 2)})
        assert list(opened.missing) == [1, 2, 4]
        with pytest.raises(StoreError, match="3 sentences are not written, first 1"):
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
    assert sorted(path.name for path in folder.iterdir()) == [
        "layer-00.npy",
        "layer-01.npy",
        "layer-02.npy",
        "lock",
        "manifest.json",
        "offsets.npy",
    ]
    np.testing.assert_array_equal(more.layer(1), expected(1))
    with pytest.raises(StoreError, match=r"layer-07\.npy was not written to its end"):
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
def test_a_changed_key_never_meets_the_old_vectors(tmp_path, change):
    old = filled(tmp_path / "cache")
    with open_at(tmp_path / "cache", **change) as new:
        assert new.folder != old.folder
        assert list(new.missing) == [0, 1, 2, 3, 4]
        with pytest.raises(StoreError, match="not written"):
            new.layer(0)
    with open_at(tmp_path / "cache") as again:
        assert again.missing.size == 0


def test_key_order_and_tuples_do_not_matter(tmp_path):
    old = filled(tmp_path / "cache", key={"a": (1, 2), "b": None})
    with open_at(tmp_path / "cache", key={"b": None, "a": [1, 2]}) as again:
        assert again.folder == old.folder
        assert again.missing.size == 0


def test_an_interrupted_run_resumes_where_it_stopped(tmp_path):
    rows = {n: np.concatenate([expected(n, 4), expected(n, 1)]) for n in (0, 2)}
    with contextlib.suppress(KeyboardInterrupt), open_at(tmp_path / "cache") as opened:
        opened.write([4, 1], rows)
        raise KeyboardInterrupt
    with pytest.raises(StoreError, match="not written to its end"):
        opened.layer(0)
    with open_at(tmp_path / "cache", layers=(0,)) as fewer:
        assert list(fewer.missing) == [0, 2, 3]
    with open_at(tmp_path / "cache", layers=(0, 1, 2)) as more:
        assert list(more.missing) == [0, 1, 2, 3, 4]
    with open_at(tmp_path / "cache") as again:
        assert list(again.missing) == [0, 2, 3]
        fill(again)
    np.testing.assert_array_equal(again.layer(0), expected(0))
    np.testing.assert_array_equal(again.layer(2), expected(2))
    left = [path.name for path in again.folder.iterdir() if path.suffix in (".part", ".journal")]
    assert left == ["layer-01.part"]


def test_kill_in_the_middle_of_writing_then_resume(tmp_path):
    process, out, err = in_subprocess("write_and_die(*sys.argv[1:])", tmp_path / "cache", 3)
    assert process.returncode == -9, err
    assert out == ""
    with pytest.raises(StoreError, match="not written"), open_at(tmp_path / "cache") as half:
        half.layer(0)
    with open_at(tmp_path / "cache") as again:  # the dead process's lock does not stand in the way
        assert list(again.missing) == [3, 4]
        fill(again)
    whole = filled(tmp_path / "other")
    for layer in (0, 2):
        name = f"layer-{layer:02d}.npy"
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_two_processes_write_once(tmp_path):
    both = [
        in_subprocess("write_slowly(*sys.argv[1:])", tmp_path / "cache", wait=False)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(out.strip() for out, _ in outputs) == ["wrote 0", "wrote 5"]
    with open_at(tmp_path / "cache") as again:
        np.testing.assert_array_equal(again.layer(2), expected(2))


def test_threads_wait_for_one_another(tmp_path, caplog):
    first = open_at(tmp_path / "cache")
    seen = []

    def other():
        with open_at(tmp_path / "cache") as second:
            seen.append(second.missing.size)

    with caplog.at_level("INFO"):
        thread = threading.Thread(target=other)
        thread.start()
        deadline = time.monotonic() + 30
        while "waiting for another" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)  # let it ask more than once
        assert seen == []
        with first:
            fill(first)
        thread.join(timeout=30)
    assert seen == [0]
    assert "waiting for another process" in caplog.text


def test_a_thread_does_not_wait_for_itself(tmp_path):
    with open_at(tmp_path / "cache"):
        with pytest.raises(StoreError, match="being written already; finish or close"):
            open_at(tmp_path / "cache")
        with open_at(tmp_path / "cache", key={"other": 1}) as other:
            assert other.missing.size == 5
    with open_at(tmp_path / "cache") as again:
        assert again.missing.size == 5


def test_a_lock_is_given_back_twice_without_harm(tmp_path):
    give_back = lock(tmp_path / "lock")
    give_back()
    give_back()
    lock(tmp_path / "lock")()


def test_a_lock_that_cannot_be_had_leaves_nothing_open(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StoreError, match="No locks available"):
        open_at(tmp_path / "cache")


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    process, out, err = in_subprocess("write_with_little_room(*sys.argv[1:])", tmp_path / "cache")
    assert process.returncode == 0, err
    assert out.startswith("cannot use ")
    assert "File too large; make room and run again" in out
    assert out.count("\n") == 1
    assert not list((tmp_path / "cache").rglob("layer*.npy"))
    filled(tmp_path / "cache")


@pytest.mark.parametrize("at", ["write", "sync"])
def test_a_disk_that_fills_up_while_writing(tmp_path, monkeypatch, at):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "SYNC_SECONDS", 0)
    with open_at(tmp_path / "cache") as opened:
        rows = {n: expected(n, 1) for n in (0, 2)}
        opened.write([1], rows)
        with monkeypatch.context() as patch:
            if at == "write":
                patch.setattr(LayerFile, "write_rows", full)
            else:
                patch.setattr(layer_file.os, "fsync", full)
            with pytest.raises(StoreError, match="No space left on device; make room"):
                opened.write([4], {n: expected(n, 4) for n in (0, 2)})
        assert not list(opened.folder.glob("layer*.npy"))
    with open_at(tmp_path / "cache") as again:
        assert list(again.missing) == [0, 2, 3, 4]
        fill(again)
    np.testing.assert_array_equal(again.layer(0), expected(0))


def test_a_disk_without_room_for_the_layers(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(LayerFile, "begin", full)
        with pytest.raises(StoreError, match="Disk quota exceeded; make room"):
            open_at(tmp_path / "cache")
    filled(tmp_path / "cache")  # the lock was given back


def test_a_sync_that_fails_on_closing_costs_only_what_it_would_have_noted(tmp_path, monkeypatch):
    opened = open_at(tmp_path / "cache")
    opened.write([1], {n: expected(n, 1) for n in (0, 2)})
    with monkeypatch.context() as patch:
        patch.setattr(layer_file.os, "fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        opened.close()
    opened.close()
    with open_at(tmp_path / "cache") as again:
        assert again.missing.size == 5


def test_a_short_write_goes_on(tmp_path):
    class Short:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            return self.file.write(data[:5])

    opened = open_at(tmp_path / "cache")
    for file in opened._files.values():
        file._file = Short(file._file)
    with opened:
        fill(opened)
    np.testing.assert_array_equal(opened.layer(2), expected(2))


@pytest.mark.parametrize("content", ["notes.txt", MARKER])
def test_a_folder_that_is_not_ours_is_refused(tmp_path, content):
    (tmp_path / content).write_text('{"kind": "something else"}')
    (tmp_path / "more.txt").write_text("mine")
    with pytest.raises(StoreError, match="is no cache of ours; give a new or empty folder"):
        open_at(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([content, "more.txt"])


def test_a_file_another_version_and_an_empty_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file, no cache folder"):
        open_at(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    filled(tmp_path / "empty")
    marker = tmp_path / "empty" / MARKER
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"version": 99}))
    with pytest.raises(StoreError, match="version 99 of the format, this is version 1"):
        open_at(tmp_path / "empty")


def test_a_folder_that_may_not_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot use .*file.*Not a directory"):
        open_at(tmp_path / "file" / "cache")


@pytest.mark.parametrize("damage", ["short", "long", "header"])
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
def test_a_damaged_manifest_is_named(tmp_path, content):
    manifest = filled(tmp_path / "cache").folder / "manifest.json"
    if content is None:
        manifest.unlink()
    else:
        manifest.write_text(content)
    with pytest.raises(StoreError, match=r"manifest\.json is damaged or missing; delete"):
        open_at(tmp_path / "cache")


@pytest.mark.parametrize("damage", ["no journal", "no part", "short part", "other part"])
def test_a_part_without_its_journal_is_begun_anew(tmp_path, damage):
    with open_at(tmp_path / "cache", layers=(0,)) as opened:
        opened.write([1], {0: expected(0, 1)})
    part, journal = opened.folder / "layer-00.part", opened.folder / "layer-00.journal"
    if damage == "no journal":
        journal.unlink()
    elif damage == "no part":
        part.unlink()
    elif damage == "short part":
        os.truncate(part, 130)
    else:
        part.write_bytes(b"x" * part.stat().st_size)
    with open_at(tmp_path / "cache", layers=(0,)) as again:
        assert again.missing.size == 5
        fill(again)
    np.testing.assert_array_equal(again.layer(0), expected(0))


def test_a_torn_journal_is_read_as_far_as_it_is_sound(tmp_path):
    with open_at(tmp_path / "cache", layers=(0,)) as opened:
        opened.write([2, 1], {0: np.concatenate([expected(0, 2), expected(0, 1)])})
    journal = opened.folder / "layer-00.journal"
    entries = np.fromfile(journal, "<i8")
    assert list(entries) == [3, 2]
    # Zeros as a crash of the machine leaves them, a sentence that is not, half an entry.
    journal.write_bytes(np.array([3, 0, 99], "<i8").tobytes() + b"\1\0\0")
    with open_at(tmp_path / "cache", layers=(0,)) as again:
        assert list(again.missing) == [0, 1, 3, 4]
        again.write([1], {0: expected(0, 1)})
    assert list(np.fromfile(journal, "<i8")) == [3, 0, 99, 2]


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


def test_a_real_full_filesystem(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    tool = shutil.which("mount")
    size = "size=64k"
    if (
        not tool
        or subprocess.run(
            [tool, "-t", "tmpfs", "-o", size, "tmpfs", str(mount)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no small filesystem can be mounted here")
    try:
        with (
            pytest.raises(StoreError, match="No space left on device; make room"),
            open_at(mount / "cache", offsets=[0, 5000, 10000], hidden_size=64) as opened,
        ):
            opened.write([1], {n: np.ones((5000, 64)) for n in (0, 2)})
        assert not list(mount.rglob("layer*.npy"))
    finally:
        subprocess.run(["umount", str(mount)], check=True)

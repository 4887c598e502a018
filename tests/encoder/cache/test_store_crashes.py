"""The store when things go wrong: kills, full disks, two at once, torn files."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support.vector_writer import expected, fill, filled, in_subprocess, open_at

from structprobe.encoder.cache import layer_file, store
from structprobe.encoder.cache.layer_file import LayerFile
from structprobe.errors import StoreError
from structprobe.locks import lock

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.fault_class("interrupts")
def test_an_interrupted_run_resumes_where_it_stopped(tmp_path):
    rows = {n: np.concatenate([expected(n, 4), expected(n, 1)]) for n in (0, 2)}
    with contextlib.suppress(KeyboardInterrupt), open_at(tmp_path / "cache") as opened:
        opened.write([4, 1], rows)
        raise KeyboardInterrupt
    with pytest.raises(StoreError, match="is incomplete"):
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


@pytest.mark.fault_class("crash")
def test_kill_in_the_middle_of_writing_then_resume(tmp_path):
    process, out, err = in_subprocess("write_and_die(*sys.argv[1:])", tmp_path / "cache", 3)
    assert process.returncode == -9, err
    assert out == ""
    with pytest.raises(StoreError, match="is incomplete"), open_at(tmp_path / "cache") as half:
        half.layer(0)
    with open_at(tmp_path / "cache") as again:  # the dead process's lock does not stand in the way
        assert list(again.missing) == [3, 4]
        fill(again)
    whole = filled(tmp_path / "other")
    for layer in (0, 2):
        name = f"layer-{layer:02d}.npy"
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes()


@pytest.mark.fault_class("two at once")
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


@pytest.mark.fault_class("two at once")
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


@pytest.mark.fault_class("two at once")
def test_a_thread_does_not_wait_for_itself(tmp_path):
    with open_at(tmp_path / "cache"):
        with pytest.raises(StoreError, match="already being written; finish or close"):
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


@pytest.mark.fault_class("full disk")
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    process, out, err = in_subprocess("write_with_little_room(*sys.argv[1:])", tmp_path / "cache")
    assert process.returncode == 0, err
    assert out.startswith("cannot use ")
    assert "File too large; free some disk space and run again" in out
    assert out.count("\n") == 1
    assert not list((tmp_path / "cache").rglob("layer*.npy"))
    filled(tmp_path / "cache")


@pytest.mark.parametrize("at", ["write", "sync"])
@pytest.mark.fault_class("full disk")
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
            with pytest.raises(StoreError, match="No space left on device; free some"):
                opened.write([4], {n: expected(n, 4) for n in (0, 2)})
        assert not list(opened.folder.glob("layer*.npy"))
    with open_at(tmp_path / "cache") as again:
        assert list(again.missing) == [0, 2, 3, 4]
        fill(again)
    np.testing.assert_array_equal(again.layer(0), expected(0))


@pytest.mark.fault_class("full disk")
def test_a_disk_without_room_for_the_layers(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(LayerFile, "begin", full)
        with pytest.raises(StoreError, match="Disk quota exceeded; free some"):
            open_at(tmp_path / "cache")
    filled(tmp_path / "cache")  # the lock was given back


@pytest.mark.fault_class("full disk")
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


@pytest.mark.parametrize("damage", ["no journal", "no part", "short part", "other part"])
@pytest.mark.fault_class("crash")
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


@pytest.mark.fault_class("crash")
def test_a_torn_journal_is_read_as_far_as_it_is_sound(tmp_path):
    with open_at(tmp_path / "cache", layers=(0,)) as opened:
        opened.write([2, 1], {0: np.concatenate([expected(0, 2), expected(0, 1)])})
    journal = opened.folder / "layer-00.journal"
    entries = np.fromfile(journal, "<i8")
    assert list(entries & 0xFFFFFFFF) == [3, 2]
    # Zeros as a crash of the machine leaves them, a sentence that is not, half an entry.
    journal.write_bytes(np.array([3, 0, 99], "<i8").tobytes() + b"\1\0\0")
    with open_at(tmp_path / "cache", layers=(0,)) as again:
        assert list(again.missing) == [0, 1, 3, 4]
        again.write([1], {0: expected(0, 1)})
    assert list(np.fromfile(journal, "<i8") & 0xFFFFFFFF) == [3, 0, 99, 2]


@pytest.mark.fault_class("full disk")
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
            pytest.raises(StoreError, match="No space left on device; free some"),
            open_at(mount / "cache", offsets=[0, 5000, 10000], hidden_size=64) as opened,
        ):
            opened.write([1], {n: np.ones((5000, 64)) for n in (0, 2)})
        assert not list(mount.rglob("layer*.npy"))
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_vectors_are_written_where_no_folder_can_be_opened(tmp_path, monkeypatch):
    """As on Windows, where names are durable without it."""
    real = os.open

    def no_folders(path, *args, **options):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", no_folders)
    monkeypatch.delattr(os, "O_DIRECTORY")
    np.testing.assert_array_equal(filled(tmp_path / "cache").layer(0), expected(0))

"""Files and folders appear whole or not at all, and the dead leave nothing behind for long."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from structprobe import drafts
from structprobe.drafts import discard, draft_file, draft_folder, draft_path

ROOT = Path(__file__).resolve().parent.parent
DIE = """
import os, pathlib, sys
from structprobe.drafts import draft_file, draft_folder
path = pathlib.Path(sys.argv[1])
with (draft_folder if sys.argv[2] == "folder" else draft_file)(path) as draft:
    os.kill(os.getpid(), 9)
"""


def put_file(path: Path, text: str) -> None:
    with draft_file(path) as file:
        file.write(text.encode())


def put_folder(path: Path, text: str) -> None:
    with draft_folder(path) as folder:
        (folder / "file").write_text(text)


def text_of(path: Path) -> str:
    return (path / "file" if path.is_dir() else path).read_text()


KINDS = {"file": put_file, "folder": put_folder}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["plain", "a[1]*?.x", ".hidden"])
def test_an_older_one_is_replaced(tmp_path: Path, kind: str, name: str) -> None:
    for text in ("one", "two"):
        KINDS[kind](tmp_path / name, text)
        assert text_of(tmp_path / name) == text
    assert os.listdir(tmp_path) == [name]


@pytest.mark.fault_class("crash")
@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9")
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_dead_leave_is_removed_and_what_the_living_write_is_not(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "a[1]"
    with (draft_folder if kind == "folder" else draft_path)(path) as living:
        done = subprocess.run([sys.executable, "-c", DIE, str(path), kind], cwd=ROOT, check=False)
        assert done.returncode == -9
        assert len(os.listdir(tmp_path)) == 2
        KINDS[kind](path, "another")
        assert sorted(os.listdir(tmp_path)) == sorted([living.name, path.name])
        (living / "file" if kind == "folder" else living).write_text("mine")
    assert (os.listdir(tmp_path), text_of(path)) == (["a[1]"], "mine")


@pytest.mark.parametrize("put", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("lacking", ["fcntl", "flock"])
def test_without_locks_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[..., None], lacking: str
) -> None:
    """As on Windows, or on file systems of a network: all but the dead's drafts is as ever."""
    if lacking == "fcntl":
        monkeypatch.setattr(drafts, "fcntl", None)
    else:
        monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(37, "none")))
    (tmp_path / ".x.00000000.draft").touch()
    put(tmp_path / "x", "one")
    assert sorted(os.listdir(tmp_path)) == [".x.00000000.draft", "x"]


@pytest.mark.fault_class("two at once")
@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_another_process_puts_there_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool, there: bool
) -> None:
    path = tmp_path / "x"
    if not exchanges:
        monkeypatch.setattr(drafts, "_exchange", lambda *_: False)
    if there:
        put_folder(path, "older")
    move, others = drafts._moved, ["theirs"]

    def be_late(draft: Path, target: Path) -> bool:
        if others:
            put_folder(path, others.pop())
        return move(draft, target)

    monkeypatch.setattr(drafts, "_moved", be_late)
    put_folder(path, "mine")
    assert (os.listdir(tmp_path), text_of(path)) == (["x"], "mine")


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    for make in (draft_path, draft_file, draft_folder):
        with pytest.raises(KeyboardInterrupt), make(tmp_path / "x"):
            raise KeyboardInterrupt
    with pytest.raises(ValueError, match="mine"), draft_folder(tmp_path / "deep" / "er"):
        raise ValueError("mine")
    assert os.listdir(tmp_path) == []


def test_a_folder_is_discarded(tmp_path: Path) -> None:
    put_folder(tmp_path / "x", "one")
    (tmp_path / ".x.00000000.draft").mkdir()  # of a process that was killed
    discard(tmp_path / "x")
    discard(tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_what_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "file").write_text("older")
    (tmp_path / "x").symlink_to("disk")
    (tmp_path / ".disk.00000000.draft").symlink_to("disk")  # of an older version that was killed
    put_folder(tmp_path / "x", "mine")
    assert (tmp_path / "x").is_symlink()
    assert text_of(tmp_path / "disk") == "mine"
    assert sorted(os.listdir(tmp_path)) == ["disk", "x"]


@pytest.mark.fault_class("crash")
@pytest.mark.parametrize("there", [True, False])
def test_what_was_moved_away_by_the_dead_is_put_back_or_removed(
    tmp_path: Path, there: bool
) -> None:
    put_folder(tmp_path / "x", "older")
    (tmp_path / "x").rename(tmp_path / ".x.0123abcd.old")
    (tmp_path / ".x.mine.old").mkdir()
    if there:
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "file").write_text("newer")
    with pytest.raises(KeyboardInterrupt), draft_folder(tmp_path / "x"):
        raise KeyboardInterrupt
    assert text_of(tmp_path / "x") == ("newer" if there else "older")
    assert sorted(os.listdir(tmp_path)) == [".x.mine.old", "x"]


@pytest.mark.fault_class("interrupts")
def test_an_interrupt_between_two_renames_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_folder(tmp_path / "x", "older")

    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(drafts, "_exchange", lambda *_: False)
    monkeypatch.setattr(drafts, "_moved", interrupt)
    with pytest.raises(KeyboardInterrupt):
        put_folder(tmp_path / "x", "mine")
    assert (os.listdir(tmp_path), text_of(tmp_path / "x")) == (["x"], "older")


def test_what_was_left_before_there_was_a_parent_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".new.0123abcd.draft"
    left.mkdir()
    (tmp_path / "parent").mkdir()
    with draft_folder(tmp_path / "parent" / "new"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["parent"]

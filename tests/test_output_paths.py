"""Places that cannot be written to are found before the work, and nothing is left there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from structprobe.errors import ProbeError, ResultError, StoreError, StructprobeError
from structprobe.experiments.vectors_folder import check_cache
from structprobe.output_paths import check_file, check_room, nearest_existing
from structprobe.probe.saving.save_load import check_target

NOWHERE = Path("/proc/structprobe")  # nobody makes a folder there, and yet root is told he may
no_proc = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc here")


def test_the_nearest_that_is_there(tmp_path: Path) -> None:
    assert nearest_existing(tmp_path / "a" / "b") == tmp_path
    assert nearest_existing(tmp_path) == tmp_path


@pytest.mark.parametrize("check", [check_room, check_target, check_cache])
def test_folders_that_can_be_made(check: Callable[[Path], object], tmp_path: Path) -> None:
    check(tmp_path / "new")
    check(tmp_path / "new" / "and" / "deeper")
    (tmp_path / "empty").mkdir()
    check(tmp_path / "empty")
    assert os.listdir(tmp_path) == ["empty"]
    assert os.listdir(tmp_path / "empty") == []


@pytest.mark.parametrize(
    ("check", "error"),
    [(check_room, ResultError), (check_target, ProbeError), (check_cache, StoreError)],
)
def test_folders_that_cannot(
    check: Callable[[Path], object], error: type[StructprobeError], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("dear to me")
    with pytest.raises(error, match=r"below: .*file' is a file, not a folder; choose another"):
        check(tmp_path / "file" / "below")
    with pytest.raises(error, match="is a file, no"):
        check(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "dear to me"


@no_proc
@pytest.mark.parametrize(
    ("check", "error"),
    [(check_room, ResultError), (check_target, ProbeError), (check_cache, StoreError)],
)
@pytest.mark.fault_class("full disk")
def test_folders_that_the_system_refuses(
    check: Callable[[Path], object], error: type[StructprobeError]
) -> None:
    for path in (NOWHERE, NOWHERE / "below"):
        with pytest.raises(
            error, match=rf"^{path}: '/proc' cannot be written to: .+; choose anoth"
        ):
            check(path)


def test_an_older_probe_in_a_folder_that_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one is made beside it, so its own folder's permissions do not matter."""
    (tmp_path / "empty").mkdir()

    def refuse(path: str, *more: int) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ProbeError, match=rf"{tmp_path.name}' cannot be written to: Permission"):
        check_target(tmp_path / "empty")


def test_files(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("dear to me")
    check_file(new, force=False)
    check_file(old, force=True)
    with pytest.raises(ResultError, match=r"old: already exists; .* pass force=True to replace it"):
        check_file(old, force=False)
    with pytest.raises(ResultError, match="is a folder; give a file name"):
        check_file(tmp_path, force=True)
    with pytest.raises(ResultError, match=r"there is no folder '.*deeper'; create it"):
        check_file(tmp_path / "deeper" / "new", force=True)
    with pytest.raises(ResultError, match="old' is a file, not a folder"):
        check_file(old / "new", force=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ResultError, match="pipe: is not a regular file"):
        check_file(tmp_path / "pipe", force=True)
    assert (sorted(os.listdir(tmp_path)), old.read_text()) == (["old", "pipe"], "dear to me")


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "old")
    check_file(tmp_path / "link", force=False)
    (tmp_path / "old").touch()
    with pytest.raises(ResultError, match="link: already exists"):
        check_file(tmp_path / "link", force=False)


@no_proc
@pytest.mark.fault_class("full disk")
def test_a_file_that_the_system_refuses() -> None:
    with pytest.raises(ResultError, match=r"^/proc/structprobe: '/proc' cannot be written to: "):
        check_file(NOWHERE, force=True)

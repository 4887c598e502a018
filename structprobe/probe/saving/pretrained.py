"""A fitted probe into a folder or onto the hub, whole or not at all, and back.

Nothing is ever pickled. The folder is the hub's own format, so that any tool of the hub opens it:
``model.safetensors`` holds both matrices, ``config.json`` all that was fitted and on what,
``README.md`` is the model card, ``training.svg`` its picture.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from pathlib import Path

from structprobe.errors import Hint, ProbeError
from structprobe.probe.saving.card import PICTURE
from structprobe.probe.saving.saved_files import (
    CARD,
    CONFIG,
    FORMAT,
    WEIGHTS,
    SavedProbe,
    read_files,
    write_files,
)
from structprobe.targets import check_room

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB_HINT = "a saved probe is a folder, or a hub id written 'owner/name'"


def save(probe: SavedProbe, folder: str | os.PathLike[str]) -> Path:
    """Write a fitted probe into a folder, whole or not at all."""
    target = check_target(folder)
    files = write_files(probe)
    token = uuid.uuid4().hex[:8]
    fresh = target.with_name(f".{target.name}.{token}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        for name, content in files.items():
            _write_durably(fresh / name, content)
        _swap(fresh, target, target.with_name(f".{target.name}.{token}.old"))
    except OSError as error:
        raise ProbeError(
            f"cannot save the probe: {error.strerror or error}",
            where=str(folder),
            hint="what was there before is untouched",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Path(folder)


def check_target(folder: str | os.PathLike[str], *, replace: bool = True) -> Path:
    """Refuse a folder that a probe must not be saved into; worth a call before a long fit."""
    target = Path(os.path.realpath(folder))
    if target.exists() and not target.is_dir():
        raise ProbeError("is a file, not a folder", where=str(folder))
    names = {entry.name for entry in target.iterdir()} if target.exists() else set()
    if names and not _is_ours(target):
        raise ProbeError(
            "the folder exists and is not a saved probe",
            where=str(folder),
            hint="name a new or an empty folder",
        )
    if names and not replace:
        raise ProbeError(
            "holds a saved probe already",
            where=str(folder),
            hint=Hint(
                "name another folder, or pass force=True to replace it",
                shell="name another folder, or replace it with --force",
            ),
        )
    if foreign := sorted(names - {CONFIG, WEIGHTS, CARD, PICTURE}):
        raise ProbeError(
            f"holds {foreign[0]!r}, which is not part of a saved probe and would be lost",
            where=str(folder),
            hint="move it away or name another folder",
        )
    # The new folder is made beside an older one, not in it.
    check_room(target.parent, where=folder, error=ProbeError)
    return target


def load(source: str | os.PathLike[str], *, revision: str | None = None) -> SavedProbe:
    """Read a saved probe from a folder or from the hub."""
    return read_files(_local_folder(source, revision))


def push(
    probe: SavedProbe,
    repo_id: str,
    *,
    private: bool = False,
    token: str | None = None,
    revision: str | None = None,
    commit_message: str = "Upload a structural probe",
) -> str:
    """Upload a fitted probe to the hub, in one commit."""
    from huggingface_hub import CommitOperationAdd, HfApi

    if not _HUB_ID.fullmatch(repo_id):
        raise ProbeError(f"{repo_id!r} is not a hub id", hint="write it 'owner/name'")
    files = write_files(probe)
    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=commit_message,
            revision=revision,
        )
    except _hub_errors() as error:
        raise ProbeError(f"cannot upload to {repo_id!r}: {_first_line(error)}") from error
    return str(commit.commit_url)


def _write_durably(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _swap(fresh: Path, target: Path, old: Path) -> None:
    """Put `fresh` in the place of `target`, which comes back if that fails."""
    replaces = target.exists()
    if replaces:
        target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        if replaces:
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether a folder's config says that it is a saved probe, of whatever version."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("format") == FORMAT


def _local_folder(source: str | os.PathLike[str], revision: str | None) -> Path:
    """Find the folder, fetching it from the hub where `source` is a hub id."""
    folder = Path(source)
    if folder.is_dir():
        if revision is not None:
            raise ProbeError(
                f"revision {revision!r} makes sense for a hub id only, and this is a folder",
                where=str(source),
            )
        return folder
    if folder.exists():
        raise ProbeError("is a file, not a folder", where=str(source), hint=_HUB_HINT)
    if not _HUB_ID.fullmatch(str(source)):
        raise ProbeError("no such folder", where=str(source), hint=_HUB_HINT)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    at = f" at revision {revision!r}" if revision else ""
    try:
        fetched = snapshot_download(
            str(source), revision=revision, allow_patterns=[CONFIG, WEIGHTS, CARD]
        )
    except LocalEntryNotFoundError as error:
        raise ProbeError(
            f"no such folder, not in the local cache{at}, and the hub cannot be reached",
            where=str(source),
            hint=f"check the name, or fetch it once with a connection: hf download {source}",
        ) from error
    except _hub_errors() as error:
        raise ProbeError(
            f"no such folder, and the hub gave no probe of that name{at}: {_first_line(error)}",
            where=str(source),
            hint=_HUB_HINT,
        ) from error
    return Path(fetched)


def _hub_errors() -> tuple[type[BaseException], ...]:
    """Give what the hub's client raises when it is offline, refused or given a wrong name."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its bases are the HTTP library's, whichever the hub uses: a dead connection is one of them.
    return (*HfHubHTTPError.__bases__, OSError, ValueError)


def _first_line(error: BaseException) -> str:
    """Cut a message of several lines down to its first."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

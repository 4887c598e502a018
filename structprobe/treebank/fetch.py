"""Fetch a treebank of Universal Dependencies by name from its public release repository."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from structprobe.errors import Hint, TreebankError
from structprobe.targets import nearest_existing
from structprobe.treebank.archive import WANTED, unpack
from structprobe.treebank.bank import Treebank
from structprobe.treebank.download import TIMEOUT, NotThereError, download
from structprobe.treebank.files import find_parts
from structprobe.treebank.ud_names import NAME, known_names, nearest_names

RELEASE = "2.16"
SERVER = "https://github.com/UniversalDependencies"
SERVER_VARIABLE = "STRUCTPROBE_UD_URL"
_LISTED = "universaldependencies.org lists the names, such as UD_English-EWT"


@dataclass(frozen=True)
class FetchedPart:
    """One part of a treebank that was fetched, and what our reader makes of it."""

    part: str  # ``"train"``, ``"dev"`` or ``"test"``
    paths: tuple[Path, ...]  # Its files, sorted by name
    n_sentences: int
    n_words: int
    faults: tuple[TreebankError, ...]  # One for each sentence, or file, that does not

    def to_dict(self) -> dict[str, Any]:
        """Give the counts as plain values."""
        return {
            "part": self.part,
            "n_sentences": self.n_sentences,
            "n_words": self.n_words,
            "n_faults": len(self.faults),
            "paths": [str(path) for path in self.paths],
        }


def fetch_treebank(
    name: str,
    folder: str | os.PathLike[str],
    *,
    release: str = RELEASE,
    force: bool = False,
    timeout: float = TIMEOUT,
    progress: bool | None = None,
) -> dict[str, FetchedPart]:
    """Fetch one release of a treebank, with its licence and README, whole or not at all.

    It comes from the tag ``r<release>`` of ``UniversalDependencies/<name>`` at GitHub, or of the
    mirror whose address, laid out alike, the environment variable ``STRUCTPROBE_UD_URL`` names.

    Parameters
    ----------
    name : str
        Such as ``"UD_English-EWT"``; a slash behind it does not matter.
    folder : path
        The folder to make; it may be there if it is empty.
    release : str
        Such as ``"2.16"``.
    force : bool
        Replace a folder that is there, if it holds nothing but the files of a treebank.
    timeout : float
        Seconds without a byte after which the server is given up.
    progress : bool, optional
        Whether to draw bars; by default where stderr is a terminal.

    Returns
    -------
    dict of str to FetchedPart
        The parts that there are of ``"train"``, ``"dev"`` and ``"test"``. A part with faults is
        kept like any other; see `require_clean`.

    Raises
    ------
    TreebankError
        Where there is no such treebank or release (the nearest names are shown); where the
        server cannot be reached; where what arrives is no whole and safe archive of a treebank;
        where the folder is there, or cannot be written. Nothing is left behind then.
    """
    check_release(release)
    name = name.rstrip("/")
    if not NAME.fullmatch(name):
        raise _unknown(name) or TreebankError(f"{name!r} is no name of a treebank", hint=_LISTED)
    target = Path(folder).resolve()
    server = (os.environ.get(SERVER_VARIABLE) or SERVER).rstrip("/")
    url = f"{server}/{name}/archive/refs/tags/r{release}.tar.gz"
    try:
        _check_target(target, force)
        # Beside the target, so that the last step is a rename.
        with TemporaryDirectory(
            prefix=".structprobe-", dir=nearest_existing(target.parent)
        ) as room:
            packed, files = Path(room, "packed"), Path(room, "files")
            files.mkdir()
            _download(name, url, packed, timeout=timeout, progress=progress)
            unpack(packed, files, url)
            _require_parts(files, url)
            _put_in_place(files, target, Path(room, "before"))
    except NotThereError as error:
        raise _no_such(name, release, error) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise TreebankError(f"cannot be written: {why}", path=str(target)) from error
    return {part: _count(part, paths, progress) for part, paths in find_parts(target).items()}


def require_clean(parts: dict[str, FetchedPart]) -> None:
    """Raise an error where a part has faults."""
    faulty = [part for part in parts.values() if part.faults]
    if faulty:
        counts = ", ".join(f"{len(part.faults)} in {part.part}" for part in faulty)
        raise TreebankError(
            f"the treebank has faults ({counts}), the first: {faulty[0].faults[0]}",
            hint=Hint(
                "its files are kept; on_error='skip' reads them without the faulty sentences",
                shell="its files are kept; --skip-faults reads them without the faulty sentences",
            ),
        )


def check_release(release: str) -> str:
    """Check the form of a release's number."""
    if not re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}", release):
        raise TreebankError(f"{release!r} is no release", hint=f"give a number such as {RELEASE}")
    return release


def _download(name: str, url: str, path: Path, **options: Any) -> None:
    """Download, and where no server is reached say first that a name looks like a typo."""
    try:
        download(url, path, **options)
    except NotThereError:
        raise
    except TreebankError as error:
        if unknown := _unknown(name, error):
            raise unknown from error
        raise


def _no_such(name: str, release: str, error: NotThereError) -> TreebankError:
    """Say what the server has not: the treebank, or only this release of it."""
    if unknown := _unknown(name, error):
        return unknown
    if name in known_names():
        what = f"there is no release {release} of {name}"
        why = "not every treebank is in every release"
        hint: str = Hint(
            f"{why}; pass release={RELEASE!r}, or another", shell=f"{why}; try --release {RELEASE}"
        )
    else:
        what, hint = f"there is no {name} of release {release}", _LISTED
    return TreebankError(f"{what}: {error.what}", path=error.path, hint=hint)


def _unknown(name: str, error: TreebankError | None = None) -> TreebankError | None:
    """Ask whether another name was meant, if this one is not known and others are near.

    It may have been looked for all the same, since treebanks that are newer than this version are
    not known to it; `error` tells what came of it.
    """
    near = [] if name in known_names() else nearest_names(name)
    if not near:
        return None
    asked = f"did you mean {' or '.join(near)}?"
    looked = f" (nor is it found: {error.where}: {error.what})" if error else ""
    return TreebankError(f"no treebank {name!r} is known", hint=asked + looked)


def _check_target(target: Path, force: bool) -> None:
    """Refuse what must not be replaced."""
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise TreebankError("is there, and no folder", path=str(target), hint="name another")
    held = sorted(target.iterdir())
    if held and not force:
        raise TreebankError(
            "is there already",
            path=str(target),
            hint=Hint(
                "pass force=True to replace it, or name another folder",
                shell="replace it with --force, or name another folder",
            ),
        )
    for path in held:
        # A slip such as `-o . --force` must not cost anyone their work.
        if path.is_dir() or not WANTED.fullmatch(path.name):
            raise TreebankError(
                f"is not replaced, since it holds {path.name!r}, which is of no treebank",
                path=str(target),
                hint="name another folder",
            )


def _require_parts(files: Path, url: str) -> None:
    try:
        find_parts(files)
    except TreebankError as error:
        raise TreebankError("the archive has no part of a UD treebank", path=url) from error


def _put_in_place(files: Path, target: Path, before: Path) -> None:
    """Move the new folder to where it belongs, and an old one out of its way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        files.rename(target)
        return
    target.rename(before)
    try:
        files.rename(target)
    except BaseException:
        before.rename(target)
        raise


def _count(part: str, paths: list[Path], progress: bool | None) -> FetchedPart:
    """Read a part with all its faults."""
    try:
        bank = Treebank.read(paths, on_error="skip", progress=progress)
    except TreebankError as fault:  # nothing of it reads
        return FetchedPart(part, tuple(paths), 0, 0, (fault,))
    return FetchedPart(part, tuple(paths), len(bank), bank.n_words, bank.skipped)

"""Downloading Universal Dependencies treebanks by name from their release repositories."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structprobe.drafts import draft_folder
from structprobe.errors import Hint, TreebankError
from structprobe.output_paths import disk_hint, replace_hint
from structprobe.treebank.archive import WANTED, unpack
from structprobe.treebank.bank import Treebank
from structprobe.treebank.download import TIMEOUT, NotThereError, download
from structprobe.treebank.files import find_parts, part_files
from structprobe.treebank.ud_names import NAME, known_names, nearest_names

RELEASE = "2.16"
SERVER = "https://github.com/UniversalDependencies"
SERVER_VARIABLE = "STRUCTPROBE_UD_URL"
_LISTED = "see universaldependencies.org for the names, such as UD_English-EWT"


@dataclass(frozen=True)
class FetchedPart:
    """One part of a downloaded treebank, as far as it could be read."""

    part: str  # ``"train"``, ``"dev"`` or ``"test"``
    paths: tuple[Path, ...]  # Its files, sorted by name
    n_sentences: int
    n_words: int
    faults: tuple[TreebankError, ...]  # One for each sentence, or file, that could not be read

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
    """Download one release of a UD treebank, with its licence and README.

    It is downloaded from the tag ``r<release>`` of ``UniversalDependencies/<name>`` on GitHub, or
    from a mirror with the same layout, set by the environment variable ``STRUCTPROBE_UD_URL``.

    Parameters
    ----------
    name : str
        The name, such as ``"UD_English-EWT"``.
    folder : path
        The folder to create; it may exist if it is empty.
    release : str
        The release, such as ``"2.16"``.
    force : bool
        Whether to replace an existing folder; only if it contains nothing but treebank files.
    timeout : float
        Timeout in seconds, while no data arrives.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    dict of str to FetchedPart
        The available parts among ``"train"``, ``"dev"`` and ``"test"``; errors in a part, which is
        kept, are in its ``faults``.

    Raises
    ------
    TreebankError
        If the treebank or release does not exist (similar names are suggested), the server cannot
        be reached, the download is not a complete and safe archive of a treebank, or the folder
        exists or cannot be written. Nothing is left behind.
    """
    check_release(release)
    name = name.rstrip("/")
    if not NAME.fullmatch(name):
        raise _unknown(name) or TreebankError(f"{name!r} is not a treebank name", hint=_LISTED)
    target = Path(folder).resolve()
    server = (os.environ.get(SERVER_VARIABLE) or SERVER).rstrip("/")
    url = f"{server}/{name}/archive/refs/tags/r{release}.tar.gz"
    try:
        _check_target(target, force)
        with draft_folder(target) as files:
            packed = files / "packed"
            _download(name, url, packed, timeout=timeout, progress=progress)
            unpack(packed, files, url)
            packed.unlink()
            if not part_files(files):
                raise TreebankError("the archive contains no UD treebank files", path=url)
    except NotThereError as error:
        raise _no_such(name, release, error) from error
    except OSError as error:
        why = error.strerror or str(error)
        hint = disk_hint(error) or None
        raise TreebankError(f"cannot be written: {why}", path=str(target), hint=hint) from error
    return {part: _count(part, paths, progress) for part, paths in find_parts(target).items()}


def require_clean(parts: dict[str, FetchedPart]) -> None:
    """Raise an error if a part contains errors."""
    if faulty := [part for part in parts.values() if part.faults]:
        counts = ", ".join(f"{len(part.faults)} in {part.part}" for part in faulty)
        told = "its files were kept; {} leaves out the faulty sentences"
        what = f"the treebank contains errors ({counts}), the first: {faulty[0].faults[0]}"
        hint = Hint(told.format("on_error='skip'"), shell=told.format("--skip-faults"))
        raise TreebankError(what, hint=hint)


def check_release(release: str) -> str:
    """Check the form of a release's number."""
    if not re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}", release):
        hint = f"give a number such as {RELEASE}"
        raise TreebankError(f"{release!r} is not a UD release", hint=hint)
    return release


def _download(name: str, url: str, path: Path, **options: Any) -> None:
    """Download; if no server is reached, first point out a name that looks like a typo."""
    try:
        download(url, path, **options)
    except TreebankError as error:
        if not isinstance(error, NotThereError) and (unknown := _unknown(name, error)):
            raise unknown from error
        raise


def _no_such(name: str, release: str, error: NotThereError) -> TreebankError:
    """Say what the server lacks: the treebank, or only this release of it."""
    if unknown := _unknown(name, error):
        return unknown
    if name in known_names():
        what = f"there is no release {release} of {name}"
        why = "not every release contains every treebank"
        shell = f"{why}; try --release {RELEASE}"
        hint: str = Hint(f"{why}; pass release={RELEASE!r}, or another", shell=shell)
    else:
        what, hint = f"release {release} contains no {name}", _LISTED
    return TreebankError(f"{what}: {error.what}", path=error.path, hint=hint)


def _unknown(name: str, error: TreebankError | None = None) -> TreebankError | None:
    """Suggest similar names for one that is not known, if there are any."""
    # A download is tried all the same, since this version does not know newer treebanks.
    near = [] if name in known_names() else nearest_names(name)
    if not near:
        return None
    asked = f"did you mean {' or '.join(near)}?"
    looked = f" (and it was not found: {error.where}: {error.what})" if error else ""
    return TreebankError(f"unknown treebank {name!r}", hint=asked + looked)


def _check_target(target: Path, force: bool) -> None:
    """Refuse what must not be replaced."""
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise TreebankError("exists and is not a folder", path=str(target), hint="choose another")
    held = sorted(target.iterdir())
    if held and not force:
        raise TreebankError("already exists", path=str(target), hint=replace_hint("folder"))
    for path in held:
        # A slip such as `-o . --force` must not cost anyone their work.
        if path.is_dir() or not WANTED.fullmatch(path.name):
            what = f"was not replaced: it contains {path.name!r}, which is not part of a treebank"
            raise TreebankError(what, path=str(target), hint="choose another folder")


def _count(part: str, paths: list[Path], progress: bool | None) -> FetchedPart:
    """Read a part with all its faults."""
    try:
        bank = Treebank.read(paths, on_error="skip", progress=progress)
    except TreebankError as fault:  # nothing of it reads
        bank = Treebank(skipped=[fault])
    return FetchedPart(part, tuple(paths), len(bank), bank.n_words, bank.skipped)

"""The results folder: rows that survive a crash, a table, and optional predictions."""

from __future__ import annotations

import json
import logging
import os
import reprlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from structprobe._version import __version__
from structprobe.drafts import discard, draft_file
from structprobe.errors import ResultError, check_path
from structprobe.locks import lock
from structprobe.output_paths import disk_hint
from structprobe.results.frames import Rows, as_csv, frame_of, kind_of
from structprobe.results.predictions import Predicted, predictions_to_bytes
from structprobe.results.rows import METRICS, ROW_KEYS, Row, plain_number, without_retried
from structprobe.results.saved_runs import (
    PREDICTIONS,
    PROBES,
    STIMULI,
    digest,
    is_file_name,
    name_probe,
    predictions_path,
    read_predictions,
    read_sentences,
    stimuli_path,
    stimuli_to_text,
    unnamed_probe_path,
)
from structprobe.results.settings import tell_versions
from structprobe.scores.prediction import Prediction
from structprobe.stored_files import MAX_JSON, parse_json, read_stored, refuse_links
from structprobe.treebank.sentence import Sentence

FORMAT, FORMAT_VERSION = "structprobe-results", 1
_MARK = json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION})
MARKER, ROWS, TABLE = "structprobe.json", "rows.jsonl", "rows.csv"
COMMANDS = "commands.jsonl"  # that wrote to the folder, with versions
MAX_LINE, MAX_ROWS = 2**20, 2**28  # bytes of a row, and of all
_PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-learn")
_CHECK = "checksum"  # the last entry of a line: a digest of the row before it
_LOCK = ".lock"
_TORN = "is incomplete: the process writing it was killed"

_log = logging.getLogger(__name__)


class ResultsFolder:
    """A folder of results, created if it does not exist.

    Several processes may write to it: each row is added under a lock and flushed to disk, so that a
    crash loses at most the row being written. It contains ``structprobe.json`` (the marker of a
    results folder), ``rows.jsonl`` (one row per line, with the keys in `ROW_KEYS` and a checksum),
    ``rows.csv`` (the same as a table), ``predictions/KEY.npz`` and ``probes/NAME`` (such as
    ``layer-03_rank-384_seed-0``) of runs that save them, ``stimuli/KEY.json`` (scores by condition)
    of runs that were scored on stimuli, and ``commands.jsonl`` (the commands that were run, with
    versions).

    Parameters
    ----------
    folder : path
        A new or empty folder, or an existing results folder.

    Raises
    ------
    ResultError
        If the folder is not a results folder, has a newer format, or cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if not check_folder(folder):
            with _told(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                _replace(self.folder / MARKER, f"{_MARK}\n")

    @property
    def rows(self) -> Rows:
        """All rows, in the order they were added, without a row left incomplete by a crash."""
        return _read(self.folder / ROWS)[0]

    @property
    def keys(self) -> set[str]:
        """The keys of the finished runs."""
        return {row["key"] for row in self.rows}

    def add(
        self,
        row: Row,
        sentences: Sequence[Sentence] | None = None,
        predictions: Sequence[Prediction] | None = None,
        conditions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Add a row, unless its run is already in the folder.

        Parameters
        ----------
        row : dict
            The row, with its key.
        sentences, predictions : sequence, optional
            What was predicted, and the predictions to save.
        conditions : sequence of mapping, optional
            The run's scores by condition, as from `score_conditions`.

        Raises
        ------
        ResultError
            If the folder cannot be written; existing rows are unchanged.
        """
        with self._locked():
            rows, whole, _ = _read(self.folder / ROWS)
            if known := [one for one in rows if one["key"] == row["key"]]:
                if known[0]["probe"]:  # another process was faster
                    discard(unnamed_probe_path(self.folder, row["key"]))
                return
            row = self._named(row, rows)
            if predictions is not None and sentences is not None:
                content = predictions_to_bytes(sentences, predictions, row["key"])
                _replace(predictions_path(self.folder, row["key"]), content)
            if conditions:
                told = stimuli_to_text(conditions, row["key"])
                _replace(stimuli_path(self.folder, row["key"]), told)
            self._append(row, whole)
            _replace(self.folder / TABLE, as_csv([*rows, row]))

    def predictions(self, key: str) -> list[Predicted]:
        """Read the predictions of one run.

        Parameters
        ----------
        key : str
            The run's key.

        Returns
        -------
        list of (tuple of str, Prediction)
            The words and the prediction of each sentence.

        Raises
        ------
        ResultError
            If none were saved, or the file is damaged.
        """
        return read_predictions(self.folder, key)

    def sentences(self, key: str) -> list[Sentence]:
        """Read the sentences of one run's predictions.

        Parameters
        ----------
        key : str
            The run's key.

        Returns
        -------
        list of Sentence
            The sentences, with gold trees and tags unless an older version saved them.

        Raises
        ------
        ResultError
            As for `predictions`.
        """
        return read_sentences(self.folder, key)

    def tell_command(self, command: str | None) -> None:
        """Record the command that writes to the folder, unless it is also the last one recorded.

        Parameters
        ----------
        command : str or None
            The command line; None when called from Python.
        """
        with self._locked():
            known = read_commands(self.folder)
            packages = {name: version(name) for name in _PACKAGES}
            versions = {"structprobe": __version__, "python": python_version(), **packages}
            told = {"command": command, "versions": versions}
            if not known or {name: known[-1].get(name) for name in told} != told:
                told["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                lines = (json.dumps(one, ensure_ascii=False) for one in (*known, told))
                _replace(self.folder / COMMANDS, "\n".join([*lines, ""]))

    @property
    def predictions_bytes(self) -> int:
        """The size of the saved predictions on disk, in bytes."""
        return sum(path.stat().st_size for path in (self.folder / PREDICTIONS).glob("*.npz"))

    def tell_room(self) -> None:
        """Log the size of the saved predictions, if any."""
        if taken := self.predictions_bytes:
            _log.info("the predictions saved in %s take %.1f MB", self.folder, taken / 1e6)

    def write(self, name: str, text: str) -> None:
        """Write a file to the folder, completely or not at all.

        Parameters
        ----------
        name, text : str
            The file name, of which an existing file is replaced, and the content.
        """
        with _told(self.folder):
            _replace(self.folder / name, text)

    def _named(self, row: Row, rows: Sequence[Row]) -> Row:
        """Name the saved probe of this row; under the lock, so that names are unique."""
        waiting = unnamed_probe_path(self.folder, row["key"])
        if not waiting.is_dir():
            return row
        others = {known["probe"]: known for known in rows if known["probe"]}
        name = name_probe(row, others)
        if _same_files(waiting, waiting.with_name(name)):  # named by a process that was killed then
            discard(waiting)
        else:
            name = name_probe(row, others, os.listdir(waiting.parent))
            waiting.rename(waiting.with_name(name))
        return {**row, "probe": name}

    def _append(self, row: Row, whole: int) -> None:
        """Write one line after the first `whole` bytes, which are complete lines, and flush it."""
        told = json.dumps(row, ensure_ascii=False, allow_nan=False, default=plain_number)
        line = f'{told[:-1]}, "{_CHECK}": "{digest(told.encode())}"}}\n'.encode()
        path = self.folder / ROWS  # which was just read: it is no link out of the folder
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.fstat(descriptor).st_size > whole:
                _log.warning("%s: the last row %s; it was removed", path, _TORN)
            os.ftruncate(descriptor, whole)
            os.lseek(descriptor, whole, os.SEEK_SET)
            try:
                while line:  # the system may take only some at a time
                    line = line[os.write(descriptor, line) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, whole)
                raise
        finally:
            os.close(descriptor)

    def mend(self) -> None:
        """Rewrite the table from the rows, in case of an earlier crash."""
        with self._locked():
            _replace(self.folder / TABLE, as_csv(self.rows))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Write under the folder's lock, which is released when the process ends."""
        with _told(self.folder):
            unlock = lock(self.folder / _LOCK)
            try:
                yield
            finally:
                unlock()


def check_folder(folder: str | os.PathLike[str]) -> bool:
    """Refuse a folder that is not for results; return whether it has a marker."""
    check_path("folder", folder, ResultError)
    path = Path(folder)
    if not path.exists():
        return False
    if not path.is_dir():
        hint = "choose a new or empty folder"
        raise ResultError("is a file, not a folder", where=str(folder), hint=hint)
    # Listed first: another process may be creating the marker at this moment.
    names = [entry.name for entry in path.iterdir()]
    if not (path / MARKER).exists():
        if not all(name.startswith(f".{MARKER}.") for name in names):
            what = "the folder exists and is not a structprobe results folder"
            raise ResultError(what, where=str(folder), hint="choose a new or empty folder")
        return False
    for name in (PREDICTIONS, PROBES, STIMULI):
        refuse_links(path / name, path, ResultError)
    hint = "choose another folder; if it does contain structprobe results, write "
    hint += f"{_MARK} to {MARKER}"
    content = read_stored(path / MARKER, path, ResultError, MAX_LINE)
    marker = parse_json(content, path / MARKER, ResultError, hint)
    if not isinstance(marker, dict) or marker.get("format") != FORMAT:
        what = f"{MARKER} is not the marker of a structprobe results folder"
        raise ResultError(what, where=str(folder), hint=hint)
    found = marker.get("format_version")
    if not isinstance(found, int) or found > FORMAT_VERSION:
        what = f"format version {found!r}, but structprobe {__version__} reads up to "
        what += str(FORMAT_VERSION)
        raise ResultError(what, where=str(folder), hint="upgrade structprobe")
    return True


def read_rows(folder: str | os.PathLike[str]) -> Rows:
    """Read the rows of a results folder, without changing it.

    Parameters
    ----------
    folder : path
        The results folder.

    Returns
    -------
    Rows
        All rows, in the order they were added. A last row left incomplete by a crash is skipped,
        and so are repeated runs, with a warning, as for rows of several versions.

    Raises
    ------
    ResultError
        If there is no such results folder, a row is damaged or was changed after it was written, or
        the only row is incomplete.
    """
    if not check_folder(folder):
        what = "contains no results" if os.path.lexists(folder) else "no such folder"
        hint = "name a folder that sweep or compare wrote"
        raise ResultError(what, where=str(folder), hint=hint)
    path = Path(folder) / ROWS
    rows, whole, repeated = _read(path)
    if repeated:
        lines = ", ".join(map(str, repeated))
        _log.warning("%s: runs that are there before were skipped: line %s", path, lines)
    if told := tell_versions(rows):
        _log.warning("%s: rows of several versions: %s", path, told)
    if path.exists() and path.stat().st_size > whole:
        hint = "run the same command again to resume"
        if not rows:
            raise ResultError(f"the only row {_TORN}", where=str(path), hint=hint)
        _log.warning("%s: the last row %s; it was skipped; %s", path, _TORN, hint)
    return rows


def read_commands(folder: str | os.PathLike[str]) -> list[Mapping[str, Any]]:
    """Read the commands that wrote to a results folder."""
    path = Path(folder) / COMMANDS
    if not path.exists():
        return []
    content = read_stored(path, path.parent, ResultError, MAX_JSON)
    lines = [parse_json(line, path, ResultError) for line in content.splitlines()]
    if not all(isinstance(one, dict) and _is_text(one.get("command")) for one in lines):
        raise ResultError("not a list of commands", where=str(path), hint="remove it")
    return lines


def to_frame(rows: str | os.PathLike[str] | Iterable[Row]) -> Any:
    """Convert result rows to a pandas table.

    Parameters
    ----------
    rows : path or iterable of dict
        A results folder, or rows as returned by `sweep` and `compare`.

    Returns
    -------
    pandas.DataFrame
        One row per run, with columns in the order of `ROW_KEYS`; scores are fractions (float64),
        integers are nullable (Int64), names are categories.

    Raises
    ------
    ResultError
        If pandas is not installed, or the folder is not a results folder.
    """
    return frame_of(read_rows(rows) if isinstance(rows, str | os.PathLike) else rows)


def _read(path: Path) -> tuple[Rows, int, list[int]]:
    """Read the rows that hold, the bytes of all, and the lines that repeat the run of another."""
    there = os.path.lexists(path)
    content = read_stored(path, path.parent, ResultError, MAX_ROWS) if there else b""
    whole = content.rfind(b"\n") + 1
    rows, keys, repeated = [], set(), []
    for number, line in enumerate(content[:whole].split(b"\n")[:-1], start=1):
        hint = "remove this line; its run will be repeated"
        try:
            told = _as_written({**json.loads(line[:MAX_LINE])}, line)
            row = {**dict.fromkeys(ROW_KEYS), **(told or {})}
        except (ValueError, TypeError, RecursionError) as error:
            what = f"not a result row: {line[:40]!r}"
            raise ResultError(what, where=f"{path}:{number}", hint=hint) from error
        if fault := _fault(told) or _misfit(row):
            raise ResultError(fault, where=f"{path}:{number}", hint=hint)
        row.pop(_CHECK, None)
        if row["key"] in keys:
            repeated.append(number)
            continue
        keys.add(row["key"])
        rows.append(row)
    return Rows(without_retried(rows)), whole, repeated


def _fault(row: Row | None) -> str | None:
    """Tell what is wrong with a row as it is in the file."""
    if row is None:
        return "the row was changed after it was written"
    for metric in METRICS:
        for key in (metric, f"dev_{metric}", f"{metric}_low", f"{metric}_high"):
            value, least = row.get(key), -1 if metric in ("dspr", "nspr") else 0
            if value is not None and not (_is_number(value) and least <= value <= 1 + 1e-9):
                return f"{key} is {value!r}, not a fraction"
    return None


def _as_written(row: Row, line: bytes) -> Row | None:
    """Give a row if it has its checksum, also where another program laid its line out anew.

    Older versions wrote no checksums.
    """
    if not {_CHECK, "uuas_sentences"} & row.keys():
        return row
    told = line.rpartition(f', "{_CHECK}"'.encode())[0] + b"}"
    if row.get(_CHECK) == digest(told):
        return row
    own = {key: value for key, value in row.items() if key != _CHECK}
    in_order = {key: own[key] for key in (*ROW_KEYS, *own) if key in own}  # not sorted
    for values in (own, in_order, _with_floats(own), _with_floats(in_order)):
        with suppress(RecursionError):
            again = json.dumps(values, ensure_ascii=False).encode(errors="surrogatepass")
            if row.get(_CHECK) == digest(again):
                return values
    return None


def _with_floats(row: Row) -> Row:
    """Make floats of whole numbers where a column has floats: jq 1.6 writes 1 for 1.0."""
    return {
        key: float(value) if key in _FLOATS and _is_whole(value) else value
        for key, value in row.items()
    }


def _misfit(row: Row) -> str | None:
    """Tell what a row cannot hold: other types, and names that are no file's."""
    for key in ("key", "probe"):
        if not is_file_name(row[key]) and (key == "key" or row[key] is not None):
            return f"{key} is {reprlib.repr(row[key])}, which cannot name a file"
    for key, fits in _FITS_OF.items():
        if row[key] is not None and not fits(row[key]):
            return f"{key} is {reprlib.repr(row[key])}, which it cannot be"
    return None


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


# What the columns of a table may hold, by their type or name.
_FITS: dict[str, Callable[[Any], bool]] = {
    "Int64": _is_whole,
    "float64": lambda value: _is_number(value) and abs(value) < sys.float_info.max,
    "boolean": lambda value: isinstance(value, bool),
    "category": _is_text,
    "object": _is_text,
    "warnings": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    **dict.fromkeys(("layer", "head"), lambda value: _is_whole(value) and 0 <= value < MAX_LINE),
}


_FITS_OF = {key: _FITS.get(key) or _FITS[kind_of(key)] for key in ROW_KEYS}
_FLOATS = {key for key in ROW_KEYS if kind_of(key) == "float64"}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same."""
    files = ({path.name: path.read_bytes() for path in here.glob("*")} for here in (one, other))
    return other.is_dir() and next(files) == next(files)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Report errors of the disk in one line."""
    try:
        yield
    except OSError as error:
        what = f"cannot write results: {error.strerror or error}"
        hint = disk_hint(error, "existing rows are unchanged")
        raise ResultError(what, where=str(folder), hint=hint) from error


def _replace(path: Path, content: str | bytes) -> None:
    """Write a file completely or not at all."""
    path.parent.mkdir(exist_ok=True)
    with draft_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)

"""From names to suites: files, folders, globs, and pairs that are made here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from structprobe.errors import StructprobeError, escaped, refuse_kind
from structprobe.stimuli.suites.own import SUITE, USUAL, make_pairs
from structprobe.stimuli.suites.pairs import MinimalPair, read_blimp, read_columns
from structprobe.stimuli.suites.syntaxgym import Suite, read_syntaxgym
from structprobe.treebank.files import find_files, read_bytes

ENDINGS = (".jsonl", ".json", ".tsv", ".csv")
_KINDS = (
    "give BLiMP's lines of JSON (.jsonl), a suite of SyntaxGym (.json), or two columns, the good "
    "sentence first (.tsv, .csv)"
)


@dataclass(frozen=True)
class SuiteGroup:
    """The suites that are summed up together: those of a folder, or the pairs of a file.

    Attributes
    ----------
    name : str
        The name of the folder, or that of a file of columns, or ``"own"``.
    pairs : tuple of MinimalPair
        The pairs; empty for suites of SyntaxGym.
    suites : tuple of Suite
        The suites of SyntaxGym; empty for pairs.
    faults : mapping of str to str
        Why a file could not be read, by the name that its paradigm would have had.
    """

    name: str
    pairs: tuple[MinimalPair, ...]
    suites: tuple[Suite, ...]
    faults: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """A hash of all that is asked of a model."""
        seen = sha256()
        for pair in self.pairs:
            texts = (getattr(one, "words", one) for one in (pair.good, pair.bad))
            seen.update(repr((pair.paradigm, pair.phenomenon, *texts)).encode())
        for suite in self.suites:
            seen.update(repr((suite.name, *(one.text for one in suite.predictions))).encode())
            seen.update(repr([(one.number, one.regions) for one in suite.items]).encode())
        return seen.hexdigest()[:16]

    def first(self, n: int | None) -> SuiteGroup:
        """Keep the first pairs of each paradigm, or the first items of each suite.

        Parameters
        ----------
        n : int or None
            How many; None keeps all. Pairs of two equal sentences do not count.

        Returns
        -------
        SuiteGroup
            The smaller group.
        """
        if n is None:
            return self
        count: dict[str, int] = {}
        kept = []
        for pair in self.pairs:
            if count.get(pair.paradigm, 0) < n:
                count[pair.paradigm] = count.get(pair.paradigm, 0) + (not pair.is_equal)
                kept.append(pair)
        suites = tuple(replace(one, items=one.items[:n]) for one in self.suites)
        return replace(self, pairs=tuple(kept), suites=suites)


def read_suite(path: str | os.PathLike[str]) -> list[MinimalPair] | Suite:
    """Read a file of minimal pairs, or a suite of SyntaxGym.

    Parameters
    ----------
    path : path
        A ``.jsonl`` file with one pair a line and the keys of BLiMP (``sentence_good``,
        ``sentence_bad``, and if known ``UID``, ``linguistics_term``); a ``.json`` file of
        SyntaxGym; or columns separated by tabs (``.tsv``) or commas (``.csv``): the grammatical
        sentence, then the ungrammatical one, or as a first line names them: ``good``, ``bad``,
        ``paradigm``, ``phenomenon``.

    Returns
    -------
    list of MinimalPair or Suite
        The pairs in the order of the file, or the suite.

    Raises
    ------
    StructprobeError
        If the file cannot be read, is empty, or does not hold what its ending says.
    """
    name = os.fspath(path)
    ending = os.path.splitext(name)[1].lower()
    if ending not in (*ENDINGS, ".txt"):
        what = f"a file that ends in {ending!r}" if ending else "a file without an ending"
        raise StructprobeError(f"{what} is no suite", where=name, hint=_KINDS)
    try:
        text = read_bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise StructprobeError(f"not UTF-8: {fault.reason}", where=name) from fault
    text = text.replace("\r\n", "\n")
    if not text.strip():
        raise StructprobeError("an empty file", where=name, hint=_KINDS)
    if ending == ".json":
        return read_syntaxgym(text, name)
    if ending == ".jsonl":
        return read_blimp(text, name)
    return read_columns(text, name, commas=ending == ".csv")


def read_suites(
    names: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    n: int | None = None,
    seed: int = 0,
) -> list[SuiteGroup]:
    """Read suites by the names of files, folders and globs; a file that is faulty is told of.

    Parameters
    ----------
    names : path or iterable of path
        Files as for `read_suite`, folders of such files, globs, or ``"own:agreement,distance"`` and
        so on for pairs from `make_pairs` (``"own"`` for all conditions).
    n : int, optional
        Keep only the first pairs of each paradigm, and the first items of each SyntaxGym suite; by
        default all, and 100 made pairs of each paradigm.
    seed : int, default=0
        Random seed of made pairs.

    Returns
    -------
    list of SuiteGroup
        One for each folder of BLiMP's or SyntaxGym's files, file of columns, and ``"own"``.

    Raises
    ------
    StructprobeError
        If a name is no file, folder or glob, or no file can be read.
    """
    given = [names] if isinstance(names, str | os.PathLike) else names
    if not isinstance(given, Iterable):
        refuse_kind("suites", given, "a path or a list of paths", StructprobeError)
    made: list[str] = []
    files: dict[str, Path] = {}
    for one in given:
        name = os.fspath(one)
        if name == SUITE or name.startswith(f"{SUITE}:"):
            made += (name.partition(":")[2] or "all").split(",")
            continue
        for file in _files(name):
            files.setdefault(os.path.realpath(file), file)
    if not made and not files:
        raise StructprobeError("no suites", hint=_KINDS)
    groups = [_own([one.strip() for one in made], n, seed)] if made else []
    groups = [*_read(files.values()), *groups]
    faults = [why for group in groups for why in group.faults.values()]
    if not any(group.pairs or group.suites for group in groups):
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise StructprobeError(f"{faults[0]}{more}")
    return [group.first(n) for group in groups]


def _own(conditions: list[str], n: int | None, seed: int) -> SuiteGroup:
    return SuiteGroup(SUITE, tuple(make_pairs(conditions, USUAL if n is None else n, seed)), (), {})


def _files(name: str) -> list[Path]:
    """List the files that a name stands for."""
    if not os.path.isdir(name):
        return find_files(name)
    there = sorted(Path(name).iterdir())
    found = [one for one in there if one.suffix.lower() in ENDINGS and one.name[0] != "."]
    if not found:
        inside = ", ".join(one.name for one in there if one.is_dir() and one.name[0] != ".")
        hint = f"name one of its folders: {escaped(inside)}" if inside else _KINDS
        what = f"the folder holds no suites (files that end in {', '.join(ENDINGS)})"
        raise StructprobeError(what, where=name, hint=hint)
    return found


def _read(files: Iterable[Path]) -> list[SuiteGroup]:
    """Read files, and put together those of a folder."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for file in files:
        ending = file.suffix.lower()
        home = file.resolve()
        alone = ending not in (".json", ".jsonl")
        name = file.stem if alone else home.parent.name
        empty = {"name": name, "pairs": [], "suites": [], "faults": {}}
        own = groups.setdefault((str(home if alone else home.parent), ending), empty)
        try:
            found = read_suite(file)
        except StructprobeError as error:
            own["faults"][file.stem] = str(error)
            continue
        if isinstance(found, Suite):
            known = [one.name for one in own["suites"]]
            own["suites"].append(replace(found, name=file.stem) if found.name in known else found)
        else:
            own["pairs"] += found
    names = [own["name"] for own in groups.values()]
    places = [place for place, _ in groups]
    for (place, ending), own in groups.items():
        if places.count(place) > 1:  # pairs and SyntaxGym suites in one folder
            own["name"] += f" ({ending})"
        elif names.count(own["name"]) > 1:
            own["name"] = "/".join(Path(place).parts[-2:])
    return [
        SuiteGroup(own["name"], tuple(own["pairs"]), tuple(own["suites"]), own["faults"])
        for own in groups.values()
    ]

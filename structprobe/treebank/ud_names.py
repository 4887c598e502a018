"""The names of the treebanks of Universal Dependencies, for telling a typo from its neighbours."""

from __future__ import annotations

import difflib
from importlib.resources import files


def known_names() -> list[str]:
    """List the treebanks whose names this version knows.

    Returns
    -------
    list of str
        Such as ``"UD_English-EWT"``, by language. New ones come with every release, so a name
        that is not among them may well exist.
    """
    text = files("structprobe.treebank").joinpath("ud_names.txt").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines())
    return [f"UD_{language}-{treebank}" for language, *treebanks in rows for treebank in treebanks]


def nearest_names(name: str, n: int = 3) -> list[str]:
    """List the known names that are most like one that is none.

    Parameters
    ----------
    name : str
        A name with a typo, in any case, with or without ``UD_``.
    n : int
        How many at most.

    Returns
    -------
    list of str
        The nearest first; empty where none is near.
    """
    folded = {known.casefold(): known for known in known_names()}
    wanted = "ud_" + name.casefold().removeprefix("ud_")
    return [folded[near] for near in difflib.get_close_matches(wanted, folded, n=n)]

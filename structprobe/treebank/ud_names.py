"""The names of the UD treebanks, to suggest corrections of typos."""

from __future__ import annotations

import difflib
import re
from importlib.resources import files

NAME = re.compile(r"UD_[A-Za-z_]+-[A-Za-z0-9]+")  # the form of a treebank's name


def known_names() -> list[str]:
    """List the treebanks whose names this version knows."""
    text = files("structprobe.treebank").joinpath("ud_names.txt").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines())
    return [f"UD_{language}-{treebank}" for language, *treebanks in rows for treebank in treebanks]


def nearest_names(name: str, n: int = 3) -> list[str]:
    """List the known names most similar to an unknown one."""
    # Without what all names share, which would make any two alike.
    folded = {known.casefold().removeprefix("ud_"): known for known in known_names()}
    typed = name.casefold().removeprefix("ud_")
    holding = [known for known in folded if len(typed) > 1 and typed in known]
    holding.sort(key=lambda known: (typed not in known.split("-"), len(known)))
    near = holding[:n] or difflib.get_close_matches(typed, folded, n=n)
    return [folded[one] for one in near]

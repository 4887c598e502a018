"""The relations of gold trees, as targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError, counted
from structprobe.probe.data.examples import RELATION, Examples, Gold
from structprobe.probe.data.inputs import treebank_name
from structprobe.probe.types import TreesLike
from structprobe.scores.attachment import without_subtypes

SHOWN = 5  # relations, in a warning

Labels = NDArray[np.str_]


def read_relations(y: TreesLike, name: str, *, subtypes: bool) -> Labels:
    """Read the relations of all words."""
    # -> (n_words,)
    found: list[str] = []
    rows = [getattr(one, "deprels", None) for one in y]
    hint = "use a treebank with DEPREL, or a method without relations"
    if not any(row is not None and {*row} != {"_"} for row in rows):
        told = "no sentence has relations (DEPREL is _ throughout, or only heads were passed)"
        raise ProbeError(told, where=treebank_name(y) or name, hint=hint)
    for index, (sentence, row) in enumerate(zip(y, rows, strict=True)):
        if row is None or "_" in row:
            place = getattr(sentence, "where", None)
            where = f"{place}: {name}[{index}]" if place else f"{name}[{index}]"
            which = "the sentence" if row is None else f"word {row.index('_') + 1}"
            raise ProbeError(f"{which} has no relation", where=where, hint=hint)
        found += row
    return np.array(found) if subtypes else without_subtypes(found)


def check_relations(banks: Mapping[str, TreesLike | None], *, subtypes: bool = False) -> None:
    """Refuse treebanks without relations, by name, before anything is encoded or trained."""
    for name, bank in banks.items():
        if bank is not None:
            read_relations(bank, name, subtypes=subtypes)


def unseen(labels: Iterable[str], known: Iterable[str], name: str) -> str | None:
    """Count and name the relations that a reader cannot give, as it never saw them."""
    left = Counter(map(str, labels))
    for one in known:
        del left[str(one)]
    if not left:
        return None
    shown = [f"{one!r} ({counted(n, 'word')})" for one, n in left.most_common(SHOWN)]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    be, count = ("is", "counts") if len(left) == 1 else ("are", "count")
    told = f"{counted(len(left), 'relation')} of {name} {be} not in the training set"
    return f"{told} and {count} as wrong: {', '.join(shown)}{more}"


def with_relations(
    sets: tuple[Examples, Examples | None], banks: Sequence[TreesLike | None], *, subtypes: bool
) -> tuple[tuple[Examples, Examples | None], Labels]:
    """Replace the relations of both sets by numbers, and give the name of each."""
    if not isinstance(subtypes, bool):
        raise ProbeError(f"subtypes must be True or False, got {subtypes!r}")
    labels = [
        None if bank is None else read_relations(bank, name, subtypes=subtypes)
        for bank, name in zip(banks, ("y", "y_dev"), strict=True)
    ]
    names = np.unique(np.concatenate([some for some in labels if some is not None]))
    found: list[Examples | None] = []
    for part, own in zip(sets, labels, strict=True):
        if part is None or own is None:
            found.append(None)
            continue
        starts = np.cumsum(part.lengths) - part.lengths
        gold = Gold(np.searchsorted(names, own), starts)
        found.append(replace(part, gold={**part.gold, RELATION: gold}))
    train_set, dev_set = found
    assert train_set is not None
    return (train_set, dev_set), names

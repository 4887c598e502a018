"""Several tasks on the same sentences: distances or depths in trees of different structures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from structprobe.errors import ProbeError, refuse_kind, unknown_name
from structprobe.probe.data.examples import KINDS, Examples, gold_of
from structprobe.probe.data.inputs import read_heads
from structprobe.probe.types import TreesLike

SYNTAX, LINEAR = "syntax", "linear"

Structures = Mapping[str, TreesLike]  # Trees of the same sentences, by name


@dataclass(frozen=True, slots=True)
class Task:
    """One task: a structure of sentences, and which of its values are predicted."""

    structure: str
    kind: str  # One of `KINDS`

    @property
    def name(self) -> str:
        """The name of the task."""
        return f"{self.structure}-{self.kind}"


def read_structures(y: TreesLike | Structures, name: str) -> Structures:
    """Give trees by name: one structure alone is that of syntax."""
    if not isinstance(y, Mapping):
        return {SYNTAX: y}
    if not y:
        raise ProbeError(f"{name} has no trees", hint="pass the trees of at least one structure")
    return y


def read_tasks(names: str | Iterable[str], structures: Iterable[str]) -> tuple[Task, ...]:
    """Check the names of tasks, in a list or separated by commas."""
    known = {(task := Task(*both)).name: task
             for both in product(dict.fromkeys([*structures, LINEAR]), KINDS)}  # fmt: skip
    if not isinstance(names, Iterable):
        refuse_kind("tasks", names, "a list of names", ProbeError)
    given = [one.strip() for one in names.split(",")] if isinstance(names, str) else [*names]
    for name in given:
        if name not in [*known]:  # a list: the name may be unhashable
            raise ProbeError(unknown_name("task", name, known))
    if not given:
        raise ProbeError("no task was given", hint=f"choose from {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(given))


def add_gold(
    examples: Examples, structures: Structures, tasks: Sequence[Task], name: str
) -> Examples:
    """Compute the gold values of tasks, by their names."""
    words, heads = next(iter(examples.layers.values())), {}
    for structure in dict.fromkeys(task.structure for task in tasks):
        if structure in structures:
            names = name.replace("y", "X", 1), f"{name}[{structure!r}]"
            heads[structure] = read_heads(structures[structure], words, names)
        elif structure == LINEAR:
            heads[structure] = [np.arange(n) for n in words.lengths.tolist()]
        else:
            told = f"{name} has no trees {structure!r}, but y has"
            raise ProbeError(told, hint=f"it has: {', '.join(map(repr, structures))}")
    gold = {task.name: gold_of(task.kind, heads[task.structure]) for task in tasks}
    return Examples(examples.layers, gold, examples.heads)

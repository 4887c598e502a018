"""Several tasks on the same sentences: distances or depths in gold trees, or in other trees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError, refuse_kind, unknown_name
from structprobe.probe.data.examples import KINDS, Examples, gold_of
from structprobe.probe.types import TreesLike
from structprobe.treebank.controls import CONTROLS
from structprobe.treebank.sentence import Sentence

SYNTAX, LINEAR = "syntax", "linear"
STRUCTURES = (SYNTAX, LINEAR, *CONTROLS)
TASKS = tuple(f"{structure}-{kind}" for structure, kind in product(STRUCTURES, KINDS))

Heads = Sequence[NDArray[np.integer]]


@dataclass(frozen=True, slots=True)
class Task:
    """One task: a structure of sentences, and which of its values are predicted."""

    structure: str  # One of `STRUCTURES`
    kind: str  # One of `KINDS`

    @property
    def name(self) -> str:
        """The name, as in `TASKS`."""
        return f"{self.structure}-{self.kind}"


def read_tasks(names: str | Iterable[str]) -> tuple[Task, ...]:
    """Check the names of tasks, in a list or separated by commas."""
    if not isinstance(names, Iterable):
        refuse_kind("tasks", names, "a list of names", ProbeError)
    given = [one.strip() for one in names.split(",")] if isinstance(names, str) else [*names]
    for name in given:
        if name not in TASKS:
            raise ProbeError(unknown_name("task", name, TASKS))
    if not given:
        raise ProbeError("no task was given", hint=f"choose from {', '.join(TASKS)}")
    return tuple(Task(*name.split("-")) for name in dict.fromkeys(given))


def add_gold(examples: Examples, y: TreesLike, tasks: Sequence[Task], name: str) -> Examples:
    """Compute the gold values of tasks, by their names."""
    structures = dict.fromkeys(task.structure for task in tasks)
    heads = {one: heads_of(one, y, examples.heads, name) for one in structures}
    gold = {task.name: gold_of(task.kind, heads[task.structure]) for task in tasks}
    return Examples(examples.layers, gold, examples.heads)


def heads_of(structure: str, y: TreesLike, heads: Heads, name: str = "y") -> Heads:
    """Give the heads of sentences in a structure."""
    # heads (n,), of the gold trees -> (n,)
    if structure == SYNTAX:
        return heads
    if structure == LINEAR:
        return [np.arange(len(own)) for own in heads]
    sentences = []
    for index, own in enumerate(heads):
        words = getattr(y[index], "words", None)
        if words is None and structure == "form":
            told = "the tasks of the structure 'form' need words, but only heads were passed"
            raise ProbeError(told, where=f"{name}[{index}]", hint="pass a Treebank")
        sentences.append(Sentence(tuple(words or "_" * len(own)), own))
    return [one.heads for one in CONTROLS[structure](sentences, 0) if one.heads is not None]


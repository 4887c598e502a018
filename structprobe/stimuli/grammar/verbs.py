"""The verbs as entries: reading the tables, and finding the verbs that fit."""

from __future__ import annotations

from dataclasses import dataclass

from structprobe.stimuli.grammar.clause_verbs import CLAUSE_TABLES
from structprobe.stimuli.grammar.verb_tables import TABLES

CONTROL = ("subject control", "object control", "raising")


@dataclass(frozen=True)
class Verb:
    """A verb in one frame."""

    lemma: str
    particle: str  # Or nothing
    frame: str  # One of the names in the tables
    subjects: tuple[str, ...]  # Semantic classes
    objects: tuple[str, ...]
    modifiers: tuple[str, ...]  # As in the tables
    below: tuple[str, ...]  # The lemmas that may stand in an infinitive below it; empty for any
    stative: bool  # Whether it has no progressive
    passive: bool  # Whether it has a passive


def _parse(frame: str, table: str) -> list[Verb]:
    """Read the lines of one table."""
    verbs = []
    for line in table.strip().splitlines():
        columns = [part.strip() for part in f"{line} | | |".split("|")]
        name, subjects, objects, modifiers = columns[:4]
        if frame in ("subject control", "raising"):
            objects, modifiers = "", objects
        lemma, _, particle = name.rstrip("*-").partition("_")
        verbs.append(
            Verb(
                lemma, particle, frame, tuple(subjects.split()), tuple(objects.split()),
                () if frame in CONTROL else _parts(modifiers),
                tuple(modifiers.split()) if frame in CONTROL else (),
                "*" in name, "-" not in name and bool(objects),
            )
        )  # fmt: skip
    return verbs


def _parts(modifiers: str) -> tuple[str, ...]:
    """Part the modifiers of a line."""
    return tuple(part.strip() for part in modifiers.split(",") if part.strip())


VERBS: dict[str, list[Verb]] = {
    frame: _parse(frame, table) for frame, table in (TABLES | CLAUSE_TABLES).items()
}


def choose(
    frame: str, *, subject: str = "", obj: str = "", passive: bool = False,
    among: tuple[str, ...] = (),
) -> list[Verb]:  # fmt: skip
    """Give the verbs of a frame that take a subject and an object of the given classes."""
    return [
        verb
        for verb in VERBS[frame]
        if (not subject or subject in verb.subjects)
        and (not obj or obj in verb.objects)
        and (verb.passive or not passive)
        and (not among or verb.lemma in among)
    ]

"""The verbs as entries: reading the tables, and finding the verbs that fit."""

from __future__ import annotations

from dataclasses import dataclass

from grammar.verb_tables import TABLES

CONTROL = ("subject control", "object control", "raising")


@dataclass(frozen=True)
class Verb:
    """A verb in one frame.

    Attributes
    ----------
    lemma, particle : str
        The verb, and its particle or nothing.
    frame : str
        One of the names in `TABLES`.
    subjects, objects : tuple of str
        Semantic classes.
    modifiers : tuple of str
        As in the tables.
    below : tuple of str
        The lemmas that may stand in an infinitive below it; empty for any.
    stative, passive : bool
        Whether it has no progressive; whether it has a passive.
    """

    lemma: str
    particle: str
    frame: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    modifiers: tuple[str, ...]
    below: tuple[str, ...]
    stative: bool
    passive: bool


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


VERBS: dict[str, list[Verb]] = {frame: _parse(frame, table) for frame, table in TABLES.items()}


def choose(
    frame: str, *, subject: str = "", obj: str = "", passive: bool = False,
    among: tuple[str, ...] = (),
) -> list[Verb]:  # fmt: skip
    """Give the verbs of a frame that take a subject and an object of the given classes.

    Parameters
    ----------
    frame : str
        One of the names in `TABLES`.
    subject, obj : str
        Semantic classes; empty where any will do.
    passive : bool
        Whether only verbs with a passive are wanted.
    among : tuple of str
        The lemmas to choose from; empty for all.
    """
    return [
        verb
        for verb in VERBS[frame]
        if (not subject or subject in verb.subjects)
        and (not obj or obj in verb.objects)
        and (verb.passive or not passive)
        and (not among or verb.lemma in among)
    ]

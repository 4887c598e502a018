"""Minimal pairs of subject-verb agreement from our own conditions, with gold trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from numbers import Integral

from structprobe.errors import StructprobeError, unknown_name
from structprobe.stimuli.grammar.morphology import verb_form
from structprobe.stimuli.making import make_stimuli
from structprobe.stimuli.phrases import OTHER
from structprobe.stimuli.stimulus import Stimulus, value_text
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.treebank.sentence import Sentence

SUITE = "own"
# Conditions whose verb shows number in all of their sentences.
CONDITIONS = ("agreement", "attractors", "distance", "nesting")
USUAL = 100  # pairs of each paradigm
_NUMBERS = {"VBZ": "Sing", "VBP": "Plur"}
_FIRST = 50  # sentences, more than one item of any condition has


def make_pairs(
    conditions: str | Iterable[str] = "all", n: int = USUAL, seed: int = 0
) -> list[MinimalPair]:
    """Make minimal pairs of English sentences: the main verb agrees with its subject, or not.

    The grammatical sentences are those of `make_stimuli`, with their trees and named words; in the
    ungrammatical one the verb has the other number, and nothing else differs. The paradigms are the
    values of a condition, such as ``"agreement: attractor=other"``.

    - ``"agreement"``: behind a noun of the ``"same"`` or the ``"other"`` number as the subject.
    - ``"attractors"``: behind 0 to 3 nouns of the same or the other number.
    - ``"distance"``: behind 0 to 12 words.
    - ``"nesting"``: with 1 to 6 clauses nested behind the main verb or before it.

    Parameters
    ----------
    conditions : str or iterable of str
        The names of conditions, or ``"all"``.
    n : int
        The number of pairs of each paradigm, which is that of the items of a condition.
    seed : int
        Random seed.

    Returns
    -------
    list of MinimalPair
        The pairs, by condition, then by item. Their phenomenon is the condition.

    Raises
    ------
    StructprobeError
        If a condition is unknown or has no such pairs, or fewer than `n` items.
    """
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
        raise StructprobeError(f"n={n!r} pairs of each paradigm", hint="ask for at least 1")
    names = [conditions] if isinstance(conditions, str) else list(dict.fromkeys(conditions))
    for name in names:
        if name not in (*CONDITIONS, "all"):
            what = unknown_name("condition of minimal pairs", name, [*CONDITIONS, "all"])
            raise StructprobeError(what)
    if not names:
        raise StructprobeError("no conditions", hint=f"choose from {', '.join(CONDITIONS)}")
    names = list(CONDITIONS) if "all" in names else names
    return [pair for name in names for pair in _of_condition(name, int(n), seed)]


def _of_condition(name: str, n: int, seed: int) -> Iterator[MinimalPair]:
    """Make the pairs of n items."""
    size = sum(one.item == 1 for one in make_stimuli(name, n=_FIRST, seed=seed))
    stimuli = make_stimuli(name, n=n * size, seed=seed)
    for _, item in groupby(stimuli, key=lambda one: one.item):
        for good in item:
            if good.values.get("verb") == "ungrammatical":
                continue  # which the same sentence gives, with the number of its verb turned
            values = {key: value for key, value in good.values.items() if key != "verb"}
            yield MinimalPair(
                good=good.sentence,
                bad=_disagreeing(good),
                suite=SUITE,
                paradigm=f"{name}: {value_text(values)}",
                phenomenon=name,
                number=good.item or 0,
                where=good.sentence.where,
                words=good.words,
                item=good.item,
            )


def _disagreeing(good: Stimulus) -> Sentence:
    """Give the main verb the other number; the tree and all other words stay."""
    sentence, place = good.sentence, good.words["verb"] - 1
    assert sentence.xpos is not None
    number = OTHER[_NUMBERS[sentence.xpos[place]]]
    tag = "VBZ" if number == "Sing" else "VBP"
    lemma = sentence.raw_lines[sentence.rows[place]].split("\t")[2]
    words, tags = list(sentence.words), list(sentence.xpos)
    words[place], tags[place] = verb_form(lemma, tag, number), tag
    name = f"{sentence.sent_id}-ungrammatical"
    return replace(sentence, words=tuple(words), xpos=tuple(tags), sent_id=name)

"""Drafts of stimuli: words with their tree, names for some of them, and the phrases they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.listed import listed
from structprobe.stimuli.grammar.morphology import verb_feats, verb_form
from structprobe.stimuli.grammar.nouns import NOUNS, OWN
from structprobe.stimuli.grammar.words import Phrase, Word, bare_noun, case, hang, leaf, point

T = TypeVar("T")
OTHER = {"Sing": "Plur", "Plur": "Sing"}
# What people do to people.
ENCOUNTERS = listed(
    "admire call follow greet help invite meet photograph rescue thank wake watch see"
)


@dataclass(eq=False)
class Draft:
    """A sentence as drawn, before it is written."""

    words: list[Word]  # Without the full stop, which `statement` puts behind them
    named: dict[str, Word]
    values: dict[str, int | str]  # What the condition varies
    pair: tuple[str, str] = ("subject", "verb")  # Two named words joined by a gold edge


class Noun(NamedTuple):
    """A noun to be inflected."""

    lemma: str
    number: str


def draw_number(dice: Dice) -> str:
    """Draw a number."""
    return dice.pick(("Sing", "Plur"))


def draw_several(dice: Dice, items: Sequence[T], n: int) -> list[T]:
    """Draw different items."""
    left = list(items)
    found = []
    for _ in range(n):
        found.append(dice.pick(left))
        left.remove(found[-1])
    return found


def draw_noun(dice: Dice, kind: str, *, but: Sequence[str] = (), number: str = "") -> Noun:
    """Draw a noun of a semantic class, in a number where it has both."""
    lemmas = NOUNS.get(kind) or OWN[kind]
    lemma = dice.pick([one for one in lemmas if one.rstrip("~") not in but])
    if lemma.endswith("~"):  # a mass noun
        return Noun(lemma[:-1], "Sing")
    return Noun(lemma, number or draw_number(dice))


def draw_people(dice: Dice, n: int) -> list[Noun]:
    """Draw different nouns for people, each in a number."""
    return [Noun(lemma, draw_number(dice)) for lemma in draw_several(dice, NOUNS["person"], n)]


def the(noun: Noun) -> Phrase:
    """Make a noun with the definite article."""
    phrase = bare_noun(noun.lemma, "", noun.number)
    article = leaf(phrase.head, "det", "the", "DET", "DT", "Definite=Def|PronType=Art")
    phrase.words.insert(0, article)
    return phrase


def finite(lemma: str, number: str, tense: str = "Pres") -> Word:
    """Make a finite verb in the third person."""
    tag = "VBD" if tense == "Past" else "VBZ" if number == "Sing" else "VBP"
    return Word(verb_form(lemma, tag, number), lemma, "VERB", tag, verb_feats(tag, number))


def prepositional(form: str, noun: Noun) -> Phrase:
    """Make a preposition with a definite noun, which is the head."""
    phrase = the(noun)
    phrase.words.insert(0, case(phrase.head, form))
    return phrase


def statement(words: Sequence[Word]) -> list[Word]:
    """Put a full stop behind the words, which hangs on their root."""
    root = next(word for word in words if word.head is None)
    return [*words, point(root, ".")]


def subject_of(phrase: Phrase, verb: Word) -> list[Word]:
    """Make a phrase the subject of a verb."""
    return hang(phrase, verb, "nsubj")


def relative_pronoun(verb: Word, deprel: str) -> Word:
    """Make the relative pronoun of a clause."""
    return leaf(verb, deprel, "that", "PRON", "WDT", "PronType=Rel")

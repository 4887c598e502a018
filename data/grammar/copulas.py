"""Clauses of *be*: predicates, existence, and *it is clear that*."""

from __future__ import annotations

from grammar import clauses, relatives
from grammar.adverbials import time_expression
from grammar.noun_phrases import common_noun, prepositional

from structprobe.stimuli.grammar import modifiers
from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.nouns import ABSOLUTE
from structprobe.stimuli.grammar.verb_groups import MODALS, VerbGroup, verb_group
from structprobe.stimuli.grammar.words import Phrase, Word, hang, leaf, mark

# Where things of a class can be.
PLACES = {
    "thing": ("on furniture", "in container"), "document": ("on furniture", "in container"),
    "animal": ("in place", "under furniture"), "clothing": ("in container", "on furniture"),
    "person": ("in room", "at event", "in @city"), "vehicle": ("near building", "in place"),
    "building": ("near place", "in @city", "beside water"), "home": ("in town", "near place"),
    "picture": ("on wall1", "in room"), "food": ("on furniture", "in container"),
    "transport": ("near building", "at station"), "furniture": ("in room",),
    "plant": ("behind home", "in place"), "device": ("in room", "in building"),
}  # fmt: skip
SIMPLE = {"prog": "pres", "pastprog": "past"}


def adjective(dice: Dice, kind: str, *, state: bool = False) -> Phrase:
    """Draw an adjective that can be said of the class, with an adverb of degree at times.

    With `state`, one that can begin or end.
    """
    kind = kind if kind in modifiers.PREDICATES else "person"
    forms = modifiers.PREDICATES[kind]
    word = _adjective(dice.pick(modifiers.STATES if state and kind == "person" else forms))
    words = [word]
    if word.form not in ABSOLUTE and dice.chance(0.45):
        words.insert(0, leaf(word, "advmod", dice.pick(modifiers.DEGREE), "ADV", "RB"))
    return Phrase(word, words)


def copular(
    dice: Dice, depth: int, tense: str, subject: Phrase | None, kind: str, question: bool,
    negation: str,
) -> clauses.Clause:  # fmt: skip
    """Draw a clause that says what, how or where its subject is."""
    if subject is None:
        kind = dice.pick(tuple(modifiers.PREDICATES)) if dice.chance(0.6) else "person"
        subject = clauses.argument(dice, kind, depth, nominative=True)
    options = {"adjective": 5.0}
    options |= {"place": 3.0} if kind in PLACES else {}
    options |= {"noun": 2.0, "complemented": 6.0} if kind == "person" else {}
    choice = dice.weighted(options)
    if choice == "place":
        form, where = dice.pick(PLACES[kind]).split()
        predicate = prepositional(dice, form, where, depth=depth + 1)
    elif choice == "noun":
        number = "Plur" if subject.number == "Plur" else "Sing"
        predicate = common_noun(dice, "person", number=number, depth=depth + 1, only="indefinite")
    elif choice == "complemented":
        predicate = _complemented(dice, depth, tense)
    else:
        predicate = adjective(dice, kind)
    group = _copula(dice, predicate.head, tense, subject.number, subject.person, negation)
    hang(subject, predicate.head, "nsubj")
    after = time_expression(dice, predicate.head, SIMPLE.get(tense, tense), 0.12 / (1 + depth))
    return clauses.Clause(
        predicate.head, subject, group.finite, group.rest, [*predicate.words, *after], tense
    )


def existential(dice: Dice, tense: str) -> clauses.Clause:
    """Draw *there is a letter on the table*."""
    kind = dice.pick(tuple(PLACES))
    thing = common_noun(dice, kind, depth=1, only="indefinite")
    if dice.chance(0.35):
        relatives.modify(dice, thing, 1)
    group = verb_group("be", tense, thing.number, modal=dice.pick(MODALS))
    verb = group.verb
    verb.upos = "VERB"
    there = leaf(verb, "expl", "there", "PRON", "EX")
    form, where = dice.pick(PLACES[kind]).split()
    place = hang(prepositional(dice, form, where, depth=1), verb, "obl")
    auxiliaries = [word for word in (*group.finite, *group.rest) if word is not verb]
    finite = auxiliaries or [verb]
    behind = [] if finite == [verb] else [verb]
    subject = Phrase(there, [there])
    return clauses.Clause(
        verb, subject, finite, [], [*behind, *hang(thing, verb, "nsubj"), *place], tense
    )


def it_is(dice: Dice, tense: str) -> clauses.Clause:
    """Draw *it is clear that ...* or *it is important to ...*."""
    infinitive = dice.chance(0.4)
    word = _adjective(dice.pick(modifiers.GOOD_TO if infinitive else modifiers.CLEAR_THAT))
    it = leaf(word, "expl", "it", "PRON", "PRP")
    it.feats = "Case=Nom|Gender=Neut|Number=Sing|Person=3|PronType=Prs"
    group = _copula(dice, word, tense, "Sing", "3", "")
    if infinitive:
        below = hang(clauses.bare_verb(dice, "person", "inf", 0), word, "csubj")
    else:
        inner = clauses.clause(dice, depth=1, tense="past" if tense == "past" else "")
        inner.head.head, inner.head.deprel = word, "csubj"
        below = [mark(inner.head, "that"), *inner.words]
    return clauses.Clause(word, Phrase(it, [it]), group.finite, group.rest, [word, *below], tense)


def _adjective(form: str) -> Word:
    return Word(form, form, "ADJ", "JJ", "Degree=Pos")


def _copula(
    dice: Dice, head: Word, tense: str, number: str, person: str, negation: str
) -> VerbGroup:
    """Build the forms of *be* that depend on a predicate."""
    group = verb_group(
        "be", SIMPLE.get(tense, tense), number, person, negation=negation, modal=dice.pick(MODALS)
    )
    for word in (*group.finite, *group.rest):
        word.head = head
    group.verb.deprel = "cop"
    return group


def _complemented(dice: Dice, depth: int, tense: str) -> Phrase:
    """Draw *proud of her sister*, *ready to leave*, *sure that it will rain*."""
    form, link, *kind = dice.pick(modifiers.COMPLEMENTED).split()
    word = _adjective(form)
    if link == "to":
        below = hang(clauses.bare_verb(dice, "person", "inf", depth + 1), word, "xcomp")
    elif link == "that":
        inner = clauses.clause(dice, depth=depth + 1, tense="past" if tense == "past" else "fut")
        inner.head.head, inner.head.deprel = word, "ccomp"
        below = [mark(inner.head, link), *inner.words]
    else:
        below = hang(prepositional(dice, link, kind[0], depth=depth + 1), word, "obl")
    return Phrase(word, [word, *below])

"""Conditions in which the first word of a kind is the main one, or not: order against hierarchy.

After Lin, Tan & Frank 2019, Open Sesame: Getting Inside BERT's Linguistic Knowledge.
Adjectives and adverbs are drawn so that the words sought have no fixed place in the sentence.
"""

from __future__ import annotations

from typing import NamedTuple

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.listed import listed
from structprobe.stimuli.grammar.nouns import ADJECTIVES
from structprobe.stimuli.grammar.verb_groups import MODALS, VerbGroup, verb_group
from structprobe.stimuli.grammar.words import Phrase, Word, adverb, hang, leaf
from structprobe.stimuli.phrases import (
    ENCOUNTERS,
    Draft,
    Noun,
    draw_people,
    draw_several,
    prepositional,
    relative_pronoun,
    statement,
    subject_of,
    the,
)

# The values of the two conditions. In the last half of each, order and hierarchy disagree.
FIRST_AUXILIARY = ("main", "inner")
PHRASE = ("behind subject", "behind object", "in front", "possessor")

AUXILIARIES = (*MODALS, "will", "would")
BESIDE = ("near", "beside", "behind")
FRONT = listed("perhaps maybe sometimes today tomorrow")


class _Person(NamedTuple):
    """A noun to be inflected, and its adjective, if any."""

    noun: Noun
    adjective: str

    def with_adjective(self, phrase: Phrase) -> Phrase:
        """Put the adjective right before the noun."""
        if self.adjective:
            word = leaf(phrase.head, "amod", self.adjective, "ADJ", "JJ", "Degree=Pos")
            phrase.words.insert(phrase.words.index(phrase.head), word)
        return phrase


def main_auxiliary(dice: Dice) -> list[Draft]:
    """Hang a relative clause with an auxiliary of its own on the object or the subject.

    A noun stands before the auxiliary and a verb behind it in both clauses, so that neighbours do
    not tell the main one from the other where the sentence begins with it.
    """
    people = _draw(dice, 3)
    auxiliaries, verbs = (draw_several(dice, some, 2) for some in (AUXILIARIES, ENCOUNTERS))
    front = dice.pick(FRONT) if dice.chance(0.5) else ""
    drafts = []
    for value in FIRST_AUXILIARY:
        agent, patient, other = (one.with_adjective(the(one.noun)) for one in people)
        main, inner = (_modal(*pair) for pair in zip(verbs, auxiliaries, strict=True))
        inner.verb.head = (patient if value == "main" else agent).head
        inner.verb.deprel = "acl:relcl"
        clause = [relative_pronoun(inner.verb, "obj"), *subject_of(other, inner.verb)]
        clause += [*inner.finite, inner.verb]
        words = [adverb(main.verb, front)] if front else []
        words += [*subject_of(agent, main.verb), *(clause if value == "inner" else [])]
        words += [*main.finite, main.verb, *hang(patient, main.verb, "obj")]
        words += clause if value == "main" else []
        named = {"subject": agent.head, "verb": main.verb, "object": patient.head}
        named |= {"auxiliary": main.finite[0], "inner_subject": other.head}
        named |= {"inner_auxiliary": inner.finite[0], "inner_verb": inner.verb}
        drafts.append(Draft(statement(words), named, {"first_auxiliary": value}))
    return drafts


def subject_noun(dice: Dice) -> list[Draft]:
    """Put another noun behind the subject, behind the object, or before the subject.

    The subject stands before its verb, or before a preposition; what is next to it does not tell.
    """
    subject, other, obj = _draw(dice, 3)
    preposition, verb, auxiliary = (dice.pick(some) for some in (BESIDE, ENCOUNTERS, AUXILIARIES))
    drafts = []
    for value in PHRASE:
        agent, patient = (one.with_adjective(the(one.noun)) for one in (subject, obj))
        beside = other.with_adjective(prepositional(preposition, other.noun))
        group = _modal(verb, auxiliary)
        before: list[Word] = []
        if value == "possessor":
            beside.words[:1] = []  # the preposition
            ending = "'" if beside.head.form.endswith("s") else "'s"
            beside.words.append(
                Word(ending, "'s", "PART", "POS", "_", beside.head, "case", "token")
            )
            agent.words[:1] = hang(beside, agent.head, "nmod:poss")  # in place of the article
        elif value == "in front":
            before = hang(beside, group.verb, "obl")
        else:
            above = agent if value == "behind subject" else patient
            above.words += hang(beside, above.head, "nmod")
        words = [*before, *subject_of(agent, group.verb), *group.finite, group.verb]
        words += hang(patient, group.verb, "obj")
        named = {"subject": agent.head, "verb": group.verb, "object": patient.head}
        named |= {"auxiliary": group.finite[0], "other_noun": beside.head}
        drafts.append(Draft(statement(words), named, {"phrase": value}))
    return drafts


def _draw(dice: Dice, n: int) -> list[_Person]:
    """Draw people, half of them with an adjective."""
    people = draw_people(dice, n)
    adjectives = draw_several(dice, ADJECTIVES["person"], n)
    return [_Person(noun, adjective if dice.chance(0.5) else "")
            for noun, adjective in zip(people, adjectives, strict=True)]  # fmt: skip


def _modal(lemma: str, auxiliary: str) -> VerbGroup:
    """Make a verb with a modal auxiliary."""
    return verb_group(lemma, "modal", modal=auxiliary)

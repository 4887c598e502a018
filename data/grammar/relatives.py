"""Clauses that modify a noun: relative, reduced, and the content of an idea."""

from __future__ import annotations

from grammar import clauses
from grammar.noun_phrases import noun_phrase

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.listed import listed
from structprobe.stimuli.grammar.nouns import NOUNS, PEOPLE
from structprobe.stimuli.grammar.verbs import choose
from structprobe.stimuli.grammar.words import Phrase, Word, bare_noun, case, comma, hang, leaf, mark

# The head of a clause, and all its words.
Below = tuple[Word, list[Word]]

CONTENT = {"idea": "that", "info": "that", "plan": "to"}
WITH_CONTENT = listed(
    """idea theory argument hypothesis belief view opinion claim evidence news plan proposal offer
    decision"""
)
STANDING = listed("sleep wait sit walk run talk work live hide swim")


def modify(dice: Dice, phrase: Phrase, depth: int) -> None:
    """Hang a clause from the head of a phrase, where its class allows one."""
    head, kind = phrase.head, phrase.kind
    if kind in ("pronoun", "@city", "@country") or phrase.words[-1].form == ",":
        return
    if head.lemma in WITH_CONTENT and kind in CONTENT and phrase.words[-1] is head:
        phrase.words += _content(dice, phrase, depth)
        return
    if head.upos == "NOUN" and phrase.words[-1] is head and dice.chance(0.28):
        words = _reduced(dice, phrase, depth)
        phrase.words += words
        if words:
            return
    words = relative(dice, phrase, depth)
    if words and not _restrictive(phrase):
        top = next(word for word in words if word.head is head)
        words = [comma(top), *words, comma(top)]
    phrase.words += words


def relative(
    dice: Dice, phrase: Phrase, depth: int, *, tense: str = "", bare: bool = True
) -> list[Word]:
    """Draw a relative clause that hangs from the head of a phrase.

    The relative pronoun is the subject, the object (or is left out), a possessor, or goes with a
    preposition; *where* goes with places.
    """
    tense = tense or dice.weighted({"past": 60, "pastperf": 12, "pres": 16, "perf": 6, "fut": 6})
    roles = {"subject": 46.0, "object": 44.0 if _restrictive(phrase) else 15.0}
    if phrase.kind in ("place", "building", "room", "home", "town"):
        roles["where"] = 30.0
    if phrase.kind in PEOPLE:
        roles["whose"] = 8.0
    role = dice.weighted(roles)
    below: Below | None
    if role == "whose":
        below = _whose(dice, depth, tense)
    elif role == "where":
        below = _in_which(dice, phrase, depth, tense)
    elif role == "object":
        below = _object_relative(dice, phrase, depth, tense, bare)
    else:
        below = _subject_relative(dice, phrase, depth, tense)
    if below is None:
        return []
    below[0].head, below[0].deprel = phrase.head, "acl:relcl"
    return below[1]


def _restrictive(phrase: Phrase) -> bool:
    """Tell whether the clause picks out what the noun alone does not."""
    return phrase.head.upos != "PROPN" and phrase.kind != "relative"


def _pronoun(dice: Dice, phrase: Phrase) -> Word:
    """Draw the relative pronoun of a subject or an object."""
    person, restrictive = phrase.kind in PEOPLE, _restrictive(phrase)
    form = ("who" if person else "which") if not restrictive or dice.chance(0.5) else "that"
    if person and restrictive and form == "that" and dice.chance(0.6):
        form = "who"
    return Word(form, form, "PRON", "WP" if form == "who" else "WDT", "PronType=Rel")


def _subject_relative(dice: Dice, phrase: Phrase, depth: int, tense: str) -> Below | None:
    """Draw *who had lost his key*; None where no verb fits."""
    pronoun = _pronoun(dice, phrase)
    subject = Phrase(pronoun, [pronoun], phrase.number, phrase.person, phrase.kind)
    kind = "person" if phrase.kind in PEOPLE else phrase.kind
    frames = {"transitive": 55.0, "intransitive": 30.0}
    frames = {frame: weight for frame, weight in frames.items() if choose(frame, subject=kind)}
    if choose("transitive", obj=kind, passive=True):
        frames["passive"] = 15.0
    if not frames:
        return None
    frame = dice.weighted(frames)
    inner = clauses.clause(
        dice, depth=depth + 1, tense=tense, subject=subject, frame=frame, negation=0.06
    )
    return inner.head, inner.words


def _object_relative(
    dice: Dice, phrase: Phrase, depth: int, tense: str, bare: bool
) -> Below | None:
    """Draw *that the boy had lost*, or *the boy had lost*; None where no verb fits."""
    kind = "person" if phrase.kind in PEOPLE else phrase.kind
    pronoun = _pronoun(dice, phrase)
    if pronoun.form == "who" and dice.chance(0.5):
        pronoun = Word("whom", "whom", "PRON", "WP", "PronType=Rel")
    inner = clauses.gapped(dice, clauses.Gap(pronoun, kind), depth + 1, tense=tense)
    if inner is None:
        return None
    bare = bare and _restrictive(phrase) and dice.chance(0.35)
    return inner.head, inner.words if bare else [pronoun, *inner.words]


def _in_which(dice: Dice, phrase: Phrase, depth: int, tense: str) -> Below:
    """Draw *where she read the letter*, *in which she read the letter*."""
    subject = noun_phrase(dice, "person", nominative=True, depth=max(depth + 1, 2))
    inner = clauses.clause(
        dice, depth=depth + 2, tense=tense, frame="transitive", subject=subject, negation=0
    )
    if phrase.kind != "place" and dice.chance(0.4):
        which = leaf(inner.head, "obl", "which", "PRON", "WDT", "PronType=Rel")
        return inner.head, [case(which, "in"), which, *inner.words]
    where = leaf(inner.head, "advmod", "where", "ADV", "WRB", "PronType=Rel")
    return inner.head, [where, *inner.words]


def _whose(dice: Dice, depth: int, tense: str) -> Below:
    """Draw *whose car had broken down*."""
    kind = dice.pick(("vehicle", "animal", "device", "plan"))
    thing = bare_noun(dice.pick(NOUNS[kind]), kind, dice.pick(("Sing", "Sing", "Plur")))
    whose = leaf(thing.head, "nmod:poss", "whose", "PRON", "WP$", "Poss=Yes|PronType=Rel")
    thing.words.insert(0, whose)
    frame = dice.pick(("passive", "intransitive"))
    inner = clauses.clause(
        dice, depth=depth + 1, tense=tense, subject=thing, frame=frame, negation=0
    )
    return inner.head, inner.words


def _reduced(dice: Dice, phrase: Phrase, depth: int) -> list[Word]:
    """Draw *written by her father*, *standing near the door*; nothing where no verb fits."""
    kind = "person" if phrase.kind in PEOPLE else phrase.kind
    if kind in ("person", "animal"):
        verbs = [verb for verb in choose("intransitive", subject=kind) if verb.lemma in STANDING]
        below = clauses.bare_verb(dice, kind, "ger", depth + 1, verb=dice.pick(verbs))
        return hang(below, phrase.head, "acl") if len(below.words) > 1 else []
    verbs = choose("transitive", obj=kind, passive=True)
    if not verbs:
        return []
    # the clause's own subject is thrown away: the noun stands for it
    subject = bare_noun("noun", kind, phrase.number)
    inner = clauses.passive(dice, dice.pick(verbs), depth + 1, "past", subject, False, "")
    inner.head.head, inner.head.deprel = phrase.head, "acl"
    return inner.predicate if len(inner.predicate) > 2 else []


def _content(dice: Dice, phrase: Phrase, depth: int) -> list[Word]:
    """Draw what an idea or a plan says: *the claim that ...*, *the decision to ...*."""
    if CONTENT[phrase.kind] == "to":
        return hang(clauses.bare_verb(dice, "group", "inf", depth + 1), phrase.head, "acl")
    inner = clauses.clause(dice, depth=depth + 1)
    inner.head.head, inner.head.deprel = phrase.head, "acl"
    return [mark(inner.head, "that"), *inner.words]

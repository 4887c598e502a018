"""What the frame of a verb asks for: objects, infinitives, clauses, predicates."""

from __future__ import annotations

from grammar import clauses, copulas
from grammar.noun_phrases import noun_phrase, prepositional

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.listed import listed
from structprobe.stimuli.grammar.verb_groups import PAST
from structprobe.stimuli.grammar.verbs import Verb, choose
from structprobe.stimuli.grammar.words import Phrase, Word, hang, leaf, mark

# Verbs whose infinitive is what is said, so that the person spoken to is the indirect object.
ADDRESSING = listed("ask tell teach allow persuade remind advise warn urge")


def build(
    dice: Dice, verb: Verb, head: Word, tense: str, depth: int, subject: Phrase | None,
    gap: clauses.Gap | None,
) -> list[Word]:  # fmt: skip
    """Build the complements of a verb, in their order.

    Parameters
    ----------
    dice : Dice
        Where to draw from.
    verb : Verb
        The entry of the verb.
    head : Word
        The verb in the sentence.
    tense : str
        Its tense, on which the tense of a clause below depends.
    depth : int
        The depth of its clause.
    subject : Phrase or None
        Its subject, whose class an infinitive takes over.
    gap : Gap or None
        An object that stands elsewhere: the verb's own, or that of a clause below it.
    """
    kind = subject.kind if subject and subject.kind in ("animal", "group") else "person"
    if verb.frame == "transitive":
        return _object(dice, verb, head, depth, subject, gap)
    if verb.frame == "ditransitive":
        return _two_objects(dice, verb, head, depth, subject)
    if verb.frame in ("subject control", "raising"):
        below = clauses.bare_verb(dice, kind, "inf", depth + 1, gap=gap, among=verb.below)
        return hang(below, head, "xcomp")
    if verb.frame == "object control":
        return _controlled(dice, verb, head, depth, subject)
    if verb.frame == "object predicate":
        obj = noun_phrase(dice, dice.pick(verb.objects), depth=depth + 1)
        adjective = copulas.adjective(dice, obj.kind, state=True)
        return [*hang(obj, head, "obj"), *hang(adjective, head, "xcomp")]
    if verb.frame == "linking":
        kind = subject.kind if subject else "person"
        return hang(copulas.adjective(dice, kind, state=True), head, "xcomp")
    if verb.frame == "clausal":
        return _that_clause(dice, head, tense, depth + 1, gap)
    if verb.frame == "interrogative":
        return embedded_question(dice, head, tense, depth + 1)
    return []


def particle(verb: Verb, head: Word) -> list[Word]:
    """Build the particle of a verb, if it has one."""
    return [leaf(head, "compound:prt", verb.particle, "ADP", "RP")] if verb.particle else []


def embedded_tense(dice: Dice, tense: str) -> str:
    """Draw the tense of a clause below one of the given tense."""
    if tense in PAST:
        return dice.weighted({"past": 45, "pastperf": 35, "wouldbe": 20})
    return dice.weighted({"past": 30, "pres": 25, "perf": 15, "fut": 20, "modal": 10})


def embedded_question(dice: Dice, head: Word, tense: str, depth: int) -> list[Word]:
    """Draw *whether she had come*, *why he left*, *what they bought* below a verb."""
    inner = embedded_tense(dice, tense)
    form = dice.weighted({"whether": 40, "if": 10, "why": 18, "how": 8, "where": 8, "what": 16})
    if form == "what":
        kind = dice.pick(("food", "document", "thing", "plan"))
        what = Word("what", "what", "PRON", "WP", "PronType=Int")
        below = clauses.gapped(dice, clauses.Gap(what, kind), depth, tense=inner)
        front = [what]
    else:
        below = clauses.clause(dice, depth=depth, tense=inner, negation=0.05)
        front = [mark(below.head, form)]
        if form not in ("whether", "if"):
            front = [leaf(below.head, "advmod", form, "ADV", "WRB", "PronType=Int")]
    below.head.head, below.head.deprel = head, "ccomp"
    return [*front, *below.words]


def _object(
    dice: Dice, verb: Verb, head: Word, depth: int, subject: Phrase | None, gap: clauses.Gap | None
) -> list[Word]:
    """Build the object of a transitive verb, and its particle."""
    after = particle(verb, head)
    if gap:
        gap.word.head, gap.word.deprel = head, "obj"
        return after
    plain = subject is None or subject.kind != "pronoun"
    obj = clauses.argument(dice, dice.pick(verb.objects), depth, pronouns=plain)
    words = hang(obj, head, "obj")
    before = len(words) > 3 or (obj.kind != "pronoun" and dice.chance(0.5))
    return [*after, *words] if before else [*words, *after]


def _two_objects(
    dice: Dice, verb: Verb, head: Word, depth: int, subject: Phrase | None
) -> list[Word]:
    """Build the objects of *give*, in either of their orders."""
    plain = subject is None or subject.kind != "pronoun"
    receiver = verb.modifiers[0]
    thing = hang(clauses.argument(dice, dice.pick(verb.objects), depth + 1), head, "obj")
    if dice.chance(0.55):
        person = noun_phrase(dice, receiver, depth=depth + 1, pronouns=plain)
        return [*hang(person, head, "iobj"), *thing]
    person = prepositional(dice, "to", receiver, depth=depth + 1, pronouns=plain)
    return [*thing, *hang(person, head, "obl")]


def _controlled(
    dice: Dice, verb: Verb, head: Word, depth: int, subject: Phrase | None
) -> list[Word]:
    """Build an object and the infinitive whose subject it is."""
    plain = subject is None or subject.kind != "pronoun"
    kind = dice.pick(verb.objects)
    obj = noun_phrase(dice, kind, depth=depth + 1, pronouns=plain)
    doer = kind if kind in ("group", "animal") else "person"
    doer = "animal" if kind == "animal1" else doer
    below = clauses.bare_verb(dice, doer, "inf", depth + 1, among=verb.below)
    deprel = "iobj" if verb.lemma in ADDRESSING else "obj"
    return [*hang(obj, head, deprel), *hang(below, head, "xcomp")]


def _that_clause(
    dice: Dice, head: Word, tense: str, depth: int, gap: clauses.Gap | None
) -> list[Word]:
    """Draw a complement clause, with *that* or without; a gap in it allows no *that*."""
    inner = embedded_tense(dice, tense)
    if gap:
        verb = dice.pick(choose("transitive", subject="person", obj=gap.kind))
        subject = noun_phrase(dice, "person", nominative=True, depth=depth + 1)
        below = clauses.clause(
            dice, verb=verb, subject=subject, gap=gap, depth=depth + 1, tense=inner, negation=0
        )
    else:
        below = clauses.clause(dice, depth=depth, tense=inner)
    below.head.head, below.head.deprel = head, "ccomp"
    return [*([] if gap or dice.chance(0.3) else [mark(below.head, "that")]), *below.words]

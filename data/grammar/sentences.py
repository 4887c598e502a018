"""Whole sentences: statements with what may be put before and after them, questions, orders."""

from __future__ import annotations

from dataclasses import dataclass

from grammar import clauses, copulas, extraposition, questions
from grammar.adverbials import time_expression

from structprobe.stimuli.grammar import modifiers
from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.verb_groups import PAST
from structprobe.stimuli.grammar.verbs import choose
from structprobe.stimuli.grammar.words import Word, adverb, comma, conjunction, hang, mark, point

STATEMENTS = {
    "transitive": 19, "intransitive": 9, "ditransitive": 8, "passive": 10, "copular": 7,
    "clausal": 9, "interrogative": 3, "subject control": 6, "raising": 2, "object control": 6,
    "object predicate": 3, "linking": 2, "existential": 3, "it is": 3, "extraposed": 8,
}  # fmt: skip
KINDS = {"statement": 80, "question": 12, "wh question": 9, "order": 3}


@dataclass
class Drawn:
    """A sentence as drawn: its root and its words in order, the final mark included."""

    root: Word
    words: list[Word]


def sentence(dice: Dice) -> Drawn:
    """Draw a sentence."""
    kind = dice.weighted(KINDS)
    if kind == "statement":
        return _statement(dice)
    if kind == "order":
        root, words = questions.order(dice)
        return Drawn(root, [*words, point(root, dice.pick(".!."))])
    root, words = (questions.yes_no if kind == "question" else questions.wh)(dice)
    if len(words) < 12 and any(word.form == "did" for word in words) and dice.chance(0.25):
        words += subordinate(dice, root, "past", modifiers.TIMES_WHEN)
    return Drawn(root, [*words, point(root, "?")])


def _statement(dice: Dice) -> Drawn:
    """Draw a statement, and put other clauses and adverbials around it."""
    frame = dice.weighted(STATEMENTS)
    tense = dice.weighted(clauses.TENSES)
    if frame == "extraposed":
        main = extraposition.extraposed(dice)
    elif frame in ("existential", "it is"):
        tense = "past" if tense in PAST else "pres"
        main = (copulas.existential if frame == "existential" else copulas.it_is)(dice, tense)
    else:
        if frame == "passive" and tense == "pres":
            tense = "past"
        main = clauses.clause(dice, frame=frame, tense=tense)
    words = main.words
    heavy = len(words) > 14
    extra = dice.weighted({"none": 84, "front": 10, "subordinate": 14, "purpose": 5, "shared": 8,
                           "joined": 12, "adverb": 6, "participle": 5})  # fmt: skip
    if heavy and extra in ("subordinate", "joined", "shared"):
        extra = "adverb"
    if extra == "front":
        words = _fronted_time(dice, main, words)
    elif extra == "subordinate":
        words = _with_subordinate(dice, main, words)
    elif extra == "adverb":
        story = modifiers.STORY_ADVERBS if main.tense == "past" else []
        front = adverb(main.head, dice.pick([*modifiers.SENTENCE_ADVERBS, *story]))
        words = [front, comma(front), *words]
    elif extra == "joined":
        words = [*words, *_joined(dice, main)]
    elif extra == "shared":
        words = [*words, *_shared(dice, main)]
    elif extra in ("purpose", "participle"):
        words = _with_bare_clause(dice, main, words, extra)
    return Drawn(main.head, [*words, point(main.head, ".")])


def _fronted_time(dice: Dice, main: clauses.Clause, words: list[Word]) -> list[Word]:
    """Put an expression of time or a place before a statement."""
    time = time_expression(dice, main.head, main.tense, 1.0)
    if not time:
        return words
    top = next(word for word in time if word.head is main.head)
    return [*time, *([comma(top)] if dice.chance(0.7) else []), *words]


def _with_subordinate(dice: Dice, main: clauses.Clause, words: list[Word]) -> list[Word]:
    """Put an adverbial clause before or behind a statement."""
    forms = modifiers.CAUSES + modifiers.TIMES_WHEN
    if main.tense in ("fut", "modal", "pres"):
        forms = modifiers.CONDITIONS + modifiers.CAUSES + modifiers.TIMES_WHEN[:1]
    below = subordinate(dice, main.head, main.tense, forms)
    top = next(word for word in below if word.head is main.head)
    if dice.chance(0.45):
        return [*below, comma(top), *words]
    return [*words, *([comma(top)] if below[0].form == "although" else []), *below]


def subordinate(dice: Dice, head: Word, tense: str, forms: list[str]) -> list[Word]:
    """Draw an adverbial clause whose tense goes with the main one."""
    form = dice.pick(forms)
    inner = {"perf": "past", "fut": "pres", "modal": "pres", "prog": "pres"}.get(tense, tense)
    if form in ("because", "although") and tense in PAST and dice.chance(0.3):
        inner = "pastperf"
    below = clauses.clause(dice, depth=1, tense="past" if inner == "pastprog" else inner)
    below.head.head, below.head.deprel = head, "advcl"
    return [mark(below.head, form), *below.words]


def _with_bare_clause(
    dice: Dice, main: clauses.Clause, words: list[Word], which: str
) -> list[Word]:
    """Add *to buy bread*, *before leaving* or *Smiling at the child, ...* to what a person does."""
    doer = main.subject
    if doer is None or doer.kind not in ("person", "name", "pronoun") or main.head.upos != "VERB":
        return words
    if any(word.deprel in ("nsubj:pass", "xcomp") for word in words):
        return words
    if which == "purpose":
        purpose = clauses.bare_verb(dice, "person", "inf", 1, among=modifiers.PURPOSES)
        return [*words, *hang(purpose, main.head, "advcl")]
    if dice.chance(0.5):
        verbs = [verb for verb in choose("intransitive", subject="person") if not verb.stative]
        below = clauses.bare_verb(dice, "person", "part", 0, verb=dice.pick(verbs))
        return [*hang(below, main.head, "advcl"), comma(below.head), *words]
    below = clauses.bare_verb(dice, "person", "part", 1)
    below.words.insert(0, mark(below.head, dice.pick(("before", "after", "without"))))
    return [*words, *hang(below, main.head, "advcl")]


def _joined(dice: Dice, main: clauses.Clause) -> list[Word]:
    """Draw a second clause joined by a conjunction or by *so*."""
    other = clauses.clause(dice, depth=1, tense=main.tense)
    form = dice.pick(("and", "but", "and", "so"))
    if form == "so":
        other.head.head, other.head.deprel = main.head, "parataxis"
        return [comma(other.head), adverb(other.head, form), *other.words]
    other.head.head, other.head.deprel = main.head, "conj"
    return [comma(other.head), conjunction(other.head, form), *other.words]


def _shared(dice: Dice, main: clauses.Clause) -> list[Word]:
    """Draw a second verb that shares the subject of the first."""
    if main.subject is None or main.tense not in ("past", "pres") or main.head.upos != "VERB":
        return []
    if main.finite or main.subject.head.form == "there":
        return []
    other = clauses.conjunct(dice, main.subject, main.tense, 1)
    if other is None:
        return []
    link = conjunction(other.head, dice.pick(("and", "and", "but", "or")))
    return [link, *hang(other, main.head, "conj")]

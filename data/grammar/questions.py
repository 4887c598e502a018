"""Questions and orders."""

from __future__ import annotations

from grammar import clauses

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.nouns import NOUNS
from structprobe.stimuli.grammar.verbs import choose
from structprobe.stimuli.grammar.words import Phrase, Word, bare_noun, comma, leaf

FRAMES = {"transitive": 40, "intransitive": 15, "ditransitive": 10, "passive": 10, "copular": 10,
          "subject control": 8, "clausal": 7}  # fmt: skip
TENSES = {"past": 50, "pres": 18, "fut": 12, "perf": 10, "modal": 10}
THINGS = ("food", "document", "thing", "vehicle", "home", "plan", "clothing", "picture", "animal")
Drawn = tuple[Word, list[Word]]


def yes_no(dice: Dice) -> Drawn:
    """Draw a question that begins with its auxiliary."""
    frame, tense = dice.weighted(FRAMES), dice.weighted(TENSES)
    main = clauses.clause(dice, frame=frame, tense=tense, question=True, negation=0.1)
    return main.head, main.question


def wh(dice: Dice) -> Drawn:
    """Draw a question with *who, what, which, how many, where, when, why*."""
    which = dice.weighted({"adverb": 35, "subject": 22, "object": 43})
    return {"adverb": _adverb, "subject": _subject, "object": _object}[which](dice)


def order(dice: Dice) -> Drawn:
    """Draw an imperative."""
    frame = dice.pick(("transitive", "transitive", "ditransitive", "object control"))
    verb = dice.pick([v for v in choose(frame, subject="person") if not v.stative])
    nobody = bare_noun("you", "person", "Sing")
    main = clauses.clause(dice, verb=verb, tense="imp", subject=nobody, negation=0.2, depth=1)
    main.subject = None
    words = main.words
    if dice.chance(0.35):
        please = leaf(main.head, "discourse", "please", "INTJ", "UH")
        words = [please, *([comma(please)] if dice.chance(0.4) else []), *words]
    return main.head, words


def _adverb(dice: Dice) -> Drawn:
    """Draw a question of place, time, reason or manner."""
    form = dice.pick(("where", "when", "why", "why", "how"))
    frame = dice.weighted({"transitive": 60, "intransitive": 20, "passive": 20})
    tense = dice.pick(("past", "past", "fut", "pres"))
    main = clauses.clause(dice, frame=frame, tense=tense, question=True, negation=0)
    while form != "why" and any(_answers(word, main.head) for word in main.predicate):
        main = clauses.clause(dice, frame=frame, tense=tense, question=True, negation=0)
    return main.head, [
        leaf(main.head, "advmod", form, "ADV", "WRB", "PronType=Int"),
        *main.question,
    ]


def _answers(word: Word, head: Word) -> bool:
    """Tell whether a word already says what a question of place, time or manner asks."""
    return word.head is head and word.deprel in ("obl", "obl:unmarked", "advmod")


def _subject(dice: Dice) -> Drawn:
    """Draw *who called the doctor* or *which student ...*."""
    if dice.chance(0.5):
        word = Word("who", "who", "PRON", "WP", "PronType=Int")
        subject = Phrase(word, [word], kind="person")
    else:
        kind = dice.pick(("person", "group", "animal", "event"))
        subject = _which(dice, kind, dice.pick(("Sing", "Sing", "Plur")))
    frame = dice.pick(("transitive", "transitive", "intransitive"))
    tense = dice.pick(("past", "past", "perf", "fut", "pres"))
    main = clauses.clause(dice, frame=frame, subject=subject, tense=tense, negation=0)
    return main.head, main.words


def _object(dice: Dice) -> Drawn:
    """Draw *what did she buy* or *how many letters did he want to read*."""
    kind = dice.pick(THINGS)
    if dice.chance(0.45):
        what = Word("what", "what", "PRON", "WP", "PronType=Int")
        front = Phrase(what, [what], kind=kind)
    elif dice.chance(0.2):
        who = Word("who", "who", "PRON", "WP", "PronType=Int")
        kind, front = "person", Phrase(who, [who], kind="person")
    else:
        front = _which(dice, kind, dice.pick(("Sing", "Plur")))
    gap = clauses.Gap(front.head, kind)
    main = clauses.gapped(dice, gap, 1, tense=dice.pick(("past", "past", "fut")), question=True)
    return main.head, [*front.words, *main.question]


def _which(dice: Dice, kind: str, number: str) -> Phrase:
    """Draw *which book*, *what plans*, *how many letters*."""
    noun = bare_noun(dice.pick([n for n in NOUNS[kind] if n[-1] != "~"]), kind, number)
    head = noun.head
    if number == "Plur" and dice.chance(0.4):
        many = leaf(head, "amod", "many", "ADJ", "JJ", "Degree=Pos")
        how = leaf(many, "advmod", "how", "ADV", "WRB", "PronType=Int")
        noun.words[:0] = [how, many]
    else:
        form = dice.pick(("which", "what", "which"))
        noun.words.insert(0, leaf(head, "det", form, "DET", "WDT", "PronType=Int"))
    return noun

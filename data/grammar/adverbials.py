"""What modifies a verb without being a clause: prepositional phrases, adverbs, times."""

from __future__ import annotations

from grammar.noun_phrases import common_noun, prepositional

from structprobe.stimuli.grammar import modifiers
from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.verbs import Verb
from structprobe.stimuli.grammar.words import Word, adverb, case, hang, leaf

MARKED = {"wouldbe": "fut", "inf": "pres", "ger": "pres"}


def adverbials(dice: Dice, verb: Verb, head: Word, depth: int) -> list[Word]:
    """Draw some of the modifiers that the table gives to a verb."""
    if verb.frame not in ("transitive", "intransitive"):
        return []
    words: list[Word] = []
    for pattern in _wanted(dice, verb, depth):
        if pattern[0] == "+":
            words += [adverb(head, pattern[1:])]
            continue
        form, *kinds = pattern.replace("!", "").split()
        phrase = prepositional(dice, form, dice.pick(kinds), depth=depth + 1, pronouns=True)
        words += hang(phrase, head, "obl")
    return words


def _wanted(dice: Dice, verb: Verb, depth: int) -> list[str]:
    """Draw which modifiers of a verb to use, two at most; intransitives like to have one."""
    share = (0.2, 0.13, 0.08, 0.05)[min(depth, 3)]
    wanted = [form for form in verb.modifiers if "!" in form or dice.chance(share)]
    while len(wanted) > 2:
        wanted.pop()
    if (
        not wanted
        and verb.frame == "intransitive"
        and verb.modifiers
        and dice.chance(1 if depth else 0.75)
    ):
        wanted = [dice.pick(verb.modifiers)]
    return wanted


def before_verb(dice: Dice, head: Word, tense: str) -> list[Word]:
    """Draw an adverb that stands before the verb, or none."""
    forms = modifiers.FREQUENCY.get(MARKED.get(tense, tense))
    if not forms or not dice.chance(0.13):
        return []
    form = dice.pick(forms)
    return [adverb(head, form, modifiers.ADVERB_FEATS.get(form, "_"))]


def time_expression(dice: Dice, head: Word, tense: str, probability: float) -> list[Word]:
    """Draw an expression of time that goes with the tense, or none."""
    kinds = modifiers.TIMES.get(tense)
    if not kinds or not dice.chance(probability):
        return []
    return time_of(dice, head, dice.pick(kinds))


def time_of(dice: Dice, head: Word, kind: str) -> list[Word]:
    """Draw an expression of time of one of the kinds in `modifiers.TIMES`."""
    if kind == "now":
        return [adverb(head, "now", "PronType=Dem")]
    if kind in ("yesterday", "tomorrow"):
        return [leaf(head, "obl:unmarked", kind, "NOUN", "NN", "Number=Sing")]
    if kind in ("last", "next", "every"):
        return _span(dice, head, kind)
    if kind == "ago":
        return _ago(dice, head)
    if kind == "part_of_day":
        part = dice.pick(("morning", "afternoon", "evening"))
        noun = leaf(head, "obl:unmarked", part, "NOUN", "NN", "Number=Sing")
        return [leaf(noun, "det", "this", "DET", "DT", "Number=Sing|PronType=Dem"), noun]
    if kind == "on_day":
        return _named(head, "on", dice.pick(modifiers.WEEKDAYS))
    if kind == "on_days":
        day = dice.pick(modifiers.WEEKDAYS)
        noun = Word(day + "s", day, "PROPN", "NNPS", "Number=Plur", head, "obl")
        return [case(noun, "on"), noun]
    if kind in ("in_month", "since"):
        return _named(head, kind.split("_")[0], dice.pick(modifiers.MONTHS))
    if kind == "in_year":
        year = str(1950 + int(7 * dice.pick(range(11))))
        noun = leaf(head, "obl", year, "NUM", "CD", "NumForm=Digit|NumType=Card")
        return [case(noun, "in"), noun]
    if kind == "in_season":
        noun = leaf(head, "obl", dice.pick(modifiers.SEASONS), "NOUN", "NN", "Number=Sing")
        return [case(noun, "in"), noun]
    if kind == "for":
        noun = _counted(dice, head, "obl")
        return [case(noun[-1], "for"), *noun]
    return hang(_around_event(dice, kind), head, "obl")


def _around_event(dice: Dice, form: str):
    """Draw *after the concert* and the like."""
    phrase = common_noun(dice, "event", depth=2, number="Sing", only="definite")
    phrase.words.insert(0, case(phrase.head, form))
    return phrase


def _span(dice: Dice, head: Word, which: str) -> list[Word]:
    """Draw *last week* or *every month*."""
    names = [*modifiers.SPANS, dice.pick(modifiers.WEEKDAYS)]
    form = dice.pick(names if which != "every" else ("day", "morning", *names))
    proper = form in modifiers.WEEKDAYS
    noun = leaf(
        head, "obl:unmarked", form, *(("PROPN", "NNP") if proper else ("NOUN", "NN")), "Number=Sing"
    )
    if which == "every":
        return [leaf(noun, "det", which, "DET", "DT", "PronType=Tot"), noun]
    return [leaf(noun, "amod", which, "ADJ", "JJ", "Degree=Pos"), noun]


def _counted(dice: Dice, head: Word, deprel: str) -> list[Word]:
    """Draw *three weeks*."""
    lemma = dice.pick(modifiers.LENGTHS)
    noun = Word(lemma + "s", lemma, "NOUN", "NNS", "Number=Plur", head, deprel)
    number = dice.pick(modifiers.NUMBERS)
    return [leaf(noun, "nummod", number, "NUM", "CD", "NumForm=Word|NumType=Card"), noun]


def _ago(dice: Dice, head: Word) -> list[Word]:
    """Draw *three weeks ago*: the adverb is the head."""
    ago = adverb(head, "ago")
    return [*_counted(dice, ago, "obl:unmarked"), ago]


def _named(head: Word, form: str, name: str) -> list[Word]:
    """Make *on Monday*, *in June*."""
    noun = leaf(head, "obl", name, "PROPN", "NNP", "Number=Sing")
    return [case(noun, form), noun]

"""Relative clauses parted from their noun by the verb or by an adverbial: non-projective trees."""

from __future__ import annotations

from grammar import clauses, relatives
from grammar.adverbials import time_of
from grammar.noun_phrases import common_noun

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.verbs import VERBS, choose
from structprobe.stimuli.grammar.words import Phrase, Word, hang, leaf

TIMES = ("yesterday", "last", "on_day", "part_of_day")


def extraposed(dice: Dice) -> clauses.Clause:
    """Draw *a man arrived yesterday who ...* or *she bought a coat last week that ...*."""
    kind = dice.pick(("person", "person", "document", "picture", "plan", "transport", "thing"))
    noun = _indefinite(dice, kind)
    behind: list[Word] = []
    if kind == "transport" or (kind == "person" and dice.chance(0.8)):
        verbs = [verb for verb in VERBS["intransitive"] if verb.lemma in ("arrive", "come")]
        verb = dice.pick([verb for verb in verbs if kind in verb.subjects])
        main = clauses.clause(dice, depth=3, tense="past", verb=verb, subject=noun, negation=0)
    elif dice.chance(0.5):
        verbs = [verb for verb in choose("transitive", obj=kind, passive=True) if not verb.particle]
        main = clauses.passive(dice, dice.pick(verbs), 3, "past", noun, False, "")
    else:
        verbs = choose("transitive", subject="person", obj=kind)
        verb = dice.pick(
            [verb for verb in verbs if not (verb.particle or "!" in str(verb.modifiers))]
        )
        gap = clauses.Gap(noun.head, kind)
        main = clauses.clause(dice, depth=3, tense="past", verb=verb, gap=gap, negation=0)
        behind = hang(noun, main.head, "obj")
    # a time alone stands between, so that no other noun can claim the clause
    time = time_of(dice, main.head, dice.pick(TIMES))
    main.predicate = [main.head, *behind, *time]
    tense = dice.pick(("past", "pres", "pastperf"))
    while not main.late:
        main.late = relatives.relative(dice, noun, 0, tense=tense, bare=False)
    return main


def _indefinite(dice: Dice, kind: str) -> Phrase:
    """Draw a plain noun phrase with *a* or *some*."""
    noun = common_noun(dice, kind, depth=3)
    core = [word for word in noun.words if word is noun.head or word.deprel == "amod"]
    form, feats = "a", "Definite=Ind|PronType=Art"
    if noun.number == "Plur":
        form, feats = "some", "PronType=Ind"
    noun.words = [leaf(noun.head, "det", form, "DET", "DT", feats), *core]
    return noun

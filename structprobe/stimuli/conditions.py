"""The conditions: each function draws one item, the sentences that differ in what is varied alone.

All sentences of an item have the same content words as far as their values allow, so that within an
item only the condition differs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.listed import listed
from structprobe.stimuli.grammar.modifiers import ADVERB_FEATS, SEASONS, WEEKDAYS
from structprobe.stimuli.grammar.words import (
    Phrase,
    Word,
    case,
    comma,
    hang,
    mark,
)
from structprobe.stimuli.nonce import nonce
from structprobe.stimuli.order import main_auxiliary, subject_noun
from structprobe.stimuli.phrases import (
    ENCOUNTERS,
    OTHER,
    Draft,
    Noun,
    draw_noun,
    draw_number,
    draw_people,
    draw_several,
    finite,
    prepositional,
    relative_pronoun,
    statement,
    subject_of,
    the,
)

# What people do, without an object.
ACTIONS = listed("sleep laugh smile work run walk swim sing dance smoke cry cook hide travel")
CLAIMS = listed("say think believe know hope claim suspect notice fear insist predict admit")
# Nouns for people that take another noun with *of*.
KIN = listed("friend neighbour colleague cousin sister brother aunt uncle nephew niece")
# Adverbs that stand as well before the verb as after it.
ADVERBS = listed("often sometimes quietly secretly calmly gladly")

# How many words each adjunct of `distance` has, in their order in the sentence.
ADJUNCTS = (1, 2, 3, 6)
DEEPEST = 6
MOST_ATTRACTORS = 3

# Verb, class of its object, class of an instrument, class of what the object has: *with* joins the
# one to the verb and the other to the object.
ATTACHED = tuple(
    tuple(line.split())
    for line in """
    eat food tool1 food
    cut food tool1 food
    open container thing2 handle1
    open building thing2 garden1
    repair home tool garden1
    paint home tool2 garden1
    build home tool4 garden1
    catch animal tool3 wound1
    see animal device2 wound1
    see person device2 animal
    watch animal device2 wound1
    watch person device2 animal
    wash clothing drink1 button1
    clean clothing tool2 button1
    photograph animal device2 wound1
    photograph building device2 garden1
    photograph person device2 animal
    draw animal pen1 wound1
    """.strip().splitlines()
)
# Verbs that do as well without an object | what could be their object | what that does.
GARDEN_PATHS = tuple(
    tuple(listed(column) for column in line.split("|"))
    for line in """
    hunt | fox wolf rabbit duck goose | run escape hide disappear
    paint | child dog cat horse | sleep run disappear
    watch | child dog neighbour pony | sleep run laugh
    wash | child dog kitten puppy | cry sleep escape
    ride | horse pony donkey | run stop fall
    drive | car van lorry tractor | stop crash disappear
    eat | sandwich cake pie pizza sausage | burn fall disappear
    cook | soup~ rice~ pasta~ meat~ sausage | burn boil disappear
    drink | coffee~ tea~ wine~ milk~ | spill cool disappear
    read | letter report book article poem | burn fall disappear
    write | letter report story essay | disappear burn
    sing | song tune melody | end begin
    leave | hotel church hospital library | burn close
    """.strip().splitlines()
)
SUBORDINATORS = listed("while as after before because")


def distance(dice: Dice) -> list[Draft]:
    """Move the same adjuncts of the verb between it and its subject: 0 to 12 words, one tree.

    What comes first between them, an adverb or a time, cannot hang on the noun; nor then, without
    crossing it, can what comes behind.
    """
    subject, verb = draw_people(dice, 1)[0], dice.pick(ACTIONS)
    adjuncts = _draw_adjuncts(dice)
    drafts = []
    for between in range(sum(ADJUNCTS) + 1):
        inside = next(
            some
            for k in range(len(ADJUNCTS) + 1)
            for some in combinations(range(len(ADJUNCTS)), k)
            if sum(ADJUNCTS[i] for i in some) == between and (not some or some[0] < 2)
        )
        head, noun = finite(verb, subject.number), the(subject)
        made = [hang(build(), head, deprel) for build, deprel in adjuncts]
        before = [word for i in inside for word in made[i]]
        after = [word for i, words in enumerate(made) if i not in inside for word in words]
        words = [*subject_of(noun, head), *before, head, *after]
        named = {"subject": noun.head, "verb": head}
        drafts.append(Draft(statement(words), named, {"between": between}))
    return drafts


def _draw_adjuncts(dice: Dice) -> list[tuple[Callable[[], Phrase | Word], str]]:
    """Draw adjuncts of 1, 2, 3 and 6 words, as functions that make them anew, and relations."""
    form, season, day = dice.pick(ADVERBS), dice.pick(SEASONS), dice.pick(WEEKDAYS)
    on_days = dice.chance(0.5)
    near = ("near", draw_noun(dice, "place")) if dice.chance(0.5) else None
    beside = near or ("with", draw_noun(dice, "relative"))
    when = dice.pick(("during", "before", "after"))
    event, building = draw_noun(dice, "event"), draw_noun(dice, "building")

    def manner() -> Word:
        return Word(form, form, "ADV", "RB", ADVERB_FEATS.get(form, "_"))

    def time() -> Phrase:
        noun = Word(season, season, "NOUN", "NN", "Number=Sing")
        if on_days:
            noun = Word(f"{day}s", day, "PROPN", "NNPS", "Number=Plur")
        return Phrase(noun, [case(noun, "on" if on_days else "in"), noun])

    def occasion() -> Phrase:
        phrase = prepositional(when, event)
        phrase.words += hang(prepositional("in", building), phrase.head, "nmod")
        return phrase

    return [
        (manner, "advmod"),
        (time, "obl"),
        (lambda: prepositional(*beside), "obl"),
        (occasion, "obl"),
    ]


def nesting(dice: Dice) -> list[Draft]:
    """Nest 1 to 6 clauses: behind the main verb (right), or between it and its subject (centre)."""
    people = draw_people(dice, DEEPEST + 1)
    claims, encounters = (draw_several(dice, verbs, DEEPEST) for verbs in (CLAIMS, ENCOUNTERS))
    last = dice.pick(ACTIONS)
    right = [_right(people[: depth + 1], [*claims[:depth], last]) for depth in range(1, 7)]
    centre = [_centre(people[: depth + 1], [last, *encounters[:depth]]) for depth in range(1, 7)]
    return [*right, *centre]


def _right(people: list[Noun], verbs: list[str]) -> Draft:
    """Make *the doctor says that the pilot thinks that the girl sleeps*."""
    words: list[Word] = []
    heads: list[Word] = []
    nouns: list[Word] = []
    for person, lemma in zip(people, verbs, strict=True):
        noun, verb = the(person), finite(lemma, person.number)
        words += [mark(verb, "that")] if heads else []
        words += [*subject_of(noun, verb), verb]
        if heads:
            verb.head, verb.deprel = heads[-1], "ccomp"
        heads.append(verb)
        nouns.append(noun.head)
    return _nested(words, nouns, heads, "right")


def _centre(people: list[Noun], verbs: list[str]) -> Draft:
    """Make *the doctor that the pilot that the girl sees admires sleeps*."""
    words: list[Word] = []
    heads: list[Word] = []
    nouns: list[Word] = []
    for person, lemma in zip(people, verbs, strict=True):
        noun, verb = the(person), finite(lemma, person.number)
        if nouns:
            verb.head, verb.deprel = nouns[-1], "acl:relcl"
            words.append(relative_pronoun(verb, "obj"))
        words += subject_of(noun, verb)
        heads.append(verb)
        nouns.append(noun.head)
    return _nested([*words, *reversed(heads)], nouns, heads, "centre")


def _nested(words: list[Word], nouns: list[Word], verbs: list[Word], side: str) -> Draft:
    named = {"subject": nouns[0], "verb": verbs[0]}
    named |= {"inner_subject": nouns[-1], "inner_verb": verbs[-1]}
    return Draft(statement(words), named, {"embedding": side, "depth": len(verbs) - 1})


def attractors(dice: Dice) -> list[Draft]:
    """Put 0 to 3 nouns of the same or the other number between subject and verb."""
    number, lemmas = draw_number(dice), draw_several(dice, KIN, MOST_ATTRACTORS)
    lemmas.append(draw_noun(dice, "person", but=lemmas).lemma)
    verb = dice.pick(ACTIONS)
    drafts = []
    for n in range(MOST_ATTRACTORS + 1):
        for kind, other in (("same", number), ("other", OTHER[number])) if n else (("none", ""),):
            # The last noun of the chain takes no other: it need not be one of kinship.
            chain = [*lemmas[:n], lemmas[-1]] if n else lemmas[:1]
            nouns = [Noun(chain[0], number), *(Noun(one, other) for one in chain[1:])]
            words, heads, head = _chained(nouns, verb, number)
            named = {"subject": heads[0], "verb": head}
            named |= {f"attractor_{i}": heads[i] for i in range(1, n + 1)}
            drafts.append(Draft(words, named, {"attractors": n, "number": kind}))
    return drafts


def _chained(nouns: list[Noun], lemma: str, number: str) -> tuple[list[Word], list[Word], Word]:
    """Make *the friend of the sisters of the pilot sleeps*: its words, nouns and verb."""
    phrases = [the(nouns[0]), *(prepositional("of", noun) for noun in nouns[1:])]
    verb = finite(lemma, number)
    words = subject_of(phrases[0], verb)
    for above, phrase in pairwise(phrases):
        words = [*words, *hang(phrase, above.head, "nmod")]
    return statement([*words, verb]), [phrase.head for phrase in phrases], verb


def agreement(dice: Dice) -> list[Draft]:
    """Violate agreement or not, behind a noun of the same or the other number."""
    number, lemma, verb = draw_number(dice), dice.pick(KIN), dice.pick(ACTIONS)
    person = draw_noun(dice, "person", but=[lemma]).lemma
    drafts = []
    for form, verb_number in (("grammatical", number), ("ungrammatical", OTHER[number])):
        for kind, other in (("same", number), ("other", OTHER[number])):
            words, heads, head = _chained(
                [Noun(lemma, number), Noun(person, other)], verb, verb_number
            )
            named = {"subject": heads[0], "verb": head, "attractor": heads[1]}
            drafts.append(Draft(words, named, {"verb": form, "attractor": kind}))
    return drafts


def attachment(dice: Dice) -> list[Draft]:
    """Hang the last phrase on the verb or on its object, as its noun decides."""
    lemma, kind, instrument, feature = dice.pick(ATTACHED)
    subject = draw_people(dice, 1)[0]
    obj = draw_noun(dice, kind, but=[subject.lemma])
    nouns = {"high": draw_noun(dice, instrument), "low": draw_noun(dice, feature, but=[obj.lemma])}
    drafts = []
    for side, noun in nouns.items():
        verb, agent, patient = finite(lemma, subject.number, "Past"), the(subject), the(obj)
        phrase = prepositional("with", noun)
        words = [*subject_of(agent, verb), verb, *hang(patient, verb, "obj")]
        above, deprel = (verb, "obl") if side == "high" else (patient.head, "nmod")
        words += hang(phrase, above, deprel)
        named = {"subject": agent.head, "verb": verb, "object": patient.head, "phrase": phrase.head}
        pair = ("phrase", "verb" if side == "high" else "object")
        drafts.append(Draft(statement(words), named, {"attachment": side}, pair))
    return drafts


def garden_path(dice: Dice) -> list[Draft]:
    """Let the subject of the main clause look like an object, with or without a comma before it."""
    (first,), objects, actions = dice.pick(GARDEN_PATHS)
    action, conjunction = dice.pick(actions), dice.pick(SUBORDINATORS)
    lemma, number = dice.pick(objects), draw_number(dice)
    noun = Noun(lemma.rstrip("~"), "Sing" if lemma.endswith("~") else number)
    person, place = draw_noun(dice, "person", but=[noun.lemma]), draw_noun(dice, "place")
    drafts = []
    for told in ("without", "with"):
        below, verb = finite(first, person.number, "Past"), finite(action, number, "Past")
        below.head, below.deprel = verb, "advcl"
        agent, subject = the(person), the(noun)
        words = [mark(below, conjunction), *subject_of(agent, below), below]
        words += [comma(below)] if told == "with" else []
        words += [*subject_of(subject, verb), verb]
        words += hang(prepositional("near", place), verb, "obl")
        named = {"subject": subject.head, "verb": verb, "first_verb": below}
        drafts.append(Draft(statement(words), named, {"comma": told}))
    return drafts


def relatives(dice: Dice) -> list[Draft]:
    """Make a subject and an object relative clause of the same words."""
    first, second = draw_people(dice, 2)
    encounter, action = dice.pick(ENCOUNTERS), dice.pick(ACTIONS)
    drafts = []
    for role in ("subject", "object"):
        noun, other, verb = the(first), the(second), finite(action, first.number, "Past")
        agent = first if role == "subject" else second
        below = finite(encounter, agent.number, "Past")
        below.head, below.deprel = noun.head, "acl:relcl"
        if role == "subject":
            clause = [relative_pronoun(below, "nsubj"), below, *hang(other, below, "obj")]
        else:
            clause = [relative_pronoun(below, "obj"), *subject_of(other, below), below]
        words = [*subject_of(noun, verb), *clause, verb]
        named = {"subject": noun.head, "verb": verb, "inner_verb": below, "inner_noun": other.head}
        pair = ("subject", "inner_verb")
        drafts.append(Draft(statement(words), named, {"relative": role}, pair))
    return drafts


CONDITIONS: dict[str, Callable[[Dice], list[Draft]]] = {
    one.__name__: one
    for one in (
        distance, nesting, attractors, agreement, nonce, attachment, garden_path, relatives,
        main_auxiliary, subject_noun,
    )
}  # fmt: skip

"""Made-up words with the inflection of the words that they replace."""

from __future__ import annotations

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.listed import listed
from structprobe.stimuli.grammar.verb_groups import verb_group
from structprobe.stimuli.grammar.verbs import VERBS
from structprobe.stimuli.grammar.words import hang
from structprobe.stimuli.phrases import (
    Draft,
    Noun,
    draw_noun,
    draw_people,
    draw_several,
    prepositional,
    statement,
    subject_of,
    the,
)

# No English words, and regular: none doubles its last consonant or changes it before an ending.
STEMS = listed("""
    blick florp snaft glorb drisp trusk zorp krelt smeeb droont gralt frint sproit tweld nurf
    shroob vreeb grook thrupt spoob flirk blorn crelb dwisk pralf stoob smolk glimb trelk frusp
    plesk skorb bleft snoob zaint gloik dralp vuft brelp tworp flemp grusk yalt prond whelb clorf
    smaint
""")
TENSES = ("pres", "past", "perf", "prog")
_DOABLE = [
    verb
    for verb in VERBS["transitive"]
    if "person" in verb.subjects and not (verb.stative or verb.particle)
]


def nonce(dice: Dice) -> list[Draft]:
    """Say a sentence in English words, and again with made-up nouns and verb of the same forms."""
    verb, tense = dice.pick(_DOABLE), dice.pick(TENSES)
    subject, other = draw_people(dice, 2)
    kind = dice.pick([kind for kind in verb.objects if kind[0] != "@"])
    obj = draw_noun(dice, kind, but=[subject.lemma, other.lemma])
    real = [subject, other, obj]
    stems = draw_several(dice, STEMS, 4)
    made_up = [Noun(stem, noun.number) for stem, noun in zip(stems, real, strict=False)]
    pairs = (("real", real, verb.lemma), ("nonce", made_up, stems[3]))
    return [_sentence(nouns, lemma, tense, {"words": name}) for name, nouns, lemma in pairs]


def _sentence(nouns: list[Noun], lemma: str, tense: str, values: dict[str, int | str]) -> Draft:
    """Make *the doctor near the pilots has repaired the cars*."""
    subject, near, obj = the(nouns[0]), prepositional("near", nouns[1]), the(nouns[2])
    subject.words += hang(near, subject.head, "nmod")
    group = verb_group(lemma, tense, nouns[0].number)
    words = [*subject_of(subject, group.verb), *group.finite, *group.rest, group.verb]
    words += hang(obj, group.verb, "obj")
    named = {"subject": subject.head, "attractor": near.head, "verb": group.verb}
    return Draft(statement(words), named | {"object": obj.head}, values)

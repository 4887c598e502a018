"""The verb with its auxiliaries: tense, aspect, voice, negation, agreement."""

from __future__ import annotations

from dataclasses import dataclass, field

from structprobe.stimuli.grammar.morphology import verb_feats, verb_form
from structprobe.stimuli.grammar.words import Word

# The auxiliaries that each tense starts with; the first one or the verb is finite.
TENSES = {
    "past": (), "pres": (), "imp": (), "fut": ("will",), "modal": ("can",),
    "perf": ("have",), "pastperf": ("have",), "prog": ("be",), "pastprog": ("be",),
    "inf": (), "ger": (), "wouldbe": ("would",),
}  # fmt: skip
PAST = ("past", "pastperf", "pastprog")
MODALS = ("can", "must", "should", "may", "might", "could")
SHORT_NOT = ("do", "be", "have", "would", "could", "should")
CONTRACTED = {"will": "wo", "can": "ca"}


@dataclass
class VerbGroup:
    """A verb and its auxiliaries, in three pieces as a question parts them."""

    # The full verb, or the copula, which is then in `finite` or `rest` too
    verb: Word
    # The finite auxiliary and its negation; empty where a full verb itself is finite
    finite: list[Word] = field(default_factory=list)
    rest: list[Word] = field(default_factory=list)  # The auxiliaries behind it


def verb_group(
    lemma: str,
    tense: str,
    number: str = "Sing",
    person: str = "3",
    *,
    passive: bool = False,
    negation: str = "",
    question: bool = False,
    modal: str = "can",
) -> VerbGroup:
    """Build the auxiliaries and the form of a verb."""
    names = [modal if name == "can" else name for name in TENSES[tense]]
    if passive:
        names.append("be")
    if (negation or question) and not names and lemma != "be" and tense in ("past", "pres", "imp"):
        names.append("do")
    chain = [*names, lemma]
    words: list[Word] = []
    for place, name in enumerate(chain):
        last = place == len(chain) - 1
        tag = _tag(chain, place, tense, number, person, passive)
        upos = "VERB" if last and lemma != "be" else "AUX"
        feats = verb_feats(tag, number, person, "pass" if passive and last else "")
        if tense == "imp" and place == 0:
            feats = "Mood=Imp|VerbForm=Fin"
        words.append(Word(verb_form(name, tag, number, person), name, upos, tag, feats))
    verb = words[-1]
    if lemma != "be":
        words.pop()
    group = VerbGroup(verb, words[:1], words[1:])
    for word in words:
        if word is not verb:
            word.head, word.deprel = verb, "aux"
    if passive:
        words[-1].deprel = "aux:pass"
    if negation:
        _negate(group, negation, verb)
    return group


def _tag(chain: list[str], place: int, tense: str, number: str, person: str, passive: bool) -> str:
    """Give the Penn tag of the word at a place of the chain."""
    name = chain[place]
    if place:
        before = chain[place - 1]
        if before == "have":
            return "VBN"
        if before == "be":
            return "VBN" if passive and place == len(chain) - 1 else "VBG"
        return "VB"
    if name in ("will", "would", *MODALS):
        return "MD"
    if tense in PAST:
        return "VBD"
    if tense in ("inf", "imp"):
        return "VB"
    if tense == "ger":
        return "VBG"
    return "VBZ" if number == "Sing" and person == "3" else "VBP"


def _negate(group: VerbGroup, negation: str, verb: Word) -> None:
    """Put *not* behind the finite word, in one token with it where that is usual."""
    first = group.finite[0] if group.finite else verb
    short = first.lemma in (*SHORT_NOT, *CONTRACTED) and first.form != "am"
    token = negation == "n't" and short
    if token and first.lemma in CONTRACTED:
        first.form = CONTRACTED[first.lemma]
    word = Word("n't" if token else "not", "not", "PART", "RB", "Polarity=Neg", verb, "advmod")
    word.join = "token" if token else ""
    group.finite.append(word) if group.finite else group.rest.insert(0, word)

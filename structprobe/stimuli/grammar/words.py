"""Words, and phrases: words in their order with one of them as the head."""

from __future__ import annotations

from dataclasses import dataclass, field

from structprobe.stimuli.grammar.morphology import plural


@dataclass(eq=False)
class Word:
    """One syntactic word and its place in the tree."""

    # The columns of CoNLL-U
    form: str
    lemma: str
    upos: str
    xpos: str
    feats: str = "_"
    head: Word | None = None  # None for the root
    deprel: str = "root"
    # How it follows the word before: "" after a space, "bare" without one, "token" as a part of
    # the same token (*did* + *n't*)
    join: str = ""


@dataclass(eq=False)
class Phrase:
    """Words in their order, one of them the head."""

    head: Word  # One of `words`
    words: list[Word]
    number: str = "Sing"  # What a verb agrees with, in the values of UD
    person: str = "3"
    kind: str = "thing"  # The semantic class of the head noun
    # Words that depend on the phrase but are to be read at the end of the clause
    later: list[Word] = field(default_factory=list)


def hang(part: Phrase | Word, head: Word, deprel: str) -> list[Word]:
    """Make the part's head depend on `head`; give the part's words."""
    top = part.head if isinstance(part, Phrase) else part
    top.head, top.deprel = head, deprel
    return part.words if isinstance(part, Phrase) else [part]


def leaf(head: Word, deprel: str, form: str, upos: str, xpos: str, feats: str = "_") -> Word:
    """Make a word of its own lemma that depends on `head`."""
    return Word(form, form, upos, xpos, feats, head, deprel)


def bare_noun(lemma: str, kind: str, number: str) -> Phrase:
    """Make a noun without anything around it."""
    form, tag = (plural(lemma), "NNS") if number == "Plur" else (lemma, "NN")
    word = Word(form, lemma, "NOUN", tag, f"Number={number}")
    return Phrase(word, [word], number, kind=kind)


def mark(head: Word, form: str) -> Word:
    """Make the subordinator of a clause: *that*, *because*, *to* ..., or the adverb *when*."""
    if form == "to":
        return leaf(head, "mark", form, "PART", "TO")
    if form == "when":
        return leaf(head, "advmod", form, "ADV", "WRB", "PronType=Int")
    return leaf(head, "mark", form, "SCONJ", "IN")


def case(head: Word, form: str) -> Word:
    """Make the preposition of a phrase."""
    return leaf(head, "case", form, "ADP", "IN")


def conjunction(head: Word, form: str) -> Word:
    """Make the conjunction before a conjunct."""
    return leaf(head, "cc", form, "CCONJ", "CC")


def adverb(head: Word, form: str, feats: str = "_", xpos: str = "RB") -> Word:
    """Make an adverb that depends on `head`."""
    return leaf(head, "advmod", form, "ADV", xpos, feats)


def comma(head: Word) -> Word:
    """Make a comma that depends on the head of the unit that it sets off."""
    return point(head, ",")


def point(head: Word, form: str) -> Word:
    """Make a mark of punctuation written without a space before it."""
    word = leaf(head, "punct", form, "PUNCT", "," if form == "," else ".")
    word.join = "bare"
    return word

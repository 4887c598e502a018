"""Sentences in any accepted form, checked and spaced for the model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from structprobe.errors import EncoderError, unknown_name
from structprobe.treebank.sentence import Sentence

SentenceLike = Sentence | Sequence[str]

SPACINGS = ("words", "original")
_WANTED = "pass a Treebank, or a list of sentences, each a Sentence or a list of words"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SpacedWords:
    """The words of one sentence, and what follows each of them in the text."""

    words: tuple[str, ...]
    gaps: tuple[str, ...]  # What follows each word
    where: str  # The place of the sentence, for messages


def space_sentences(
    sentences: Iterable[SentenceLike | SpacedWords], spacing: str
) -> list[SpacedWords]:
    """Check sentences in any form and space them."""
    check_spacing(spacing)
    if isinstance(sentences, str):
        raise EncoderError(f"sentences is {_short(sentences)}, a string", hint=_WANTED)
    if not isinstance(sentences, Iterable):
        what = f"sentences is {type(sentences).__name__}, not a list of sentences"
        raise EncoderError(what, hint=_WANTED)
    spaced = [space_sentence(sentence, i, spacing) for i, sentence in enumerate(sentences)]
    if not spaced:
        raise EncoderError("no sentences to encode", hint="the treebank is empty")
    return spaced


def check_spacing(spacing: str) -> None:
    """Raise an error for an unknown spacing."""
    if spacing not in SPACINGS:
        raise EncoderError(unknown_name("spacing", spacing, SPACINGS))


def digest(sentences: Sequence[SpacedWords]) -> str:
    """Give a fingerprint of the texts and the positions of their words."""
    seen = hashlib.sha256()
    for sentence in sentences:
        fields = [part for pair in zip(sentence.words, sentence.gaps, strict=True) for part in pair]
        seen.update(repr(fields).encode())
    return seen.hexdigest()


def space_sentence(sentence: Any, number: int, spacing: str) -> SpacedWords:
    """Check one sentence and space it, unless it is."""
    if isinstance(sentence, SpacedWords) and sentence.words:
        return sentence
    given = getattr(sentence, "words", sentence)
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        what = f"sentence {number} is {_short(given)}, not a list of words"
        raise EncoderError(what, hint=_WANTED)
    words = tuple(given)
    where = getattr(sentence, "where", None) or f"sentence {number}"
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise EncoderError(f"word {i + 1} is {_short(word)}, not a string", where=where)
        if not word.isascii() and _SURROGATE.search(word):
            raise EncoderError(f"word {i + 1} is {word!r}, which is not valid Unicode", where=where)
    if not words:
        raise EncoderError("the sentence has no words", where=where)
    gaps = getattr(sentence, "gaps", ()) if spacing == "original" else ()
    return SpacedWords(words, tuple(gaps) or (" ",) * len(words), where)


def _short(value: object) -> str:
    """Show a value, shortened if it is long."""
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."

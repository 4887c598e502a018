"""What may be given as sentences, checked and spaced for the model."""

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
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SpacedWords:
    """The words of one sentence and what stands behind each of them in the model's text."""

    words: tuple[str, ...]  # The words
    gaps: tuple[str, ...]  # What stands behind each word
    where: str  # Where the sentence stands, for messages


def space_sentences(sentences: Iterable[SentenceLike], spacing: str) -> list[SpacedWords]:
    """Take sentences in any form and space them."""
    check_spacing(spacing)
    if isinstance(sentences, str):
        raise EncoderError(f"sentences are {_short(sentences)}, a text", hint=_WANTED)
    if not isinstance(sentences, Iterable):
        what = f"sentences are {type(sentences).__name__}, not several sentences"
        raise EncoderError(what, hint=_WANTED)
    spaced = [_space(sentence, i, spacing) for i, sentence in enumerate(sentences)]
    if not spaced:
        raise EncoderError("no sentences to encode", hint="the treebank is empty")
    return spaced


def check_spacing(spacing: str) -> None:
    """Refuse an unknown spacing."""
    if spacing not in SPACINGS:
        raise EncoderError(unknown_name("spacing", spacing, SPACINGS))


def digest(sentences: Sequence[SpacedWords]) -> str:
    """Give the fingerprint of the texts and of where their words are."""
    seen = hashlib.sha256()
    for sentence in sentences:
        fields = [part for pair in zip(sentence.words, sentence.gaps, strict=True) for part in pair]
        seen.update(repr(fields).encode())
    return seen.hexdigest()


_WANTED = "give a Treebank, or a list of sentences, each a Sentence or a list of words"


def _space(sentence: Any, number: int, spacing: str) -> SpacedWords:
    """Check one sentence and space it."""
    given = getattr(sentence, "words", sentence)
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise EncoderError(f"sentence {number} is {_short(given)}, no list of words", hint=_WANTED)
    words = tuple(given)
    where = getattr(sentence, "where", None) or f"sentence {number}"
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise EncoderError(f"word {i + 1} is {_short(word)}, no string", where=where)
        if not word.isascii() and _SURROGATE.search(word):
            raise EncoderError(f"word {i + 1} is {word!r}, no valid Unicode", where=where)
    if not words:
        raise EncoderError("a sentence without words", where=where)
    gaps = getattr(sentence, "gaps", ()) if spacing == "original" else ()
    return SpacedWords(words, tuple(gaps) or (" ",) * len(words), where)


def _short(value: object) -> str:
    """Show a value, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."

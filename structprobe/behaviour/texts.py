"""Texts in any accepted form, as rows of tokens that belong to words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.encoder import Encoder
from structprobe.encoder.subwords.pieces import words_of_pieces
from structprobe.encoder.subwords.sentences import SentenceLike, SpacedWords, space_sentence
from structprobe.encoder.subwords.special_tokens import Surroundings
from structprobe.errors import EncoderError

Text = str | SentenceLike | SpacedWords

Ints = NDArray[np.int64]

_WANTED = "pass a list of texts, each a string, a Sentence or a list of words"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """The tokens of one text, special ones around it included."""

    number: int  # Of the text in the call, from 0
    tokens: Ints  # (n_tokens,)
    words: Ints  # (n_tokens,): the word of each, from 0; -1 for special tokens
    n_words: int
    where: str

    def __len__(self) -> int:
        return len(self.tokens)


def make_rows(
    encoder: Encoder, texts: Iterable[Text], around: Surroundings
) -> tuple[list[TokenRow], int]:
    """Turn texts into tokens; give the number of positions of a batch too."""
    if isinstance(texts, str):
        raise EncoderError(f"texts is {texts[:40]!r}, a string", hint=_WANTED)
    if not isinstance(texts, Iterable):
        raise EncoderError(f"texts is {type(texts).__name__}, not a list of texts", hint=_WANTED)
    spaced = [space_text(text, i, encoder.spacing) for i, text in enumerate(texts)]
    rows: list[TokenRow] = []
    batch_tokens, limit = 1, encoder.loaded.max_positions
    for batch in encoder.batches(spaced) if spaced else ():
        batch_tokens = batch.layout.batch_tokens
        for number, own in zip(batch.numbers.tolist(), batch.pieces, strict=True):
            before, after = (np.full(len(one), -1) for one in (around.before, around.after))
            tokens = np.concatenate([around.before, own.ids, around.after]).astype(np.int64)
            words = np.concatenate([before, words_of_pieces(own), after]).astype(np.int64)
            row = TokenRow(number, tokens, words, own.n_words, spaced[number].where)
            if limit is not None and len(row) > limit:
                what = f"the text has {len(row)} tokens, but {encoder.loaded.name!r} reads {limit}"
                raise EncoderError(what, where=row.where, hint="leave it out, or shorten it")
            rows.append(row)
    return sorted(rows, key=lambda row: row.number), batch_tokens


def space_text(text: Text, number: int, spacing: str) -> SpacedWords:
    """Check a text; a string is split at white space, which the model reads as it is."""
    if not isinstance(text, str):
        return space_sentence(text, number, spacing)
    words = text.split()
    if not words:
        raise EncoderError(f"the text is {text!r}, without a word", where=f"text {number}")
    checked = space_sentence(words, number, spacing)
    gaps = (*re.findall(r"\s+", text.strip()), "")
    return SpacedWords(checked.words, gaps, f"text {number}")


def sum_by_word(row: TokenRow, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the scores of tokens; NaN for a word of which a token has none."""
    # scores (n_tokens,) -> (n_words,)
    inside = row.words >= 0
    sums = np.zeros(row.n_words)
    np.add.at(sums, row.words[inside], scores[inside])
    return sums


def pad_rows(rows: Sequence[tuple[Ints, Ints, int]], pad: int) -> tuple[Ints, Ints, Ints]:
    """Stack tokens, with their words and the number of their text, padded on the right."""
    # -> ids, mask (n_rows, n_positions), marks (n_rows, n_positions, 2)
    shape = len(rows), max(len(tokens) for tokens, *_ in rows)
    ids, mask = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    marks = np.full((*shape, 2), -1, dtype=np.int64)
    for i, (tokens, words, number) in enumerate(rows):
        ids[i, : len(tokens)] = tokens
        mask[i, : len(tokens)] = 1
        marks[i, : len(tokens), 1] = words
        marks[i, :, 0] = number
    return ids, mask, marks

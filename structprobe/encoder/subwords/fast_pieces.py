"""Subwords with character offsets, from a fast tokenizer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.subwords.pieces import Pieces, link_pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.encoder.subwords.special_tokens import named_tokens
from structprobe.errors import EncoderError
from structprobe.models import Tokenizer
from structprobe.treebank.text import join_words

# Replaces a word without subwords: noncharacters, which no text contains.
_STAND_IN = "\ufdd0\ufdd1\ufdd0"
_AT_ONCE = 1000  # sentences; limits the memory of tokenization


class FastReader:
    """Tokenize sentences with the backend of a fast tokenizer.

    It uses its own copy, without truncation, padding and post-processing (which would shift
    offsets), that does not look for special tokens in the text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        from tokenizers import AddedToken

        self._named = named_tokens(tokenizer)
        self._unknown: int | None = tokenizer.unk_token_id
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.post_processor = None
        self._backend.encode_special_tokens = True
        self._backend.add_tokens([AddedToken(_STAND_IN, special=False, normalized=False)])
        self._stand_in: int = self._backend.token_to_id(_STAND_IN)
        self._odd = {*self._named, self._stand_in}
        self._blank: dict[int, bool] = {}

    def read(self, sentences: Sequence[SpacedWords]) -> list[Pieces]:
        """Tokenize sentences."""
        read = []
        for start in range(0, len(sentences), _AT_ONCE):
            some = sentences[start : start + _AT_ONCE]
            for sentence, pieces in zip(some, self._cut(some), strict=True):
                silent = _silent_words(pieces)
                read.append(self._cut_with_stand_ins(sentence, silent) if silent else pieces)
        return read

    def _cut_with_stand_ins(self, sentence: SpacedWords, silent: set[int]) -> Pieces:
        """Tokenize a sentence in which some words are replaced."""
        while True:
            words = tuple(
                _STAND_IN if i in silent else word for i, word in enumerate(sentence.words)
            )
            try:
                (pieces,) = self._cut([replace(sentence, words=words)])
            except EncoderError as error:
                word = sentence.words[min(silent)]
                raise EncoderError(f"word {word!r}: {error.what}", where=sentence.where) from None
            if not (more := _silent_words(pieces)):
                return pieces
            silent |= more

    def _cut(self, sentences: Sequence[SpacedWords]) -> list[Pieces]:
        """Tokenize sentences as they are; words may get no subword."""
        joined = [join_words(sentence.words, sentence.gaps) for sentence in sentences]
        texts, spans = [text for text, _ in joined], [span for _, span in joined]
        encodings = self._backend.encode_batch(texts, add_special_tokens=False)
        settled = [self._settle(*pair) for pair in zip(texts, encodings, strict=True)]
        ids = np.array([token for tokens, _ in settled for token in tokens], dtype=np.int32)
        offsets = [bounds for _, bounds in settled]
        n_pieces = [len(tokens) for tokens, _ in settled]

        # All sentences together: characters, subwords and words are numbered consecutively.
        first_char = _starts(map(len, texts))
        first_piece, first_word = _starts(n_pieces), _starts(map(len, spans))
        links = link_pieces(
            "".join(texts),
            np.concatenate(spans) + np.repeat(first_char[:-1], np.diff(first_word))[:, None],
            _rows(offsets) + np.repeat(first_char[:-1], n_pieces)[:, None],
            self._are_blank(ids),
        )
        cuts = np.searchsorted(links[:, 1], first_word)
        return [
            Pieces(
                ids[first_piece[i] : first_piece[i + 1]],
                links[cuts[i] : cuts[i + 1]] - (first_piece[i], first_word[i]),
                len(spans[i]),
            )
            for i in range(len(sentences))
        ]

    def _settle(self, text: str, encoding: Any) -> tuple[list[int], list[tuple[int, int]]]:
        """Give subwords and offsets, with replacements for stand-ins and special tokens."""
        ids, offsets = encoding.ids, encoding.offsets
        if self._odd.isdisjoint(ids):
            return ids, offsets
        settled = [
            pair
            for token, bounds in zip(ids, offsets, strict=True)
            for pair in self._settle_piece(text, token, bounds)
        ]
        return [token for token, _ in settled], [bounds for _, bounds in settled]

    def _settle_piece(
        self, text: str, token: int, bounds: tuple[int, int]
    ) -> list[tuple[int, tuple[int, int]]]:
        """Replace a stand-in by the unknown token, and split text that only looks special.

        Some models (Unigram, word lists) have special tokens in their vocabulary and find them in
        a text even if the tokenizer does not look for them.
        """
        if token == self._stand_in:
            return [(written, bounds) for written in self._written_for_unknown()]
        start, end = bounds
        unknown = token == self._unknown and self._named[token] not in text[start:end]
        if unknown or token not in self._named:
            return [(token, bounds)]
        model = self._backend.model
        return [
            (piece.id, (place, place + 1))
            for place in range(start, end)
            for piece in model.tokenize(text[place])
        ]

    def _written_for_unknown(self) -> list[int]:
        """Give the unknown token, or the subwords of U+FFFD."""
        if self._unknown is not None:
            return [self._unknown]
        written = self._backend.encode("\ufffd", add_special_tokens=False).ids
        if not written:
            raise EncoderError("it has no subword, and the tokenizer has no unknown token")
        return list(written)

    def _are_blank(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Give a mask of the subwords that are only spaces."""
        distinct, place = np.unique(ids, return_inverse=True)
        for token in set(distinct.tolist()).difference(self._blank):
            text = self._backend.decode([token], skip_special_tokens=False)
            self._blank[token] = not text.replace("▁", "").strip()
        return np.array([self._blank[token] for token in distinct.tolist()], dtype=bool)[place]


def _silent_words(pieces: Pieces) -> set[int]:
    """Give the words without subwords."""
    return set(range(pieces.n_words)).difference(pieces.links[:, 1].tolist())


def _starts(lengths: Iterable[int]) -> NDArray[np.int64]:
    """Give the start of each of several concatenated ranges, and the end of the last."""
    return np.cumsum([0, *lengths], dtype=np.int64)


def _rows(offsets: Iterable[list[tuple[int, int]]]) -> NDArray[np.int64]:
    """Concatenate offsets to an array (n, 2)."""
    flat = chain.from_iterable(chain.from_iterable(offsets))
    return np.fromiter(flat, dtype=np.int64).reshape(-1, 2)

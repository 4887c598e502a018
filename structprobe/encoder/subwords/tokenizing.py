"""Tokenization: the subwords of sentences from a fast tokenizer, or word by word from another."""

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
# Put before a word to see how it is tokenized in the middle of a text.
_ANCHORS = ("a", ".")
_SPACED = "a b"
_MOST_BYTES = 4  # of a character in UTF-8


def make_reader(tokenizer: Tokenizer) -> Reader:
    """Use character offsets if the tokenizer gives them, otherwise tokenize word by word."""
    gives_offsets = getattr(tokenizer, "is_fast", False) and hasattr(tokenizer, "backend_tokenizer")
    return FastReader(tokenizer) if gives_offsets else SlowReader(tokenizer)


class FastReader:
    """Tokenize sentences with the backend of a fast tokenizer.

    It uses its own copy, without truncation, padding and post-processing (which would shift
    offsets), that does not look for special tokens in the text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        from tokenizers import AddedToken

        self._named = named_tokens(tokenizer)
        self.unknown: int | None = tokenizer.unk_token_id
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.post_processor = None
        self._backend.encode_special_tokens = True
        self._backend.add_tokens([AddedToken(_STAND_IN, special=False, normalized=False)])
        self._stand_in: int = self._backend.token_to_id(_STAND_IN)
        self._odd = {*self._named, self._stand_in}
        self._marks = _marks_in(self._backend.encode(_SPACED, add_special_tokens=False).tokens)
        self._blank: dict[int, bool] = {}

    def read(self, sentences: Sequence[SpacedWords]) -> list[Pieces]:
        """Tokenize sentences."""
        read = []
        for start in range(0, len(sentences), _AT_ONCE):
            some = sentences[start : start + _AT_ONCE]
            cut = zip(some, self._cut(some), strict=True)
            read += [self._with_stand_ins(sentence, pieces) for sentence, pieces in cut]
        return read

    def _with_stand_ins(self, sentence: SpacedWords, pieces: Pieces) -> Pieces:
        """Tokenize a sentence again with its silent words replaced, until there are none."""
        silent: set[int] = set()
        while more := _silent_words(pieces):
            silent |= more
            words = [_STAND_IN if i in silent else word for i, word in enumerate(sentence.words)]
            try:
                (pieces,) = self._cut([replace(sentence, words=tuple(words))])
            except EncoderError as error:
                word = sentence.words[min(silent)]
                raise EncoderError(f"word {word!r}: {error.what}", where=sentence.where) from None
        return pieces

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
        parts = [self._settle_piece(text, *pair) for pair in zip(ids, offsets, strict=True)]
        settled = list(chain.from_iterable(parts))
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
        unknown = token == self.unknown and self._named[token] not in text[start:end]
        if unknown or token not in self._named:
            return [(token, bounds)]
        model = self._backend.model
        places = range(start, end)
        return [(one.id, (i, i + 1)) for i in places for one in model.tokenize(text[i])]

    def _written_for_unknown(self) -> list[int]:
        """Give the unknown token, or the subwords of U+FFFD."""
        if self.unknown is not None:
            return [self.unknown]
        written = self._backend.encode("\ufffd", add_special_tokens=False).ids
        if not written:
            raise EncoderError("it has no subword, and the tokenizer has no unknown token")
        return list(written)

    def _are_blank(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Give a mask of the subwords that are only spaces."""
        distinct, place = np.unique(ids, return_inverse=True)
        for token in set(distinct.tolist()).difference(self._blank):
            raw = self._backend.id_to_token(token) or ""
            self._blank[token] = _is_blank(self._backend.decode([token], False), raw, self._marks)
        return np.array([self._blank[token] for token in distinct.tolist()], dtype=bool)[place]


class SlowReader:
    """Tokenize sentences word by word.

    Each word is tokenized with the gap before it, as it would be after another word; so no subword
    belongs to two words. Subwords that are only spaces, or bytes of a space, are read but belong to
    no word.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)  # its owner may change it
        self._named = named_tokens(tokenizer)
        self.unknown: int | None = tokenizer.unk_token_id
        self._cut: dict[tuple[str | None, str], tuple[list[int], list[bool]]] = {}
        self._marks = _marks_in(tokenizer.tokenize(_SPACED))
        self._shown: dict[tuple[int, ...], str] = {}

    def read(self, sentences: Sequence[SpacedWords]) -> list[Pieces]:
        """Tokenize sentences."""
        return [self._read(sentence) for sentence in sentences]

    def _read(self, sentence: SpacedWords) -> Pieces:
        ids: list[int] = []
        links: list[tuple[int, int]] = []
        gaps = (None, *sentence.gaps[:-1])  # what precedes each word
        for i, (gap, word) in enumerate(zip(gaps, sentence.words, strict=True)):
            if (gap, word) not in self._cut:
                self._cut[gap, word] = self._cut_word(gap, word, sentence.where)
            pieces, counts = self._cut[gap, word]
            links += [(len(ids) + place, i) for place, it in enumerate(counts) if it]
            ids += pieces
        return Pieces(np.array(ids, np.int32), np.array(links, np.int64), len(sentence.words))

    def _cut_word(self, gap: str | None, word: str, where: str) -> tuple[list[int], list[bool]]:
        """Give the subwords of a word and its gap, and whether each belongs to the word."""
        written = self._in_context(gap, "\ufffd") if self.unknown is None else [self.unknown]
        for ids in (self._in_context(gap, word) if word.strip() else [], written):
            counts = self._count(ids)
            if any(counts):
                return ids, counts
        what = f"word {word!r}: it has no subword, and the tokenizer has no unknown token"
        raise EncoderError(what, where=where)

    def _count(self, ids: list[int]) -> list[bool]:
        """Say of each subword whether it carries more than spaces."""
        counts: list[bool] = []
        while (start := len(counts)) < len(ids):
            end = self._end_of_character(ids, start)
            blank = _is_blank(self._show(ids[start:end]), self._raw(ids[start]), self._marks)
            counts += [not blank] * (end - start)
        return counts

    def _end_of_character(self, ids: list[int], start: int) -> int:
        """Give the end of a subword, or of the character of which it is the first byte."""
        shown = self._show(ids[start : start + 1])
        if (not shown and self._raw(ids[start]).strip(self._marks)) or "\ufffd" in shown:
            for end in range(start + 2, min(start + _MOST_BYTES, len(ids)) + 1):
                shown = self._show(ids[start:end])
                if len(shown) == 1 and shown != "\ufffd":
                    return end
        return start + 1

    def _show(self, ids: list[int]) -> str:
        """Decode some subwords: to nothing or U+FFFD if they are part of a character's bytes."""
        key = tuple(ids)
        if key not in self._shown:
            self._shown[key] = self._tokenizer.decode(ids, skip_special_tokens=False)
        return self._shown[key]

    def _raw(self, token: int) -> str:
        """Give a subword as the vocabulary writes it."""
        return str(self._tokenizer.convert_ids_to_tokens(token))

    def _in_context(self, gap: str | None, word: str) -> list[int]:
        """Tokenize a word as it would be after another one."""
        if gap is None:
            return self._ids(word)
        for anchor in _ANCHORS:
            start, whole = self._ids(anchor), self._ids(anchor + gap + word)
            if start and whole[: len(start)] == start:
                return whole[len(start) :]
        return self._ids(gap + word)

    def _ids(self, text: str) -> list[int]:
        """Tokenize a text, splitting what looks like a special token."""
        tokens: list[str] = []
        for token in self._tokenizer.tokenize(text, split_special_tokens=True):
            looks_special = token in self._named.values() and token in text
            tokens += token if looks_special else [token]
        ids = self._tokenizer.convert_tokens_to_ids(tokens)
        return [int(token) for token in ids if token is not None]


def _marks_in(tokens: Iterable[str]) -> str:
    """Give the characters that a vocabulary writes for a space; elsewhere ▁ is a character."""
    return " ▁" if any("▁" in token for token in tokens) else " "


def _is_blank(shown: str, raw: str, marks: str) -> bool:
    """Whether a subword is only spaces, from its text and how the vocabulary writes it."""
    if not shown:  # a mark of a space, stripped; any other is a part of a character's bytes
        return not raw.strip(marks)
    return not "".join(char for char in shown if char not in marks).strip()


Reader = FastReader | SlowReader


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

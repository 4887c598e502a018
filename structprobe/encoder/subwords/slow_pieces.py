"""Subwords word by word, from a tokenizer without character offsets."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.encoder.subwords.special_tokens import named_tokens
from structprobe.errors import EncoderError
from structprobe.models import Tokenizer

# Put before a word to see how it is tokenized in the middle of a text.
_ANCHORS = ("a", ".")


class SlowReader:
    """Tokenize sentences word by word.

    Each word is tokenized with the gap before it, as it would be after another word; so no subword
    belongs to two words. Subwords that are only spaces are read but belong to no word.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)  # its owner may change it
        self._named = named_tokens(tokenizer)
        self._cut: dict[tuple[str | None, str], tuple[list[int], list[bool]]] = {}

    def read(self, sentences: Sequence[SpacedWords]) -> list[Pieces]:
        """Tokenize sentences."""
        return [self._read(sentence) for sentence in sentences]

    def _read(self, sentence: SpacedWords) -> Pieces:
        """Tokenize one sentence."""
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
        unknown = self._tokenizer.unk_token_id
        written = self._in_context(gap, "\ufffd") if unknown is None else [int(unknown)]
        for ids in (self._in_context(gap, word) if word.strip() else [], written):
            counts = [not self._is_blank(token) for token in ids]
            if any(counts):
                return ids, counts
        what = f"word {word!r}: it has no subword, and the tokenizer has no unknown token"
        raise EncoderError(what, where=where)

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
            tokens += list(token) if looks_special else [token]
        ids = self._tokenizer.convert_tokens_to_ids(tokens)
        return [int(token) for token in ids if token is not None]

    def _is_blank(self, token: int) -> bool:
        """Whether a subword is only spaces."""
        text = self._tokenizer.decode([token], skip_special_tokens=False)
        return not text.replace("▁", "").strip()

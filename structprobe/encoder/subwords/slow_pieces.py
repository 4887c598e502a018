"""Pieces word by word, from a tokenizer that gives no character offsets."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.encoder.subwords.special_tokens import named_tokens
from structprobe.errors import EncoderError
from structprobe.models import Tokenizer

# Written in front of a word to see how the tokenizer cuts it in the middle of a text.
_ANCHORS = ("a", ".")


class SlowReader:
    """Cut sentences into pieces one word at a time.

    Each word is cut with the gap in front of it, as it looks behind another word; the pieces of
    a word are therefore its own. Pieces that are spaces alone are read and count for no word.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)  # its owner may change it
        self._named = named_tokens(tokenizer)
        self._cut: dict[tuple[str | None, str], tuple[list[int], list[bool]]] = {}

    def read(self, sentences: Sequence[SpacedWords]) -> list[Pieces]:
        """Cut sentences into pieces."""
        return [self._read(sentence) for sentence in sentences]

    def _read(self, sentence: SpacedWords) -> Pieces:
        """Cut one sentence."""
        ids: list[int] = []
        links: list[tuple[int, int]] = []
        gaps = (None, *sentence.gaps[:-1])  # what stands in front of each word
        for i, (gap, word) in enumerate(zip(gaps, sentence.words, strict=True)):
            if (gap, word) not in self._cut:
                self._cut[gap, word] = self._cut_word(gap, word, sentence.where)
            pieces, counts = self._cut[gap, word]
            links += [(len(ids) + place, i) for place, it in enumerate(counts) if it]
            ids += pieces
        return Pieces(np.array(ids, np.int32), np.array(links, np.int64), len(sentence.words))

    def _cut_word(self, gap: str | None, word: str, where: str) -> tuple[list[int], list[bool]]:
        """Give a word's pieces, the gap in front included, and whether each counts for it."""
        unknown = self._tokenizer.unk_token_id
        written = self._in_context(gap, "\ufffd") if unknown is None else [int(unknown)]
        for ids in (self._in_context(gap, word) if word.strip() else [], written):
            counts = [not self._is_blank(token) for token in ids]
            if any(counts):
                return ids, counts
        what = f"word {word!r}: it yields no piece, and the tokenizer has no unknown token"
        raise EncoderError(what, where=where)

    def _in_context(self, gap: str | None, word: str) -> list[int]:
        """Cut a word as it is cut behind another one."""
        if gap is None:
            return self._ids(word)
        for anchor in _ANCHORS:
            start, whole = self._ids(anchor), self._ids(anchor + gap + word)
            if start and whole[: len(start)] == start:
                return whole[len(start) :]
        return self._ids(gap + word)

    def _ids(self, text: str) -> list[int]:
        """Cut a text, spelling out what looks like a special token."""
        tokens: list[str] = []
        for token in self._tokenizer.tokenize(text, split_special_tokens=True):
            looks_special = token in self._named.values() and token in text
            tokens += list(token) if looks_special else [token]
        ids = self._tokenizer.convert_tokens_to_ids(tokens)
        return [int(token) for token in ids if token is not None]

    def _is_blank(self, token: int) -> bool:
        """Tell whether a piece is spaces alone."""
        text = self._tokenizer.decode([token], skip_special_tokens=False)
        return not text.replace("▁", "").strip()

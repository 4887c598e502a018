"""Pieces by character offsets, from a tokenizer that gives them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.pieces import Pieces, link_pieces
from structprobe.encoder.sentences import SpacedWords
from structprobe.encoder.special_tokens import named_tokens
from structprobe.errors import EncoderError
from structprobe.treebank.text import join_words

# Stands in the text for a word that yields no piece: noncharacters, which no text holds.
_STAND_IN = "\ufdd0\ufdd1\ufdd0"


class FastReader:
    """Cut sentences into pieces with the backend of a fast tokenizer.

    It works on a copy of its own, without truncation, padding and post-processing (the latter
    would move offsets), in which special tokens are not looked for in the text.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
        The tokenizer; left as it is.
    """

    def __init__(self, tokenizer: Any) -> None:
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
        self._blank: dict[int, bool] = {}

    def read(self, sentences: Sequence[SpacedWords]) -> list[Pieces]:
        """Cut sentences into pieces.

        Parameters
        ----------
        sentences : sequence of SpacedWords
            The sentences.

        Returns
        -------
        list of Pieces
            One a sentence; every word has a piece.

        Raises
        ------
        EncoderError
            If a word yields no piece and nothing can stand in for it.
        """
        texts = [join_words(sentence.words, sentence.gaps) for sentence in sentences]
        encodings = self._backend.encode_batch(
            [text for text, _ in texts], add_special_tokens=False
        )
        read = []
        for sentence, (text, spans), encoding in zip(sentences, texts, encodings, strict=True):
            pieces = self._link(text, spans, encoding)
            silent = _silent_words(pieces)
            read.append(self._read_with_stand_ins(sentence, silent) if silent else pieces)
        return read

    def _read_with_stand_ins(self, sentence: SpacedWords, silent: set[int]) -> Pieces:
        """Cut a sentence in which some words have something else written for them."""
        while True:
            words = [_STAND_IN if i in silent else word for i, word in enumerate(sentence.words)]
            text, spans = join_words(words, sentence.gaps)
            encoding = self._backend.encode(text, add_special_tokens=False)
            try:
                pieces = self._link(text, spans, encoding)
            except EncoderError as error:
                word = sentence.words[min(silent)]
                raise EncoderError(f"word {word!r}: {error.what}", where=sentence.where) from None
            if not (more := _silent_words(pieces)):
                return pieces
            silent |= more

    def _link(self, text: str, spans: NDArray[np.integer], encoding: Any) -> Pieces:
        """Settle what the pieces are, and link them to the words."""
        ids, offsets = encoding.ids, encoding.offsets
        if not self._named.keys().isdisjoint(ids) or self._stand_in in ids:
            settled = [
                piece
                for token, bounds in zip(ids, offsets, strict=True)
                for piece in self._settle(text, token, bounds)
            ]
            ids, offsets = [token for token, _ in settled], [bounds for _, bounds in settled]
        numbers = np.array(ids, dtype=np.int32)  # (n_pieces,)
        blank = np.array([self._is_blank(token) for token in ids], dtype=bool)
        return Pieces(numbers, link_pieces(text, spans, offsets, blank), len(spans))

    def _settle(
        self, text: str, token: int, bounds: tuple[int, int]
    ) -> list[tuple[int, tuple[int, int]]]:
        """Write the unknown token for a stand-in, and spell out what only looks special.

        Some models (Unigram, word lists) hold the special tokens among their pieces and find
        them in a text even where the tokenizer does not look for them.
        """
        if token == self._stand_in:
            return [(written, bounds) for written in self._written_for_unknown()]
        start, end = bounds
        spelling = text[start:end].strip()
        only_unknown = token == self._unknown and spelling != self._named[token]
        if token not in self._named or only_unknown:
            return [(token, bounds)]
        model = self._backend.model
        return [
            (piece.id, (place, place + 1))
            for place in range(start, end)
            for piece in model.tokenize(text[place])
        ]

    def _written_for_unknown(self) -> list[int]:
        """Give the unknown token, else the pieces of U+FFFD."""
        if self._unknown is not None:
            return [self._unknown]
        written = self._backend.encode("\ufffd", add_special_tokens=False).ids
        if not written:
            raise EncoderError("it yields no piece, and the tokenizer has no unknown token")
        return list(written)

    def _is_blank(self, token: int) -> bool:
        """Tell whether a piece is spaces alone."""
        if token not in self._blank:
            text = self._backend.decode([token], skip_special_tokens=False)
            self._blank[token] = not text.replace("▁", "").strip()
        return self._blank[token]


def _silent_words(pieces: Pieces) -> set[int]:
    """List the words without a piece."""
    return set(range(pieces.n_words)).difference(pieces.links[:, 1].tolist())

"""Pseudo-log-likelihood: the log-probability of each token, masked, given the others.

A token is masked together with the later tokens of its word (Kauf and Ivanova 2023, "A Better Way
to Do Masked Language Model Scoring", section 3): else a rare word of several tokens is likely, as
each follows from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from structprobe.behaviour.texts import TokenRow, pad_rows
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.subwords.batching import make_halving
from structprobe.models.heads.scoring import TokenScorer
from structprobe.models.reading import reading

_Copy = tuple[TokenRow, int]  # a text, and the position that is read


class MaskedPasses:
    """Reads masked copies of rows of tokens."""

    def __init__(self, encoder: Encoder, scorer: TokenScorer, mask_token: int) -> None:
        self._encoder, self._scorer, self._mask_token = encoder, scorer, mask_token
        self._halving = make_halving(encoder.loaded.name)

    def read(
        self, rows: Sequence[TokenRow], batch_tokens: int, advance: Callable[[int], object]
    ) -> list[NDArray[np.float64]]:
        """Give the scores of the tokens of each row, NaN for special ones."""
        # -> (n_tokens,)
        found = [np.full(len(row), np.nan) for row in rows]

        def score(copies: list[_Copy]) -> None:
            for (row, place), one in zip(copies, self._score(copies), strict=True):
                found[row.number][place] = one

        with reading(self._scorer.whole):
            for copies in _batches(rows, batch_tokens):
                self._halving.run(score, copies, _halve)
                advance(sum(place == _last(row) for row, place in copies))
        return found

    def _score(self, copies: Sequence[_Copy]) -> NDArray[np.float64]:
        """Score the one token of each copy that is read."""
        put, loaded = self._encoder.loaded.put, self._encoder.loaded
        given = []
        for row, place in copies:
            hidden = (row.words == row.words[place]) & (np.arange(len(row)) >= place)
            given.append((np.where(hidden, self._mask_token, row.tokens), row.words, row.number))
        vectors = self._scorer.vectors(*put(*pad_rows(given, loaded.pad)))
        places = np.array([place for _, place in copies])
        places += np.arange(len(copies)) * vectors.shape[1]
        asked = put(places, np.array([row.tokens[place] for row, place in copies]))
        scores = self._scorer.log_probs(vectors.flatten(0, 1), *asked)
        return scores.cpu().numpy().astype(np.float64)


def _last(row: TokenRow) -> int:
    """Give the last position that belongs to a word."""
    return int(np.flatnonzero(row.words >= 0)[-1])


def _batches(rows: Sequence[TokenRow], batch_tokens: int) -> Iterator[list[_Copy]]:
    """Put copies together, those of the longest rows first."""
    batch: list[_Copy] = []
    for row in sorted(rows, key=len, reverse=True):
        for place in np.flatnonzero(row.words >= 0).tolist():
            if batch and (len(batch) + 1) * len(batch[0][0]) > batch_tokens:
                yield batch
                batch = []
            batch.append((row, place))
    if batch:
        yield batch


def _halve(copies: list[_Copy]) -> list[list[_Copy]]:
    """Divide a batch."""
    middle = len(copies) // 2
    return [copies[:middle], copies[middle:]] if middle else []

"""Log-probabilities of tokens given those before them, from a causal model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.behaviour.texts import Ints, TokenRow, pad_rows
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.subwords.batching import make_halving
from structprobe.models.heads.scoring import TokenScorer
from structprobe.models.reading import reading

Scores = NDArray[np.float64]  # (n_tokens,): NaN for those that are not scored


@dataclass(frozen=True, slots=True)
class Bundle:
    """Rows that begin with the same tokens, which may be read once."""

    rows: tuple[TokenRow, ...]
    n_shared: int  # Tokens, fewer than each row has

    @property
    def n_rest(self) -> int:
        """The most positions that are read of one row beside those that are shared."""
        return max(map(len, self.rows)) - 1 - self.n_shared

    @property
    def order(self) -> tuple[int, ...]:
        """By which bundles come together: those that share as many tokens, the longest first."""
        return (-self.n_shared, -self.n_rest, *self.rows[0].tokens[: self.n_shared].tolist())


class CausalPasses:
    """Reads rows of tokens; the last of each, which no token follows, only if all are asked for."""

    def __init__(self, encoder: Encoder, scorer: TokenScorer, n_before: int) -> None:
        self._encoder, self._scorer, self._n_before = encoder, scorer, max(1, n_before)
        self._halving = make_halving(encoder.loaded.name)
        self._n_tried = 0  # tokens of the longest row in which sharing was tried

    def read(
        self,
        bundles: Sequence[Bundle],
        batch_tokens: int,
        *,
        share: bool,
        to_the_end: bool,
        advance: Callable[[int], object],
    ) -> list[Scores]:
        """Give the scores of the tokens of all rows, by the number of their text."""
        share = share and self._shares(bundles)
        if not share:
            bundles = [Bundle((row,), 0) for one in bundles for row in one.rows]
        found: list[Scores] = [np.empty(0)] * sum(len(one.rows) for one in bundles)

        def score(batch: list[Bundle]) -> None:
            rows = [row for one in batch for row in one.rows]
            read = self._in_parts if batch[0].n_shared else self._whole
            for row, scores in zip(rows, read(rows, batch[0].n_shared, to_the_end), strict=True):
                found[row.number] = scores

        with reading(self._scorer.whole):
            for batch in _batches(bundles, batch_tokens):
                self._halving.run(score, batch, _halve)
                advance(sum(len(one.rows) for one in batch))
        return found

    def _shares(self, bundles: Sequence[Bundle]) -> bool:
        """Whether what is shared may be read once, which is tried on the longest row so far."""
        parts = [
            (row.tokens.tolist(), one.n_shared)
            for one in bundles
            for row in one.rows
            if 0 < one.n_shared < len(row) - 1
        ]
        if not self._scorer.can_share or not any(one.n_shared for one in bundles):
            return False
        row, n_shared = max(parts, key=lambda part: len(part[0]), default=([], 0))
        if len(row) > self._n_tried:
            if not self._scorer.shares_well([row], [n_shared]):
                return False
            self._n_tried = len(row)
        return True

    def _whole(self, rows: Sequence[TokenRow], _: int, to_the_end: bool) -> Iterator[Scores]:
        """Read rows as they are."""
        read = [len(row) - (not to_the_end) for row in rows]
        arrays = pad_rows(
            [
                (row.tokens[:n], row.words[:n], row.number)
                for row, n in zip(rows, read, strict=True)
            ],
            self._encoder.loaded.pad,
        )
        vectors = self._scorer.vectors(*self._put(*arrays))
        firsts = np.arange(len(rows)) * vectors.shape[1]
        places = [first + np.arange(len(row) - 1) for first, row in zip(firsts, rows, strict=True)]
        yield from self._scores(rows, vectors.flatten(0, 1), places)

    def _in_parts(self, rows: Sequence[TokenRow], n: int, _: bool) -> Iterator[Scores]:
        """Read once what rows share in front, n tokens, and then the rest of each row."""
        starts = np.stack([row.tokens[:n] for row in rows])
        found: Any = np.unique(starts, axis=0, return_index=True, return_inverse=True)
        example, start = found[1], found[2].flatten()
        ids, _, marks = self._put(
            *pad_rows([(rows[i].tokens[:n], rows[i].words[:n], rows[i].number) for i in example], 0)
        )
        begun, kept = self._scorer.begin(ids, marks)
        vectors = begun.flatten(0, 1)  # (n_starts * n, width)
        places = [np.arange(n) + i * n for i in start]
        longer = [i for i, row in enumerate(rows) if len(row) - 1 > n]
        if longer:
            rest = [(rows[i].tokens[n:-1], rows[i].words[n:-1], rows[i].number) for i in longer]
            arrays = pad_rows(rest, self._encoder.loaded.pad)
            (at,) = self._encoder.loaded.put(start[longer].astype(np.int64))
            more = self._scorer.go_on(kept, at, *self._put(*arrays))
            for k, i in enumerate(longer):
                first = len(vectors) + k * more.shape[1]
                places[i] = np.append(places[i], first + np.arange(len(rows[i]) - 1 - n))
            vectors = torch.cat([vectors, more.flatten(0, 1)])
        yield from self._scores(
            rows, vectors, [p[: len(row) - 1] for p, row in zip(places, rows, strict=True)]
        )

    def _scores(
        self, rows: Sequence[TokenRow], vectors: torch.Tensor, places: Sequence[Ints]
    ) -> Iterator[Scores]:
        """Score the tokens of rows, of which `places` has the vector before each but the first."""
        skipped = self._n_before - 1
        wanted = [row.tokens[self._n_before :] for row in rows]
        at = [one[skipped:] for one in places]
        asked = self._encoder.loaded.put(np.concatenate(at), np.concatenate(wanted))
        found = self._scorer.log_probs(vectors, *asked).cpu().numpy().astype(np.float64)
        ends = np.cumsum([len(one) for one in wanted])
        for own in np.split(found, ends[:-1]):
            yield np.concatenate([np.full(self._n_before, np.nan), own])

    def _put(self, *arrays: Ints) -> Any:
        """Put arrays on the device of the model."""
        return self._encoder.loaded.put(*arrays)


def bundle(rows: Sequence[TokenRow], n_least: int) -> Bundle:
    """Find what rows share in front; nothing if that is less than the special tokens there."""
    n = min(map(len, rows)) - 1
    first = rows[0].tokens[:n]
    differs = np.any([row.tokens[:n] != first for row in rows], axis=0)  # (n,)
    n = int(np.append(differs, True).argmax())
    return Bundle(tuple(rows), n if n >= n_least else 0)


def _batches(bundles: Sequence[Bundle], batch_tokens: int) -> Iterator[list[Bundle]]:
    """Put together bundles that share as many tokens."""
    batch: list[Bundle] = []
    for one in sorted(bundles, key=lambda one: one.order):
        n_rows = sum(len(other.rows) for other in (*batch, one))
        if batch and (
            one.n_shared != batch[0].n_shared
            or n_rows * max(1, batch[0].n_rest) > batch_tokens
            or n_rows * one.n_shared > 2 * batch_tokens
        ):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _halve(batch: list[Bundle]) -> list[list[Bundle]]:
    """Divide a batch."""
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]] if middle else []

"""Log-probabilities of tokens given those before them, from a causal model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.behaviour.texts import Ints, TokenRow, pad_rows
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.subwords.batching import make_halving
from structprobe.models.heads.scoring import TokenScorer
from structprobe.models.reading import reading

_WORTH = 0.9  # of all tokens; a pass of one token a row takes some longer
_BATCHES = 8  # of which one block holds the tokens, so that its levels have enough of them

Scores = NDArray[np.float64]  # (n_tokens,): NaN for those that are not scored


class CausalPasses:
    """Reads rows of tokens: each in a pass of its own, or what rows share in front once.

    The second goes through the tree of all beginnings level by level, one token a pass, so that
    nothing is padded. The last token of a row, which no token follows, is read only if all are
    asked for.
    """

    def __init__(self, encoder: Encoder, scorer: TokenScorer, n_before: int) -> None:
        self._encoder, self._scorer, self._n_before = encoder, scorer, max(1, n_before)
        self._halving = make_halving(encoder.loaded.name)
        self._n_tried = 0  # tokens of the longest row in which sharing was tried

    def read(
        self,
        rows: Sequence[TokenRow],
        batch_tokens: int,
        *,
        share: bool,
        to_the_end: bool,
        advance: Callable[[int], object],
    ) -> list[Scores]:
        """Give the scores of the tokens of all rows, in the order of their numbers."""
        share = share and _is_worth_it(rows) and self._shares(max(rows, key=len))
        found: list[Scores] = [np.empty(0)] * len(rows)

        def score(some: list[TokenRow]) -> None:
            some = sorted(some, key=lambda row: row.number)  # marks are those of the first
            scores = self._by_level(some) if share else self._whole(some, to_the_end)
            for row, one in zip(some, scores, strict=True):
                found[row.number] = one

        batches = _blocks(rows, _BATCHES * batch_tokens) if share else _batches(rows, batch_tokens)
        with reading(self._scorer.whole):
            for batch in batches:
                self._halving.run(score, batch, _halve)
                advance(len(batch))
        return found

    def _shares(self, longest: TokenRow) -> bool:
        """Whether what is shared may be read once, which is tried on the longest row so far."""
        if not self._scorer.can_share:
            return False
        if len(longest) > max(3, self._n_tried):
            if not self._scorer.shares_well(longest.tokens.tolist()):
                return False
            self._n_tried = len(longest)
        return True

    def _whole(self, rows: Sequence[TokenRow], to_the_end: bool) -> Iterator[Scores]:
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

    def _by_level(self, rows: Sequence[TokenRow]) -> Iterator[Scores]:
        """Read the beginnings of rows level by level, each once."""
        n = _n_common(rows)
        first = rows[0]
        ids, _, marks = self._put(*pad_rows([(first.tokens[:n], first.words[:n], first.number)], 0))
        vectors, kept = self._scorer.begin(ids, marks)
        found = [vectors.flatten(0, 1)]  # (n_positions, width) for each level
        places = [list(range(n)) for _ in rows]
        nodes, n_nodes, n_found = [0] * len(rows), 1, n  # node of each row in the last level
        going = [i for i, row in enumerate(rows) if len(row) - 1 > n]
        while going:
            level: dict[tuple[int, int], int] = {}  # by the node before and the token
            examples = []
            for i in going:
                step = nodes[i], int(rows[i].tokens[n])
                if step not in level:
                    level[step] = len(level)
                    examples.append((rows[i].tokens[[n]], rows[i].words[[n]], rows[i].number))
                nodes[i] = level[step]
                places[i].append(n_found + nodes[i])
            ids, _, marks = self._put(*pad_rows(examples, 0))
            before = [node for node, _ in level]
            (begun,) = self._put(np.array(before))
            begun = None if before == list(range(n_nodes)) else begun
            found.append(self._scorer.go_on(kept, begun, ids, marks).flatten(0, 1))
            n, n_nodes, n_found = n + 1, len(level), n_found + len(level)
            going = [i for i in going if len(rows[i]) - 1 > n]
        yield from self._scores(rows, torch.cat(found), [np.array(one) for one in places])

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


def _n_common(rows: Sequence[TokenRow]) -> int:
    """Count the tokens that all rows begin with, the last of each left out."""
    n = min(map(len, rows)) - 1
    differs = np.any([row.tokens[:n] != rows[0].tokens[:n] for row in rows], axis=0)  # (n,)
    return int(np.append(differs, True).argmax())


def _is_worth_it(rows: Sequence[TokenRow]) -> bool:
    """Whether rows share so much in front that it pays to read it once."""
    if len({int(row.tokens[0]) for row in rows}) != 1:
        return False  # nothing is in front of all
    ordered = sorted(row.tokens[:-1].tolist() for row in rows)
    n_all = sum(map(len, ordered))
    return n_all - sum(map(_n_alike, ordered[:-1], ordered[1:])) <= _WORTH * n_all


def _n_alike(first: list[int], second: list[int]) -> int:
    """Count the tokens that two lists begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(first), len(second)))


def _blocks(rows: Sequence[TokenRow], n_tokens: int) -> Iterator[list[TokenRow]]:
    """Put together rows that begin alike."""
    yield from _cut(sorted(rows, key=lambda row: row.tokens.tolist()), n_tokens)


def _batches(rows: Sequence[TokenRow], n_tokens: int) -> Iterator[list[TokenRow]]:
    """Put together rows of similar length, the longest first."""
    yield from _cut(sorted(rows, key=len, reverse=True), n_tokens)


def _cut(rows: Sequence[TokenRow], n_tokens: int) -> Iterator[list[TokenRow]]:
    """Cut rows into batches of no more tokens, if each were as long as the longest."""
    batch: list[TokenRow] = []
    longest = 0
    for row in rows:
        longest = max(longest, len(row))
        if batch and (len(batch) + 1) * longest > n_tokens:
            yield batch
            batch, longest = [], len(row)
        batch.append(row)
    if batch:
        yield batch


def _halve(rows: list[TokenRow]) -> list[list[TokenRow]]:
    """Divide a batch."""
    middle = len(rows) // 2
    return [rows[:middle], rows[middle:]] if middle else []

"""Log-probabilities of tokens given those before them, from a causal model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.behaviour.texts import Ints, TokenRow, pad_rows
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.subwords.batching import make_halving
from structprobe.models.heads.scoring import TokenScorer
from structprobe.models.reading import reading

_WORTH = 0.9  # of all tokens
_PACKED = 128  # tokens of one row of several texts; fewer share less, more attend to more

Sized = TypeVar("Sized", "TokenRow", "_Pack")

Scores = NDArray[np.float64]  # (n_tokens,): NaN for those that are not scored


class CausalPasses:
    """Reads rows of tokens as they are, or several in one that has once what they share in front.

    The second is the tree of their beginnings, token by token: each attends to those before it in
    its own text. The last token of a row, which no token follows, is read only if all are asked
    for.
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

        def score(some: list[_Pack]) -> None:
            for pack, scores in zip(some, self._packed(some), strict=True):
                for row, one in zip(pack.rows, scores, strict=True):
                    found[row.number] = one

        def score_rows(some: list[TokenRow]) -> None:
            for row, one in zip(some, self._whole(some, to_the_end), strict=True):
                found[row.number] = one

        with reading(self._scorer.whole):
            if share:
                for packs in _cut(_packs(rows), batch_tokens):
                    self._halving.run(score, packs, _halve)
                    advance(sum(len(pack.rows) for pack in packs))
                return found
            for batch in _cut(sorted(rows, key=len, reverse=True), batch_tokens):
                self._halving.run(score_rows, batch, _halve)
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

    def _packed(self, packs: Sequence[_Pack]) -> Iterator[list[Scores]]:
        """Read the trees of some packs."""
        n = max(map(len, packs))
        before = np.tile(np.eye(n, dtype=bool), (len(packs), 1, 1))  # (n_rows, n, n)
        depths = np.zeros((len(packs), n), dtype=np.int64)
        for i, pack in enumerate(packs):
            depths[i, : len(pack)] = pack.depths
            for node, parent in enumerate(pack.parents):
                if parent >= 0:
                    before[i, node] |= before[i, parent]
        told = [(np.array(one.tokens), np.array(one.words), 0) for one in packs]
        ids, _, marks = pad_rows(told, self._encoder.loaded.pad)
        for i, pack in enumerate(packs):
            marks[i, : len(pack), 0] = pack.numbers
        vectors = self._scorer.tree_vectors(*self._put(ids, before, depths, marks)).flatten(0, 1)
        places = [np.array(one) + i * n for i, pack in enumerate(packs) for one in pack.places]
        scores = self._scores([row for pack in packs for row in pack.rows], vectors, places)
        for pack in packs:
            yield [next(scores) for _ in pack.rows]

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


class _Pack:
    """Some rows, and the tree of their tokens but the last of each."""

    def __init__(self) -> None:
        self.rows: list[TokenRow] = []
        self.places: list[list[int]] = []  # of the tokens of each row
        self.tokens: list[int] = []
        self.words: list[int] = []
        self.numbers: list[int] = []  # of the first text that each token is in
        self.parents: list[int] = []
        self.depths: list[int] = []

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, row: TokenRow, n_alike: int) -> None:
        """Add a row that begins with so many tokens of the row before it."""
        path = self.places[-1][:n_alike] if self.places else []
        for depth, node in enumerate(path):
            if row.number < self.numbers[node]:
                self.numbers[node], self.words[node] = row.number, int(row.words[depth])
        for depth in range(len(path), len(row) - 1):
            self.parents.append(path[-1] if path else -1)
            path.append(len(self.tokens))
            self.tokens.append(int(row.tokens[depth]))
            self.words.append(int(row.words[depth]))
            self.numbers.append(row.number)
            self.depths.append(depth)
        self.rows.append(row)
        self.places.append(path)


def _packs(rows: Sequence[TokenRow]) -> list[_Pack]:
    """Pack rows that begin alike, the largest packs first."""
    found: list[_Pack] = []
    last: list[int] = []
    for row in sorted(rows, key=lambda row: row.tokens.tolist()):
        own = row.tokens[:-1].tolist()
        n_alike = _n_alike(last, own)
        if not found or len(found[-1]) + len(own) - n_alike > _PACKED:
            found.append(_Pack())
            n_alike = 0
        found[-1].add(row, n_alike)
        last = own
    return sorted(found, key=len, reverse=True)


def _is_worth_it(rows: Sequence[TokenRow]) -> bool:
    """Whether rows share so much in front that it pays to read it once."""
    ordered = sorted(row.tokens[:-1].tolist() for row in rows)
    n_all = sum(map(len, ordered))
    return n_all - sum(map(_n_alike, ordered[:-1], ordered[1:])) < _WORTH * n_all


def _n_alike(first: list[int], second: list[int]) -> int:
    """Count the tokens that two lists begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(first), len(second)))


def _cut(rows: Sequence[Sized], n_tokens: int) -> Iterator[list[Sized]]:
    """Cut rows, the longest first, into batches of no more tokens with padding."""
    start = 0
    while start < len(rows):
        stop = start + max(1, n_tokens // max(1, len(rows[start])))
        yield list(rows[start:stop])
        start = stop


def _halve(rows: list[Sized]) -> list[list[Sized]]:
    """Divide a batch."""
    middle = len(rows) // 2
    return [rows[:middle], rows[middle:]] if middle else []

"""Batches of sentences of similar length, as input of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.subwords.pieces import Pieces, words_of_pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.encoder.subwords.special_tokens import Surroundings
from structprobe.encoder.subwords.windows import choose_windows, cut_windows
from structprobe.errors import EncoderError, unknown_name
from structprobe.memory import Halving
from structprobe.models.inside.edits import is_edited
from structprobe.models.loading import LoadedModel
from structprobe.models.reading import plain_tokens, reads_right

POOLINGS = ("mean", "first", "last")


@dataclass(frozen=True, slots=True)
class Rows:
    """Some windows of a batch, padded on the right, and how they are pooled into words."""

    ids: NDArray[np.int64]  # (n_rows, n_positions)
    mask: NDArray[np.int64]  # (n_rows, n_positions): 1 for tokens, 0 for padding
    positions: NDArray[np.int64]  # (n_links,)
    starts: NDArray[np.int64]  # (n_words,)
    weights: NDArray[np.float32]  # (n_links,): the share of a subword in its word
    marks: NDArray[np.int64] | None = None  # (n_rows, n_positions, 2): see `mark_row`


@dataclass(frozen=True, slots=True)
class Layout:
    """How the sentences of an encoder are laid out."""

    surroundings: Surroundings  # Special tokens around each window
    size: int | None  # Subwords per window
    reads_right: bool  # Whether the model reads what follows a word
    pooling: str  # Of subwords into words
    pad: int  # Token id for padding
    batch_tokens: int  # Positions per batch, padding included

    def width(self, n_pieces: int) -> int:
        """Give the number of positions of a sentence's windows, special tokens included."""
        return min(n_pieces, self.size or n_pieces) + len(self.surroundings)

    def row(self, pieces: Pieces, start: int, stop: int | None = None) -> NDArray[np.int32]:
        """Give the tokens of a window, from one of a sentence's subwords to another."""
        parts = (self.surroundings.before, pieces.ids[start:stop], self.surroundings.after)
        return np.concatenate(parts).astype(np.int32)


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Some tokenized sentences of similar length."""

    numbers: NDArray[np.int64]  # (b,): indices of the given sentences, from 0
    sentences: list[SpacedWords]
    pieces: list[Pieces]
    layout: Layout

    @property
    def where(self) -> str:
        """Where the first of the sentences is."""
        return self.sentences[0].where


def halve(batch: TextBatch) -> list[TextBatch]:
    """Divide a batch into halves, that of one long sentence into fewer windows at a time."""
    layout, n = batch.layout, len(batch.numbers)
    if n > 1:
        parts = (slice(n // 2), slice(n // 2, n))
        return [
            TextBatch(batch.numbers[part], batch.sentences[part], batch.pieces[part], layout)
            for part in parts
        ]
    (pieces,) = batch.pieces
    n_pieces, size = len(pieces.ids), layout.size or len(pieces.ids)
    n_windows = len(cut_windows(pieces.links, n_pieces, size))
    at_once = min(n_windows, layout.batch_tokens // layout.width(n_pieces))
    if at_once < 2:
        return []
    fewer = replace(layout, batch_tokens=at_once // 2 * layout.width(n_pieces))
    return [replace(batch, layout=fewer)]


def check_pooling(pooling: str) -> None:
    """Raise an error for an unknown pooling."""
    if pooling not in POOLINGS:
        raise EncoderError(unknown_name("pooling", pooling, POOLINGS))


def make_layout(
    loaded: LoadedModel, surroundings: Surroundings, pooling: str, batch_tokens: int, longest: int
) -> Layout:
    """Make the layout of sentences for a model."""
    limit = loaded.max_positions
    size = None if limit is None else limit - len(surroundings)
    if size is not None and size < 1:
        what = f"the model reads at most {limit} positions, which leaves none for a word"
        raise EncoderError(what)
    plain = plain_tokens(loaded.tokenizer, 2)
    windowed = size is not None and longest > size
    return Layout(
        surroundings=surroundings,
        size=size,
        reads_right=windowed and reads_right(loaded.model, surroundings.before, plain),
        pooling=pooling,
        pad=loaded.pad,
        batch_tokens=batch_tokens,
    )


def batch_up(
    part: NDArray[np.int64],
    sentences: Sequence[SpacedWords],
    pieces: Sequence[Pieces],
    layout: Layout,
) -> Iterator[TextBatch]:
    """Batch the sentences of a part, of which `pieces` are the subwords, by length."""
    for places in make_batches([layout.width(len(one.ids)) for one in pieces], layout.batch_tokens):
        numbers = part[places]
        some = [sentences[i] for i in numbers]
        yield TextBatch(numbers, some, [pieces[i] for i in places], layout)


def make_batches(widths: Sequence[int], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Batch sentences of similar length, the longest first."""
    order = np.argsort(-np.asarray(widths, dtype=np.int64), kind="stable")
    batches = []
    while order.size:
        n = max(1, batch_tokens // widths[order[0]])
        batches.append(order[:n])
        order = order[n:]
    return batches


def lay_out(
    sentences: Sequence[Pieces], layout: Layout, numbers: NDArray[np.int64] | None = None
) -> Iterator[Rows]:
    """Write the sentences of a batch as rows of tokens; with numbers, mark them for edits."""
    marked = numbers if is_edited() else None
    rows: list[NDArray[np.int32]] = []
    marks: list[NDArray[np.int64]] = []
    places: list[NDArray[np.int64]] = []  # row and column of each link
    words: list[NDArray[np.int64]] = []
    n_words = 0
    for number, pieces in enumerate(sentences):
        n_pieces = len(pieces.ids)
        windows = cut_windows(pieces.links, n_pieces, layout.size or n_pieces)
        chosen = choose_windows(pieces.links, windows, n_pieces, layout.reads_right)
        places.append(np.array([chosen + len(rows), pieces.links[:, 0] - windows[chosen, 0]]))
        words.append(pieces.links[:, 1] + n_words)
        rows += [layout.row(pieces, i, j) for i, j in windows.tolist()]
        if marked is not None:
            of = int(marked[number])
            marks += [mark_row(pieces, of, layout, i, j) for i, j in windows.tolist()]
        n_words += pieces.n_words
    row, column = np.concatenate(places, axis=1)
    word = np.concatenate(words)
    weight = weigh_links(word, layout.pooling)
    step = max(1, layout.batch_tokens // max(map(len, rows)))
    n_before = len(layout.surroundings.before)
    for start in range(0, len(rows), step):
        ids, mask = pad_rows(rows[start : start + step], layout.pad)
        inside = (row >= start) & (row < start + step) & (weight > 0)
        yield Rows(
            ids=ids,
            mask=mask,
            positions=(row[inside] - start) * ids.shape[1] + column[inside] + n_before,
            starts=np.searchsorted(word[inside], np.arange(n_words)),
            weights=weight[inside],
            marks=pad_marks(marks[start : start + step]) if marks else None,
        )


def mark_row(
    pieces: Pieces, number: int, layout: Layout, start: int = 0, stop: int | None = None
) -> NDArray[np.int64]:
    """Give the sentence and the word, from 0, of each position of a window; -1 for no word.

    A subword of several words, or of none, is marked as by `words_of_pieces`.
    """
    # -> (n_positions, 2)
    words = words_of_pieces(pieces)
    around = layout.surroundings
    own = np.pad(words[start:stop], (len(around.before), len(around.after)), constant_values=-1)
    return np.stack([np.full(len(own), number, dtype=np.int64), own], axis=1)


def pad_marks(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Stack the marks of rows; padding has no word."""
    # -> (n_rows, n_positions, 2)
    found = np.full((len(rows), max(map(len, rows)), 2), -1, dtype=np.int64)
    for row, own in zip(found, rows, strict=True):
        row[:, 0] = own[0, 0]
        row[: len(own)] = own
    return found


def make_halving(model: str) -> Halving:
    """Make smaller batches of sentences where memory does not suffice for a model."""
    hint = "leave out the longest sentences, or use another device, dtype or model"
    return Halving(f"reading with {model!r}", EncoderError, hint)


def weigh_links(words: NDArray[np.integer], pooling: str) -> NDArray[np.float32]:
    """Give the share of each subword in the vector of its word."""
    # words (n_links,) -> (n_links,)
    if pooling == "mean":
        shares: NDArray[np.float64] = 1 / np.bincount(words)[words]
        return shares.astype(np.float32)
    turns = np.diff(words) != 0
    parts = ([True], turns) if pooling == "first" else (turns, [True])
    return np.concatenate(parts).astype(np.float32)


def pad_rows(
    rows: Sequence[NDArray[np.int32]], pad: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stack rows, padded on the right."""
    # -> (n_rows, n_positions)
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]  # (n_rows, n_positions)
    ids = np.full(mask.shape, pad, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    return ids, mask.astype(np.int64)

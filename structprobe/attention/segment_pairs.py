"""Two sentences in one row as two segments, as in the training of BERT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from structprobe.attention.rows import AttentionRows
from structprobe.encoder.subwords.batching import pad_rows
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.errors import EncoderError
from structprobe.models import Tokenizer


@dataclass(frozen=True, slots=True)
class PairFrame:
    """The special tokens around and between two segments."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, ...] | None

    def width(self, pair: tuple[Pieces, Pieces]) -> int:
        """Count the positions of a pair."""
        n_special = len(self.before) + len(self.between) + len(self.after)
        return n_special + sum(len(pieces.ids) for pieces in pair)


def find_pair_frame(tokenizer: Tokenizer) -> PairFrame:
    """Find the special tokens that the tokenizer puts around two segments."""
    special = set(tokenizer.all_special_ids)
    for text in ("a", "the", "1", "."):
        bare = tokenizer(text, add_special_tokens=False)["input_ids"]
        full = tokenizer(text, text)
        ids, n = list(full["input_ids"]), len(bare)
        found = [i for i in range(len(ids) - n + 1) if n and ids[i : i + n] == bare]
        if len(found) != 2 or not special.intersection(ids[found[0] + n : found[1]]):
            continue
        first, second = found
        types, last = full.get("token_type_ids"), len(ids) - 1
        if types is not None:
            places = (0, first, min(first + n, last), second, last)
            types = tuple(int(types[place]) for place in places)
        parts = (ids[:first], ids[first + n : second], ids[second + n :])
        before, between, after = map(tuple, parts)
        return PairFrame(before, between, after, types)
    raise EncoderError(
        f"{type(tokenizer).__name__} puts no special token between two segments",
        hint="read sentences one by one, or choose a model trained on pairs, such as BERT",
    )


def pair_rows(pairs: Sequence[tuple[Pieces, Pieces]], frame: PairFrame, pad: int) -> AttentionRows:
    """Write pairs of sentences as rows of tokens, the words of the second after the first."""
    parts = [(frame.before, one.ids, frame.between, other.ids, frame.after) for one, other in pairs]
    rows = [np.concatenate(five).astype(np.int32) for five in parts]
    ids, mask = pad_rows(rows, pad)
    n_words = max(one.n_words + other.n_words for one, other in pairs)
    source = np.zeros((len(rows), n_words, ids.shape[1]), dtype=np.float32)
    target = np.zeros((len(rows), ids.shape[1], n_words + 2), dtype=np.float32)
    types = None if frame.types is None else np.zeros_like(ids)
    for row, ((one, other), five) in enumerate(zip(pairs, parts, strict=True)):
        sizes = [len(part) for part in five]
        start, middle = sizes[0], sum(sizes[:3])  # where the segments begin
        moved = one.links + np.array([start, 0]), other.links + np.array([middle, one.n_words])
        position, word = np.concatenate(moved).T
        source[row, word, position] = 1 / np.bincount(word)[word]
        target[row, position, word] = 1 / np.bincount(position)[position]
        target[row, : sum(sizes), -2] = np.repeat([1, 0, 1, 0, 1], sizes)
        target[row, 0, -1] = 1
        if types is not None and frame.types is not None:
            types[row, : sum(sizes)] = np.repeat(frame.types, sizes)
    return AttentionRows(ids, mask, np.arange(len(rows)), source, target, types)

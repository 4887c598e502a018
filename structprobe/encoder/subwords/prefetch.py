"""Tokenization on another thread, ahead of the model.

The subwords of a treebank are never all in memory: sentences of similar length are tokenized
together, and while the model reads one part, the thread tokenizes the next. The parts depend only
on the numbers of words, so they are the same in every run.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.cache.shards import cut
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.encoder.subwords.tokenizing import Reader

# Words per part, about 10 MB of subwords. Parts are batched separately: smaller ones pad more
# (EWT train at 1,024 positions: 0.4 % more than in one part, at a quarter of this 1.8 %).
PART_WORDS = 131_072
_STEP = 1000  # sentences between two checks whether anybody still waits


def make_parts(
    lengths: NDArray[np.int64], most_words: int | None = None
) -> list[NDArray[np.int64]]:
    """Group sentences of similar length into parts of about the same number of words."""
    # lengths (n_sentences,)
    order = np.argsort(-lengths, kind="stable")
    offsets = np.cumsum([0, *lengths[order]])
    count = -(-int(offsets[-1]) // (most_words or PART_WORDS))  # rounded up
    cuts = cut(offsets, max(1, count)).tolist()
    parts = [np.sort(order[i:j]) for i, j in pairwise(cuts)]
    return [part for part in parts if part.size]


def read_ahead(
    reader: Reader, sentences: Sequence[SpacedWords], parts: Sequence[NDArray[np.int64]]
) -> Generator[tuple[NDArray[np.int64], list[Pieces]], None, None]:
    """Tokenize sentences part by part, on a thread that is one part ahead until it is closed."""
    left = threading.Event()

    def read(part: NDArray[np.int64]) -> list[Pieces]:
        pieces: list[Pieces] = []
        for start in range(0, len(part), _STEP):
            if not left.is_set():
                pieces += reader.read([sentences[i] for i in part[start : start + _STEP]])
        return pieces

    with ThreadPoolExecutor(1, thread_name_prefix="structprobe-pieces") as thread:
        try:
            coming = [thread.submit(read, part) for part in parts[:1]]
            for k, part in enumerate(parts):
                pieces = coming.pop().result()
                coming += [thread.submit(read, following) for following in parts[k + 1 : k + 2]]
                yield part, pieces
        finally:
            left.set()

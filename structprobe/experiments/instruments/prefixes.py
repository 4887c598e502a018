"""The tree of every prefix of a sentence: of its first word, of its first two words, and so on.

The vectors of a causal model do not depend on the words that follow, so the distances and arc
scores of a prefix are a part of those of the whole sentence: one pass serves all prefixes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.causality import find_later_words
from structprobe.errors import Hint, MethodError
from structprobe.progress import progress_bar
from structprobe.recoverers.base import Recoverer
from structprobe.scores.attachment import heads_over_kept, predicted_roots
from structprobe.scores.inputs import flatten
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import choose_protocol, kept_words
from structprobe.treebank.disturb import beginning
from structprobe.treebank.sentence import Sentence
from structprobe.trees.arborescences import arborescences
from structprobe.trees.arc_scores import best_heads
from structprobe.trees.padding import group_by_length, pad

Ints = NDArray[np.int64]
_RESTART = Hint(
    "pass restart=True to encode and parse each prefix by itself",
    shell="add --restart to encode and parse each prefix by itself",
)
_AT_ONCE = 64  # sentences, in which all prefixes are decoded together


def prefix_trees(
    recoverer: Recoverer,
    sentences: Sequence[Sentence],
    *,
    punct: str | None = None,
    restart: bool = False,
    progress: bool | None = None,
) -> list[list[Ints]]:
    """Recover the tree of every prefix of each sentence.

    By default, the sentences are read once, and the tree of a prefix is decoded from the part of
    the distances or arc scores that is about its words. That needs a causal model, in which they do
    not depend on the words that follow (apart from a constant for all heads of a word): this is
    tried on a few of the sentences, and another model is refused. With `restart`, each prefix is
    encoded and parsed as a sentence of its own, which takes any model and method.

    Parameters
    ----------
    recoverer : Recoverer
        A fitted method that predicts distances or arc scores; with `restart`, any method that does
        not use gold trees.
    sentences : sequence of Sentence
        The sentences, with or without heads, which are not used.
    punct : {"upos", "xpos", "keep"}, optional
        Which words the trees leave out, as for `score`.
    restart : bool, default=False
        Whether to encode and parse each prefix by itself.
    progress : bool, optional
        Whether to show a progress bar; by default if stderr is a terminal.

    Returns
    -------
    list of list of ndarray of int, each (k,)
        For each sentence of n words, the trees of its first 1, 2, ..., n words: the head of each
        word, 1-based, 0 for the root, -1 for words that are left out. Of the last one, `score`
        counts the edges between words that are not left out.

    Raises
    ------
    MethodError
        If the model is not causal, or the method predicts heads alone, and `restart` is not set; or
        if the method uses gold trees.
    NotFittedError
        If the method is not fitted.
    """
    if not len(sentences):
        return []
    lengths = np.array([*map(len, sentences)])
    kept = np.split(
        kept_words(sentences, lengths, choose_protocol(sentences, punct)), np.cumsum(lengths)[:-1]
    )
    check_prefixes(recoverer, sentences, restart=restart)
    whole = None if restart else recoverer.predict(sentences)
    found: list[list[Ints]] = []
    with progress_bar("prefixes", len(sentences), "sent", shown=progress) as advance:
        for start in range(0, len(sentences), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            parts = (
                [[*_parts(one, recoverer.name)] for one in whole[some]]
                if whole is not None
                else _restarted(recoverer, sentences[some])
            )
            found += _decoded(parts, kept[some])
            advance(len(parts))
    return found


def check_prefixes(
    recoverer: Recoverer, sentences: Sequence[Sentence], *, restart: bool = False
) -> None:
    """Refuse a method whose trees of prefixes cannot be had."""
    if recoverer.uses_gold:
        what = f"the method {recoverer.name!r} uses gold trees, which a prefix does not have"
        raise MethodError(what, hint="use a method that does not use them")
    if restart or not recoverer.reads_model:
        return
    encoder = getattr(recoverer, "encoder", None)
    if encoder is None:
        what = f"the method {recoverer.name!r} has no encoder: it is unknown if its model is causal"
        raise MethodError(what, hint=_RESTART)
    layer = getattr(recoverer, "layer", None)
    layer = recoverer.chosen_.get("layer") if layer is None else layer
    if told := find_later_words(encoder, sentences, layers=layer):
        name = encoder.origin(0).get("model") if hasattr(encoder, "origin") else None
        what = f"the model is not causal, or its subwords depend on later words: {told}"
        raise MethodError(what, where=name, hint=_RESTART)


def _restarted(recoverer: Recoverer, sentences: Sequence[Sentence]) -> list[list[Prediction]]:
    """Parse each prefix as a sentence of its own."""
    prefixes = [beginning(one, k) for one in sentences for k in range(1, len(one) + 1)]
    predictions = iter(recoverer.predict(prefixes))
    return [[next(predictions) for _ in range(len(one))] for one in sentences]


def _parts(whole: Prediction, name: str) -> Iterator[Prediction]:
    """Cut the prediction of a sentence down to that of each prefix."""
    n = len(whole)
    if whole.distances is not None:
        for k in range(1, n + 1):  # the heads are those of the distances, decoded later
            yield Prediction(np.arange(k), distances=whole.distances[:k, :k])
        return
    if whole.arc_scores is None:
        what = f"the method {name!r} predicts neither distances nor arc scores"
        raise MethodError(what, hint=_RESTART)
    scores = [whole.arc_scores[:k, : k + 1] for k in range(1, n + 1)]
    if whole.as_tree:
        groups = group_by_length(np.arange(1, n + 1))  # in order
        batches = [(pad([scores[place] for place in own]), own + 1) for own in groups]
        heads = [row for batch, sizes in batches for row in arborescences(batch, sizes)]
    else:
        heads = [best_heads(own) for own in scores]
    for k, (own, row) in enumerate(zip(scores, heads, strict=True), start=1):
        yield Prediction(row[:k], arc_scores=own, as_tree=whole.as_tree)


def _decoded(
    parts: Sequence[Sequence[Prediction]], kept: Sequence[NDArray[np.bool_]]
) -> list[list[Ints]]:
    """Decode the prefixes of each sentence over the kept words, as `score` does."""
    every = [*chain.from_iterable(parts)]
    trees = flatten([np.arange(len(one)) for one in every], every)
    masks = np.concatenate([own[:k] for own in kept for k in range(1, len(own) + 1)])
    heads = heads_over_kept(trees, every, masks, predicted_roots(trees, every, masks))
    # A scored word that is alone has no head.
    rows = iter(trees.split(np.where(masks, np.maximum(heads, 0), -1)))
    return [[next(rows) for _ in own] for own in parts]

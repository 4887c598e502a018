"""Scores by condition: UUAS, the edge of interest, its distance, and the near-word bias."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import (
    ScoreError,
    StructprobeError,
    counted,
    refuse_kind,
    unknown_name,
)
from structprobe.scores.attachment import heads_over_kept, predicted_roots, scored_edges
from structprobe.scores.inputs import FlatTrees, flatten
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import choose_protocol, kept_words
from structprobe.stimuli.bias import Estimate, Floats, Resampling, near_word_slope, ratio
from structprobe.stimuli.stimulus import Stimulus, read_pair
from structprobe.treebank.sentence import Sentence
from structprobe.trees import gold_distances

ALL = "all"  # the value of the row of a whole condition


class Predicts(Protocol):
    """Anything that predicts trees of sentences, such as a `Recoverer`."""

    def predict(self, sentences: Sequence[Sentence], /) -> list[Prediction]:
        """Predict one tree per sentence."""


def score_stimuli(
    recoverer: Predicts | Callable[[Sequence[Sentence]], Sequence[Prediction]],
    stimuli: Sequence[Stimulus],
    *,
    pair: tuple[str, str] | None = None,
    punct: str | None = None,
    n: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> list[dict[str, Any]]:
    """Predict the trees of stimuli, and score them by condition.

    Parameters
    ----------
    recoverer : Recoverer or callable
        A fitted method, or a function from sentences to predictions. Each sentence is predicted
        once, even if several stimuli share it.
    stimuli : sequence of Stimulus
        Stimuli from `make_stimuli` or `find_matches`, or your own.
    pair : tuple of two str, optional
        The named words whose edge and distance are scored, for stimuli that have them; by default
        the `pair` of each stimulus.
    punct : {"upos", "xpos", "keep"}, optional
        Which words are excluded from UUAS and edges, as for `score`.
    n, level, random_state
        As for `near_word_slope`, for all intervals.

    Returns
    -------
    list of dict
        As from `score_conditions`.

    Raises
    ------
    ScoreError
        If `recoverer` does not predict one tree per sentence, and as for `score_conditions`.
    """
    stimuli = _checked(stimuli)
    unique = list({id(one.sentence): one.sentence for one in stimuli}.values())
    predict = getattr(recoverer, "predict", recoverer)
    if not callable(predict):
        refuse_kind("recoverer", recoverer, "a Recoverer or a function", ScoreError)
    predictions = list(predict(unique))
    if len(predictions) != len(unique):
        given = counted(len(predictions), "prediction")
        raise ScoreError(f"{given} for {counted(len(unique), 'sentence')}")
    known = {id(one): tree for one, tree in zip(unique, predictions, strict=True)}
    trees = [known[id(one.sentence)] for one in stimuli]
    return score_conditions(
        stimuli, trees, pair=pair, punct=punct, n=n, level=level, random_state=random_state
    )


def score_conditions(
    stimuli: Sequence[Stimulus],
    predictions: Sequence[Prediction],
    *,
    pair: tuple[str, str] | None = None,
    punct: str | None = None,
    n: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> list[dict[str, Any]]:
    """Score predictions by condition and value.

    Intervals are percentile bootstrap intervals over items, or over sentences for stimuli without
    items. A score is None, not 0, if there is nothing to score: distances if the predictions have
    none, the edge if one of its words is excluded as punctuation.

    Parameters
    ----------
    stimuli : sequence of Stimulus
        The stimuli.
    predictions : sequence of Prediction
        One per stimulus, in order.
    pair, punct, n, level, random_state
        As for `score_stimuli`.

    Returns
    -------
    list of dict
        For each condition, one row for each of its values, if there are several, and one for all of
        them (``value="all"``). Keys: ``condition``, ``value`` (text) and ``values``; ``n``, the
        number of stimuli, and ``n_sentences``; ``uuas``; ``pair``, the two named words; ``edge``,
        the share of predicted trees in which an edge joins them; ``distance``, the mean of their
        predicted distances; ``tree_distance`` and ``linear_distance``, the means of their distances
        in the gold tree and in the sentence. In the row of all values, ``slope`` and
        ``slope_all_pairs``: the near-word bias (see `near_word_slope`) of the named words, within
        items at the same tree distance (within the tree distance where there are no items), and of
        all pairs of words, within sentences at the same tree distance. Scores come with ``_low``
        and ``_high``, the bounds of their interval.

    Raises
    ------
    ScoreError
        If there are no stimuli, stimuli and predictions do not match, or `punct`, `n` or `level` is
        invalid.
    StructprobeError
        If no stimulus has both words of `pair`.
    """
    how = Resampling(n, level, random_state)
    stimuli = _checked(stimuli)
    data = _measure(stimuli, list(predictions), pair, punct)
    rows = []
    for condition in dict.fromkeys(one.condition for one in stimuli):
        inside = np.array([one.condition == condition for one in stimuli])
        values = list(dict.fromkeys(one.value for one in stimuli if one.condition == condition))
        for value in values if len(values) > 1 else ():
            chosen = inside & np.array([one.value == value for one in stimuli])
            rows.append(_row(data, chosen, value, how))
        rows.append(_row(data, inside, ALL, how) | _slopes(data, inside, how))
    return rows


def _checked(stimuli: Iterable[Stimulus]) -> list[Stimulus]:
    """List the stimuli; refuse what is none."""
    if isinstance(stimuli, str) or not isinstance(stimuli, Iterable):
        refuse_kind("stimuli", stimuli, "a list of Stimulus", ScoreError)
    stimuli = list(stimuli)
    if not stimuli:
        raise ScoreError("no stimuli to score", hint="make some with make_stimuli")
    for index, one in enumerate(stimuli):
        if not isinstance(one, Stimulus):
            refuse_kind(f"stimuli[{index}]", one, "a Stimulus", ScoreError)
    return stimuli


@dataclass(frozen=True, eq=False)
class _Data:
    """What is counted and measured in m stimuli of s different sentences."""

    stimuli: list[Stimulus]
    sentence: NDArray[np.intp]  # (m,): which of the sentences
    unit: NDArray[np.intp]  # (m,): what is resampled
    pairs: list[tuple[str, str] | None]  # (m,)
    edges: Floats  # (s, 2): correct and all edges of UUAS
    # (m, 4): whether an edge joins the pair; its predicted, gold and linear distance; or NaN
    measures: Floats
    gold: list[NDArray[np.int16]]  # (s,): gold distances (n, n)
    predicted: list[Floats | None]  # (s,): predicted distances (n, n)
    kept: list[NDArray[np.bool_]]  # (s,): the words that count (n,)


def _measure(
    stimuli: list[Stimulus],
    predictions: list[Prediction],
    pair: tuple[str, str] | None,
    punct: str | None,
) -> _Data:
    """Count and measure all that rows are made of."""
    if len(stimuli) != len(predictions):
        given = counted(len(predictions), "prediction")
        what = f"{len(stimuli):,} stimuli but {given}"
        raise ScoreError(what, hint="give one prediction per stimulus")
    first: dict[int, int] = {}  # the first stimulus of each sentence
    for index, one in enumerate(stimuli):
        first.setdefault(id(one.sentence), index)
    order = {key: s for s, key in enumerate(first)}
    gold = [stimuli[index].sentence for index in first.values()]
    found = [predictions[index] for index in first.values()]
    trees = flatten(gold, found)
    protocol = choose_protocol(gold, punct, for_counts="a score by condition")
    kept = kept_words(gold, trees.lengths, protocol)
    heads = heads_over_kept(trees, found, kept, predicted_roots(trees, found, kept))
    distances = gold_distances(trees.split(trees.gold))
    predicted = [None if one.distances is None else np.asarray(one.distances, float)
                 for one in found]  # fmt: skip
    sentence = np.array([order[id(one.sentence)] for one in stimuli])
    pairs = _pairs(stimuli, pair)
    measures = np.full((len(stimuli), 4), np.nan)
    split_heads, split_kept = trees.split(heads), trees.split(kept)
    for index, (one, own, s) in enumerate(zip(stimuli, pairs, sentence, strict=True)):
        if own is None:
            continue
        a, b = one.places(own)
        if split_kept[s][[a - 1, b - 1]].all():
            measures[index, 0] = split_heads[s][a - 1] == b or split_heads[s][b - 1] == a
        matrix = predicted[s]
        if matrix is not None:
            measures[index, 1] = matrix[a - 1, b - 1]
        measures[index, 2:] = distances[s][a - 1, b - 1], abs(a - b)
    keys = [("s", s) if one.item is None else (one.condition, one.item)
            for one, s in zip(stimuli, sentence.tolist(), strict=True)]  # fmt: skip
    unit = np.array([*map({key: u for u, key in enumerate(dict.fromkeys(keys))}.get, keys)])
    return _Data(
        stimuli, sentence, unit, pairs, _edges(trees, heads, kept), measures, distances, predicted,
        split_kept,
    )  # fmt: skip


def _pairs(stimuli: list[Stimulus], pair: tuple[str, str] | None) -> list[tuple[str, str] | None]:
    """List the pair that is scored in each stimulus; None where it has none."""
    if pair is None:
        return [None if one.pair is None else read_pair(one.pair) for one in stimuli]
    pair = read_pair(pair)
    if all(set(pair) - one.words.keys() for one in stimuli):
        names = list(dict.fromkeys(name for one in stimuli for name in one.words))
        unknown = [name for name in pair if name not in names]
        if unknown:
            raise StructprobeError(unknown_name("word", unknown[0], names))
        raise StructprobeError(f"no stimulus has both words of the pair {pair!r}")
    return [None if set(pair) - one.words.keys() else pair for one in stimuli]


def _edges(trees: FlatTrees, heads: NDArray[np.int64], kept: NDArray[np.bool_]) -> Floats:
    """Count the correct edges of UUAS, and all, of each sentence."""
    above = trees.first + np.maximum(trees.gold - 1, 0)
    scored = scored_edges(trees, kept)
    right = scored & ((heads == trees.gold) | (heads[above] == trees.positions))
    n = len(trees.lengths)
    return np.stack([np.bincount(trees.sentence[one], minlength=n) for one in (right, scored)],
                    axis=1).astype(float)  # fmt: skip


def _row(data: _Data, chosen: NDArray[np.bool_], value: str, how: Resampling) -> dict[str, Any]:
    """Score some of the stimuli of a condition."""
    # chosen (m,)
    indices = np.flatnonzero(chosen)
    # Several matches of one sentence count once for UUAS.
    sentences, at = np.unique(data.sentence[indices], return_index=True)
    units = data.unit[indices]
    measures = data.measures[indices]
    linked, distance, tree, linear = measures.T
    right, scored = data.edges[sentences].T
    estimates = {"uuas": ratio(right, scored, units[at], how)}
    pairs = {data.pairs[index] for index in indices}
    for name, column in (("edge", linked), ("distance", distance)):
        has = ~np.isnan(column)
        estimates[name] = ratio(np.where(has, column, 0.0), has.astype(float), units, how)
    one = data.stimuli[indices[0]]
    row = {
        "condition": one.condition,
        "value": value,
        "values": {} if value == ALL else dict(one.values),
        "n": len(indices),
        "n_sentences": len(sentences),
        "pair": " or ".join("–".join(pair) for pair in sorted(filter(None, pairs))) or None,
        "tree_distance": _mean(tree),
        "linear_distance": _mean(linear),
    }
    return row | _spread(estimates) | _spread({"slope": None, "slope_all_pairs": None})


def _slopes(data: _Data, chosen: NDArray[np.bool_], how: Resampling) -> dict[str, Any]:
    """Measure the near-word bias of a condition, of its named words and of all pairs of words."""
    # chosen (m,)
    slope = partial(near_word_slope, n=how.n, level=how.level, random_state=how.random_state)
    indices = np.flatnonzero(chosen & ~np.isnan(data.measures[:, 1]))
    _, predicted, tree, linear = data.measures[indices].T
    items = (data.stimuli[index].item for index in indices)
    blocks = [-1 if item is None else item for item in items]
    named = slope(predicted, linear, tree, blocks=blocks, units=data.unit[indices])
    sentences, at = np.unique(data.sentence[chosen], return_index=True)
    parts = []
    for s, unit in zip(sentences.tolist(), data.unit[chosen][at].tolist(), strict=True):
        matrix = data.predicted[s]
        if matrix is not None:
            words = np.flatnonzero(data.kept[s])
            i, j = (words[side] for side in np.triu_indices(len(words), 1))
            same = np.ones(len(i))
            parts.append(np.stack([matrix[i, j], j - i, data.gold[s][i, j], s * same, unit * same]))
    every = None
    if parts:
        predicted, linear, tree, of, unit = np.concatenate(parts, axis=1)
        every = slope(predicted, linear, tree, blocks=of, units=unit)
    return _spread({"slope": named, "slope_all_pairs": every})


def _spread(estimates: dict[str, Estimate | None]) -> dict[str, float | None]:
    """Give values and bounds their keys in a row."""
    row: dict[str, float | None] = {}
    for name, one in estimates.items():
        row |= {name: one and one.value, f"{name}_low": one and one.low}
        row[f"{name}_high"] = one and one.high
    return row


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None

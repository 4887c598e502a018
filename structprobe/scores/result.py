"""`Scores`: counts inside, fractions outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError, counted
from structprobe.notebook import html_table
from structprobe.scores.breakdowns import (
    RelationScore,
    Tally,
    add_tallies,
    relation_scores,
    tally,
)
from structprobe.scores.intervals import check_resampling, quantile_bounds, resamples
from structprobe.scores.protocol import Protocol
from structprobe.scores.table import COLUMNS, METRICS, column, estimates

_PRINTED = {"uuas": "UUAS", "uas": "UAS", "las": "LAS", "clas": "CLAS", "root_acc": "root",
            "dspr": "DSpr.", "nspr": "NSpr."}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scores of predictions on gold sentences, as returned by `score`.

    Scores of several files can be added: ``score(a, pa) + score(b, pb)`` is
    ``score(a + b, pa + pb)``. A score is None, not 0, if there was nothing to score.

    Attributes
    ----------
    protocol : Protocol
        How the scores were computed.
    table : ndarray of float64, shape (n_sentences, len(COLUMNS))
        The counts of each sentence, in the columns `structprobe.scores.table.COLUMNS`.
    by_deprel : mapping of str to Tally
        Correct and total edges of UUAS by the gold relation of the dependent, without subtypes;
        empty if the gold has no relations.
    by_arc_length : mapping of int to Tally
        The same by the distance between head and dependent, in words (including ignored words).
    confusion : mapping of (str, str) to Tally
        Words with the correct head and all words, by gold and predicted relation, without subtypes;
        empty if nothing was labelled.
    """

    protocol: Protocol
    table: NDArray[np.float64]
    by_deprel: Mapping[str, Tally]
    by_arc_length: Mapping[int, Tally]
    confusion: Mapping[tuple[str, str], Tally] = field(default_factory=dict)

    @property
    def uuas(self) -> float | None:
        """Share of gold edges that are predicted, ignoring direction and punctuation."""
        return self._value("uuas")

    @property
    def uas(self) -> float | None:
        """Share of all words with the correct head, including the root."""
        return self._value("uas")

    @property
    def las(self) -> float | None:
        """Share of words with the correct head and relation (without subtypes), where labelled."""
        return self._value("las")

    @property
    def clas(self) -> float | None:
        """F1 of the words with the correct head and relation, counting content words alone."""
        return self._value("clas")

    @property
    def dspr(self) -> float | None:
        """Spearman correlation of the distances of each word, averaged by sentence length."""
        return self._value("dspr")

    @property
    def nspr(self) -> float | None:
        """Spearman correlation of the depths of each sentence, averaged by sentence length."""
        return self._value("nspr")

    @property
    def root_acc(self) -> float | None:
        """Share of sentences whose shallowest word, ignoring punctuation, is the gold root."""
        return self._value("root_acc")

    @property
    def by_relation(self) -> dict[str, RelationScore]:
        """How each relation was predicted, from `confusion`; the most frequent gold one first."""
        return relation_scores(self.confusion)

    @property
    def by_sentence_length(self) -> dict[int, Tally]:
        """Correct and total edges of UUAS by sentence length, in words."""
        words, *edges = (column(self.table, name) for name in ("words", "right_edges", "edges"))
        return tally(words.astype(np.int64), *edges)

    @property
    def counts(self) -> dict[str, int]:
        """The counts behind the scores.

        ``n_sentences`` and ``n_words``; ``n_kept`` words that are not ignored; ``n_one_word``
        sentences (without edges) and ``n_none_kept`` sentences (only punctuation: no edges, no
        root). For UUAS ``n_edges`` and ``n_right_edges``; for UAS ``n_right_heads``; for LAS
        ``n_labels`` and ``n_right_labels``; for CLAS the content words of the gold trees,
        ``n_content``, of the predicted ones, ``n_pred_content``, and ``n_right_content``; for root
        accuracy ``n_roots`` and ``n_right_roots``;
        for DSpr. the words with a correlation, ``n_rows``, and without, ``n_undefined_rows``; for
        NSpr. the sentences with one, ``n_orders``, and without, ``n_undefined_orders``.
        """
        found = {"n_sentences": len(self.table)}
        found["n_one_word"] = int((column(self.table, "words") == 1).sum())
        found["n_none_kept"] = int((column(self.table, "kept") == 0).sum())
        sums = zip(COLUMNS, self.table.sum(axis=0).astype(int).tolist(), strict=True)
        return found | {f"n_{name}": sum_ for name, sum_ in sums if not name.endswith("_sum")}

    def interval(
        self,
        metric: str = "uuas",
        *,
        n: int = 1000,
        level: float = 0.95,
        random_state: int | np.random.Generator | None = 0,
    ) -> tuple[float, float] | None:
        """Compute a percentile bootstrap confidence interval of a score, resampling sentences.

        Parameters
        ----------
        metric : {"uuas", "uas", "las", "clas", "dspr", "nspr", "root_acc"}
            The score.
        n : int
            The number of resamples.
        level : float
            The confidence level.
        random_state : int, Generator or None
            Seed of the resampling; None gives different draws each time.

        Returns
        -------
        (low, high) : tuple of float, or None
            The bounds, as fractions; None if there was nothing to score.

        Raises
        ------
        ScoreError
            If `metric` is unknown, or `n` or `level` is out of range.
        """
        return self.intervals([metric], n=n, level=level, random_state=random_state)[metric]

    def intervals(
        self,
        metrics: Sequence[str] = tuple(METRICS),
        *,
        n: int = 1000,
        level: float = 0.95,
        random_state: int | np.random.Generator | None = 0,
    ) -> dict[str, tuple[float, float] | None]:
        """Compute the intervals of several scores from the same resamples.

        Parameters
        ----------
        metrics : sequence of str
            The scores; by default all.
        n, level, random_state
            As for `interval`, which returns the same bounds and raises the same errors.

        Returns
        -------
        dict of str to (low, high), or None
            The interval of each score.
        """
        check_resampling(n, level)
        scored = [one for one in metrics if not np.isnan(estimates_of(self, one)).all()]
        draws: dict[str, list[NDArray[np.float64]]] = {metric: [] for metric in scored}
        for weights in resamples(len(self.table), n, random_state) if scored else ():
            for metric in scored:
                draws[metric].append(estimates_of(self, metric, weights))
        bounds = {one: quantile_bounds(np.concatenate(draws[one]), level) for one in scored}
        return {metric: bounds.get(metric) for metric in metrics}

    def to_dict(self) -> dict[str, float | int | str | None]:
        """Return scores, counts and protocol as a flat dictionary for JSON.

        Returns
        -------
        dict
            The seven scores by name, the fields of the protocol, and all of `counts`.
        """
        values = {metric: self._value(metric) for metric in METRICS}
        return {**values, **asdict(self.protocol), **self.counts}

    def __add__(self, other: Scores) -> Scores:
        """Combine the scores of two sets of sentences, as if scored together."""
        if not isinstance(other, Scores):
            return NotImplemented
        if self.protocol != other.protocol:
            raise ScoreError(
                f"cannot add scores of different protocols: {self.protocol!r}, {other.protocol!r}",
                hint="use the same punct for both",
            )
        by_deprel = add_tallies(self.by_deprel, other.by_deprel)
        by_arc_length = add_tallies(self.by_arc_length, other.by_arc_length)
        table = np.concatenate([self.table, other.table])
        confusion = add_tallies(self.confusion, other.confusion)
        return Scores(self.protocol, table, by_deprel, by_arc_length, confusion)

    def __str__(self) -> str:
        shown = [f"{label} {value}" for label, value in self._shown().items()]
        counts = self.counts
        named = {"sentences": "sentence", "words": "word", "edges": "edge"}
        named["undefined_rows"] = "undefined correlation"  # of DSpr.
        sizes = ", ".join(counted(counts[f"n_{name}"], noun) for name, noun in named.items())
        return f"{', '.join(shown)} (per cent; {sizes}; {self.protocol})"

    def __repr__(self) -> str:
        return f"<Scores: {self}>"

    def _repr_html_(self) -> str:
        """Show the scores as a table in a notebook, in per cent."""
        counts = self.counts
        sizes = (counted(counts[f"n_{noun}s"], noun) for noun in ("sentence", "word"))
        return html_table(f"{', '.join(sizes)}; {self.protocol}", self._shown())

    def _shown(self) -> dict[str, str]:
        """Write the scores in per cent, CLAS only where there are relations."""
        values = {label: self._value(metric) for metric, label in _PRINTED.items()}
        return {
            label: _per_cent(value)
            for label, value in values.items()
            if label != "CLAS" or value is not None
        }

    def _value(self, metric: str) -> float | None:
        value = float(estimates_of(self, metric)[0])
        return None if np.isnan(value) else value


def estimates_of(
    scores: Scores,
    metric: str,
    weights: NDArray[np.float64] | None = None,
    whole_weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Compute one score, by its protocol, under several weightings of the sentences."""
    # weights (b, n_sentences), whole_weights the same or (1, n_sentences) -> (b,)
    by_sentence = scores.protocol.by_sentence
    return estimates(scores.table, metric, weights, whole_weights, by_sentence=by_sentence)


def _per_cent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"

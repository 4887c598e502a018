"""Which words count, and over which sentence lengths correlations are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import Hint, ScoreError, counted, unknown_name
from structprobe.scores.inputs import place
from structprobe.tree_faults import TreesLike

PENN_PUNCTUATION = ("''", ",", ".", ":", "``", "-LRB-", "-RRB-")
"""The XPOS tags that ``punct="xpos"`` ignores: those of Hewitt & Manning (2019), section 4.1."""

POLAR = "polar"

_LEFT_OUT = {"upos": ("PUNCT",), "xpos": PENN_PUNCTUATION, "keep": (), POLAR: ()}
_DESCRIBED = {
    "upos": "UPOS PUNCT excluded from UUAS and root",
    "xpos": f"XPOS {' '.join(PENN_PUNCTUATION)} excluded from UUAS and root",
    "keep": "all words count",
    POLAR: "all words count; UUAS, UAS and LAS are means over sentences, without the root's arc",
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """How scores are computed; printed with every score.

    Attributes
    ----------
    punct : {"upos", "xpos", "keep", "polar"}
        Which words UUAS and root accuracy ignore: words with the UPOS tag ``PUNCT``, words with a
        Penn XPOS tag in `PENN_PUNCTUATION` (Hewitt & Manning 2019), or none. With ``"polar"``, the
        protocol of the polar probe (Diego-Simón et al. 2024): none, and UUAS, UAS and LAS are means
        over the sentences of two or more words, each weighing the same, without the arc of the
        root (and without subtypes, as always). All other scores are those of ``"keep"``.
    min_length, max_length : int
        Minimum and maximum length, in words, of the sentences that DSpr. and NSpr. are averaged
        over (Hewitt & Manning 2019: 5 and 50).

    Raises
    ------
    ScoreError
        If `punct` is unknown, or the lengths are out of range.
    """

    punct: str = "upos"
    min_length: int = 5
    max_length: int = 50

    def __post_init__(self) -> None:
        if self.punct not in _LEFT_OUT:
            raise ScoreError(unknown_name("punct", self.punct, _LEFT_OUT))
        if not 1 <= self.min_length <= self.max_length:
            what = f"min_length={self.min_length} and max_length={self.max_length} are out of range"
            raise ScoreError(what, hint="choose 1 <= min_length <= max_length")

    def __str__(self) -> str:
        return self.describe()

    @property
    def by_sentence(self) -> bool:
        """Whether UUAS, UAS and LAS are means over sentences, without the arc of the root."""
        return self.punct == POLAR

    def describe(self, *, correlations: bool = True) -> str:
        """Describe the protocol in one line.

        Parameters
        ----------
        correlations : bool
            Whether to include DSpr. and NSpr.

        Returns
        -------
        str
            The description.
        """
        attachment = f'punct="{self.punct}": {_DESCRIBED[self.punct]}'
        if not correlations:
            return attachment
        return (
            f"{attachment}; DSpr. and NSpr. over all words, macro-averaged over sentence lengths "
            f"{self.min_length} to {self.max_length}"
        )


def choose_protocol(
    gold: TreesLike, punct: str | None, *, for_counts: str | None = None
) -> Protocol:
    """Return the requested protocol, or the default for this gold; some use counts only."""
    if for_counts is not None and punct == POLAR:
        told = f"punct={POLAR!r} averages over sentences, but {for_counts} counts words"
        raise ScoreError(told, hint="choose from 'upos', 'xpos', 'keep'")
    if punct is None:
        tagged = any(getattr(sentence, "upos", None) is not None for sentence in gold)
        punct = "upos" if tagged else "keep"
    return Protocol(punct)


def kept_words(
    gold: TreesLike, lengths: NDArray[np.int64], protocol: Protocol
) -> NDArray[np.bool_]:
    """Mark the words that count for UUAS and root accuracy."""
    # lengths (n_sentences,) -> (n_words,)
    if not _LEFT_OUT[protocol.punct]:
        return np.ones(int(lengths.sum()), dtype=bool)
    columns: list[Sequence[str]] = []
    for index, (sentence, length) in enumerate(zip(gold, lengths, strict=True)):
        tags = getattr(sentence, protocol.punct, None)
        if tags is None or len(tags) != length:
            found = "no" if tags is None else f"{len(tags)}"
            told = f"{found} {protocol.punct.upper()} for {counted(int(length), 'word')}"
            hint = Hint(
                "choose punct from 'upos', 'xpos' (each needs its column), 'keep'",
                shell="choose --punct from upos, xpos (each needs its column), keep",
            )
            raise ScoreError(
                f"punct={protocol.punct!r}: {told}", where=place(gold, index), hint=hint
            )
        columns.append(tags)
    left_out = frozenset(_LEFT_OUT[protocol.punct])
    return np.array([tag not in left_out for tag in chain.from_iterable(columns)], dtype=bool)

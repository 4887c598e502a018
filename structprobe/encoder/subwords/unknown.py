"""Words that the tokenizer does not know: all of them get one and the same subword."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.encoder.subwords.tokenizing import Reader
from structprobe.errors import EncoderError, Hint

_TOLD = 0.01  # of the words; no more than this is normal
_AT_ONCE = 200  # runs of words per text
_N_EXAMPLES = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unknown:
    """The words of some sentences that are written as the unknown token."""

    counts: Counter[str]
    n_words: int  # Of all sentences

    @property
    def n(self) -> int:
        """How many words these are."""
        return self.counts.total()

    def __str__(self) -> str:
        examples = ", ".join(repr(word) for word, _ in self.counts.most_common(_N_EXAMPLES))
        share = 100 * self.n / self.n_words
        what = f"{self.n:,} of {self.n_words:,} words ({share:.3g}%) are unknown to the tokenizer"
        return f"{what}, which writes all of them as the same token (most frequent: {examples})"


class UnknownWatch:
    """Tell of sentences with many unknown words, and refuse those with too many."""

    def __init__(self, reader: Reader, model: str) -> None:
        self._reader = reader
        self._model = model
        self._found: dict[str, Unknown] = {}  # by digest of the sentences

    def check(self, sentences: Sequence[SpacedWords], digest: str, most: float) -> None:
        """Refuse sentences with more than a share of unknown words; tell of each bank once."""
        told = digest in self._found
        if not told:
            self._found[digest] = find_unknown(self._reader, sentences)
        found = self._found[digest]
        # A single form, such as a dash, is taken for no other word: the token is its own.
        if found.n > most * found.n_words and (len(found.counts) > 1 or not most):
            python = f"use a model of this language, or pass max_unknown=1 (now {most:g})"
            shell = f"use a model of this language, or add --max-unknown 1 (now {most:g})"
            raise EncoderError(str(found), where=self._model, hint=Hint(python, shell=shell))
        if found.n > _TOLD * found.n_words and not told:
            _log.warning("%s: %s", self._model, found)


def find_unknown(reader: Reader, sentences: Sequence[SpacedWords]) -> Unknown:
    """Count the unknown words, reading each run of words without spaces once."""
    runs = Counter(chain.from_iterable(map(_runs, sentences)))
    n_words = sum(len(sentence.words) for sentence in sentences)
    counts: Counter[str] = Counter()
    distinct = list(runs)
    try:
        for start in range(0, len(distinct), _AT_ONCE):
            some = distinct[start : start + _AT_ONCE]
            times = chain.from_iterable([runs[run]] * len(run) for run in some)
            for (word, unknown), n in zip(_read(reader, some), times, strict=True):
                if unknown:
                    counts[word] += n
    except EncoderError:  # nothing can stand for a word: told, with its place, where it is read
        return Unknown(Counter(), n_words)
    return Unknown(counts, n_words)


def _read(reader: Reader, runs: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, bool]]:
    """Give the words of some runs, and whether each is written as the unknown token."""
    words = ("\ufffd", *chain.from_iterable(runs))
    gaps = (" ", *chain.from_iterable((*[""] * (len(run) - 1), " ") for run in runs))
    (pieces,) = reader.read([SpacedWords(words, gaps, "")])
    ids: list[list[int]] = [[] for _ in words]
    for piece, word in pieces.links.tolist():
        ids[word].append(int(pieces.ids[piece]))
    for word, tokens in zip(words[1:], ids[1:], strict=True):
        if reader.unknown is None:  # U+FFFD, which is the first word here, is written instead
            yield word, word != "\ufffd" and tokens == ids[0]
        else:
            yield word, set(tokens) == {reader.unknown}


def _runs(sentence: SpacedWords) -> Iterator[tuple[str, ...]]:
    """Split a sentence at its spaces."""
    start = 0
    for end, gap in enumerate((*sentence.gaps[:-1], " "), start=1):
        if gap:
            yield sentence.words[start:end]
            start = end

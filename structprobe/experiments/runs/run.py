"""One run: what it is, what it learns from, and its result row."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from structprobe.errors import ScoreError
from structprobe.results.rows import (
    METRICS,
    Row,
    bank_name,
    make_row,
    run_key,
    score_values,
)
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import choose_protocol
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence


@dataclass(frozen=True)
class Banks:
    """The treebanks of a run."""

    train: Treebank  # To learn from
    dev: Treebank | None = None  # To stop by
    test: Treebank | None = None  # To report on
    punct: str | None = None  # The words left out of UUAS and root accuracy

    @classmethod
    def of(
        cls,
        train: Sequence[Sentence],
        dev: Sequence[Sentence] | None = None,
        test: Sequence[Sentence] | None = None,
        punct: str | None = None,
    ) -> Self:
        """Take treebanks, or plain lists of sentences."""
        parts = {"train": train, "dev": dev, "test": test}
        banks = {part: as_bank(bank, part) for part, bank in parts.items() if bank is not None}
        choose_protocol((), punct)
        return cls(**banks, punct=punct)

    @property
    def parts(self) -> dict[str, Treebank]:
        """The treebanks there are, by the name of their part."""
        named = {"train": self.train, "dev": self.dev, "test": self.test}
        return {part: bank for part, bank in named.items() if bank is not None}

    @property
    def part(self) -> str | None:
        """The part that scores are reported on: test, else dev, else none."""
        return "test" if self.test else "dev" if self.dev else None

    @property
    def scored(self) -> Treebank | None:
        """The treebank that scores are reported on."""
        return self.test or self.dev

    def values(self) -> Row:
        """Give a row's part that names the treebanks."""
        values: Row = {"part": self.part}
        named = {"train": self.train, "dev": self.dev, "treebank": self.scored}
        for key, bank in named.items():
            if bank is not None:
                values |= {key: bank_name(bank), f"{key}_fingerprint": bank.fingerprint}
        return values


@dataclass(frozen=True)
class Outcome:
    """What a run gave: its row, its scores by part, and its predictions of the reported part."""

    row: Row
    scores: Mapping[str, Scores]
    predictions: Sequence[Prediction] = ()


def as_bank(bank: Sequence[Sentence], part: str) -> Treebank:
    """Give a treebank that can be learnt from or scored on."""
    bank = bank if isinstance(bank, Treebank) else Treebank(bank)
    if not len(bank):
        raise ScoreError(f"the {part} treebank has no sentence")
    for sentence in bank:
        if sentence.heads is None:
            raise ScoreError(
                f"a sentence of the {part} treebank has no heads",
                where=sentence.where,
                hint="give an annotated treebank",
            )
    return bank


@contextmanager
def timed() -> Iterator[Row]:
    """Measure what happens inside."""
    times: Row = {}
    cpu, wall = time.process_time(), time.perf_counter()
    yield times
    times["cpu_seconds"] = time.process_time() - cpu
    times["wall_seconds"] = time.perf_counter() - wall


def outcome(values: Row, banks: Banks, predictions: Mapping[str, Sequence[Prediction]]) -> Outcome:
    """Score a run's predictions and make its row."""
    scores = {
        part: score(banks.parts[part], found, punct=banks.punct)
        for part, found in predictions.items()
    }
    row = values | banks.values()
    if "dev" in scores:
        row |= {f"dev_{metric}": getattr(scores["dev"], metric) for metric in METRICS}
    if banks.part is None or banks.scored is None:
        return Outcome(make_row(**row), scores)
    row |= score_values(scores[banks.part])
    row |= {"n_sentences": len(banks.scored), "n_words": banks.scored.n_words}
    return Outcome(make_row(**row), scores, predictions[banks.part])


def key_of(values: Mapping[str, Any], banks: Banks) -> str:
    """Digest all that decides a run's result, whatever its files and folders are called."""
    names_only = {"model", "revision", "steps", "dev_loss", "dev_depth_loss", "key"}
    deciding = {key: value for key, value in values.items() if key not in names_only}
    if deciding.get("products") == "float32":  # as it is where nothing is said of them
        del deciding["products"]
    fingerprints = {part: bank.fingerprint for part, bank in banks.parts.items()}
    punct = choose_protocol(banks.scored or (), banks.punct).punct
    return run_key(**deciding, **fingerprints, punct=punct)

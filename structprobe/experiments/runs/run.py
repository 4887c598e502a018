"""One run: what it is, what decides its result, what it learns from, and its result row."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from structprobe.errors import ScoreError
from structprobe.probe.training.recipes import RECIPES
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

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


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

    def key_of(self, values: Mapping[str, Any]) -> str:
        """Digest all that decides a result on these treebanks."""
        return key_of(values, self.parts, choose_protocol(self.scored or (), self.punct).punct)

    def values(self) -> Row:
        """Give a row's part that names the treebanks."""
        values: Row = {"part": self.part}
        named = {"train": self.train, "dev": self.dev, "treebank": self.scored}
        for key, bank in named.items():
            if bank is not None:
                values |= {key: bank_name(bank), f"{key}_fingerprint": bank.fingerprint}
        return values


@dataclass(frozen=True)
class Run:
    """One point of a grid."""

    values: Mapping[str, Any]  # What its row tells of it beforehand, keys as in `ROW_KEYS`

    @classmethod
    def of(cls, values: Row, banks: Banks) -> Self:
        """Make a run of what its row tells of it, and the digest of all that decides it."""
        return cls({**values, "key": banks.key_of(values)})

    @property
    def key(self) -> str:
        """The digest of all that decides the result."""
        return str(self.values["key"])

    @property
    def layer(self) -> int:
        """The layer read."""
        return int(self.values["layer"])

    def __str__(self) -> str:
        told = (
            f"{name} {self.values[name]}"
            for name in ("layer", "rank", "seed")
            if self.values.get(name) is not None
        )
        return ", ".join([str(self.values["method"]), *told])


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
def timed(encoder: Encoder | None = None) -> Iterator[Row]:
    """Measure what happens inside; with an encoder, all but the time that it spends on encoding."""
    times: Row = {}
    before, encoded = _clocks(), _encoded(encoder)
    yield times
    for name, start, spent, now, then in zip(
        ("cpu_seconds", "wall_seconds"), before, encoded, _clocks(), _encoded(encoder), strict=True
    ):
        times[name] = now - start - (then - spent)


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _encoded(encoder: Encoder | None) -> tuple[float, ...]:
    """Read the seconds, CPU and wall, that an encoder and its copies have spent on encoding."""
    return (0.0, 0.0) if encoder is None else tuple(encoder.encoding_seconds)


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


def key_of(values: Mapping[str, Any], parts: Mapping[str, Treebank], punct: str) -> str:
    """Digest all that decides a result, whatever its files and folders are called."""
    deciding = {key: value for key, value in values.items() if key not in _NAMES_ONLY}
    if deciding.get("products") == "float32":  # as it is where nothing is said of them
        del deciding["products"]
    if deciding.get("spacing") == "original":
        deciding |= {f"{part}_gaps": bank.gaps_fingerprint for part, bank in parts.items()}
    deciding |= recipe_version(deciding.get("recipe"), deciding.get("dtype"))
    fingerprints = {part: bank.fingerprint for part, bank in parts.items()}
    return run_key(**deciding, **fingerprints, punct=punct)


_NAMES_ONLY = {"model", "revision", "steps", "dev_loss", "dev_depth_loss", "key"}

# The recipes as they were before keys held them. What is still so is left out of a key, so that
# rows of older folders are found again.
_FIRST_RECIPES = {"whitened": "693eabf4", "published": "d25513d5"}


def recipe_version(recipe: str | None, dtype: str | None) -> Row:
    """Give what a key tells of a recipe beside its name: its numbers, and how it cuts noise."""
    if recipe is None:
        return {}
    numbers = json.dumps(asdict(RECIPES[recipe]), sort_keys=True)
    digest = hashlib.sha256(numbers.encode()).hexdigest()[:8]
    told = {} if digest == _FIRST_RECIPES.get(recipe) else {"recipe_numbers": digest}
    # Whitening drops directions by the resolution of this type; it was always by that of float32.
    by_type = recipe == "whitened" and dtype in ("float16", "bfloat16")
    return told | ({"whitening": 2} if by_type else {})

"""One run: its settings, treebanks, key and result row."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from structprobe.errors import ScoreError, StructprobeError
from structprobe.output_paths import is_of_disk
from structprobe.probe.training.recipes import recipe_version
from structprobe.results.rows import (
    METRICS,
    Row,
    bank_name,
    empty_key,
    make_row,
    run_key,
    score_values,
)
from structprobe.scores.attachment import without_subtypes
from structprobe.scores.cautions import cautions_of, too_much_memory
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import choose_protocol
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score
from structprobe.treebank.bank import Treebank
from structprobe.treebank.controls import CONTROLS
from structprobe.treebank.sentence import Sentence
from structprobe.treebank.withheld import check_not_withheld

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Banks:
    """The treebanks of a run."""

    train: Treebank  # For training
    dev: Treebank | None = None  # For stopping
    test: Treebank | None = None  # For the scores
    punct: str | None = None  # Which words UUAS and root accuracy ignore
    taken: Sequence[int] | None = None  # The training sentences that `train` is a sample of
    control: str | None = None  # The control task that the trees are of
    real: Self | None = None  # The treebanks that the control task was made from

    @classmethod
    def of(
        cls,
        train: Sequence[Sentence],
        dev: Sequence[Sentence] | None = None,
        test: Sequence[Sentence] | None = None,
        punct: str | None = None,
        *,
        allow_withheld: bool = False,
    ) -> Self:
        """Check treebanks, or plain lists of sentences."""
        parts = {"train": train, "dev": dev, "test": test}
        how = {"allow_withheld": allow_withheld}
        banks: dict[str, Any] = {
            part: as_bank(bank, part, **how) for part, bank in parts.items() if bank is not None
        }
        choose_protocol((), punct)
        return cls(**banks, punct=punct)

    def sampled(self, n: int, seed: int) -> Self:
        """Train on a random sample of sentences; that of a larger n contains it."""
        order = np.random.default_rng(seed).permutation(len(self.train))
        taken = np.sort(order[:n]).tolist()
        return replace(self, train=Treebank(self.train[i] for i in taken), taken=taken)

    def controlled(self, name: str) -> Self:
        """Replace all trees by those of a control task."""
        parts: dict[str, Any] = {p: CONTROLS[name](bank, 0) for p, bank in self.parts.items()}
        return replace(self, **parts, control=name, real=self)

    @property
    def parts(self) -> dict[str, Treebank]:
        """The given treebanks, by the name of their part."""
        named = {"train": self.train, "dev": self.dev, "test": self.test}
        return {part: bank for part, bank in named.items() if bank is not None}

    @property
    def part(self) -> str | None:
        """The part that scores are on: test, else dev, else None."""
        return "test" if self.test else "dev" if self.dev else None

    @property
    def scored(self) -> Treebank | None:
        """The treebank that scores are on."""
        return self.test or self.dev

    @cached_property
    def cautions(self) -> list[str]:
        """What may make the scores on these treebanks misleading."""
        if self.real is not None:
            return self.real.cautions
        if self.part is None:
            return []
        protocol = choose_protocol(self.scored or (), self.punct)
        return cautions_of(self.parts, self.part, protocol)

    def key_of(self, values: Mapping[str, Any]) -> str:
        """Hash everything that determines a result on these treebanks."""
        # A control by form or position is the same for all trees of the same words, but its
        # selectivity is not.
        real = {} if self.real is None else self.real.parts
        parts = self.parts | {f"real_{part}": bank for part, bank in real.items()}
        return key_of(values, parts, choose_protocol(self.scored or (), self.punct).punct)

    def values(self) -> Row:
        """Return the values of a row for the treebanks; a control has those of the real ones."""
        if self.real is not None:
            return self.real.values() | {"control": self.control}
        sample = None if self.taken is None else len(self.taken)
        values: Row = {
            "part": self.part, "n_train": len(self.train), "train_sentences": sample,
        }  # fmt: skip
        named = {"train": self.train, "dev": self.dev, "treebank": self.scored}
        for key, bank in named.items():
            if bank is not None:
                values |= {key: bank_name(bank), f"{key}_fingerprint": bank.fingerprint}
        return values


@dataclass(frozen=True)
class Run:
    """One point of a grid."""

    values: Mapping[str, Any]  # The part of its row known beforehand

    @classmethod
    def of(cls, values: Row, banks: Banks) -> Self:
        """Create a run from the known part of its row, and its key."""
        return cls({**values, "key": banks.key_of(values)})

    @property
    def key(self) -> str:
        """The hash of everything that determines the result."""
        return str(self.values["key"])

    @property
    def layer(self) -> int:
        """The layer read."""
        return int(self.values["layer"])

    def __str__(self) -> str:
        told = {name: self.values.get(name) for name in ("layer", "rank", "seed")}
        given = (f"{name} {value}" for name, value in told.items() if value is not None)
        return ", ".join([str(self.values["method"]), *given])


@dataclass(frozen=True)
class Outcome:
    """The result of a run: its row, scores by part, and what else may be saved of it."""

    row: Row
    scores: Mapping[str, Scores]
    predictions: Sequence[Prediction] = ()
    conditions: Sequence[Mapping[str, Any]] = ()  # Scores by condition, of runs scored on stimuli


def as_bank(bank: Sequence[Sentence], part: str, *, allow_withheld: bool = False) -> Treebank:
    """Check a treebank for training or scoring."""
    bank = bank if isinstance(bank, Treebank) else Treebank(bank)
    if not len(bank):
        raise ScoreError(f"the {part} treebank has no sentences")
    for sentence in bank:
        if sentence.heads is None:
            what = f"a sentence in the {part} treebank has no heads"
            raise ScoreError(what, where=sentence.where, hint="use an annotated treebank")
    if not allow_withheld:
        check_not_withheld(bank, part)
    return bank


@contextmanager
def timed(encoder: Encoder | None = None) -> Iterator[Row]:
    """Measure the time inside the block; with an encoder, without its time for encoding."""

    def clocks() -> list[float]:
        now = time.process_time(), time.perf_counter()
        encoding = (0.0, 0.0) if encoder is None else encoder.encoding_seconds
        return [one - spent for one, spent in zip(now, encoding, strict=True)]

    times: Row = {}
    start = clocks()
    yield times
    for name, now, then in zip(("cpu_seconds", "wall_seconds"), clocks(), start, strict=True):
        times[name] = now - then


def outcome(values: Row, banks: Banks, predictions: Mapping[str, Sequence[Prediction]]) -> Outcome:
    """Score the predictions of a run and create its row."""
    parts = banks.parts
    scores = {p: score(parts[p], found, punct=banks.punct) for p, found in predictions.items()}
    row = values | banks.values()
    row["warnings"] = [*values.get("warnings", ()), *banks.cautions]
    if any(one.deprels is not None for one in predictions.get(banks.part or "", ())):
        row["warnings"] += filter(None, [unseen_relations(banks)])
    if "dev" in scores:
        row |= {f"dev_{metric}": getattr(scores["dev"], metric) for metric in METRICS}
    if banks.part is None or banks.scored is None:
        return Outcome(make_row(**row), scores)
    row |= score_values(scores[banks.part]) | sizes(banks.scored)
    return Outcome(make_row(**row), scores, predictions[banks.part])


def unseen_relations(banks: Banks) -> str | None:
    """Check for scored relations that are not in the training set, without subtypes, as in LAS."""
    from structprobe.probe.data.relation_labels import unseen

    train, scored = (
        without_subtypes(name for sentence in bank for name in sentence.deprels or ())
        for bank in (banks.train, banks.scored or ())
    )
    return unseen(scored, np.unique(train), banks.part or "")


def empty_row(values: Mapping[str, Any], banks: Banks, key: str, error: StructprobeError) -> Row:
    """Make a row without scores that gives the reason; a full disk says nothing of a run."""
    if is_of_disk(error):
        raise error
    assert banks.scored is not None
    why = " ".join(str(error).split())
    told = {**values, **banks.values(), **sizes(banks.scored)}
    return make_row(**told | {"key": empty_key(key, why), "why_empty": why})


def warn(texts: Iterable[str]) -> None:
    """Log warnings, each once."""
    for text in dict.fromkeys(texts):
        _log.warning("%s", text)


def warn_before(banks: Banks, memory_gb: float | None = None) -> list[str]:
    """Log what is known to be doubtful before anything is run."""
    told = [*banks.cautions, *filter(None, [too_much_memory(memory_gb)])]
    warn(told)
    return told


def warn_after(rows: Sequence[Row], told: Iterable[str]) -> None:
    """Log what turned out to be doubtful in some of the runs, without what was told before."""
    texts = Counter(text for row in rows for text in row["warnings"] or ())
    for text in told:
        texts.pop(text, None)
    share = {text: f" ({n} of {len(rows)} runs)" * (n < len(rows)) for text, n in texts.items()}
    warn(f"{text}{of_runs}" for text, of_runs in share.items())


def near_word_bias(conditions: Sequence[Mapping[str, Any]]) -> Row:
    """Give the values of a row for the near-word bias, from the scores by condition."""
    told = conditions[-1]
    return {f"near_word_bias{end}": told[f"slope{end}"] for end in ("", "_low", "_high")}


def sizes(bank: Treebank) -> Row:
    """Return the values of a row for the size of the treebank that the scores are on."""
    return {"n_sentences": len(bank), "n_words": bank.n_words}


def key_of(values: Mapping[str, Any], parts: Mapping[str, Treebank], punct: str) -> str:
    """Hash everything that determines a result, without names of files and folders."""
    deciding = {key: value for key, value in values.items() if key not in _NAMES_ONLY}
    if deciding.get("products") == "float32":  # the default, which has no entry
        del deciding["products"]
    if deciding.get("spacing") == "original":
        deciding |= {f"{part}_gaps": bank.gaps_fingerprint for part, bank in parts.items()}
    deciding |= recipe_version(deciding.get("recipe"), deciding.get("dtype"))
    fingerprints = {part: bank.fingerprint for part, bank in parts.items()}
    return run_key(**deciding, **fingerprints, punct=punct)


_NAMES_ONLY = {"model", "revision", "steps", "dev_loss", "dev_depth_loss", "key", "warnings"}

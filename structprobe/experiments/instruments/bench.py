"""Probes of several treebanks on one layer: encoding, fitting and scoring, where any may fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.errors import StructprobeError
from structprobe.experiments.config import TransferConfig
from structprobe.experiments.fit import fit_values, make_probe
from structprobe.experiments.runs.grid import Grid, probe_runs
from structprobe.experiments.runs.run import Banks, empty_row, outcome, timed
from structprobe.output_paths import is_of_disk
from structprobe.results.rows import Row
from structprobe.scores.result import Scores
from structprobe.treebank.bank import Treebank

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors
    from structprobe.probe.estimator import StructuralProbe

Parts = Mapping[str, Treebank]  # One treebank: its test set, and perhaps others


@dataclass(frozen=True)
class Encoded:
    """A treebank with its vectors, or why there are none."""

    banks: Parts
    vectors: Mapping[str, WordVectors]
    error: StructprobeError | None = None


@dataclass(frozen=True)
class Fitted:
    """A probe, or why there is none."""

    probe: StructuralProbe | None
    times: Row
    error: StructprobeError | None = None


@dataclass(frozen=True)
class Bench:
    """Encodes treebanks, fits probes on them and scores these."""

    encoder: Encoder
    grid: Grid  # One layer, rank and seed
    punct: str | None
    config: TransferConfig

    def encode(self, parts: Parts) -> Encoded:
        """Compute the vectors of the layer; a treebank that cannot be encoded stops no other."""
        (layer,) = self.grid.layers
        how: dict[str, Any] = {"cache": self.config.cache, "progress": self.config.progress}
        vectors = {}
        try:
            for part, bank in parts.items():
                vectors[part] = self.encoder.encode(bank, layers=[layer], **how).layer(layer)
        except StructprobeError as error:
            return Encoded(parts, {}, _kept(error))
        return Encoded(parts, vectors)

    def fit(self, source: Encoded) -> Fitted:
        """Fit a probe."""
        (rank,), (seed,) = self.grid.ranks, self.grid.seeds
        if source.error is not None:
            return Fitted(None, {}, source.error)
        verbose = self.config.progress is not False
        probe = make_probe(rank, seed, self.config.training, verbose=verbose)
        dev = (source.vectors["dev"], source.banks["dev"]) if "dev" in source.banks else None
        try:
            with timed() as times:
                probe.fit(source.vectors["train"], source.banks["train"], dev=dev)
        except StructprobeError as error:
            return Fitted(None, {}, _kept(error))
        return Fitted(probe, times)

    def score(
        self, fitted: Fitted, source: Encoded, target: Encoded, n_tests: int
    ) -> tuple[Row, Scores | None]:
        """Score a probe on a test set; its training time is shared by all of them."""
        train, dev = source.banks["train"], source.banks.get("dev")
        banks = Banks(train, dev, target.banks["test"], self.punct)
        (run,) = probe_runs(self.encoder, banks, self.grid, self.config.training)
        error = fitted.error or target.error
        if fitted.probe is None or error is not None:
            assert error is not None
            return empty_row(run.values, banks, run.key, error), None
        with timed() as times:
            predictions = fitted.probe.predictions(target.vectors["test"])
        shares = {name: seconds / n_tests + times[name] for name, seconds in fitted.times.items()}
        values = {**run.values, **fit_values(fitted.probe), **shares}
        found = outcome(values, banks, {"test": predictions})
        return found.row, found.scores["test"]


def in_halves(source: Encoded, seed: int | None) -> Iterator[Encoded]:
    """Divide a training set at random; both halves keep the dev set."""
    bank = source.banks["train"]
    order = np.random.default_rng(seed).permutation(len(bank)).tolist()
    middle = len(order) // 2
    for half in (order[:middle], order[middle:]):
        own = {"train": Treebank(bank[number] for number in half)}
        vectors = {part: one.take(half) if part == "train" else one
                   for part, one in source.vectors.items()}  # fmt: skip
        yield Encoded({**source.banks, **own}, vectors, source.error)


def join(sources: Sequence[Encoded]) -> Encoded:
    """Put training sets together, and dev sets if all have one."""
    from structprobe.encoder.vectors import WordVectors

    if len(sources) == 1:
        return sources[0]
    error = next((one.error for one in sources if one.error is not None), None)
    parts = ("train", "dev") if all("dev" in one.banks for one in sources) else ("train",)
    banks = {part: Treebank(chain(*(one.banks[part] for one in sources))) for part in parts}
    vectors = {}
    for part in parts if error is None else ():
        own = [one.vectors[part] for one in sources]
        lengths = np.concatenate([np.diff(one.offsets) for one in own])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        values = np.concatenate([one.values for one in own])
        vectors[part] = WordVectors(values, offsets, own[0].origin)
    return Encoded(banks, vectors, error)


def _kept(error: StructprobeError) -> StructprobeError:
    """Keep an error for the rows that it leaves empty; a full disk says nothing of a treebank."""
    if is_of_disk(error):
        raise error
    return error

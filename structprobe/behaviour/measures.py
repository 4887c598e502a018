"""What is measured before and under an intervention, unit by unit, so that both can be paired."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.behaviour.language_model import LanguageModel
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.vectors import WordVectors
from structprobe.errors import StructprobeError
from structprobe.probe.estimator import StructuralProbe
from structprobe.scores.table import column
from structprobe.stimuli.making import make_stimuli
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.treebank.sentence import Sentence

Floats = NDArray[np.float64]
Key = tuple[str, str | None]  # Name of the measure, and phenomenon
ALL = "all"


@dataclass(frozen=True, eq=False)
class Counts:
    """A measure as a ratio of sums over units, such as sentences or pairs."""

    part: Floats  # (m,)
    whole: Floats  # (m,): the same whatever is done to the model
    units: NDArray[np.int64]  # (m,): what is resampled


class Measure(ABC):
    """Something that is measured."""

    needs_head = True  # Whether it needs a language-model head
    names: tuple[str, ...]

    @abstractmethod
    def read(self, model: Any, *, share: bool = False) -> dict[Key, Counts]:
        """Measure a LanguageModel, or an Encoder where no head is needed.

        What texts share in front may be read once where `share` is true.
        """


class Surprisal(Measure):
    """The loss on running text: bits per word.

    Of a causal model, the mean surprisal; of a masked one, the same of pseudo-log-likelihoods.
    """

    names = ("bits per word",)

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.sentences = sentences

    def read(self, model: LanguageModel, *, share: bool = False) -> dict[Key, Counts]:
        """Sum over the words of each sentence that are scored."""
        found = model.word_log_probs(self.sentences, progress=False)
        part = np.array([np.nansum(one) / -np.log(2) for one in found])
        whole = np.array([float(np.isfinite(one).sum()) for one in found])
        return {(self.names[0], None): Counts(part, whole, np.arange(len(part)))}


class Pairs(Measure):
    """Minimal pairs, by phenomenon: the share whose good sentence is preferred, and the margin.

    The margin is the difference of the log-probabilities of the two sentences, in nats.
    """

    names = ("accuracy", "margin")

    def __init__(self, pairs: Sequence[MinimalPair]) -> None:
        self.pairs = [one for one in pairs if not one.is_equal]
        if not self.pairs:
            raise StructprobeError("no minimal pairs were given")
        self.texts = [(one.good, one.bad) for one in self.pairs]
        self.phenomena = np.array([one.phenomenon or one.suite for one in self.pairs], dtype=object)
        keys = [(one.suite, one.phenomenon, -i if one.item is None else one.item, one.item is None)
                for i, one in enumerate(self.pairs)]  # fmt: skip
        order = {key: unit for unit, key in enumerate(dict.fromkeys(keys))}
        self.units = np.array([order[key] for key in keys])

    def read(self, model: LanguageModel, *, share: bool = False) -> dict[Key, Counts]:
        """Compare the sentences of each pair."""
        scores = model.pair_log_probs(self.texts, share=share, progress=False)
        margin = scores[:, 0] - scores[:, 1]
        found: dict[Key, Counts] = {}
        for phenomenon in [ALL, *dict.fromkeys(self.phenomena)]:
            own = np.ones(len(margin), bool) if phenomenon == ALL else self.phenomena == phenomenon
            for name, part in zip(self.names, ((margin > 0).astype(float), margin), strict=True):
                ones = np.ones(int(own.sum()))
                found[name, str(phenomenon)] = Counts(part[own], ones, self.units[own])
        return found


class Attachment(Measure):
    """Which of two trees the model prefers: that of a phrase on the verb, or on its object.

    The sentences are those of the condition ``"attachment"`` of `make_stimuli`: *with* and a noun
    that attaches it to the verb or to the object. Measured are the share of items in which the
    sentence with the high attachment is more probable, and its log-odds, in nats.
    """

    names = ("high attachment", "log-odds of high attachment")

    def __init__(self, n: int, seed: int = 0) -> None:
        stimuli = make_stimuli("attachment", n=2 * n, seed=seed)
        self.pairs = [(high.sentence, low.sentence)
                      for high, low in zip(stimuli[::2], stimuli[1::2], strict=True)]  # fmt: skip
        assert all(one.values == {"attachment": "high"} for one in stimuli[::2])

    def read(self, model: LanguageModel, *, share: bool = False) -> dict[Key, Counts]:
        """Compare the two sentences of each item."""
        scores = model.pair_log_probs(self.pairs, share=share, progress=False)
        odds = scores[:, 0] - scores[:, 1]
        ones, units = np.ones(len(odds)), np.arange(len(odds))
        parts = (odds > 0).astype(float), odds
        return {
            (name, None): Counts(part, ones, units)
            for name, part in zip(self.names, parts, strict=True)
        }


class Parsing(Measure):
    """UUAS of probes in later layers, fitted to untouched vectors."""

    needs_head = False
    names = ("UUAS",)

    def __init__(
        self,
        probes: Mapping[int, StructuralProbe],
        bank: Sequence[Sentence],
        punct: str | None = None,
    ) -> None:
        self.probes, self.bank, self.punct = dict(sorted(probes.items())), bank, punct

    def read(self, model: Encoder, *, share: bool = False) -> dict[Key, Counts]:
        """Count the right edges of each sentence."""
        bank = model.encode(self.bank, layers=self.probes, progress=False)
        found: dict[Key, Counts] = {}
        for layer, probe in self.probes.items():
            there = bank.layer(layer)
            # Vectors under an intervention are of another origin, which a probe would refuse.
            vectors = WordVectors(there.values, there.offsets)
            table = probe.evaluate(vectors, self.bank, punct=self.punct).table
            edges, right = column(table, "edges"), column(table, "right_edges")
            found[self.names[0], f"layer {layer}"] = Counts(right, edges, np.arange(len(edges)))
        return found

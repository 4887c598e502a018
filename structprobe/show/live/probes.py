"""Saved probes of the layers of one model, which parse a sentence together."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from structprobe.errors import Hint, ProbeError
from structprobe.experiments.runs.grid import parse_layers
from structprobe.results.saved_probes import find_probe, is_results, locate_probe, saved_probes
from structprobe.show.report.series import ALIKE
from structprobe.treebank import Treebank

if TYPE_CHECKING:
    from structprobe.recoverers.probe import ProbeRecoverer

MOST_CHARACTERS = 2000
"""How long a text may be."""

MOST_WORDS = 100
"""How many words a text may have."""


class LiveProbes:
    """Probes on layers of one model.

    Parameters
    ----------
    recoverers : sequence of ProbeRecoverer
        At least one, fitted, all with the first one's encoder.
    names : sequence of str
        What the page calls each.
    """

    def __init__(self, recoverers: Sequence[ProbeRecoverer], names: Sequence[str]) -> None:
        self.recoverers, self.names = list(recoverers), list(names)
        self._lock = threading.Lock()  # one forward pass at a time is as fast, and bounds memory

    @property
    def model(self) -> str:
        """The model's name, of a local path its end alone."""
        origin = self.recoverers[0].encoder.origin(0)
        return "/".join(str(origin["model"]).rstrip("/").split("/")[-2:])

    @property
    def best(self) -> int:
        """The place of the probe with the highest UUAS on dev, as far as that was saved."""
        saved = [getattr(one.probe, "saved_", None) or {} for one in self.recoverers]
        uuas = [(one.get("dev_scores") or {}).get("uuas") or 0.0 for one in saved]
        return uuas.index(max(uuas))

    @classmethod
    def load(
        cls,
        sources: Sequence[str | os.PathLike[str]],
        *,
        layers: str | None = None,
        rank: int | None = None,
        seed: int | None = None,
        **loading: Any,
    ) -> Self:
        """Load saved probes and their model.

        Parameters
        ----------
        sources : sequence of path or str
            Folders of saved probes or hub ids, of one model; or a folder of results whose sweep
            saved its probes, of which the grid point that is best on dev is taken.
        layers : str, optional
            Layers of a results folder, such as ``"0,2-5"``; all unless given.
        rank, seed : int, optional
            Rank and seed in a results folder; those of the best unless given.
        **loading
            Further arguments of `ProbeRecoverer.from_pretrained`.

        Returns
        -------
        LiveProbes
            By layer.

        Raises
        ------
        ProbeError
            If there is no such probe, or the probes are of several models.
        ResultError
            If a folder of results is damaged, or a newer version wrote it.
        EncoderError
            If the model cannot be loaded.
        """
        from structprobe.recoverers.probe import ProbeRecoverer

        choice = _Choice(layers, rank, seed)
        places = [place for source in sources for place in choice.probes_in(source)]
        first = ProbeRecoverer.from_pretrained(places[0], **loading)
        again = loading | {"model": first.encoder}
        found = [first, *(ProbeRecoverer.from_pretrained(one, **again) for one in places[1:])]
        _refuse_other_vectors(found, places)
        order = sorted(range(len(found)), key=lambda at: found[at].layer)
        own = [one.layer for one in found]
        names = [
            f"layer {own[at]}" + (f", {Path(places[at]).name}" if own.count(own[at]) > 1 else "")
            for at in order
        ]
        return cls([found[at] for at in order], names)

    def parse(self, text: str) -> dict[str, Any]:
        """Parse one sentence by all probes.

        Parameters
        ----------
        text : str
            Words, parted by white space and nowhere else.

        Returns
        -------
        dict
            Plain values: ``words``, and ``runs``, of each probe its ``name``, ``heads`` (1-based,
            0 for the root's), ``depths`` and ``distances``, an (n, n) matrix row by row.

        Raises
        ------
        ProbeError
            If there is no word in it, or it is too long.
        TreebankError
            If it holds what no CoNLL-U file can hold.
        EncoderError
            If the model cannot read it.
        """
        if len(text) > MOST_CHARACTERS:
            raise ProbeError(
                f"the text has {len(text):,} characters; the limit is {MOST_CHARACTERS:,}"
            )
        words = text.split()
        if not words:
            raise ProbeError("there are no words to parse")
        if len(words) > MOST_WORDS:
            raise ProbeError(f"the sentence has {len(words)} words; the limit is {MOST_WORDS}")
        bank = Treebank.from_words([words])
        encoder = self.recoverers[0].encoder
        layers = sorted({one.layer for one in self.recoverers})
        with self._lock:
            vectors = encoder.encode(bank, layers=layers, progress=False)
            predictions = [
                one.probe.predictions(vectors.layer(one.layer))[0] for one in self.recoverers
            ]
        runs = [
            {
                "name": name,
                "heads": prediction.heads.tolist(),
                "depths": _rounded(prediction.depths),
                "distances": _rounded(prediction.distances),
            }
            for name, prediction in zip(self.names, predictions, strict=True)
        ]
        return {"words": words, "runs": runs}


def _rounded(values: Any) -> list[float]:
    """Round to what a page shows."""
    rounded: list[float] = np.round(np.asarray(values, dtype=np.float64).ravel(), 3).tolist()
    return rounded


@dataclass(frozen=True)
class _Choice:
    """Which probes of a results folder are meant."""

    layers: str | None = None  # as `parse_layers` reads them; all unless given
    rank: int | None = None
    seed: int | None = None

    def probes_in(self, source: str | os.PathLike[str]) -> list[str]:
        """Name the saved probes that a source stands for: one, or the layers of a grid point."""
        if not is_results(source):
            if self.layers is not None:
                hint = Hint("leave out layers=", shell="leave out --layers")
                what = f"layers {self.layers} were given, but this is not a results folder"
                raise ProbeError(what, where=str(source), hint=hint)
            return [str(locate_probe(source, rank=self.rank, seed=self.seed))]
        _, best = find_probe(source, rank=self.rank, seed=self.seed)
        found = {
            row["layer"]: str(path)
            for path, row in saved_probes(source)
            if all(row[key] == best[key] for key in ALIKE)
        }
        wanted = parse_layers(self.layers, max(found)) if self.layers else tuple(found)
        if missing := [layer for layer in wanted if layer not in found and self.layers != "all"]:
            there = ", ".join(map(str, sorted(found)))
            what = f"no saved probe has layer {missing[0]}"
            raise ProbeError(what, where=str(source), hint=f"saved: layers {there}")
        return [found[layer] for layer in wanted if layer in found]


def _refuse_other_vectors(found: Sequence[ProbeRecoverer], places: Sequence[str]) -> None:
    """Raise where probes were fitted on vectors that one encoder does not give."""

    def vectors(one: ProbeRecoverer) -> Mapping[str, Any]:
        origin = one.probe.origin_ or {}
        return {key: origin[key] for key in ("pooling", "spacing", "bos", "dtype")}

    for one, place in zip(found, places, strict=True):
        if vectors(one) != vectors(found[0]):
            raise ProbeError(
                f"was fitted on other vectors ({vectors(one)}) than {places[0]} "
                f"({vectors(found[0])})",
                where=place,
                hint="serve them separately",
            )

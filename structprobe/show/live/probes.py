"""Saved probes of the layers of one model, which parse a sentence together."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from structprobe.errors import Hint, ProbeError
from structprobe.experiments.layers_ranks_seeds import parse_layers
from structprobe.results.rows import ENCODING
from structprobe.results.saved_probes import find_probe, is_results, locate_probe, saved_probes
from structprobe.show.report.series import ALIKE
from structprobe.show.row_labels import short_model
from structprobe.treebank import Treebank

if TYPE_CHECKING:
    from structprobe.recoverers.probe import ProbeRecoverer

# How long a text may be.
MOST_CHARACTERS = 2000
MOST_WORDS = 100


class LiveProbes:
    """Probes on layers of one model.

    Parameters
    ----------
    recoverers : sequence of ProbeRecoverer
        At least one, fitted, all with the first one's encoder.
    names : sequence of str
        Their names on the page.
    """

    def __init__(self, recoverers: Sequence[ProbeRecoverer], names: Sequence[str]) -> None:
        self.recoverers, self.names = list(recoverers), list(names)
        self._lock = threading.Lock()  # one forward pass at a time is as fast, and bounds memory

    @property
    def model(self) -> str:
        """The model's name, for a local path its last two parts."""
        return short_model(str(self.recoverers[0].encoder.origin(0)["model"]))

    @property
    def best(self) -> int:
        """The index of the probe with the highest saved UUAS on dev."""
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
            Folders or hub ids of saved probes of one model, or a results folder with saved probes,
            from which the rank and seed that are best on dev are taken.
        layers : str, optional
            Layers of a results folder, such as ``"0,2-5"``; by default all.
        rank, seed : int, optional
            Rank and seed in a results folder; by default those of the best.
        **loading
            Further arguments of `ProbeRecoverer.from_pretrained`.

        Returns
        -------
        LiveProbes
            The probes, by layer.

        Raises
        ------
        ProbeError
            If there is no such probe, or the probes are of several models.
        ResultError
            If a results folder is damaged, or a newer version wrote it.
        EncoderError
            If the model cannot be loaded.
        """
        from structprobe.recoverers.probe import ProbeRecoverer

        places = [p for source in sources for p in _probes_in(source, layers, rank, seed)]
        loading = {"max_unknown": 1.0} | loading  # what is typed to try things is no treebank
        first = ProbeRecoverer.from_pretrained(places[0], **loading)
        again = loading | {"model": first.encoder}
        found = [first, *(ProbeRecoverer.from_pretrained(one, **again) for one in places[1:])]
        vectors = [_vectors(one) for one in found]
        for place, own in zip(places, vectors, strict=True):
            if own != vectors[0]:
                what = f"was fitted on different vectors ({own}) from {places[0]} ({vectors[0]})"
                raise ProbeError(what, where=place, hint="serve them separately")
        order = sorted(range(len(found)), key=lambda at: found[at].layer)
        all_layers = [one.layer for one in found]
        names = [f"layer {layer}" for layer in all_layers]
        for at, layer in enumerate(all_layers):
            if all_layers.count(layer) > 1:
                names[at] += f", {Path(places[at]).name}"
        return cls([found[at] for at in order], [names[at] for at in order])

    def parse(self, text: str) -> dict[str, Any]:
        """Parse one sentence by all probes.

        Parameters
        ----------
        text : str
            Words, separated by white space.

        Returns
        -------
        dict
            ``words``, and ``runs``, for each probe its ``name``, ``heads`` (1-based, 0 for the
            root), ``deprels`` (if it predicts them), ``depths`` and ``distances`` (the (n, n)
            matrix row by row), as lists.

        Raises
        ------
        ProbeError
            If there are no words, or too many.
        TreebankError
            If there are characters that no CoNLL-U file can hold.
        EncoderError
            If the model cannot encode the words.
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
            found = [one.probe.predictions(vectors.layer(one.layer))[0] for one in self.recoverers]
        runs = [
            {
                "name": name,
                "heads": prediction.heads.tolist(),
                "depths": _rounded(prediction.depths),
                "distances": _rounded(prediction.distances),
            }
            | ({"deprels": prediction.deprels} if prediction.deprels else {})
            for name, prediction in zip(self.names, found, strict=True)
        ]
        return {"words": words, "runs": runs}


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, dtype=np.float64).ravel(), 3).tolist()


def _probes_in(
    source: str | os.PathLike[str], layers: str | None, rank: int | None, seed: int | None
) -> list[str]:
    """Name the saved probes that a source stands for: one, or the layers of a grid point."""
    if not is_results(source):
        if layers is not None:
            hint = Hint("leave out layers=", shell="leave out --layers")
            what = f"layers {layers} were given, but this is not a results folder"
            raise ProbeError(what, where=str(source), hint=hint)
        return [str(locate_probe(source, rank=rank, seed=seed))]
    _, best = find_probe(source, rank=rank, seed=seed)
    found = {
        row["layer"]: str(path)
        for path, row in saved_probes(source)
        if all(row[key] == best[key] for key in ALIKE)
    }
    wanted = parse_layers(layers, max(found)) if layers else tuple(found)
    if missing := [layer for layer in wanted if layer not in found and layers != "all"]:
        there = ", ".join(map(str, sorted(found)))
        what = f"no saved probe has layer {missing[0]}"
        raise ProbeError(what, where=str(source), hint=f"saved: layers {there}")
    return [found[layer] for layer in wanted if layer in found]


def _vectors(one: ProbeRecoverer) -> Mapping[str, Any]:
    """Tell which vectors of a layer a probe was fitted on: one encoder gives one kind alone."""
    origin = one.probe.origin_ or {}
    return {key: origin[key] for key in ENCODING if key in origin}

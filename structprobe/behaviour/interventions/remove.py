"""`Remove`: take a subspace out of the vectors of words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from structprobe.behaviour.interventions.base import Intervention, WordChoice, bound_of
from structprobe.behaviour.interventions.subspaces import Subspace
from structprobe.errors import EncoderError


class Remove(Intervention):
    """Remove a subspace from the vectors of words in a layer.

    Each subword x of a word becomes ``x - W⁺ U Uᵀ W (x - mean)``, as `Subspace` says. Removing the
    subspace of a concept is LEACE; removing that of a probe leaves the words of a sentence in the
    same place for the probe.

    Parameters
    ----------
    subspace : Subspace
        What is removed: `probe_subspace`, `concept_subspace`, or one of `control_subspaces`.
    layer : int, optional
        The layer, 0 to `n_layers`; by default that of the vectors that the subspace was found in.
    words : sequence of iterables of int, optional
        For each sentence of a call the words that are changed, counted from 0; by default all.
        Special tokens are not changed.
    sinks : float, "auto" or None, default="auto"
        The norm above which a vector is left alone, as an attention sink; ``"auto"`` is that of the
        coordinates, 20 times the median norm of words. None changes these words too.

    Raises
    ------
    EncoderError
        If `layer` is not a whole number, or not given and unknown.
    """

    kind = "remove"

    def __init__(
        self,
        subspace: Subspace,
        layer: int | None = None,
        *,
        words: WordChoice = None,
        sinks: float | str | None = "auto",
    ) -> None:
        found: Any = subspace.coordinates.origin.get("layer") if layer is None else layer
        if found is None:
            raise EncoderError("the layer of the subspace is not known", hint="pass layer=")
        super().__init__(found, words, bound_of(subspace.coordinates, sinks))
        self.subspace = subspace
        self.width = len(subspace.coordinates.mean)
        self._arrays = [subspace.coordinates.mean, subspace.reads, subspace.writes]
        self._maps: dict[torch.device, list[Tensor]] = {}

    @property
    def is_pointwise(self) -> bool:
        """Whether all words are changed, each for itself."""
        return self.words is None

    def _change(self, values: Tensor, marks: Tensor, chosen: Tensor) -> Tensor:
        if values.device not in self._maps:
            ready = [torch.from_numpy(one).to(values.device, torch.float32) for one in self._arrays]
            self._maps[values.device] = ready
        mean, reads, writes = self._maps[values.device]  # (width,), (rank, width), (rank, width)
        own = values.flatten(0, 1).float()  # (n_rows * n_positions, width)
        inside = (own - mean) @ reads.T  # (n_rows * n_positions, rank)
        inside = inside * chosen.flatten()[:, None]
        changed = torch.addmm(own, inside, writes, alpha=-1).to(values.dtype).view_as(values)
        # What is not chosen keeps its bits.
        return torch.where(chosen[..., None], changed, values)

    def _told(self) -> Iterable[Any]:
        return self._arrays

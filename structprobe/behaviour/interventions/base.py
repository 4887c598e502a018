"""What all interventions share: where they act, on which words, and how they enter a pass."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from structprobe.behaviour.interventions.reach import check_reach
from structprobe.encoder.encoder import Encoder
from structprobe.errors import EncoderError
from structprobe.models.inside.edits import editing
from structprobe.models.inside.hooks import Place
from structprobe.models.loading import LoadedModel

if TYPE_CHECKING:
    from structprobe.behaviour.interventions.coordinates import Coordinates

# For each sentence the words that are changed, from 0.
WordChoice = Sequence[Iterable[int]] | None


class Intervention(ABC):
    """A change of what is in the layers of a model while it reads.

    A subclass gives the new values of a layer, in `_change`.

    Parameters
    ----------
    layer : int
        The layer, 0 to `n_layers`.
    words : sequence of iterables of int, optional
        For each sentence of a call the words that are changed, counted from 0; None for all.
    bound : float
        The norm above which a vector is left alone.

    Attributes
    ----------
    n_changed, n_sinks : int
        How many positions were changed in the last block, and how many were left alone because
        their vector has a norm above the bound of attention sinks.

    Raises
    ------
    EncoderError
        If `layer` is not a whole number.
    """

    kind: str  # Its name in rows
    width: int | None = None  # Of the vectors that it knows
    layer: int
    words: list[frozenset[int]] | None
    bound: float
    n_changed: int
    n_sinks: int

    def __init__(self, layer: int, words: WordChoice, bound: float) -> None:
        if isinstance(layer, bool) or not isinstance(layer, Integral):
            raise EncoderError(f"layer must be a whole number, got {layer!r}")
        self.layer = int(layer)
        self.words = None if words is None else [frozenset(map(int, one)) for one in words]
        self.bound = float(bound)
        self.n_changed = self.n_sinks = 0

    @property
    def is_pointwise(self) -> bool:
        """Whether a position is changed in the same way whatever else the text holds."""
        return False

    @property
    def name(self) -> str:
        """What tells it from others, as in the fingerprint of vectors that are made under it."""
        digest = hashlib.blake2b(digest_size=6)
        words = None if self.words is None else [sorted(one) for one in self.words]
        for part in (self.kind, self.layer, self.bound, words):
            digest.update(f"{part!r}\n".encode())
        for part in self._told():
            digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
        return f"{self.kind}-{self.layer}-{digest.hexdigest()}"

    def on(self, target: Any) -> AbstractContextManager[None]:
        """Change what a model does, in all passes of this thread within a block.

        Parameters
        ----------
        target : Encoder or LanguageModel
            The model. Blocks can be nested; the outer change comes first.

        Returns
        -------
        context manager
            The block; entering it may read the model.

        Raises
        ------
        EncoderError
            On entering, if the model has no such layer or place, or vectors of another width.
        """
        return self._block(target)

    @contextmanager
    def _block(self, target: Any) -> Iterator[None]:
        """Change the model within the block."""
        encoder = find_encoder(target)
        loaded = encoder.loaded
        place = self._place(encoder)
        self.n_changed = self.n_sinks = 0
        with editing(loaded.model, {place: self._edit}, self.name):
            yield

    def _place(self, encoder: Encoder) -> Place:
        """Find where the change is made."""
        place = place_of_layer(encoder, self.layer)
        width = encoder.hidden_size
        if self.width is not None and self.width != width:
            what = f"the intervention is for vectors of width {self.width}, but those of "
            raise EncoderError(f"{what}{encoder.loaded.name!r} have {width}")
        return place

    def _edit(self, values: Tensor, marks: Tensor) -> Tensor:
        """Change the positions of the chosen words, except sinks."""
        # values (n_rows, n_positions, width), marks (n_rows, n_positions, 2)
        chosen = self._chosen(marks)  # (n_rows, n_positions)
        if self.bound < float("inf"):
            norms = torch.linalg.vector_norm(values, dim=-1, dtype=torch.float32)
            left = chosen & (norms > self.bound)
            self.n_sinks += int(left.sum())
            chosen = chosen & ~left
        self.n_changed += int(chosen.sum())
        return self._change(values, marks, chosen)

    def _chosen(self, marks: Tensor) -> Tensor:
        """Find the positions of the words to change."""
        # -> (n_rows, n_positions)
        chosen = marks[..., 1] >= 0
        if self.words is None:
            return chosen
        for row, sentence in enumerate(marks[:, 0, 0].tolist()):
            wanted = sorted(self._of(self.words, sentence, "words"))
            among = torch.tensor(wanted, device=marks.device, dtype=marks.dtype)
            chosen[row] &= torch.isin(marks[row, :, 1], among)
        return chosen

    def _of(self, given: Sequence[Any], sentence: int, what: str) -> Any:
        """Look up what was given for a sentence of the call."""
        if not 0 <= sentence < len(given):
            told = f"{what} were given for {len(given)} sentences, but the call has more: "
            hint = "pass as many sentences as the intervention was made for, in their order"
            raise EncoderError(f"{told}number {sentence}, from 0", hint=hint)
        return given[sentence]

    @abstractmethod
    def _change(self, values: Tensor, marks: Tensor, chosen: Tensor) -> Tensor:
        """Give new values; those that are not chosen must stay the same."""
        # chosen (n_rows, n_positions) -> (n_rows, n_positions, width)

    @abstractmethod
    def _told(self) -> Iterable[Any]:
        """Give the arrays that determine the change."""


def find_encoder(target: Any) -> Encoder:
    """Give the encoder of what an intervention acts on."""
    encoder = getattr(target, "encoder", target)
    if not isinstance(encoder, Encoder):
        what = f"an intervention acts on an Encoder or a LanguageModel, not {type(target).__name__}"
        raise EncoderError(what)
    return encoder


def place_of_layer(encoder: Encoder, layer: int) -> Place:
    """Find where a layer can be changed; refuse it where nothing is found."""
    if not 0 <= layer <= encoder.n_layers:
        what = f"no layer {layer} in {encoder.loaded.name!r}"
        raise EncoderError(what, hint=f"choose from 0 to {encoder.n_layers}")
    if encoder.window != 1:
        what = f"an encoder that averages {encoder.window} layers cannot be changed at one"
        raise EncoderError(what, hint="use window=1")
    loaded: LoadedModel = encoder.loaded
    place = loaded.places[layer] if loaded.places else None
    if place is None:
        what = f"layer {layer} of {loaded.name!r} is not what one of its modules gives"
        raise EncoderError(f"{what}, and cannot be changed", hint="choose another layer")
    check_reach(loaded, place, layer)
    return place


def bound_of(coordinates: Coordinates, sinks: float | str | None) -> float:
    """Read the norm above which words are left alone."""
    if sinks is None:
        return float("inf")
    if sinks == "auto":
        return coordinates.bound
    if isinstance(sinks, str) or not float(sinks) > 0:
        what = f"sinks must be a norm, 'auto' or None, got {sinks!r}"
        raise EncoderError(what, hint="words whose vector has a larger norm are left alone")
    return float(sinks)

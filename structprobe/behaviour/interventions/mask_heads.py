"""`MaskHeads`: switch attention heads off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from structprobe.behaviour.interventions.base import Intervention, WordChoice, find_encoder
from structprobe.encoder.encoder import Encoder
from structprobe.errors import EncoderError
from structprobe.models.inside.edits import editing
from structprobe.models.inside.hooks import Place
from structprobe.models.inside.sites import RESIDUAL, Site, find_site
from structprobe.models.loading import LoadedModel
from structprobe.models.trial import make_texts


class MaskHeads(Intervention):
    """Mask attention heads: what they give is 0 (Michel et al. 2019; Voita et al. 2019).

    The output of a head is set to 0 before the heads of its layer are mixed, as if its gate were
    closed. What follows it in the block, such as the bias of the mixing map, stays.

    Parameters
    ----------
    heads : iterable of (int, int)
        The layer, from 1, and the head, from 1, of each.
    words : sequence of iterables of int, optional
        For each sentence of a call the words, counted from 0, at which heads are masked; by
        default heads are masked at all positions, special tokens included.

    Raises
    ------
    EncoderError
        If there are no heads.
    """

    kind = "mask heads"

    def __init__(self, heads: Iterable[tuple[int, int]], *, words: WordChoice = None) -> None:
        self.heads: dict[int, list[int]] = {}
        for layer, head in sorted({(int(layer), int(head)) for layer, head in heads}):
            self.heads.setdefault(layer, []).append(head)
        if not self.heads:
            raise EncoderError("no heads to mask", hint="give pairs of layer and head, from 1")
        super().__init__(min(self.heads), words, float("inf"))

    @property
    def is_pointwise(self) -> bool:
        """Whether all positions are changed."""
        return self.words is None

    @contextmanager
    def _block(self, target: Any) -> Iterator[None]:
        encoder = find_encoder(target)
        site = find_heads(encoder)
        self.n_changed = self.n_sinks = 0
        with ExitStack() as stack:
            edits = {}
            for layer, heads in self.heads.items():
                place = self._place_of(encoder, site, layer, heads)
                edits[place] = self._mask(site, heads)
            stack.enter_context(editing(encoder.loaded.model, edits, self.name))
            yield

    def _place_of(self, encoder: Encoder, site: Site, layer: int, heads: list[int]) -> Place:
        """Find the heads of a layer."""
        name = encoder.loaded.name
        if not 1 <= layer <= encoder.n_layers:
            what = f"no layer {layer} with heads in {name!r}"
            raise EncoderError(what, hint=f"choose from 1 to {encoder.n_layers}")
        place = site.places[layer] if layer < len(site.places) else None
        if place is None:
            raise EncoderError(f"layer {layer} of {name!r} has no heads that show")
        for head in heads:
            if not 1 <= head <= (site.n_heads or 0):
                what = f"no head {head} in layer {layer} of {name!r}"
                raise EncoderError(what, hint=f"choose from 1 to {site.n_heads}")
        return place

    def _mask(self, site: Site, heads: list[int]) -> Any:
        """Give what sets some heads to 0."""
        assert site.n_heads is not None
        size = site.width // site.n_heads
        columns = torch.cat([torch.arange((h - 1) * size, h * size) for h in heads])

        def edit(values: Tensor, marks: Tensor) -> Tensor:
            chosen = torch.ones_like(marks[..., 1], dtype=torch.bool)
            if self.words is not None:
                chosen = self._chosen(marks)
            self.n_changed += int((chosen & (marks[..., 1] >= 0)).sum())
            gate = values.new_ones(values.shape[-1])
            gate[columns.to(values.device)] = 0
            return torch.where(chosen[..., None], values * gate, values)

        return edit

    def _change(self, values: Tensor, marks: Tensor, chosen: Tensor) -> Tensor:
        raise NotImplementedError  # heads of several layers have an edit each

    def _told(self) -> Iterable[Any]:
        return [repr(self.heads).encode()]


def find_heads(encoder: Encoder) -> Site:
    """Find what the heads of each layer give; refuse a model in which they do not show."""
    loaded: LoadedModel = encoder.loaded
    if loaded.tap.site == "heads":
        return Site(loaded.places, loaded.hidden_size, loaded.n_heads)
    if loaded.tap.site != RESIDUAL:
        what = f"an encoder that reads {loaded.tap.site!r} does not know where heads are"
        raise EncoderError(what, hint="use site='residual' or site='heads'")
    texts = make_texts(loaded.tokenizer, loaded.n_tokens, loaded.max_positions)
    ids = torch.tensor([max(texts, key=len)], device=loaded.device)
    return find_site(loaded.model, "heads", ids, loaded.places, loaded.name)

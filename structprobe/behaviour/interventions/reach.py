"""Whether a change of a layer reaches all that follows."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn import Module

from structprobe.errors import EncoderError
from structprobe.models.inside.edits import editing, marking, unedited
from structprobe.models.inside.hooks import Place, leaving
from structprobe.models.inside.sites import RESIDUAL
from structprobe.models.loading import LoadedModel
from structprobe.models.reading import plain_tokens, reading, run_model
from structprobe.models.trial import TOLERANCES

_N_TOKENS = 5
_known: WeakKeyDictionary[Module, set[Place]] = WeakKeyDictionary()


def check_reach(loaded: LoadedModel, place: Place, layer: int) -> None:
    """Refuse a place where a text given the vectors of another does not become that other text.

    A model may carry what it read past this place, as in a branch that adds an earlier tensor.
    """
    seen = _known.setdefault(loaded.model, set())
    if loaded.tap.site != RESIDUAL or place in seen:
        return
    limit = loaded.max_positions or _N_TOKENS
    n = min(_N_TOKENS, limit)
    tokens = plain_tokens(loaded.tokenizer, 2 * n)
    known = [one for one in tokens if loaded.n_tokens is None or one < loaded.n_tokens]
    texts = [(some * n)[:n] for some in (known, known[::-1])]
    ids = torch.tensor(texts, device=loaded.device)  # (2, n)
    marks = torch.zeros(1, n, 2, dtype=torch.int64)

    def last(text: Tensor) -> Tensor:
        mask = torch.ones_like(text)
        output = run_model(loaded.model, text, mask, output_hidden_states=False)
        found: Tensor = output.last_hidden_state.float()
        return found

    with reading(loaded.model), unedited():
        wanted = last(ids[1:])
        with leaving(loaded.model, [place]) as found:
            last(ids[1:])
        there = found.get(place)
        if there is None or there.shape[:2] != (1, n):
            return  # short texts do not come by here; a pass that does not is refused
        given = there.clone()
        with editing(loaded.model, {place: lambda *_: given.clone()}), marking(marks):
            got = last(ids[:1])
    bound = TOLERANCES[loaded.dtype] * wanted.abs().max()
    if not bool((got - wanted).abs().max() <= bound):
        what = f"what follows layer {layer} of {loaded.name!r} does not depend on its vectors alone"
        raise EncoderError(f"{what}: a change of them would be one in part", hint="choose another")
    seen.add(place)

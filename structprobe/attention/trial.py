"""Try the attention of a model on made-up texts: which layers have it, and whether it is right."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.overrides import TorchFunctionMode

from structprobe.attention.forward import (
    HINT,
    Attending,
    attentions_in,
    check_shapes,
    run_eagerly,
)
from structprobe.errors import EncoderError, Hint
from structprobe.memory import refuse_shortage
from structprobe.models import Model
from structprobe.models.loading import LoadedModel
from structprobe.models.reading import plain_tokens, reading, reads_right, run_model
from structprobe.models.tap import USUAL
from structprobe.models.trial import MEMORY_HINT, TOLERANCES, Ids, batches_of, make_texts, pad_texts

_log = logging.getLogger(__name__)
_ROUNDING = 1e-2  # of a sum of weights; half precision rounds each weight by up to 0.4 %
_GAP = 1e-3  # between eager and other attention; 1e-4 in MobileBERT, whose values are large
_NOTHING = 1e-6  # a weight behind a mask, which may be a large number instead of infinity
_tried: WeakKeyDictionary[Model, tuple[str, Attending]] = WeakKeyDictionary()


@dataclass(frozen=True)
class _Pass:
    """What an eager pass gave for some texts."""

    ids: torch.Tensor  # (n_rows, n_positions)
    lengths: list[int]  # of the texts, without padding
    given: list[torch.Tensor]  # as attention
    layers: list[int | None]  # of what was given, from 1, where that was seen
    softmax: set[tuple[int, ...]]  # shapes of what came out of softmax, the last two dimensions


def find_attention(loaded: LoadedModel, before: Sequence[int]) -> Attending:
    """Find the layers that have attention; refuse what is not the attention of the vectors."""
    if loaded.tap != USUAL:
        told = {key: value for key, value in loaded.tap.chosen.items() if value is not None}
        (name, value), *_ = told.items()
        shell = f"leave out --{name.replace('_', '-')}"
        hint = Hint(f"leave out {name.removeprefix('model_')}", shell=shell)
        what = f"the attention of {loaded.name!r} cannot be read with {name} {value!r}"
        raise EncoderError(what, hint=hint)
    known = _tried.get(loaded.model)
    if known is None or known[0] != loaded.fingerprint:
        what = f"reading the attention of {loaded.name!r} to a few short texts"
        with refuse_shortage(what, EncoderError, MEMORY_HINT):
            known = _tried[loaded.model] = (loaded.fingerprint, _try(loaded, before))
    return known[1]


def _try(loaded: LoadedModel, before: Sequence[int]) -> Attending:
    """Read made-up texts, and check what comes as attention."""
    # A model may attend to later tokens and make nothing of it, but most say that they do.
    looks_ahead = any(getattr(one, "is_causal", None) is False for one in loaded.model.modules())
    if not looks_ahead:
        looks_ahead = reads_right(loaded.model, before, plain_tokens(loaded.tokenizer, 2))
    texts = make_texts(loaded.tokenizer, loaded.n_tokens, loaded.max_positions)
    passes = [_read(loaded, some) for some in batches_of(texts, loaded.batching)]
    places = _find_layers(loaded, passes)
    causal = True
    for one in passes:
        attentions = {layer: one.given[place] for layer, place in places.items()}
        check_shapes(loaded.name, attentions, one.ids)
        n_positions = one.ids.shape[1]
        sums_to_one = (n_positions, n_positions) in one.softmax
        for layer, weights in attentions.items():
            for row, n in zip(weights.float(), one.lengths, strict=True):
                _check_sums(row[:, :n, :n], sums_to_one, f"{loaded.name!r}: layer {layer}")
                ahead = float(row[:, :n, :n].triu(1).max())
                causal = causal and ahead <= _NOTHING
                if ahead > _NOTHING and not looks_ahead:
                    raise EncoderError(
                        f"{loaded.name!r}: layer {layer} returns a weight of {ahead:.3g} on a "
                        "later token as attention, but no later token changes its vectors",
                        hint="what it returns as attention is not what it computes with",
                    )
    _tell_left_out(loaded, places, passes[0])
    n_heads = passes[0].given[next(iter(places.values()))].shape[1]
    return Attending(tuple(places), tuple(places.values()), n_heads, causal)


def _read(loaded: LoadedModel, texts: Sequence[Ids]) -> _Pass:
    """Read texts in one batch, also normally, and compare both."""
    ids, mask = pad_texts(texts, loaded.pad, loaded.device)
    lengths = [len(text) for text in texts]
    with reading(loaded.model):
        normal = run_model(loaded.model, ids, mask).last_hidden_state
        seen = _watch_layers(loaded.model, loaded.n_layers)
        with _SoftmaxSpy() as spy:
            output = run_eagerly(loaded, ids, mask)
    for row, n in enumerate(lengths):
        wanted, got = normal[row, :n].float(), output.last_hidden_state[row, :n].float()
        largest, gap = float(wanted.abs().max()), float((wanted - got).abs().max())
        if not math.isfinite(largest):
            continue  # what is not finite is told, with its place, where it is read
        if not gap <= max(_GAP, TOLERANCES[normal.dtype]) * largest < float("inf"):
            raise EncoderError(
                f"{loaded.name!r} has other vectors with eager attention: the last layer differs "
                f"by {gap / (largest or 1):.1e} of its largest value",
                hint="its attention would not be that of the vectors that are probed",
            )
    given = attentions_in(output)
    layers = [seen.get(id(one), (None,))[0] for one in given]
    if len(given) == loaded.n_layers:
        layers = [*range(1, len(given) + 1)]
    return _Pass(ids, lengths, given, layers, spy.shapes)


def _find_layers(loaded: LoadedModel, passes: Sequence[_Pass]) -> dict[int, int]:
    """Find the layers that give weights between all tokens, and their places in what is given."""
    first, name = passes[0], loaded.name
    if not first.given:
        what = f"{name!r} returns no attention (from {type(loaded.model).__name__})"
        raise EncoderError(what, hint=HINT)
    layers = [layer for layer in first.layers if layer is not None]
    if len(layers) < len(first.given) or layers != sorted(set(layers)):
        raise EncoderError(
            f"{name!r} returns attention for {len(first.given)} of {loaded.n_layers} layers, "
            "and which is not clear"
        )
    if any(one.layers != first.layers for one in passes):
        raise EncoderError(f"{name!r} returns attention for other layers if texts are longer")
    places = {
        layer: place
        for place, layer in enumerate(layers)
        if all(one.given[place].shape[2:] == 2 * one.ids.shape[1:] for one in passes)
    }
    return places or {layer: place for place, layer in enumerate(layers)}


def _check_sums(weights: torch.Tensor, sums_to_one: bool, where: str) -> None:
    """Reject weights that are not shares of each token's attention."""
    # weights (n_heads, n, n); not finite: found when reading
    sums = weights.sum(dim=-1)
    low, high = float(sums.min()), float(sums.max())
    least = 1 - _ROUNDING if sums_to_one else 0  # a sink takes what else is missing
    if weights.min() < -_NOTHING or low < least or high > 1 + _ROUNDING:
        raise EncoderError(
            f"{where} returns no shares as attention: weights from {weights.min():.3g} to "
            f"{weights.max():.3g}, and rows that sum to {low:.3g} to {high:.3g} instead of 1",
            hint="such as scores before softmax; attention of this model cannot be analysed",
        )


def _tell_left_out(loaded: LoadedModel, places: dict[int, int], one: _Pass) -> None:
    """Name the layers without attention."""
    others = [layer for layer in range(1, loaded.n_layers + 1) if layer not in places]
    if others:
        odd = {
            layer: tuple(given.shape)
            for layer, given in zip(one.layers, one.given, strict=True)
            if layer in others
        }
        why = f" (layer {min(odd)} gives shape {odd[min(odd)]})" if odd else ""
        _log.warning(
            "%s: attention is read from the layers that have it (%s); left out: %s%s",
            *(loaded.name, ", ".join(map(str, places)), ", ".join(map(str, others)), why),
        )


def _watch_layers(model: Model, n_layers: int) -> dict[int, tuple[int, torch.Tensor]]:
    """Note, until `reading` takes the hooks away, in which layer each 4D tensor comes up."""
    # The layers are the parts of a list of as many modules as there are layers.
    inside: list[int] = []
    seen: dict[int, tuple[int, torch.Tensor]] = {}  # by id; the tensor lives on, so it is unique

    def note(module: object, given: object, output: Any) -> None:
        for one in output if isinstance(output, tuple | list) else (output,):
            if inside and isinstance(one, torch.Tensor) and one.ndim == 4:
                seen.setdefault(id(one), (inside[0], one))

    def leave(module: object, given: object, output: object) -> None:
        inside.pop()

    for module in model.modules():
        module.register_forward_hook(note)
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers:
            for number, layer in enumerate(module, start=1):
                layer.register_forward_pre_hook(lambda *_, number=number: inside.append(number))
                layer.register_forward_hook(leave)
    return seen


class _SoftmaxSpy(TorchFunctionMode):
    """Note the shapes of what softmax gives."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Pass each call through."""
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "softmax" and result.ndim == 4:
            self.shapes.add(tuple(result.shape[-2:]))
        return result

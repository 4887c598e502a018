"""Sites within the blocks of a model, found by what modules give in a pass, not by their names.

The heads of a block are what scaled dot product attention gives, or weights from a softmax times
the values, if a module is given just that. What attention and the MLP add to the residual stream
are outputs of modules that, added to an earlier tensor of the block, give a later one, bit for bit:
that of attention is the first after the heads; that of the MLP is the only other one, and must not
carry anything from one token to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from structprobe.errors import EncoderError, unknown_name
from structprobe.models import Model
from structprobe.models.inside.edits import editing, marking, unedited
from structprobe.models.inside.hooks import Place, bits, leaving, watching
from structprobe.models.reading import reading, run_model

RESIDUAL = "residual"
SITES = (RESIDUAL, "attention", "mlp", "heads")


@dataclass(frozen=True)
class Site:
    """A site of a model: where it is in each block that has it."""

    places: tuple[Place | None, ...]  # By layer; the first is None
    width: int
    n_heads: int | None = None  # Side by side in a vector of the heads


@dataclass(frozen=True)
class _Event:
    """A tensor that came up in a pass."""

    place: Place | None  # None for the heads, before any module has them
    values: torch.Tensor  # (1, n, width)
    key: bytes
    n_heads: int = 0


@dataclass(frozen=True)
class _Parts:
    """The sites of one block, and the place on whose other tokens the MLP must not depend."""

    heads: _Event | None = None
    attention: _Event | None = None
    mlp: _Event | None = None
    before: Place | None = None


def check_site(site: str) -> None:
    """Refuse an unknown site."""
    if site not in SITES:
        raise EncoderError(unknown_name("site", site, SITES))


def find_site(
    model: Model, site: str, ids: torch.Tensor, layers: Sequence[Place | None], name: str
) -> Site:
    """Find a site from one text, (1, n_positions); `layers` are the places of the layers."""
    with reading(model), unedited():
        found = {} if None in layers[:-1] else _find_all(model, ids, [*filter(None, layers[:-1])])
    if site not in found:
        raise EncoderError(
            f"{name!r} has no site {site!r} that shows in what its modules return",
            hint=f"choose from {', '.join(one for one in SITES if one in {RESIDUAL, *found})}",
        )
    return found[site]


def _find_all(model: Model, ids: torch.Tensor, layers: Sequence[Place]) -> dict[str, Site]:
    """Find all sites that a model has."""
    events: list[_Event] = []

    def note(place: Place, tensor: torch.Tensor) -> None:
        if tensor.ndim == 3 and tensor.shape[:2] == ids.shape and tensor.is_floating_point():
            events.append(_Event(place, tensor.detach().to(ids.device, copy=True), bits(tensor)))

    def note_heads(mixed: torch.Tensor) -> None:
        if mixed.ndim == 4 and (mixed.shape[0], mixed.shape[2]) == ids.shape:
            flat = mixed.transpose(1, 2).flatten(2).to(ids.device)  # (1, n, n_heads * head_size)
            events.append(_Event(None, flat, bits(flat), mixed.shape[1]))

    with watching(model, note), _AttentionSpy(note_heads):
        run_model(model, ids, torch.ones_like(ids), output_hidden_states=False)
    at = {event.place: number for number, event in enumerate(events)}
    bounds = pairwise([*(at[place] for place in layers), len(events)])
    parts = [_parts(events[start : stop + 1]) for start, stop in bounds]  # from input to output
    parts = [_without_carrying(model, ids, one) for one in parts]
    found: dict[str, list[_Event | None]] = {
        "attention": [one.attention for one in parts],
        "mlp": [one.mlp for one in parts],
        "heads": [one.heads for one in parts],
    }
    sites = {}
    for site, own in found.items():
        sizes = {(one.values.shape[-1], one.n_heads or None) for one in own if one}
        if len(sizes) == 1:  # vectors of all layers have the same width
            places = [None if one is None else one.place for one in own]
            sites[site] = Site((None, *places), *sizes.pop())
    return sites


def _parts(block: Sequence[_Event]) -> _Parts:
    """Find the sites of a block from all that came up in it; its input comes first."""
    mixes = [number for number, event in enumerate(block) if event.place is None]
    if len(mixes) != 1:
        return _Parts()
    mix = mixes[0]
    holders = [e.place for e in block[mix:] if e.place and e.key == block[mix].key]
    if not any(place.given for place in holders):
        return _Parts()
    heads = replace(block[mix], place=holders[0])
    first: dict[bytes, int] = {}  # where each value first comes up
    for number, event in enumerate(block):
        if event.place and event.values.shape == block[0].values.shape:
            first.setdefault(event.key, number)
    outputs = [n for n in first.values() if n and not _place(block[n]).given]

    def later(after: int, *numbers: int) -> int | None:
        total = sum(block[n].values for n in numbers)
        found = first.get(bits(torch.as_tensor(total)), 0)
        return found if found > after else None

    own = [n for n in outputs if n > mix]
    sums = {c: (s, t) for c in own for t in first.values() if t < c and (s := later(c, t, c))}
    # Parts of an output, such as experts and a shared expert, are no sites of their own.
    adds = [c for c, (s, _) in sums.items() if s not in sums]
    if adds and sums[adds[0]][1] < mix:  # else the first is not what attention adds
        mlp = block[adds[1]] if len(adds) == 2 else None
        return _Parts(heads, block[adds[0]], mlp, _place(block[adds[0]]))
    # Both are added to the input of the block at once, in any order.
    mixers = {place.module for place in holders if place.given}
    mixed = [n for n in own if not adds and _place(block[n]).module in mixers]
    for a in mixed[:1]:
        for m in outputs:
            for order in ((0, a, m), (0, m, a), (a, m, 0)):
                if m != a and later(max(a, m), *order):
                    return _Parts(heads, block[a], block[m], block[0].place)
    return _Parts(heads)


def _place(event: _Event) -> Place:
    """Give the place of an event that has one."""
    assert event.place is not None
    return event.place


def _without_carrying(model: Model, ids: torch.Tensor, parts: _Parts) -> _Parts:
    """Leave out an MLP that depends on other tokens: it is one of attention's kind."""
    if parts.mlp is None or parts.before is None:
        return parts
    place = _place(parts.mlp)
    middle = ids.shape[1] // 2

    def change(whole: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
        other = whole.clone()
        other[:, middle] = whole[:, middle].flip(-1) + whole.abs().mean()
        return other

    marks = torch.zeros(*ids.shape, 2, dtype=torch.int64)  # what is at each does not matter here
    edit = editing(model, {parts.before: change})
    with edit, marking(marks), leaving(model, [place]) as found:
        run_model(model, ids, torch.ones_like(ids), output_hidden_states=False)
    wanted, got = parts.mlp.values.float(), found[place].to(ids.device).float()
    gap = (wanted - got).abs().amax(dim=(0, 2))  # (n,)
    gap[middle] = 0
    bound = torch.finfo(parts.mlp.values.dtype).eps ** 0.5 * wanted.abs().max()
    return parts if gap.max() <= bound else replace(parts, mlp=None)


class _AttentionSpy(TorchFunctionMode):
    """Tell what attention gives: from the function of torch, or from softmax and a product."""

    def __init__(self, note: Callable[[torch.Tensor], None]) -> None:
        super().__init__()
        self._note = note
        self._weights: list[torch.Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Pass each call through."""
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name == "scaled_dot_product_attention":
            self._note(result)
        elif name == "softmax" and result.ndim == 4:
            self._weights.append(result)
        elif args and any(args[0] is one for one in self._weights):
            if name in ("matmul", "__matmul__"):
                self._note(result)
            elif isinstance(result, torch.Tensor) and result.shape == args[0].shape:
                self._weights.append(result)
        return result

"""Hooks on the modules of a model: what they give in a pass, and passes that end early."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch.nn import Module


@dataclass(frozen=True)
class Place:
    """Where in a pass a tensor is found: what a module gives or is given in one of its calls."""

    module: str  # Path within the model; empty for the model itself
    call: int  # Of this module in the pass, from 0
    item: int | str | None  # Which of several results or arguments
    given: bool = False  # Whether it is an argument


class _Leave(BaseException):
    """Ends a pass; no `Exception`, which code of a model may catch."""


@contextmanager
def leaving(model: Module, places: Iterable[Place]) -> Iterator[dict[Place, torch.Tensor]]:
    """Collect the tensors at some places, and end the block as soon as all are there.

    What the pass does not need itself is freed on its way. A place that is never reached is left
    out, and the block runs to its end.
    """
    left, found = set(places), dict[Place, torch.Tensor]()
    paths = {place.module for place in left}

    def note(place: Place, tensor: torch.Tensor) -> None:
        if place in left:
            found[place] = tensor
            left.remove(place)
            if not left:
                raise _Leave  # a new one each time: its traceback holds all tensors of the pass

    modules = {path: module for path, module in model.named_modules() if path in paths}
    with suppress(_Leave), _watching(modules, note):
        yield found


@contextmanager
def watching(model: Module, note: Callable[[Place, torch.Tensor], None]) -> Iterator[None]:
    """Call a function with all tensors that modules are given and give within the block."""
    with _watching(dict(model.named_modules()), note):
        yield


def outermost(places: list[Place]) -> Place:
    """Choose among places of one tensor, in their order: the first, or what returns just that.

    The outer module leaves less unfinished, such as weights that accelerate has yet to put away.
    """
    first = places[0].module
    around = [
        place
        for place in places
        if not place.given and f"{first}.".startswith(f"{place.module}." if place.module else "")
    ]
    return min(around, key=lambda place: len(place.module), default=places[0])


def bits(tensor: torch.Tensor) -> bytes:
    """Give a digest of the bits of a tensor."""
    values = tensor.detach().contiguous().cpu().flatten().view(torch.uint8)
    return hashlib.blake2b(values.numpy(), digest_size=16).digest()


@contextmanager
def _watching(
    modules: Mapping[str, Module], note: Callable[[Place, torch.Tensor], None]
) -> Iterator[None]:
    """Call a function with the tensors of some modules, in the passes of this thread."""
    thread = threading.get_ident()

    def watch(path: str, module: Module) -> None:
        starts, ends = count(), count()

        def before(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if threading.get_ident() == thread:
                call = next(starts)
                for item, tensor in (*_tensors(args), *_tensors(kwargs)):
                    note(Place(path, call, item, given=True), tensor)

        def after(module: Module, args: tuple[Any, ...], output: Any) -> None:
            if threading.get_ident() == thread:
                call = next(ends)
                for item, tensor in _tensors(output):
                    note(Place(path, call, item), tensor)

        hooks.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
        hooks.callback(module.register_forward_hook(after).remove)

    with ExitStack() as hooks:
        for path, module in modules.items():
            watch(path, module)
        yield


def _tensors(value: Any) -> list[tuple[int | str | None, torch.Tensor]]:
    """List the tensors in what a module gives or is given, with their index or name."""
    if isinstance(value, torch.Tensor):
        return [(None, value)]
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, tuple | list):
        items = enumerate(value)
    return [(item, one) for item, one in items if isinstance(one, torch.Tensor)]

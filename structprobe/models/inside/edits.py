"""Hooks that change what modules give in a pass, at positions that the caller of the pass marks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch.nn import Module

from structprobe.errors import EncoderError
from structprobe.models.inside.hooks import Place

# Takes what is at a place, (n_rows, n_positions, width), and the marks of the positions; gives what
# stands there instead.
Edit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_marks: ContextVar[torch.Tensor | None] = ContextVar("marks", default=None)
_depth: ContextVar[int] = ContextVar("depth", default=0)


@contextmanager
def marking(marks: torch.Tensor) -> Iterator[None]:
    """Tell edits, in the one pass within the block, what each position is.

    The marks, (n_rows, n_positions, 2), are the number of a sentence and that of a word in it, from
    0; the word is -1 where there is none.
    """
    token = _marks.set(marks)
    try:
        yield
    finally:
        _marks.reset(token)


def is_edited() -> bool:
    """Whether passes are being edited, so that what they give must not be stored."""
    return _depth.get() > 0


@contextmanager
def editing(model: Module, edits: Mapping[Place, Edit]) -> Iterator[None]:
    """Change what is at some places in all passes of a model, by this thread, within the block.

    A later `leaving` or `editing` sees what an earlier one has changed.
    """
    thread = threading.get_ident()
    calls = Counter[Place]()  # since the pass began

    def change(place: Place, value: Any) -> Any:
        """Give the changed arguments or results of a call; None if it is not the one."""
        if threading.get_ident() != thread:
            return None
        calls[place] += 1
        if calls[place] != place.call + 1:
            return None
        marks = _marks.get()
        if marks is None:
            what = "a pass that does not tell which words it reads cannot be changed"
            raise EncoderError(what, hint="leave the block of the intervention for this call")
        if place.item is None and isinstance(value, torch.Tensor):
            return edits[place](value, marks.to(value.device))
        tensor = value[place.item or 0]
        new = edits[place](tensor, marks.to(tensor.device))
        if isinstance(value, tuple):
            return tuple(new if n == place.item else one for n, one in enumerate(value))
        value[place.item] = new  # what a call is given or gives by name is made anew in each
        return value

    def watch(place: Place) -> None:
        def before(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            named = isinstance(place.item, str)
            changed = change(place, kwargs if named else args)
            if changed is None:
                return None
            return (args, changed) if named else (changed, kwargs)

        def after(module: Module, args: tuple[Any, ...], output: Any) -> Any:
            return change(place, output)

        module = model.get_submodule(place.module)
        if place.given:
            hooks.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
        else:
            hooks.callback(module.register_forward_hook(after).remove)

    def restart(module: Module, args: Any) -> None:
        if threading.get_ident() == thread:
            calls.clear()

    token = _depth.set(_depth.get() + 1)
    try:
        with ExitStack() as hooks:
            hooks.callback(model.register_forward_pre_hook(restart).remove)
            for place in edits:
                watch(place)
            yield
    finally:
        _depth.reset(token)

"""Hooks that change what modules give in a pass, at positions that the caller of the pass marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import Module

from structprobe.errors import EncoderError
from structprobe.models.inside.hooks import Place
from structprobe.models.inside.restoring import restored

# Takes what is at a place, (n_rows, n_positions, width), and the marks of the positions; gives what
# stands there instead.
Edit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class _Editing:
    """One block within which a model is changed."""

    model: Module
    name: str


_marks: ContextVar[torch.Tensor | None] = ContextVar("marks", default=None)
# The blocks that this thread is in. A hook acts only while its block is among them: hooks of other
# threads must not act, nor one that was removed and put back by what restores a model.
_active: ContextVar[tuple[_Editing, ...]] = ContextVar("active", default=())


@contextmanager
def marking(marks: torch.Tensor) -> Iterator[None]:
    """Tell edits, in the passes within the block, what each position is.

    The marks, (n_rows, n_positions, 2), are the number of a sentence and that of a word in it, from
    0; the word is -1 where there is none.
    """
    token = _marks.set(marks)
    try:
        yield
    finally:
        _marks.reset(token)


def is_edited() -> bool:
    """Whether passes of this thread are being edited, so that they must tell their positions."""
    return bool(_active.get())


def edits_of(model: Module) -> str:
    """Name what is being edited in a model, or in what it is a part of; empty if nothing is."""
    active = _active.get()
    if not active:
        return ""
    parts = set(model.modules())
    return "+".join(
        one.name for one in active if one.model in parts or model in one.model.modules()
    )


@contextmanager
def unedited() -> Iterator[None]:
    """Let passes within the block be those of the model itself."""
    token = _active.set(())
    try:
        yield
    finally:
        _active.reset(token)


@contextmanager
def editing(model: Module, edits: Mapping[Place, Edit], name: str = "") -> Iterator[None]:
    """Change what is at some places in all passes of a model, by this thread, within the block.

    A later `leaving` or `editing` sees what an earlier one has changed. The name tells the edits
    from others.
    """
    own = _Editing(model, name or "edit")
    calls = Counter[Place]()  # since the pass began

    def change(place: Place, value: Any) -> Any:
        """Give the changed arguments or results of a call; None if it is not the one."""
        if own not in _active.get():
            return None
        calls[place] += 1
        if calls[place] != place.call + 1:
            return None
        if place.item is None:
            return _edited(edits[place], value, place)
        try:
            tensor = value[place.item]
        except (IndexError, KeyError, TypeError):
            tensor = None
        new = _edited(edits[place], tensor, place)
        if isinstance(value, tuple):
            items = [new if n == place.item else one for n, one in enumerate(value)]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, list):
            return [new if n == place.item else one for n, one in enumerate(value)]
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
        if own in _active.get():
            calls.clear()

    # Restored by the last user: another thread that reads the model must not undo the hooks.
    with restored(model), ExitStack() as hooks:
        hooks.callback(model.register_forward_pre_hook(restart).remove)
        for place in edits:
            watch(place)
        token = _active.set((*_active.get(), own))
        try:
            yield
        finally:
            _active.reset(token)


def _edited(edit: Edit, tensor: Any, place: Place) -> torch.Tensor:
    """Change one tensor where the pass says what its positions are."""
    marks = _marks.get()
    if marks is None:
        what = "a pass that does not tell which words it reads cannot be changed"
        raise EncoderError(what, hint="leave the block of the intervention for this call")
    shape = tensor.shape if isinstance(tensor, torch.Tensor) else None
    if shape is None or shape[:2] != marks.shape[:2]:
        n = marks.shape[1]
        what = f"a text of {n} tokens takes a different path through the model: what is at "
        what += f"{place.module or 'its top'} has the shape {None if shape is None else [*shape]}"
        raise EncoderError(what, hint="leave out long texts, or choose another layer")
    return edit(tensor, marks.to(tensor.device))

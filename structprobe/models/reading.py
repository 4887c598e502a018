"""Run a model and leave it as it was found: passes, their layers, the direction of context."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch.nn import Module

from structprobe.models import Model, Tokenizer


@dataclass
class _Found:
    """The state of a module before it was used."""

    training: bool
    names: frozenset[str]  # Of its attributes
    hooks: frozenset[int]  # The numbers of its forward hooks
    n_readers: int = 0


_guard = threading.Lock()
_found: WeakKeyDictionary[Module, _Found] = WeakKeyDictionary()


@contextmanager
def reading(model: Module) -> Iterator[None]:
    """Run a model within the block in evaluation mode, without gradients.

    The model may be in training: afterwards each module is in its previous mode, and what the pass
    left there (transformers' hooks that record outputs) is removed, also after an error and with
    several threads. Flags are set directly, since `Module.train` may be overridden to merge
    weights. Inference mode is not used: what the model caches must work in training too.
    """
    modules = list(model.modules())
    with _guard:
        for module in modules:
            if module not in _found:
                hooks = frozenset(module._forward_hooks)
                _found[module] = _Found(module.training, frozenset(vars(module)), hooks)
            _found[module].n_readers += 1
            module.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        with _guard:
            for module in modules:
                _found[module].n_readers -= 1
                if not _found[module].n_readers:
                    _restore(module, _found.pop(module))


def layers_of_pass(
    model: Model, ids: torch.Tensor, mask: torch.Tensor, layers: Sequence[int]
) -> Iterator[torch.Tensor]:
    """Run a model once and yield its layers."""
    # ids (n_rows, n_positions), mask (n_rows, n_positions) -> (n_rows, n_positions, hidden_size)
    output = model(
        input_ids=ids,
        attention_mask=mask,
        output_hidden_states=True,
        return_dict=True,
        **_no_cache(model),
    )
    hidden = (*output.hidden_states[:-1], output.last_hidden_state)
    for layer in layers:
        yield hidden[layer]


def reads_right(model: Model, before: Sequence[int], plain: Sequence[int]) -> bool:
    """Find out, from two texts that differ in their last token, if a model uses right context."""
    first, second = plain
    ids = torch.tensor([[*before, first, first, last] for last in (first, second)])
    with reading(model):
        ids = ids.to(model.device)
        (last_layer,) = layers_of_pass(model, ids, torch.ones_like(ids), [-1])
    earlier = last_layer[:, :-1].float()  # (2, n_positions - 1, hidden_size)
    moved = (earlier[0] - earlier[1]).abs().max()
    return bool(moved > 1e-5 * earlier.abs().max())


def plain_tokens(tokenizer: Tokenizer, n: int) -> list[int]:
    """Give some tokens that are not special."""
    special = set(tokenizer.all_special_ids)
    return [token for token in range(len(special) + n) if token not in special][:n]


def _restore(module: Module, found: _Found) -> None:
    """Restore the state of a module."""
    module.training = found.training
    for number in set(module._forward_hooks) - found.hooks:
        del module._forward_hooks[number]
        module._forward_hooks_with_kwargs.pop(number, None)
        module._forward_hooks_always_called.pop(number, None)
    for name in set(vars(module)) - found.names:
        delattr(module, name)


def _no_cache(model: Model) -> dict[str, bool]:
    """Switch off the cache of keys and values, if the model has one."""
    cached = "use_cache" in inspect.signature(model.forward).parameters
    return {"use_cache": False} if cached else {}

"""Run a model and leave it as it was found: passes, their layers, the direction of context."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.nn import Module

from structprobe.errors import EncoderError, Hint
from structprobe.models import Model, Tokenizer
from structprobe.models.inside.edits import marking, unedited
from structprobe.models.inside.hooks import Place, leaving
from structprobe.models.inside.restoring import restored

_WHOLE = Hint("use site='residual'", shell="use --site residual")
# How rows may be batched, the fastest way first (see `structprobe.models.trial`).
PADDED, EQUAL, ALONE = "padded", "of equal length", "one by one"


@contextmanager
def same_random_state() -> Iterator[None]:
    """Restore the random states of Python, NumPy and torch after the block."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def reading(model: Module) -> Iterator[None]:
    """Run a model within the block in evaluation mode, without gradients.

    The model may be in training: afterwards each module has its previous mode, attributes, parts
    and hooks (some models exchange their attention for short texts; transformers' hooks record
    outputs), and random states are as before, also after an error and with several threads. Flags
    are set directly, since `Module.train` may be overridden to merge weights. Inference mode is not
    used: what the model caches must work in training too.
    """
    with restored(model) as modules:
        for module in modules:
            module.training = False
        with same_random_state(), torch.no_grad():
            yield


def run_model(model: Model, ids: torch.Tensor, mask: torch.Tensor, **more: Any) -> Any:
    """Run a model once, with its hidden states or what else is named."""
    given = {"input_ids": ids, "attention_mask": mask, **_no_cache(model), "return_dict": True}
    output = model(**(given | (more or {"output_hidden_states": True})))
    return _gathered(output, ids.device)


def device_of(model: Module) -> torch.device:
    """Give the device that a model takes tokens on: that of its first weights."""
    for module in model.modules():
        for weight in module.parameters(recurse=False):
            # Weights that are offloaded are put on a device by a hook of accelerate's.
            return _device_of_hook(module) if weight.is_meta else weight.device
    return torch.device("cpu")


def _device_of_hook(module: Module) -> torch.device:
    """Give the device that the weights of a module are put on during a pass."""
    hook: Any = getattr(module, "_hf_hook", None)
    for one in getattr(hook, "hooks", [hook]):
        if getattr(one, "execution_device", None) is not None:
            place = one.execution_device
            return torch.device(f"cuda:{place}" if isinstance(place, int) else place)
    return torch.device("meta")


def _gathered(output: Any, device: torch.device) -> Any:
    """Put the tensors of an output on one device: the parts of a model may lie on several."""
    for name, value in output.items() if isinstance(output, dict) else ():
        if isinstance(value, tuple):
            moved = tuple(x.to(device) if isinstance(x, torch.Tensor) else x for x in value)
            if any(new is not old for new, old in zip(moved, value, strict=True)):
                output[name] = moved
        elif isinstance(value, torch.Tensor) and value.device != device:
            output[name] = value.to(device)
    return output


def layers_of_pass(
    model: Model,
    ids: torch.Tensor,
    mask: torch.Tensor,
    layers: Sequence[int],
    batching: str = PADDED,
    places: Sequence[Place | None] = (),
    whole: bool = True,
    marks: torch.Tensor | None = None,
) -> Iterator[torch.Tensor]:
    """Run a model and yield its layers; up to the last of them, if their places are known.

    Where a text does not come by the places, as longer ones may take another way than those of the
    trial, layers are those of a whole pass; without one (for sites other than layers), an error.
    Marks, (n_rows, n_positions, 2), tell edits of the pass what each position is.
    """
    wanted = [places[layer] for layer in layers] if places else [None]

    # ids (n_rows, n_positions), mask (n_rows, n_positions) -> (n_rows, n_positions, hidden_size)
    def run(
        ids: torch.Tensor, mask: torch.Tensor, marks: torch.Tensor | None = None
    ) -> list[torch.Tensor]:
        with nullcontext() if marks is None else marking(marks):
            return read(ids, mask)

    def read(ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        known = [place for place in wanted if place is not None]
        if len(known) == len(layers):
            with leaving(model, known) as found:
                run_model(model, ids, mask, output_hidden_states=False)
            if all(place in found and found[place].shape[:2] == ids.shape for place in known):
                # The parts of a model may lie on several devices.
                return [found[place].to(ids.device) for place in known]
        if not whole:
            what = f"a text of {ids.shape[1]} tokens takes a different path through the model"
            raise EncoderError(f"{what}, without this site", hint=_WHOLE)
        output = run_model(model, ids, mask)
        hidden = (*output.hidden_states[:-1], output.last_hidden_state)
        return [hidden[layer] for layer in layers]

    yield from run_rows(run, (ids, mask) if marks is None else (ids, mask, marks), batching)


def run_rows(
    run: Callable[..., Sequence[torch.Tensor]],
    given: Sequence[torch.Tensor],
    batching: str,
    dims: tuple[int, ...] = (1,),
) -> Sequence[torch.Tensor]:
    """Run rows in the batches that a model can read, and put what it gives together.

    `given` are token ids, their mask, and more of the same shape; `dims` are those dimensions of
    what comes out that run over positions. Padding gets zeros.
    """
    if batching == PADDED:
        return run(*given)
    lengths = given[1].sum(dim=1)  # (n_rows,)
    if batching == EQUAL:
        groups = [(lengths == length).nonzero().flatten() for length in lengths.unique()]
    else:
        groups = list(torch.arange(len(lengths), device=lengths.device)[:, None])
    whole: list[torch.Tensor] = []
    for rows in groups:
        n = int(lengths[rows[0]])
        for k, part in enumerate(run(*(one[rows, :n] for one in given))):
            if k == len(whole):
                shape = [len(lengths), *part.shape[1:]]
                for dim in dims:
                    shape[dim] = given[0].shape[1]
                whole.append(part.new_zeros(shape))
            whole[k][(rows, *(slice(size) for size in part.shape[1:]))] = part
    return whole


def reads_right(model: Model, before: Sequence[int], plain: Sequence[int]) -> bool:
    """Find out, from two texts that differ in their last token, if a model uses right context."""
    first, second = plain
    ids = torch.tensor([[*before, first, first, last] for last in (first, second)])
    with reading(model), unedited():
        ids = ids.to(device_of(model))
        (last_layer,) = layers_of_pass(model, ids, torch.ones_like(ids), [-1])
    earlier = last_layer[:, :-1].float()  # (2, n_positions - 1, hidden_size)
    moved = (earlier[0] - earlier[1]).abs().max()
    # What is not finite does not tell.
    return not bool(moved <= 1e-5 * earlier.abs().max())


def plain_tokens(tokenizer: Tokenizer, n: int) -> list[int]:
    """Give some tokens that are not special."""
    special = set(tokenizer.all_special_ids)
    return [token for token in range(len(special) + n) if token not in special][:n]


def _no_cache(model: Model) -> dict[str, bool]:
    """Switch off the cache of keys and values, if the model has one."""
    cached = "use_cache" in inspect.signature(model.forward).parameters
    return {"use_cache": False} if cached else {}

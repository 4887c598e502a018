"""One pass through a model: all its layers, and on which sides it reads."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch


def layers_of_pass(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, layers: Sequence[int]
) -> Iterator[torch.Tensor]:
    """Run a model once and give its layers one by one."""
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


def reads_right(model: Any, before: Sequence[int], plain: Sequence[int]) -> bool:
    """Find out whether a model reads what follows a token.

    Two texts that differ in their last token go through the model; where earlier vectors differ
    too, it reads to the right.
    """
    first, second = plain
    ids = torch.tensor([[*before, first, first, last] for last in (first, second)])
    with torch.inference_mode():
        ids = ids.to(model.device)
        (last_layer,) = layers_of_pass(model, ids, torch.ones_like(ids), [-1])
    earlier = last_layer[:, :-1].float()  # (2, n_positions - 1, hidden_size)
    moved = (earlier[0] - earlier[1]).abs().max()
    return bool(moved > 1e-5 * earlier.abs().max())


def _no_cache(model: Any) -> dict[str, bool]:
    """Ask for no keys and values of a text that nobody will continue, where that can be asked."""
    return (
        {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    )

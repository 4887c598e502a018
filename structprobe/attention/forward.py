"""Passes through a model that give the attention of all heads, in the layers that have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from structprobe.errors import EncoderError
from structprobe.memory import is_out_of_memory
from structprobe.models import Config, Model
from structprobe.models.loading import LoadedModel
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import reading, run_model, run_rows

HINT = "attention needs a model with an eager attention implementation in transformers"


@dataclass(frozen=True)
class Attending:
    """The attention of a model, as found by `structprobe.attention.trial`."""

    layers: tuple[int, ...]  # that have attention, from 1
    places: tuple[int, ...]  # of these layers among what a pass gives
    n_heads: int  # of each of these layers
    causal: bool


def attentions_of_pass(
    loaded: LoadedModel,
    attending: Attending,
    ids: torch.Tensor,
    mask: torch.Tensor,
    types: torch.Tensor | None = None,
) -> tuple[torch.Tensor, ...]:
    """Run rows, and give the attention of each layer that has it."""

    # ids, mask, types (n_rows, n_positions) -> (n_rows, n_heads, n_positions, n_positions)
    def run(*some: torch.Tensor) -> list[torch.Tensor]:
        found = attentions_in(run_eagerly(loaded, *some))
        if len(found) <= attending.places[-1]:
            raise EncoderError(f"{loaded.name!r} returns no attention for longer texts", hint=HINT)
        attentions = [found[place] for place in attending.places]
        check_shapes(loaded.name, dict(zip(attending.layers, attentions, strict=True)), some[0])
        return attentions

    given = (ids, mask) if types is None else (ids, mask, types)
    return tuple(run_rows(run, given, loaded.batching, dims=(2, 3)))


def run_eagerly(
    loaded: LoadedModel, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None
) -> Any:
    """Run a model once, eagerly, as faster ways compute no weights of attention."""
    more = {} if types is None else {"token_type_ids": types}
    try:
        # Older versions of transformers warn of every pass that asks for attention.
        with quiet_transformers(), reading(loaded.model), eager_attention(loaded.model):
            return run_model(loaded.model, ids, mask, output_attentions=True, **more)
    except Exception as error:  # architectures raise errors of any type
        if is_out_of_memory(error):
            raise
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{loaded.name!r} returns no attention: {text}", hint=HINT) from error


def attentions_in(output: Any) -> list[torch.Tensor]:
    """Give what a model returned as attention; some give None for layers that have none."""
    return [one for one in getattr(output, "attentions", None) or () if one is not None]


def check_shapes(name: str, attentions: dict[int, torch.Tensor], ids: torch.Tensor) -> None:
    """Reject attention that is not between all tokens, or not of the same heads, by layer."""
    n_rows, n = ids.shape
    first = next(iter(attentions.values())).shape
    wanted = (n_rows, first[1] if len(first) == 4 else None, n, n)
    for layer, one in attentions.items():
        if tuple(one.shape) != wanted:
            raise EncoderError(
                f"{name!r}: the attention of layer {layer} has shape {tuple(one.shape)} for "
                f"{n_rows} rows of {n} tokens; expected (rows, heads, tokens, tokens), with the "
                "same number of heads in each layer",
                hint=HINT,
            )


@contextmanager
def eager_attention(model: Model) -> Iterator[None]:
    """Switch a model, and the models in it, to eager attention within the block, if it can be."""
    inner = [one for one in model.modules() if hasattr(one, "set_attn_implementation")]
    if all(one.config._attn_implementation == "eager" for one in inner):
        yield
        return
    before = [(config, dict(vars(config))) for config in _configs(inner)]
    try:
        model.set_attn_implementation("eager")
        yield
    finally:
        for config, settings in before:
            config.__dict__.update(settings)


def _configs(models: Iterable[Model]) -> list[Config]:
    """List the configurations of models and their sub-configurations, each once."""
    found: dict[int, Config] = {}
    left = [one.config for one in models]
    while left:
        config = left.pop()
        if config is not None and id(config) not in found:
            found[id(config)] = config
            left += [getattr(config, name, None) for name in getattr(config, "sub_configs", ())]
    return [*found.values()]

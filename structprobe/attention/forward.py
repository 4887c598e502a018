"""One pass through a model that gives the attention of all layers and heads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch

from structprobe.errors import EncoderError
from structprobe.memory import is_out_of_memory
from structprobe.models import Config, Model
from structprobe.models.loading import LoadedModel
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import plain_tokens, reading, run_rows

_HINT = "attention needs a model with an eager attention implementation in transformers"


def attentions_of_pass(
    loaded: LoadedModel, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None
) -> tuple[torch.Tensor, ...]:
    """Run a model once, eagerly, as faster ways do not compute it, and give its attention."""
    name = loaded.name
    given = (ids, mask) if types is None else (ids, mask, types)

    def run(*some: torch.Tensor) -> tuple[torch.Tensor, ...]:
        named = dict(zip(("input_ids", "attention_mask", "token_type_ids"), some, strict=False))
        output = loaded.model(**named, output_attentions=True, return_dict=True)
        found = getattr(output, "attentions", None) or ()
        return tuple(one for one in found if one is not None)

    try:
        with reading(loaded.model), eager_attention(loaded.model):
            attentions = tuple(run_rows(run, given, loaded.batching, dims=(2, 3)))
    except Exception as error:  # architectures raise errors of any type
        if is_out_of_memory(error):
            raise
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{name!r} returns no attention: {text}", hint=_HINT) from error
    if not attentions:
        what = f"{name!r} returns no attention (from {type(loaded.model).__name__})"
        raise EncoderError(what, hint=_HINT)
    _check_shapes(attentions, ids.shape, loaded)
    return attentions


@contextmanager
def eager_attention(model: Model) -> Iterator[None]:
    """Switch a model, and the models in it, to eager attention within the block, if it can be."""
    inner = [one for one in model.modules() if hasattr(one, "set_attn_implementation")]
    if all(one.config._attn_implementation == "eager" for one in inner):
        yield
        return
    before = [(config, dict(vars(config))) for config in _configs(inner)]
    try:
        with quiet_transformers():
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


def find_heads(loaded: LoadedModel, before: Sequence[int]) -> tuple[int, bool]:
    """Find out with one small pass how many heads a layer has and whether they are causal."""
    (plain,) = plain_tokens(loaded.tokenizer, 1)
    ids = torch.tensor([[*before, plain, plain, plain]], device=loaded.device)
    attentions = attentions_of_pass(loaded, ids, torch.ones_like(ids))
    ahead = [one.triu(1).abs().max() for one in attentions]
    return attentions[0].shape[1], not bool(torch.stack(ahead).any())


def _check_shapes(
    attentions: Sequence[torch.Tensor], shape: torch.Size, loaded: LoadedModel
) -> None:
    """Reject attention that is not of all layers, or not between all tokens."""
    name, count, n_layers = loaded.name, len(attentions), loaded.n_layers
    if count != n_layers:
        what = f"{name!r} returns attention for {count} of {n_layers} layers"
        raise EncoderError(what, hint=_HINT)
    (rows, n), first = shape, attentions[0].shape
    wanted = (rows, first[1] if len(first) == 4 else None, n, n)
    for layer, one in enumerate(attentions, start=1):
        if tuple(one.shape) != wanted:
            raise EncoderError(
                f"{name!r}: the attention of layer {layer} has shape {tuple(one.shape)} for "
                f"{rows} rows of {n} tokens; expected (rows, heads, tokens, tokens), with the same "
                "number of heads in each layer",
                hint=_HINT,
            )

"""One pass through a model that gives what every token attends to, in all layers and heads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch

from structprobe.errors import EncoderError
from structprobe.models import Config, Model
from structprobe.models.loading import LoadedModel
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import reading

_HINT = "only a model with an eager attention path in transformers writes its attention down"


def attentions_of_pass(
    loaded: LoadedModel, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None
) -> tuple[torch.Tensor, ...]:
    """Run a model once and give the attention of its layers.

    The eager path is asked for, since faster ones never write the weights down; what the model
    used before, it uses again afterwards.
    """
    name = loaded.name
    more = {} if types is None else {"token_type_ids": types}
    try:
        with reading(loaded.model), eager_attention(loaded.model):
            output = loaded.model(
                input_ids=ids, attention_mask=mask, output_attentions=True, return_dict=True, **more
            )
    except Exception as error:  # each architecture fails in its own way
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{name!r} gives no attentions: {text}", hint=_HINT) from error
    given = getattr(output, "attentions", None) or ()
    attentions = tuple(one for one in given if one is not None)
    if not attentions:
        kind = type(loaded.model).__name__
        raise EncoderError(f"{name!r} gives no attentions ({kind} returned none)", hint=_HINT)
    _check_shapes(attentions, tuple(ids.shape), loaded)
    return attentions


@contextmanager
def eager_attention(model: Model) -> Iterator[None]:
    """Let a model, and the models in it, attend in the eager way within the block.

    A model that cannot be switched is left as it is: it may write its attention down all the same.
    """
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
    """List the configurations of models and all that are in them, each once."""
    found: dict[int, Config] = {}
    left = [one.config for one in models]
    while left:
        config = left.pop()
        if id(config) not in found:
            found[id(config)] = config
            left += [getattr(config, name, None) for name in getattr(config, "sub_configs", ())]
    return [config for config in found.values() if config is not None]


def find_heads(loaded: LoadedModel, before: Sequence[int]) -> tuple[int, bool]:
    """Find out by one small pass how many heads a layer has and whether they look back alone."""
    special = set(loaded.tokenizer.all_special_ids)
    plain = next(i for i in range(len(special) + 1) if i not in special)
    ids = torch.tensor([[*before, plain, plain, plain]], device=loaded.device)
    attentions = attentions_of_pass(loaded, ids, torch.ones_like(ids))
    ahead = [one.triu(1).abs().max() for one in attentions]
    return attentions[0].shape[1], not bool(torch.stack(ahead).any())


def _check_shapes(
    attentions: Sequence[torch.Tensor], shape: tuple[int, ...], loaded: LoadedModel
) -> None:
    """Refuse attentions that are not of all layers, or not from each token to each."""
    if len(attentions) != loaded.n_layers:
        raise EncoderError(
            f"{loaded.name!r} gives the attention of {len(attentions)} of {loaded.n_layers} layers",
            hint=_HINT,
        )
    rows, n = shape
    first = attentions[0].shape
    wanted = (rows, first[1] if len(first) == 4 else None, n, n)
    for layer, one in enumerate(attentions, start=1):
        if tuple(one.shape) != wanted:
            raise EncoderError(
                f"{loaded.name!r}: the attention of layer {layer} has shape {tuple(one.shape)} for "
                f"{rows} rows of {n} tokens; (rows, heads, tokens, tokens) is wanted, with as many "
                "heads in each layer",
                hint=_HINT,
            )

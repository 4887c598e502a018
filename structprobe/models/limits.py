"""Measure with one small forward pass how deep and wide a model is and how much text it reads.

The number of positions that a model really accepts, special tokens included, is:

1. If it looks up positions in tables (learned positions, as in BERT, GPT-2 and RoBERTa), the rows
   of the smallest table from the first position on. A pass over four equal tokens shows the tables:
   they are looked up at four consecutive rows. RoBERTa starts at row 2: 514 rows for 512 tokens.
2. Otherwise (rotary, relative or no positions), ``max_position_embeddings`` or ``max_seq_len`` of
   its configuration, if positive.
3. Otherwise unlimited (None), as for T5.

The tokenizer's ``model_max_length`` is ignored: it is about training, or arbitrary (1e30).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

import torch
from torch.overrides import TorchFunctionMode

from structprobe.errors import EncoderError, Hint
from structprobe.models import Config, Model, Tokenizer
from structprobe.models.inside.edits import unedited
from structprobe.models.reading import device_of, reading, run_model

Layers = SupportsIndex | Iterable[SupportsIndex | range] | None

_N_TOKENS = 4


def pick_layers(layers: Layers, n_layers: int, available: Sequence[int] | None = None) -> list[int]:
    """Read layers in any accepted form; None stands for all, or those that have a site."""
    everything = range(n_layers + 1)
    available = everything if available is None else available
    if layers is None:
        return list(available)
    given: Iterable[Any] = [layers]
    if isinstance(layers, Iterable) and not isinstance(layers, str | bytes):
        given = layers
    picked: set[int] = set()
    for one in given:
        try:
            if isinstance(one, bool):
                raise TypeError
            picked.update(one if isinstance(one, range) else [operator.index(one)])
        except TypeError:
            hint = f"layers are numbered from 0, the embedding output, to {n_layers}"
            raise EncoderError(f"{one!r} is not a layer number", hint=hint) from None
    if not picked:
        raise EncoderError("no layers given", hint=f"choose from 0 to {n_layers}")
    if unknown := sorted(picked.difference(everything)):
        what = f"there is no layer {unknown[0]}, only 0 to {n_layers}"
        raise EncoderError(what, hint="0 is the embedding output")
    if lacking := sorted(picked.difference(available)):
        hint = f"choose from {', '.join(map(str, available))}, or use "
        hint = Hint(f"{hint}site='residual'", shell=f"{hint}--site residual")
        raise EncoderError(f"layer {lacking[0]} does not have this site", hint=hint)
    return sorted(picked)


@unedited()
def measure(model: Model, tokenizer: Tokenizer, config: Config, name: str) -> dict[str, Any]:
    """Run four tokens through a model, and give its highest layer, width and positions."""
    try:
        with reading(model), _TableSpy() as spy:
            token = _plain_token(count_tokens(model), tokenizer, config)
            ids = torch.full((1, _N_TOKENS), token, device=device_of(model))
            output = run_model(model, ids, torch.ones_like(ids))
    except Exception as error:  # each architecture fails in its own way
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{name!r} cannot read plain text: {text}") from error
    layers = check_layers(output, 1, _N_TOKENS, name)
    limit = min(spy.limits) if spy.limits else _claimed_limit(config)
    limit = limit and limit - getattr(model, "n_added", 0)
    sizes = {"n_layers": len(layers) - 1, "hidden_size": int(layers[0].shape[-1])}
    return {**sizes, "max_positions": limit}


def find_padding(n_rows: int | None, tokenizer: Tokenizer, config: Config) -> int:
    """Give the token for padding, which is masked: any that the model has will do."""
    given = getattr(config, "pad_token_id", None)
    pad = tokenizer.pad_token_id if given is None else given
    return pad if isinstance(pad, int) and 0 <= pad < (n_rows or pad + 1) else 0


def count_tokens(model: Model) -> int | None:
    """Count the tokens that a model knows; None if it has no table of them."""
    try:
        weight = model.get_input_embeddings().weight
        return int(weight.shape[0])
    except (AttributeError, NotImplementedError):
        return None


def check_layers(output: Any, n_rows: int, n_tokens: int, name: str) -> Sequence[torch.Tensor]:
    """Give the layers in an output; reject any but one vector per token, of the same width."""
    hidden = getattr(output, "hidden_states", None)
    if not hidden:
        raise EncoderError(f"{name!r} returns no hidden states, so there are no layers to probe")
    if getattr(output, "last_hidden_state", None) is None:
        raise EncoderError(f"{name!r} returns {type(output).__name__}, without a last hidden state")
    layers = (*hidden[:-1], output.last_hidden_state)
    shapes = [tuple(getattr(layer, "shape", ())) for layer in layers]
    wanted = (n_rows, n_tokens, shapes[0][-1] if shapes[0] else 0)
    odd = next((i for i, shape in enumerate(shapes) if shape != wanted), None)
    if odd is None:
        return layers
    told = f"layer {odd} has shape {shapes[odd]} for {n_rows * n_tokens} tokens"
    if not shapes[odd]:
        told = f"layer {odd} is a {type(layers[odd]).__name__}, not one tensor"
    elif len(shapes[odd]) > 3:
        told = f"layer {odd} has several vectors per token (shape {shapes[odd]})"
    raise EncoderError(
        f"{name!r}: {told}; expected one vector per token and layer, all of the same width"
    )


class _TableSpy(TorchFunctionMode):
    """Watch embedding lookups, and record the number of positions of each position table."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Pass each call through, and inspect lookups."""
        if func is torch.nn.functional.embedding:
            named = dict(zip(("input", "weight"), args, strict=False)) | (kwargs or {})
            numbers = named["input"]
            # Some models pad to a multiple of their window; a matrix has relative positions.
            if numbers.numel() == numbers.shape[-1] >= _N_TOKENS:
                first, *rest = numbers.reshape(-1)[:_N_TOKENS].tolist()
                if rest == list(range(first + 1, first + _N_TOKENS)):
                    self.limits.append(int(named["weight"].shape[0]) - first)
        return func(*args, **(kwargs or {}))


def _plain_token(n_rows: int | None, tokenizer: Tokenizer, config: Config) -> int:
    """Give a token that is not special: RoBERTa does not count positions for padding."""
    special = {*tokenizer.all_special_ids, getattr(config, "pad_token_id", None)}
    tokens = range(n_rows or len(special) + 1)
    return next((token for token in tokens if token not in special), 0)


def _claimed_limit(config: Config) -> int | None:
    """Give the number of positions in a configuration, if any."""
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    for key in ("max_position_embeddings", "max_seq_len"):
        claimed = getattr(config, key, None)
        if isinstance(claimed, int) and claimed > 0:
            return claimed
    return None

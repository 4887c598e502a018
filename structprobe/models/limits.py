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
from collections.abc import Iterable
from typing import Any, SupportsIndex

import torch
from torch.overrides import TorchFunctionMode

from structprobe.errors import EncoderError
from structprobe.models import Config, Model, Tokenizer
from structprobe.models.reading import reading

Layers = SupportsIndex | Iterable[SupportsIndex | range] | None

_N_TOKENS = 4


def pick_layers(layers: Layers, n_layers: int) -> list[int]:
    """Read layers in any accepted form; None stands for all."""
    everything = range(n_layers + 1)
    if layers is None:
        return list(everything)
    given: Iterable[Any] = [layers]
    if isinstance(layers, Iterable) and not isinstance(layers, str | bytes):
        given = layers
    picked: set[int] = set()
    for one in given:
        try:
            picked.update(one if isinstance(one, range) else [operator.index(one)])
        except TypeError:
            hint = f"layers are numbered from 0, the embedding output, to {n_layers}"
            raise EncoderError(f"{one!r} is not a layer number", hint=hint) from None
    if not picked:
        raise EncoderError("no layers given", hint=f"choose from 0 to {n_layers}")
    if unknown := sorted(picked.difference(everything)):
        what = f"there is no layer {unknown[0]}, only 0 to {n_layers}"
        raise EncoderError(what, hint="0 is the embedding output")
    return sorted(picked)


def measure(model: Model, tokenizer: Tokenizer, name: str) -> dict[str, Any]:
    """Run four tokens through a model, and give its highest layer, width and positions."""
    try:
        with reading(model), _TableSpy() as spy:
            ids = torch.full((1, _N_TOKENS), _plain_token(model, tokenizer), device=model.device)
            given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            output = model(**given, output_hidden_states=True, return_dict=True)
    except Exception as error:  # each architecture fails in its own way
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{name!r} cannot read plain text: {text}") from error
    hidden = getattr(output, "hidden_states", None)
    if not hidden:
        raise EncoderError(f"{name!r} returns no hidden states, so there are no layers to probe")
    shapes = [tuple(layer.shape) for layer in hidden]
    if set(shapes) != {(1, _N_TOKENS, shapes[0][-1])}:
        odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), 0)
        raise EncoderError(
            f"{name!r}: layer {odd} has shape {shapes[odd]} for {_N_TOKENS} tokens; "
            "expected one vector per token and layer, all of the same width"
        )
    limit = min(spy.limits) if spy.limits else _claimed_limit(model.config)
    sizes = {"n_layers": len(hidden) - 1, "hidden_size": int(shapes[0][-1])}
    return {**sizes, "max_positions": limit}


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


def _plain_token(model: Model, tokenizer: Tokenizer) -> int:
    """Give a token that is not special: RoBERTa does not count positions for padding."""
    special = {*tokenizer.all_special_ids, getattr(model.config, "pad_token_id", None)}
    n_rows = model.get_input_embeddings().weight.shape[0]
    return next((token for token in range(n_rows) if token not in special), 0)


def _claimed_limit(config: Config) -> int | None:
    """Give the number of positions in a configuration, if any."""
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    for key in ("max_position_embeddings", "max_seq_len"):
        claimed = getattr(config, key, None)
        if isinstance(claimed, int) and claimed > 0:
            return claimed
    return None

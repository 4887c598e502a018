"""The part of a model that reads text: the bare model, an encoder, a decoder, or a text tower."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import Module

from structprobe.errors import EncoderError, Hint
from structprobe.models import Config, Model, Tokenizer
from structprobe.models.inside.edits import unedited
from structprobe.models.limits import count_tokens, measure

# What the parts for text are called in models that also see, hear or act, the likeliest first.
PARTS = ("decoder",)  # of an encoder-decoder model, instead of its encoder
_NAMES = ("text_model", "language_model", "text_encoder", "encoder")


class TeacherForced(Module):
    """The decoder of an encoder-decoder model, which is given the text that the encoder read.

    A start token goes before it, so that each token has the vector that it has as the input; the
    vector of the start token is left out.
    """

    n_added = 1  # positions that the text takes beside its tokens

    def __init__(self, base: Model) -> None:
        super().__init__()
        self.base, self.config = base, base.config

    def get_input_embeddings(self) -> Module:
        """Give the table of the tokens."""
        table: Module = self.base.get_input_embeddings()
        return table

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **more: Any) -> Any:
        """Run both parts, and give what the decoder gives at the tokens of the text."""
        from transformers.modeling_outputs import BaseModelOutput

        # input_ids, attention_mask (n_rows, n_positions) -> (n_rows, n_positions, hidden_size)
        start = torch.full_like(input_ids[:, :1], _start_token(self.config))
        output = self.base(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=torch.cat([start, input_ids], dim=1),
            decoder_attention_mask=torch.cat([torch.ones_like(start), attention_mask], dim=1),
            **(more | {"use_cache": False}),
        )
        layers, last = output.get("decoder_hidden_states"), output.get("last_hidden_state")
        if last is None and layers:  # of a model with its head, which gives its scores instead
            last = layers[-1]
        return BaseModelOutput(
            last_hidden_state=None if last is None else last[:, 1:],
            hidden_states=None if layers is None else tuple(layer[:, 1:] for layer in layers),
        )


def config_of(part: Model, whole: Model) -> Config:
    """Give the configuration of a part, or that of its model where the part has none."""
    return getattr(part, "config", whole.config)


def part_at(whole: Model, path: str) -> Model:
    """Give the part at a path; the empty one stands for the bare model or the encoder."""
    if path in PARTS:
        return TeacherForced(whole.base_model)
    if path:
        return whole.base_model.get_submodule(path)
    if getattr(whole.config, "is_encoder_decoder", False):
        return whole.get_encoder()
    return whole.base_model


def is_part_at(part: Model, whole: Model, path: str) -> bool:
    """Whether a part is the one at a path."""
    if isinstance(part, TeacherForced):
        return part.base is whole.base_model
    return part_at(whole, path) is part


@unedited()
def find_text_part(
    whole: Model,
    tokenizer: Tokenizer,
    name: str,
    wanted: str | None = None,
    device: torch.device | None = None,
) -> tuple[str, dict[str, Any]]:
    """Find the path of the part that reads text alone, if none is wanted, and measure it."""
    if wanted is not None:
        _check_decoder(whole, wanted, name)
    why: EncoderError | None = None
    for path in ("", *_paths(whole)) if wanted is None else (wanted,):
        part = part_at(whole, path)
        if device is not None:
            part.to(device)
        try:
            return path, measure(part, tokenizer, config_of(part, whole), name)
        except EncoderError as error:
            why = why or error
    assert why is not None  # since the first part was tried
    raise why


def _check_decoder(whole: Model, wanted: str, name: str) -> None:
    """Refuse a decoder that is not there, or cannot be given the tokens of the encoder."""
    hint = Hint("leave out part", shell="leave out --model-part")
    if not getattr(whole.config, "is_encoder_decoder", False):
        what = f"{name!r} has no part {wanted!r}: it is no encoder-decoder model"
        raise EncoderError(what, hint=hint)
    encoder, n_given = whole.get_encoder(), count_tokens(whole.get_decoder())
    n_read = count_tokens(encoder) if _takes_tokens(encoder) else None  # else that of sound
    if None not in (n_read, n_given) and n_read != n_given:
        what = f"the decoder of {name!r} has a vocabulary of its own, so it cannot read the text"
        told = f"{what} of the encoder ({n_given} tokens, not {n_read})"
        raise EncoderError(told, hint=hint)
    start = _start_token(whole.config)
    if n_given is not None and start >= n_given:
        what = f"the decoder of {name!r} starts with token {start}, but knows {n_given} tokens"
        raise EncoderError(what, hint="correct decoder_start_token_id in its configuration")


def _start_token(config: Config) -> int:
    """Give the token that a decoder starts with."""
    token = getattr(config, "decoder_start_token_id", None)
    if isinstance(token, int) and token >= 0:
        return token
    # Others would do, but not as in training: mBART's start with the code of a language.
    hint = "set decoder_start_token_id in its configuration"
    raise EncoderError("the model does not say which token its decoder starts with", hint=hint)


def _paths(whole: Model) -> Iterator[str]:
    """Give the paths of parts that take tokens and are named for text, outer ones first."""
    found = []
    for path, module in whole.base_model.named_modules():
        ranks = [_NAMES.index(step) for step in path.split(".") if step in _NAMES]
        if ranks and hasattr(module, "config") and _takes_tokens(module):
            found.append((ranks[0], path.count("."), path))
    yield from (path for _, _, path in sorted(found))


def _takes_tokens(module: torch.nn.Module) -> bool:
    """Whether a module can be called with token ids."""
    return callable(module.forward) and "input_ids" in inspect.signature(module.forward).parameters

"""The part of a model that reads text: the bare model, an encoder, or a text tower."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch

from structprobe.errors import EncoderError
from structprobe.models import Config, Model, Tokenizer
from structprobe.models.limits import measure

# What the parts for text are called in models that also see, hear or act, the likeliest first.
_NAMES = ("text_model", "language_model", "text_encoder", "encoder")


def config_of(part: Model, whole: Model) -> Config:
    """Give the configuration of a part, or that of its model where the part has none."""
    return getattr(part, "config", whole.config)


def part_at(whole: Model, path: str) -> Model:
    """Give the part at a path; the empty one stands for the bare model or the encoder."""
    if path:
        return whole.base_model.get_submodule(path)
    if getattr(whole.config, "is_encoder_decoder", False):
        return whole.get_encoder()
    return whole.base_model


def find_text_part(
    whole: Model, tokenizer: Tokenizer, name: str, device: torch.device | None = None
) -> tuple[str, dict[str, Any]]:
    """Find the path of the part that reads text alone, and measure it."""
    why: EncoderError | None = None
    for path in ("", *_paths(whole)):
        part = part_at(whole, path)
        if device is not None:
            part.to(device)
        try:
            return path, measure(part, tokenizer, config_of(part, whole), name)
        except EncoderError as error:
            why = why or error
    assert why is not None  # since the first part was tried
    raise why


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

"""The head with which a masked language model gives the probability of a hidden piece."""

from __future__ import annotations

import os
from typing import Any

from structprobe.errors import EncoderError
from structprobe.models.loading import LoadedModel
from structprobe.models.quiet import quiet_transformers


def with_masked_head(loaded: LoadedModel, model: Any, trust_remote_code: bool) -> Any:
    """Give a model together with its language-modelling head."""
    if not isinstance(model, str | os.PathLike):
        has_head = model is not loaded.model and model.base_model is loaded.model
        if has_head and model.get_output_embeddings() is not None:
            return model.eval()
        raise _no_head(loaded.name)
    if loaded.fingerprint.startswith("untrained-"):
        raise _no_head(loaded.name)
    from transformers import AutoModelForMaskedLM

    try:
        with quiet_transformers():
            whole, info = AutoModelForMaskedLM.from_pretrained(
                loaded.name,
                revision=loaded.revision,
                trust_remote_code=trust_remote_code,
                dtype=loaded.dtype,
                output_loading_info=True,
            )
    except Exception as error:  # any library below may fail, each in its own way
        raise _no_head(loaded.name) from error
    if info["missing_keys"]:
        raise _no_head(loaded.name)
    return whole.to(loaded.device).eval()


def _no_head(name: str) -> EncoderError:
    return EncoderError(
        f"{name!r} has no head for masked language modelling, which measure='probability' needs",
        hint="load a checkpoint that was saved with its head, or choose measure='distance'",
    )

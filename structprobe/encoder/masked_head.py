"""The head with which a masked language model gives the probability of a hidden piece."""

from __future__ import annotations

import os
from typing import Any

from structprobe.encoder.loading import LoadedModel
from structprobe.encoder.quiet import quiet_transformers
from structprobe.errors import EncoderError


def with_masked_head(loaded: LoadedModel, model: Any, trust_remote_code: bool) -> Any:
    """Give a model together with its language-modelling head.

    Parameters
    ----------
    loaded : LoadedModel
        The bare model, as `load_model` gave it.
    model : str, path or transformers.PreTrainedModel
        What it was loaded from: the object has the head or has it not; from files the model is
        loaded anew, whole.
    trust_remote_code : bool
        Whether code that comes with the model may run.

    Returns
    -------
    transformers.PreTrainedModel
        In evaluation mode; its output has ``logits``.

    Raises
    ------
    EncoderError
        If the object or the checkpoint has no such head.
    """
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

"""The mask token of a model, and its head for masked language modelling."""

from __future__ import annotations

import os
from collections.abc import Callable

from torch import Tensor

from structprobe.encoder.encoder import Encoder
from structprobe.errors import EncoderError
from structprobe.models import Model
from structprobe.models.adapters import fetch_adapter, find_adapter, unwrap
from structprobe.models.fingerprints import fingerprint_parameters
from structprobe.models.languages import set_language
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import reading, run_model, run_rows


class MaskedHead:
    """A model with its language modelling head."""

    def __init__(self, encoder: Encoder, needed_by: str, instead: str = "") -> None:
        hint = f"load a checkpoint that was saved with its head{instead}"
        what = f"{encoder.loaded.name!r} has no head for masked language modelling, which"
        self._model = _with_head(encoder, EncoderError(f"{what} {needed_by} needs", hint=hint))
        self._batching = encoder.loaded.batching

    def read(self, look: Callable[..., Tensor], ids: Tensor, mask: Tensor, *more: Tensor) -> Tensor:
        """Run rows, and let `look` take what is needed from their logits."""

        # ids, mask, more (n_rows, n_positions) -> (n_rows, n_positions, ...)
        def run(ids: Tensor, mask: Tensor, *more: Tensor) -> list[Tensor]:
            with reading(self._model):
                output = run_model(self._model, ids, mask, output_hidden_states=False)
                return [look(output.logits, *more)]

        return run_rows(run, (ids, mask, *more), self._batching)[0]


def find_mask(encoder: Encoder, needed_by: str) -> int:
    """Give the id of the mask token."""
    loaded = encoder.loaded
    token = loaded.tokenizer.mask_token_id
    if token is None or token >= loaded.model.get_input_embeddings().weight.shape[0]:
        what = f"{loaded.name!r} has no mask token, which {needed_by} needs"
        hint = "choose a masked language model, such as BERT, RoBERTa or DeBERTa"
        raise EncoderError(what, hint=hint)
    return int(token)


def head_fingerprint(encoder: Encoder) -> str | None:
    """Identify a model object with its head; None for a model that is loaded by name."""
    model = unwrap(encoder.model)
    named = isinstance(model, str | os.PathLike)
    return None if named else fingerprint_parameters(model, model.config)


def _with_head(encoder: Encoder, no_head: EncoderError) -> Model:
    """Give a model with its language modelling head."""
    loaded, model = encoder.loaded, unwrap(encoder.model)
    if not isinstance(model, str | os.PathLike):
        has_head = model is not loaded.model and model.base_model is loaded.model
        if has_head and model.get_output_embeddings() is not None:
            return model
        raise no_head
    is_adapter = find_adapter(fetch_adapter(loaded.name, loaded.revision)) is not None
    if loaded.fingerprint.startswith("untrained-") or is_adapter:
        raise no_head
    from transformers import AutoModelForMaskedLM

    try:
        with quiet_transformers():
            whole, info = AutoModelForMaskedLM.from_pretrained(
                loaded.name,
                revision=loaded.revision,
                trust_remote_code=encoder.trust_remote_code,
                dtype=loaded.dtype,
                **loaded.placement.options(loaded.device, loaded.dtype),
                output_loading_info=True,
            )
    except Exception as error:  # the libraries raise errors of any type
        raise no_head from error
    if info["missing_keys"]:
        raise no_head
    set_language(whole, loaded.lang, loaded.tokenizer, loaded.name, ours=True)
    return whole.to(loaded.device) if loaded.placement.is_plain else whole

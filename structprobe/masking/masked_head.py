"""The mask token of a model, and its head for masked language modelling."""

from __future__ import annotations

import os
from collections.abc import Callable

from torch import Tensor

from structprobe.encoder.encoder import Encoder
from structprobe.errors import EncoderError
from structprobe.models.adapters import unwrap
from structprobe.models.fingerprints import fingerprint_parameters
from structprobe.models.heads.loading import MASKED, load_head
from structprobe.models.reading import reading, run_model, run_rows


class MaskedHead:
    """A model with its language modelling head."""

    def __init__(self, encoder: Encoder, needed_by: str, instead: str = "") -> None:
        self._model = load_head(
            encoder.loaded,
            encoder.model,
            MASKED,
            gguf_file=encoder.gguf_file,
            trust_remote_code=encoder.trust_remote_code,
            needed_by=needed_by,
            instead=instead,
        )
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

"""Load a model together with its language modelling head."""

from __future__ import annotations

import os
from typing import Any

import torch

from structprobe.errors import EncoderError, unknown_name
from structprobe.models import Model
from structprobe.models.adapters import fetch_adapter, find_adapter, unwrap
from structprobe.models.languages import set_language
from structprobe.models.loading import LoadedModel
from structprobe.models.places import explain, locate, refuse_kernels
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import plain_tokens, reading, reads_right, run_model
from structprobe.models.text_part import is_part_at, part_at
from structprobe.models.trial import TOLERANCES, make_texts

CAUSAL, MASKED = KINDS = ("causal", "masked")
_NAMES = {CAUSAL: "causal language modelling", MASKED: "masked language modelling"}
_WHY = {
    CAUSAL: "its vectors do not depend on the words that follow",
    MASKED: "its vectors depend on the words that follow",
}


def find_kind(loaded: LoadedModel) -> str:
    """Find the kind of head that a model can have: masked where it reads what follows a word."""
    plain = plain_tokens(loaded.tokenizer, 2)
    return MASKED if reads_right(loaded.model, (), plain) else CAUSAL


def load_head(
    loaded: LoadedModel,
    model: Model,
    kind: str,
    *,
    gguf_file: str | None = None,
    trust_remote_code: bool = False,
    needed_by: str,
    instead: str = "",
) -> Model:
    """Give a model with its language modelling head; `model` is the name or object it came from.

    That of an object is the object; by name, the model is loaded again, with its head.
    """
    if kind not in KINDS:
        raise EncoderError(unknown_name("kind of head", kind, KINDS))
    model = unwrap(model)

    def refusal(why: str = "", hint: str = "load a checkpoint that was saved with its head") -> Any:
        what = f"{loaded.name!r} has no head for {_NAMES[kind]}{why and f' ({why})'}"
        return EncoderError(f"{what}, which {needed_by} needs", hint=f"{hint}{instead}")

    if getattr(loaded.whole_config, "is_encoder_decoder", False):
        raise refusal("encoder-decoder models are read without one")
    if (other := find_kind(loaded)) != kind:
        raise refusal(f"it is {other}: {_WHY[other]}")
    if not isinstance(model, str | os.PathLike):
        has_head = model is not loaded.model and is_part_at(loaded.model, model, loaded.part)
        if has_head and model.get_output_embeddings() is not None:
            return model
        raise refusal()
    if loaded.fingerprint.startswith("untrained-"):
        raise refusal("its weights are random")
    source, gguf_file = locate(os.fspath(model), gguf_file)
    if find_adapter(fetch_adapter(source, loaded.revision)) is not None:
        hint = "merge it with its base model and save that, or pass the whole model, loaded by PEFT"
        raise refusal("an adapter is loaded without one", hint)
    try:
        whole, missing = _load(loaded, source, gguf_file, trust_remote_code, kind)
    except Exception as error:  # the libraries raise errors of any type
        raise refusal(explain("it cannot be loaded", source, error).what) from error
    if lacking := _lacking(whole, missing):
        raise refusal(f"the checkpoint lacks {lacking[0]!r}")
    set_language(whole, loaded.lang, loaded.tokenizer, loaded.name, ours=True)
    if loaded.placement.is_plain:
        whole.to(loaded.device)
    whole.eval()
    _compare(loaded, part_at(whole, loaded.part))
    return whole


def _load(
    loaded: LoadedModel, source: str, gguf_file: str | None, trust_remote_code: bool, kind: str
) -> tuple[Model, set[str]]:
    """Load a model with its head, and name the weights that its checkpoint lacks."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    loader: Any = AutoModelForCausalLM if kind == CAUSAL else AutoModelForMaskedLM
    options: dict[str, Any] = {"revision": loaded.revision, "trust_remote_code": trust_remote_code}
    options |= {"gguf_file": gguf_file} if gguf_file else {}
    options |= loaded.placement.options(loaded.device, loaded.dtype)
    with quiet_transformers():
        refuse_kernels(source, options)
        options |= {"dtype": loaded.dtype, "output_loading_info": True}
        whole, info = loader.from_pretrained(source, **options)
    return whole, set(info["missing_keys"])


def _lacking(whole: Model, missing: set[str]) -> list[str]:
    """Name the weights that a checkpoint lacks, but for those that are tied to one that it has."""
    tensors = whole.state_dict(keep_vars=True)
    there = {id(tensor) for name, tensor in tensors.items() if name not in missing}
    lacking = [name for name in sorted(missing & tensors.keys()) if id(tensors[name]) not in there]
    return [name for name in lacking if "pooler" not in name.split(".")]


def _compare(loaded: LoadedModel, part: Model) -> None:
    """Refuse a head whose model gives other vectors than the model that was loaded without it."""
    texts = make_texts(loaded.tokenizer, loaded.n_tokens, loaded.max_positions)
    ids = torch.tensor([max(texts, key=len, default=[0])], device=loaded.device)
    found = []
    for model in (loaded.model, part):
        with quiet_transformers(), reading(model):
            found.append(run_model(model, ids, torch.ones_like(ids)).last_hidden_state.float())
    bound = TOLERANCES[loaded.dtype] * found[0].abs().max()
    if (found[0] - found[1]).abs().max() > bound:
        what = f"{loaded.name!r} gives other vectors when it is loaded with its head"
        raise EncoderError(what, hint="pass the loaded model, as Encoder(model, tokenizer=...)")

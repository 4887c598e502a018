"""Adapters (LoRA and others): models that PEFT wraps, and folders that it writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from structprobe.errors import EncoderError, counted
from structprobe.models import Model
from structprobe.models.hub import refuse_unknown
from structprobe.models.places import ADAPTER_CONFIG, explain, locate
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import device_of, reading

_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_FILES = ["adapter_*", "*token*", "vocab*", "merges*", "*.model"]
_ROOT = "base_model.model."  # in front of every name that PEFT saves


@dataclass(frozen=True)
class Adapter:
    """A folder with an adapter, and what it says about its base model."""

    folder: str
    base: str  # Hub id or folder
    revision: str | None  # Of the base model


def unwrap(model: Model) -> Model:
    """Give the model with its adapters from the wrapper that PEFT puts around it."""
    if not (hasattr(model, "peft_config") and callable(getattr(model, "get_base_model", None))):
        return model
    for name in model.active_adapters:
        _refuse_outer(model.peft_config[name], type(model).__name__)
    return model.get_base_model()


def fetch_adapter(source: str, revision: str | None) -> str:
    """Give the local folder of an adapter on the hub, and anything else as it is."""
    from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache

    if Path(source).exists():
        return source
    try:
        if isinstance(try_to_load_from_cache(source, "config.json", revision=revision), str):
            return source
        hf_hub_download(source, ADAPTER_CONFIG, revision=revision)
        return snapshot_download(source, revision=revision, allow_patterns=_FILES)
    except Exception:  # errors of any type: it has none, which the loaders will say
        return source


def find_adapter(folder: str) -> Adapter | None:
    """Read what a folder says about its base model, if it holds an adapter."""
    path = Path(folder, ADAPTER_CONFIG)
    if not path.is_file() or not any(Path(folder, name).is_file() for name in _WEIGHTS):
        return None  # without weights it was left beside a whole model
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        base, revision = settings.get("base_model_name_or_path"), settings.get("revision")
    except (ValueError, AttributeError) as error:
        raise EncoderError(f"not a valid {ADAPTER_CONFIG}: {error}", where=str(path)) from error
    if not isinstance(base, str) or not base:
        hint = "write base_model_name_or_path into it"
        raise EncoderError("the adapter does not name its base model", where=str(path), hint=hint)
    return Adapter(folder, base, revision if isinstance(revision, str) else None)


def locate_base(adapter: Adapter) -> str:
    """Find where the base model of an adapter is, or say why there is none."""
    _require_peft(adapter.folder)
    try:
        base, _ = locate(adapter.base, None)
        refuse_unknown(base, None if Path(base).exists() else adapter.revision)
    except EncoderError as error:
        hint = f"correct base_model_name_or_path in {ADAPTER_CONFIG}"
        what = f"the base model of the adapter cannot be loaded: {error.what}"
        raise EncoderError(what, where=adapter.folder, hint=hint) from error
    if find_adapter(fetch_adapter(base, adapter.revision)) is not None:
        what = f"the base model of the adapter, {adapter.base!r}, is itself an adapter"
        raise EncoderError(what, where=adapter.folder, hint="merge that with its base model first")
    return base


def adapt(whole: Model, folder: str) -> None:
    """Add the adapter of a folder to its base model."""
    try:
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            _add_adapter(whole, folder)
    except EncoderError:
        raise
    except Exception as error:  # the libraries raise errors of any type
        raise explain(f"cannot load the adapter of {folder!r}", folder, error) from error


def check_wrapper(wrapper: Model, whole: Model, name: str) -> None:
    """Refuse a wrapper whose adapters do not act within the layers of the model."""
    try:
        with quiet_transformers():
            _check_within(wrapper, whole, name)
    except EncoderError:
        raise
    except Exception as error:  # as above
        raise explain(f"cannot run the adapters of {name!r}", name, error) from error


def _require_peft(folder: str) -> Any:
    """Import PEFT, which reads adapters."""
    try:
        import peft
    except ImportError as error:
        what = "it holds an adapter, and the package peft is not installed"
        hint = "pip install 'structprobe[peft]'"
        raise EncoderError(what, where=folder, hint=hint) from error
    return peft


def _add_adapter(base: Model, folder: str) -> None:
    """Add an adapter to its base model, and refuse it unless every weight finds its place."""
    peft = _require_peft(folder)
    config = peft.PeftConfig.from_pretrained(folder)
    _refuse_outer(config, folder)
    saved: dict[str, torch.Tensor] = peft.load_peft_weights(folder, device="cpu")
    # An adapter of a model with a head names its weights by their place in that model: give the
    # bare model the same place. The weights of the head, on which no layer depends, are left out.
    whole, place = base, f"{_ROOT}{base.base_model_prefix}."
    if any(name.startswith(place) for name in saved):
        whole = _Headless(base)
        parts = tuple(f"{_ROOT}{name}." for name, _ in base.named_children())
        if strange := sorted(
            name for name in saved if name.startswith(parts) and place not in name
        ):
            raise _misfit("its weights are of two models", strange[0], folder)
        inner = [name for name in saved if name.startswith(place) or not name.startswith(_ROOT)]
        saved = {name: saved[name] for name in inner}
    modules = [name for name, _ in whole.named_modules()]
    kept = [one for one in config.modules_to_save or () if any(m.endswith(one) for m in modules)]
    config.modules_to_save = kept or None
    config.task_type = None  # for a task, PEFT expects a head
    wrapped = peft.get_peft_model(whole, config, autocast_adapter_dtype=False)
    wanted = peft.get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    if lacking := sorted(wanted.keys() - saved.keys()):
        raise _misfit(f"it lacks {counted(len(lacking), 'weight')}", lacking[0], folder)
    placed = peft.set_peft_model_state_dict(wrapped, saved)
    if strange := sorted(placed.unexpected_keys):
        found = f"{counted(len(strange), 'weight')} of it found no place in {type(base).__name__}"
        raise _misfit(found, strange[0], folder)
    _place_beside(wrapped, saved, folder)
    base.eval()
    _check_within(wrapped, base, folder)


def _place_beside(wrapped: Model, saved: dict[str, torch.Tensor], folder: str) -> None:
    """Give data to the adapters of offloaded weights, which PEFT makes without any."""
    for path, module in wrapped.named_modules():
        beside = getattr(module, "base_layer", None)
        if not isinstance(beside, torch.nn.Module):
            continue
        for name, weight in [*module.named_parameters(path)]:
            if weight.is_meta and not name.startswith(f"{path}.base_layer."):
                found = saved.get(name.replace(".default", ""))
                if found is None:
                    raise EncoderError("its adapter cannot be offloaded", where=folder)
                owner, _, last = name.rpartition(".")
                data = found.to(device_of(beside), weight.dtype)
                setattr(wrapped.get_submodule(owner), last, torch.nn.Parameter(data, False))


def _check_within(wrapper: Model, whole: Model, name: str) -> None:
    """Refuse adapters that act in the wrapper around a model, where it is passed over."""
    ids = torch.arange(4, device=device_of(whole))[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "return_dict": True}
    if getattr(whole.config, "is_encoder_decoder", False):
        given["decoder_input_ids"] = ids
    with reading(wrapper):
        outer, inner = (model(**given)[0] for model in (wrapper, whole))
    if not torch.equal(outer, inner):
        what = f"the adapters of {name!r} act outside of its layers, in {type(wrapper).__name__}"
        raise EncoderError(what, hint="merge them, or use adapters that act within, such as LoRA")


class _Headless(torch.nn.Module):
    """A bare model in the place that it has in a model with a head."""

    is_gradient_checkpointing = False

    def __init__(self, base: Model) -> None:
        super().__init__()
        setattr(self, base.base_model_prefix, base)
        self.config = base.config
        self.get_input_embeddings = base.get_input_embeddings
        self.forward = base.forward


def _refuse_outer(config: Any, where: str) -> None:
    """Refuse adapters that add to the text or depend on it, rather than change the layers."""
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    what = None
    if config.is_prompt_learning:
        what = f"its adapter ({kind}) puts trained vectors before the text"
    elif getattr(config, "alora_invocation_tokens", None):
        what = f"its adapter ({kind}) acts only after the words that invoke it"
    if what:
        hint = "use an adapter that changes the layers, such as LoRA, or the base model"
        raise EncoderError(what, where=where, hint=hint)


def _misfit(what: str, name: str, folder: str) -> EncoderError:
    """Make the error for an adapter whose weights are not those that its base model takes."""
    hint = "was it trained on another model?"
    return EncoderError(f"{what}, such as {name!r}", where=folder, hint=hint)

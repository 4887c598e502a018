"""Load the weights of a model: onto one device, over several and the disk, or quantised."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from structprobe.devices import find_device, has_bfloat16
from structprobe.errors import EncoderError, Hint, unknown_name
from structprobe.models import Model
from structprobe.models.adapters import fetch_adapter, find_adapter, locate_base
from structprobe.models.hub import refuse_unknown
from structprobe.models.places import explain, installed, locate, refuse_kernels
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import device_of
from structprobe.models.text_part import part_at
from structprobe.output_paths import check_room

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
# Packages that quantise weights on loading, and the modules they are imported by.
BACKENDS = {"bitsandbytes": "bitsandbytes", "torchao": "torchao", "quanto": "optimum.quanto"}
# Those for a number of bits, the first that is installed by default. The 4 bits of torchao are left
# out: they need kernels that depend on the GPU.
_OF_BITS = {"8bit": [*BACKENDS], "4bit": ["bitsandbytes", "quanto"]}
QUANTIZATIONS = (*_OF_BITS, *(f"{bits}-{one}" for bits, some in _OF_BITS.items() for one in some))
_INSTALL = {"quanto": "optimum-quanto"}
# How libraries of other languages tell that a disk is full, a quota used up or a file too large.
_FULL = re.compile(r"no space left|file too large|quota exceeded|os error (?:27|28|122)\b", re.I)


@dataclass(frozen=True)
class Placement:
    """How a model that does not fit one device is loaded."""

    device_map: str | Mapping[str, Any] | None = None
    max_memory: Mapping[Any, Any] | None = None  # By device: a number of bytes, or as "20GB"
    offload_folder: str | None = None
    quantize: str | None = None  # One of `QUANTIZATIONS`

    @property
    def is_plain(self) -> bool:
        """Whether a model is loaded onto one device as it is."""
        return self.device_map is None and self.quantize is None

    def options(self, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
        """Give the options for loading from transformers."""
        if self.is_plain:
            return {}
        where = {"": device} if self.device_map is None else self.device_map
        found: dict[str, Any] = {"device_map": where if isinstance(where, str) else dict(where)}
        if self.max_memory is not None:
            found["max_memory"] = dict(self.max_memory)
        if self.quantize is not None:
            found["quantization_config"] = _quantization(self.quantize, dtype)
        return found


PLAIN = Placement()


def check_placement(placement: Placement, device: str | torch.device) -> Placement:
    """Refuse what cannot be loaded so; give the placement with the backend of a quantisation."""
    wanted = placement.device_map
    if wanted is None:
        for name in ("max_memory", "offload_folder"):
            if getattr(placement, name) is not None:
                option = f"--{name.replace('_', '-')}"
                shell = f"add --device-map auto, or leave out {option}"
                hint = Hint(f"add device_map='auto', or leave out {name}", shell=shell)
                raise EncoderError(f"{name} is given without a device map", hint=hint)
    else:
        if device != "auto":
            what = f"both a device ({str(device)!r}) and a device map are given"
            shell = "give either --device or --device-map"
            raise EncoderError(what, hint=Hint("give either device or device_map", shell=shell))
        if not installed("accelerate"):
            what = "a device map needs the package accelerate, which is not installed"
            raise EncoderError(what, hint="pip install 'structprobe[large]'")
        _check_map(wanted)
    if placement.offload_folder is not None:
        check_room(placement.offload_folder, error=EncoderError)
    quantize = placement.quantize and _find_quantization(placement.quantize)
    how = (wanted, placement.max_memory, placement.offload_folder)
    return Placement(*how, quantize=quantize)


def find_dtype(name: str | torch.dtype, device: str | torch.device = "auto") -> torch.dtype:
    """Give the data type of this name; "auto" is bfloat16 where the hardware has it."""
    plain = str(name).removeprefix("torch.")
    if plain == "auto":
        fast = has_bfloat16(find_device(device, error=EncoderError))
        return torch.bfloat16 if fast else torch.float32
    if plain not in DTYPES:
        raise EncoderError(unknown_name("dtype", plain, (*DTYPES, "auto")))
    return DTYPES[plain]


def load_weights(
    source: str,
    device: torch.device,
    dtype: torch.dtype,
    options: Mapping[str, Any],
    placement: Placement = PLAIN,
) -> tuple[Model, Iterable[str]]:
    """Load a model, and name the weights that its checkpoint lacks."""
    from transformers import AutoModel

    try:
        with quiet_transformers(), _offloading(placement) as (folder, models):
            refuse_kernels(source, dict(options))
            how = {**options, **folder, **placement.options(device, dtype), "dtype": dtype}
            whole, info = AutoModel.from_pretrained(source, **how, output_loading_info=True)
            models.append(whole)
            _fill_missing(whole, info["missing_keys"], dtype)
            if isinstance(placement.device_map, Mapping):
                _check_parts(placement.device_map, whole)
            if placement.is_plain:
                part_at(whole, "").to(device)
            if placement.quantize is not None:
                _check_quantized(whole, source, placement.quantize)
    except EncoderError:
        raise
    except Exception as error:  # the libraries raise errors of any type
        _refuse_offloading(source, placement, error)
        raise explain(f"cannot load model {source!r}", source, error) from error
    return whole, info["missing_keys"]


def empty_model(
    model: str,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    gguf_file: str | None = None,
) -> Model:
    """Make the architecture of a model without data, from its configuration alone."""
    from transformers import AutoConfig, AutoModel

    source, gguf_file = locate(model, gguf_file)
    refuse_unknown(source, revision, gguf_file)
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
    options |= {"gguf_file": gguf_file} if gguf_file else {}
    adapter = find_adapter(fetch_adapter(source, revision))
    if adapter is not None:
        source, options["revision"] = locate_base(adapter), adapter.revision
    try:
        with quiet_transformers(), torch.device("meta"):
            config = AutoConfig.from_pretrained(source, **options)
            return AutoModel.from_config(config, trust_remote_code=trust_remote_code)
    except Exception as error:  # the libraries raise errors of any type
        raise explain(f"cannot read the configuration of {source!r}", source, error) from error


def refuse_missing(source: str, whole: Model, part: Model, missing: Iterable[str]) -> None:
    """Reject a checkpoint without some of the used weights."""
    used = {id(tensor) for tensor in part.state_dict(keep_vars=True).values()}
    tensors = whole.state_dict(keep_vars=True)
    lacking = [key for key in sorted(missing) if key in tensors and id(tensors[key]) in used]
    if lacking := [key for key in lacking if "pooler" not in key.split(".")]:
        count = f"{len(lacking)} weights of {type(whole).__name__}"
        raise EncoderError(
            f"the checkpoint of {source!r} lacks {count}, such as {lacking[0]!r}",
            hint="they would be random; was it saved from a different architecture?",
        )


def spread(whole: Model, device_map: Mapping[str, Any], placement: Placement) -> None:
    """Put a model that is in memory where a device map says."""
    from accelerate import dispatch_model
    from accelerate.utils import offload_state_dict

    with quiet_transformers(), _offloading(placement, always=True) as (folder, models):
        own = folder["offload_folder"]
        if "disk" in device_map.values():
            # All of them: accelerate does not find those of a module that is named "".
            offload_state_dict(own, whole.state_dict())
        dispatch_model(whole, dict(device_map), offload_dir=own)
        models.append(whole)


class _Holder:
    """What modules hold as long as they need the folder of their weights."""


@contextlib.contextmanager
def _offloading(
    placement: Placement, *, always: bool = False
) -> Iterator[tuple[dict[str, str], list[Model]]]:
    """Make a folder for offloaded weights, which is deleted with the model put into the list.

    A folder of its own for each model, since another process may read what it would overwrite.
    """
    if placement.offload_folder is None and not always:
        yield {}, []
        return
    if placement.offload_folder is not None:
        os.makedirs(placement.offload_folder, exist_ok=True)
    own = tempfile.mkdtemp(prefix="structprobe-", dir=placement.offload_folder)
    models: list[Model] = []
    try:
        yield {"offload_folder": own}, models
    finally:
        if models and os.listdir(own):
            holder = _Holder()
            for module in models[0].modules():  # of which only a part may live on
                module.__dict__["_structprobe_offloaded"] = holder
            weakref.finalize(holder, shutil.rmtree, own, ignore_errors=True)
        else:
            shutil.rmtree(own, ignore_errors=True)


def _refuse_offloading(source: str, placement: Placement, error: Exception) -> None:
    """Say in one line why weights could not be offloaded, if that is what an error says."""
    told = " ".join(str(error).split())
    hint: str
    if placement.device_map is None:
        return
    if "offload_folder" in told or "offload_dir" in told:
        what = f"{source!r} does not fit into memory, and there is no folder for the rest of it"
        shell = "add --offload-folder DIR, on a disk with room for the weights"
        hint = Hint("pass offload_folder=, on a disk with room for the weights", shell=shell)
        raise EncoderError(what, hint=hint) from error
    if placement.offload_folder is not None and _FULL.search(told):
        what = f"the offload folder cannot hold the weights of {source!r}: {told[:200]}"
        hint = "free some disk space, or choose another folder"
        raise EncoderError(what, where=placement.offload_folder, hint=hint) from error


def _fill_missing(whole: Model, missing: Iterable[str], dtype: torch.dtype) -> None:
    """Give zeros to weights that a checkpoint lacks, where passes would not run without them.

    Such as those of BERT's pooler, on which no layer depends; others are refused later.
    """
    for path in dict.fromkeys(name.rpartition(".")[0] for name in missing):
        module = whole.get_submodule(path)
        if isinstance(module, torch.nn.Linear) and type(module) is not torch.nn.Linear:  # quantised
            shape = int(module.in_features), int(module.out_features)
            plain = torch.nn.Linear(*shape, module.bias is not None, device_of(module), dtype)
            whole.set_submodule(path, plain.requires_grad_(False))
            torch.nn.init.zeros_(plain.weight)
        elif hasattr(module, "_hf_hook"):
            hook: Any = module._hf_hook
            source = getattr(hook, "hooks", [hook])[-1].weights_map
            while hasattr(source, "dataset"):  # one within another for each prefix of the name
                source = source.dataset
            for name, weight in module.named_parameters(path, recurse=False):
                if weight.is_meta and name not in source:
                    source.state_dict[name] = torch.zeros(weight.shape, dtype=weight.dtype)


def _check_map(device_map: Any) -> None:
    """Refuse a device map of no known name, or with a device that is not there."""
    if isinstance(device_map, Mapping):
        for place in {str(place): place for place in device_map.values()}.values():
            if place != "disk":
                number = isinstance(place, int) and not isinstance(place, bool)
                find_device(f"cuda:{place}" if number else place, error=EncoderError)
        if not device_map:
            raise EncoderError("the device map is empty", hint="use device_map='auto'")
    elif not isinstance(device_map, str) or device_map not in MAPS:
        what = unknown_name("device map", device_map, MAPS)
        raise EncoderError(f"{what}, or map modules to devices, as in {{'': 'cpu'}}")


def _check_parts(device_map: Mapping[str, Any], whole: Model) -> None:
    """Refuse a device map with a part that a model does not have, which would say nothing."""
    known = {name for name, _ in (*whole.named_modules(), *whole.named_parameters())}
    if strange := [name for name in device_map if name not in known]:
        parts = [name for name, _ in whole.named_children()]
        raise EncoderError(unknown_name("part of the model", strange[0], parts))


def quantizers(bits: str) -> list[str]:
    """List the packages that are installed and quantise to a number of bits."""
    return [one for one in _OF_BITS[bits] if installed(BACKENDS[one])]


def _find_quantization(name: str) -> str:
    """Give the name of a quantisation with its backend: the one named, or one that is there."""
    if name not in QUANTIZATIONS:
        raise EncoderError(unknown_name("quantisation", name, QUANTIZATIONS))
    bits, _, backend = name.partition("-")
    wanted = [backend] if backend else _OF_BITS[bits]
    there = [one for one in quantizers(bits) if one in wanted]
    if not there:
        packages = [_INSTALL.get(one, one) for one in wanted]
        one_of = "the package" if len(packages) == 1 else "one of the packages"
        what = f"{bits} weights need {one_of} {', '.join(packages)}, and none is installed"
        hint = f"pip install {packages[0]} accelerate"
        raise EncoderError(what, hint=hint)
    if not installed("accelerate"):
        what = "quantised weights need the package accelerate, which is not installed"
        raise EncoderError(what, hint="pip install 'structprobe[large]'")
    return f"{bits}-{there[0]}"


def _check_quantized(whole: Model, source: str, name: str) -> None:
    """Refuse a model of which nothing was quantised: packages pass over layers of unknown kinds."""
    if all(type(weight) is torch.nn.Parameter for weight in whole.parameters()):
        what = f"no weights of {source!r} were quantised: it has no layers that {name} knows"
        other = "use another package" if "bitsandbytes" in name else "use bitsandbytes"
        raise EncoderError(what, hint=f"{other}, or a device map or another dtype")


def _quantization(name: str, dtype: torch.dtype) -> Any:
    """Give transformers' configuration of a quantisation."""
    import transformers

    bits, _, backend = name.partition("-")
    if backend == "bitsandbytes":
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns in every pass
        if bits == "8bit":
            return transformers.BitsAndBytesConfig(load_in_8bit=True)
        how: dict[str, Any] = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
        return transformers.BitsAndBytesConfig(load_in_4bit=True, **how)
    if backend == "quanto":
        return transformers.QuantoConfig(weights=f"int{bits[0]}")
    from torchao.quantization import Int8WeightOnlyConfig

    return transformers.TorchAoConfig(Int8WeightOnlyConfig())

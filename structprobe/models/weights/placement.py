"""How a model is loaded: in which type, over which devices, with which quantisation."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from structprobe.devices import find_device, has_bfloat16
from structprobe.errors import EncoderError, Hint, unknown_name
from structprobe.models.places import installed
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


@dataclass(frozen=True)
class Placement:
    """How a model that does not fit one device is loaded."""

    device_map: str | Mapping[str, Any] | None = None
    max_memory: Mapping[Any, Any] | None = None  # By device: a number of bytes, or as "20GB"
    offload_folder: str | os.PathLike[str] | None = None
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


def quantizers(bits: str) -> list[str]:
    """List the packages that are installed and quantise to a number of bits."""
    return [one for one in _OF_BITS[bits] if installed(BACKENDS[one])]


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
    torchao: Any = importlib.import_module("torchao.quantization")  # of no extra
    return transformers.TorchAoConfig(torchao.Int8WeightOnlyConfig())

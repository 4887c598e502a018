"""Name devices and number types as torch does."""

from __future__ import annotations

import torch

from structprobe.errors import EncoderError, unknown_name

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def find_device(name: str | torch.device) -> torch.device:
    """Give the device of this name."""
    if name == "auto":
        kinds = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())]
        name = next((kind for kind, there in kinds if there), "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        known = ("auto", "cpu", "cuda", "cuda:1", "mps")
        raise EncoderError(unknown_name("device", name, known)) from None
    try:
        there = torch.empty(1, device=device).device  # cuda:0 for cuda
    except (RuntimeError, AssertionError, NotImplementedError):
        there = None
    if there is None or there.type == "meta":
        count = torch.cuda.device_count()
        hint = f"{count} CUDA devices are there; device='auto' takes what there is"
        raise EncoderError(f"device {str(name)!r} is not there", hint=hint)
    return there


def find_dtype(name: str | torch.dtype) -> torch.dtype:
    """Give the number type of this name."""
    plain = str(name).removeprefix("torch.")
    if plain not in DTYPES:
        raise EncoderError(unknown_name("dtype", plain, DTYPES))
    return DTYPES[plain]

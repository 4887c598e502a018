"""The device that a model or a probe runs on: one rule for encoding and training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structprobe.errors import Hint, StructprobeError, unknown_name

if TYPE_CHECKING:
    import torch

KNOWN = ("auto", "cpu", "cuda", "cuda:1", "mps")


def find_device(
    name: str | torch.device, *, error: type[StructprobeError] = StructprobeError
) -> torch.device:
    """Give the device of this name; "auto" is CUDA or MPS if available, otherwise the CPU."""
    import torch  # here, so that importing the package stays cheap

    if name == "auto":
        kinds = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())]
        name = next((kind for kind, there in kinds if there), "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise error(unknown_name("device", name, KNOWN)) from None
    try:
        there = torch.empty(1, device=device).device  # cuda:0 for cuda
    except (RuntimeError, AssertionError, NotImplementedError):
        there = None
    if there is None or there.type == "meta":  # a device without data
        count = torch.cuda.device_count()
        found = f"{count} CUDA devices found"
        shell = f"{found}; --device auto uses what is available"
        hint = Hint(f"{found}; device='auto' uses what is available", shell=shell)
        raise error(f"device {str(name)!r} is not available", hint=hint)
    return there

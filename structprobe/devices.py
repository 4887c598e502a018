"""The device that a model or a probe runs on, and what it is fast at: one rule for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from structprobe.errors import Hint, StructprobeError, unknown_name

if TYPE_CHECKING:
    import torch

KNOWN = ("auto", "cpu", "cuda", "cuda:1", "mps")

# CPU features for multiplying bfloat16 numbers.
_BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")


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


def free_memory_of(device: torch.device) -> int | None:
    """Give the bytes of memory that are free on a device; None where the system does not tell."""
    import torch

    if device.type == "cuda":  # pragma: no cover -- tests/test_on_a_gpu.py, on a GPU alone
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = dict(line.split(":", 1) for line in file)
        return 1024 * int(found["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):  # not on Linux
        return None


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 numbers itself: what emulates it is slower with it."""
    import torch

    if device.type == "cuda":  # pragma: no cover -- tests/test_on_a_gpu.py, on a GPU alone
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older versions of torch cannot tell.
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(found.get(unit) for unit in _BFLOAT16_UNITS)

"""The hyperparameters of probes: checked, and turned into what they stand for."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.random import SeedSequence

from structprobe.devices import find_device
from structprobe.errors import ProbeError, unknown_name
from structprobe.probe.training.recipes import RECIPES, Published, Whitened

# Parts of a processor that multiply bfloat16 numbers.
_BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")

LOSSES = ("absolute", "tree")
PRODUCTS = ("float32", "bfloat16", "auto")
MEMORY_GB = 4.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The hyperparameters of a fit, checked."""

    recipe: Published | Whitened  # How to look for the components
    rank: int  # How many components
    device: torch.device  # Where to train
    max_steps: int | None = None  # The budget
    batch_size: int | None = None  # Sentences in a batch
    learning_rate: float | None = None  # Adam's step
    products: torch.dtype = torch.float32
    memory_gb: float = MEMORY_GB  # The memory for vectors, in units of 10⁹ bytes
    loss: str = "absolute"  # One of `LOSSES`: what is minimised over the distances


def read_settings(parameters: Mapping[str, Any], most_rank: int) -> Settings:
    """Check an estimator's hyperparameters; what it does not have is as by default."""
    recipe, rate = parameters.get("recipe", "whitened"), parameters.get("learning_rate")
    if recipe not in [*RECIPES]:  # a list: what was given may have no hash
        raise ProbeError(unknown_name("recipe", recipe, RECIPES))
    loss = parameters.get("loss", "absolute")
    if loss not in LOSSES:
        raise ProbeError(unknown_name("loss", loss, LOSSES))
    if rate is not None and not (_is_number(rate) and 0 < rate < math.inf):
        raise ProbeError(f"learning_rate {rate!r} is not a number above 0")
    device = find_device(parameters["device"], error=ProbeError)
    return Settings(
        recipe=RECIPES[recipe],
        rank=_whole("rank", parameters["rank"], most_rank) or most_rank,
        device=device,
        max_steps=_whole("max_steps", parameters["max_steps"]),
        batch_size=_whole("batch_size", parameters.get("batch_size")),
        learning_rate=None if rate is None else float(rate),
        products=getattr(torch, read_products(parameters.get("products", "float32"), device)),
        memory_gb=read_memory(parameters.get("memory_gb", MEMORY_GB)),
        loss=loss,
    )


def read_products(name: str, device: str | torch.device) -> str:
    """Find the type of products; "auto" is bfloat16 where the hardware has it."""
    if name not in [*PRODUCTS]:
        raise ProbeError(unknown_name("products", name, PRODUCTS))
    if name != "auto":
        return str(name)
    device = find_device(device, error=ProbeError)
    if device.type == "cuda":  # pragma: no cover -- no CUDA where the tests run
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # An older torch cannot tell.
        found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        fast = device.type == "cpu" and any(found.get(unit) for unit in _BFLOAT16_UNITS)
    return "bfloat16" if fast else "float32"


def read_memory(memory_gb: Any) -> float:
    """Check the memory for vectors."""
    if not (_is_number(memory_gb) and 0 < memory_gb < math.inf):
        raise ProbeError(f"memory_gb {memory_gb!r} is not a number above 0")
    return float(memory_gb)


def read_fraction(share: Any) -> float:
    """Check the share of the sentences that is held out."""
    if not (_is_number(share) and 0 < share < 1):
        raise ProbeError(f"validation_fraction {share!r} is not between 0 and 1")
    return float(share)


def read_generator(random_state: Any) -> np.random.Generator:
    """Make a generator of anything that scikit-learn or numpy takes as one."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31)
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ProbeError(
            f"random_state {random_state!r} is not a valid seed",
            hint="give a whole number, 0 or more",
        ) from error


def spawn_seeds(generator: np.random.Generator, count: int) -> list[SeedSequence]:
    """Draw seeds that do not depend on what the generator has drawn so far."""
    # numpy's own types leave out that a generator's seed can spawn more.
    return cast(SeedSequence, generator.bit_generator.seed_seq).spawn(count)


def _is_number(value: Any) -> bool:
    """Check that a setting is a real number, whoever's."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _whole(name: str, value: Any, high: int | None = None) -> int | None:
    """Check that a setting is None or a whole number in its range."""
    if value is None:
        return None
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 1 or (high is not None and value > high):
        allowed = "1 or more" if high is None else f"1 to {high}"
        raise ProbeError(f"{name} {value!r} is out of range; it is a whole number, {allowed}")
    return int(value)

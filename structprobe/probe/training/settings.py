"""The hyperparameters of probes, checked."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.random import SeedSequence

from structprobe.devices import find_device, has_bfloat16
from structprobe.errors import Hint, ProbeError, unknown_name
from structprobe.probe.data.examples import Examples, Split, hold_out
from structprobe.probe.losses.geometries import EUCLIDEAN, GEOMETRIES, Geometry
from structprobe.probe.losses.relations import READS
from structprobe.probe.training.recipes import RECIPES, Recipe, TreeAxes

LOSSES = ("absolute", "tree")
SELECT = ("uuas", "loss")
DECODINGS = ("published", "root", "joint")
PRODUCTS = ("float32", "bfloat16", "auto")
COORDINATES = ("whitened", "raw")  # Of an orthogonal probe
MEMORY_GB = 4.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The hyperparameters of a fit, checked."""

    recipe: Recipe
    rank: int
    device: torch.device  # Where to train
    max_steps: int | None = None
    batch_size: int | None = None  # Sentences in a batch
    learning_rate: float | None = None
    products: torch.dtype = torch.float32
    memory_gb: float = MEMORY_GB  # In units of 10⁹ bytes
    loss: str = "absolute"  # One of `LOSSES`, for the distances
    select: str = "uuas"  # One of `SELECT`: by what one of several candidates is chosen
    geometry: Geometry = EUCLIDEAN  # Of the distances
    reads: str | None = None  # One of `READS`: what relations are read from, if they are


def read_settings(parameters: Mapping[str, Any], most_rank: int) -> Settings:
    """Check the hyperparameters of an estimator; those it does not have are at their defaults."""
    geometry = read_name("geometry", parameters.get("geometry", "euclidean"), GEOMETRIES)
    rank = read_whole("rank", parameters["rank"], most_rank) or most_rank
    if geometry == "signed" and rank < 2:
        hint = "choose a rank of at least 2"
        raise ProbeError("geometry='signed' divides the rows in two, but rank is 1", hint=hint)
    rate = parameters.get("learning_rate")
    device = find_device(parameters["device"], error=ProbeError)
    reads = read_reads(parameters.get("relations", False))
    read_decoding(parameters.get("decoding", DECODINGS[0]), reads)
    return Settings(
        recipe=_recipe(parameters.get("recipe", "whitened"), geometry),
        rank=rank,
        device=device,
        max_steps=read_whole("max_steps", parameters["max_steps"]),
        batch_size=read_whole("batch_size", parameters.get("batch_size")),
        learning_rate=None if rate is None else read_positive("learning_rate", rate),
        products=getattr(torch, read_products(parameters.get("products", "float32"), device)),
        memory_gb=read_positive("memory_gb", parameters.get("memory_gb", MEMORY_GB)),
        loss=read_name("loss", parameters.get("loss", "absolute"), LOSSES),
        select=read_name("select", parameters.get("select", "uuas"), SELECT),
        geometry=GEOMETRIES[geometry],
        reads=reads,
    )


def _recipe(name: Any, geometry: str) -> Recipe:
    """Find a recipe; axes derived from trees say nothing where the origin has a meaning."""
    recipe = RECIPES[read_name("recipe", name, RECIPES)]
    if not isinstance(recipe, TreeAxes) or GEOMETRIES[geometry].by_differences:
        return recipe
    if name != "auto":
        told = f"recipe {name!r} needs distances that depend on differences of vectors alone, which"
        hint = "use recipe='auto' or 'whitened'"
        raise ProbeError(f"{told} geometry {geometry!r} does not have", hint=hint)
    return RECIPES["whitened"]


def read_reads(relations: Any) -> str | None:
    """Resolve what relations are read from, None if they are not."""
    if isinstance(relations, bool):
        return READS[0] if relations else None
    return read_name("relations", relations, READS)


def read_decoding(decoding: Any, reads: str | None) -> str:
    """Check how trees are decoded: as published, unless there are relations."""
    name = read_name("decoding", decoding, DECODINGS)
    if name != DECODINGS[0] and reads is None:
        hint = Hint("pass relations=True", shell="add --relations")
        raise ProbeError(f"decoding {name!r} needs relations", hint=hint)
    return name


def read_name(kind: str, name: Any, known: Collection[str]) -> str:
    """Check that a setting is one of the known names."""
    if name not in [*known]:  # a list: the value may be unhashable
        raise ProbeError(unknown_name(kind, name, known))
    return str(name)


def read_products(name: str, device: str | torch.device) -> str:
    """Resolve the type of products; "auto" is bfloat16 if the hardware supports it."""
    if read_name("products", name, PRODUCTS) != "auto":
        return name
    fast = has_bfloat16(find_device(device, error=ProbeError))
    return "bfloat16" if fast else "float32"


def read_generator(random_state: Any) -> np.random.Generator:
    """Make a generator from anything that scikit-learn or numpy accepts as a random state."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31)
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ProbeError(
            f"random_state {random_state!r} is not a valid seed", hint="pass a non-negative integer"
        ) from error


def read_split(
    parameters: Mapping[str, Any], train_set: Examples, dev_set: Examples | None
) -> tuple[Split, np.random.Generator]:
    """Hold out training sentences if there is no dev set; give the generator for what follows."""
    generator = read_generator(parameters["random_state"])
    share = parameters["validation_fraction"]
    if not (_is_number(share) and 0 < share < 1):
        raise ProbeError(f"validation_fraction must be between 0 and 1, got {share!r}")
    if dev_set is not None:
        return Split(train_set, dev_set, None), generator
    rest, held_out = hold_out(train_set.lengths, float(share), generator)
    return Split(train_set.take(rest), train_set.take(held_out), held_out), generator


def spawn_seeds(generator: np.random.Generator, count: int) -> list[SeedSequence]:
    """Spawn seeds that do not depend on what the generator has drawn so far."""
    # numpy's own types leave out that a generator's seed can spawn more.
    return cast(SeedSequence, generator.bit_generator.seed_seq).spawn(count)


def read_positive(name: str, value: Any) -> float:
    """Check that a setting is a positive, finite number."""
    if not (_is_number(value) and 0 < value < math.inf):
        raise ProbeError(f"{name} must be a positive number, got {value!r}")
    return float(value)


def read_from_zero(name: str, value: Any, below: float = math.inf) -> float:
    """Check that a setting is a number that is at least 0 and below a limit."""
    if not (_is_number(value) and 0 <= value < below):
        end = "finite" if below == math.inf else f"below {below:g}"
        raise ProbeError(f"{name} must be at least 0 and {end}, got {value!r}")
    return float(value)


def _is_number(value: Any) -> bool:
    """Check that a setting is a real number."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def read_whole(name: str, value: Any, high: int | None = None) -> int | None:
    """Check that a setting is None or an integer in its range."""
    if value is None:
        return None
    whole = _is_number(value) and isinstance(value, numbers.Integral)
    if not whole or value < 1 or (high is not None and value > high):
        allowed = "a positive integer" if high is None else f"an integer from 1 to {high}"
        raise ProbeError(f"{name} must be {allowed}, got {value!r}")
    return int(value)

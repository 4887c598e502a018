"""The training recipes of structural probes, with all their numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Published:
    """The recipe of Hewitt and Manning 2019, as in the authors' code.

    Trains on the raw vectors with batches of random sentences. The learning rate falls as by
    torch's ``ReduceLROnPlateau`` with a patience of 0 and otherwise its defaults; Adam's moments
    are not reset (the paper says they are, but the code does not do it). The final matrices are
    those of the last gain.

    Attributes
    ----------
    start : float
        Components are initialised uniformly between minus and plus this value.
    batch_size : int
        Sentences per batch.
    learning_rate : float
        Initial learning rate of Adam.
    decay, min_decay : float
        Factor for the learning rate after an epoch without a clear new best dev loss, and the
        smallest change that is made.
    decay_threshold : float
        Fraction of the best dev loss by which it must fall to be a clear new best.
    min_gain : float
        By how much the dev loss must fall to count as a gain; matrices are kept after a gain.
    patience, max_epochs : int
        Epochs without a gain, and epochs in all, after which training stops.
    """

    start: float = 0.05
    batch_size: int = 20
    learning_rate: float = 0.001
    decay: float = 0.1
    decay_threshold: float = 1e-4
    min_decay: float = 1e-8
    min_gain: float = 1e-4
    patience: int = 5
    max_epochs: int = 40


@dataclass(frozen=True, slots=True)
class Whitened:
    """The published loss and geometry, optimised in whitened coordinates.

    Batches mix sentence lengths; they are composed once and shuffled. The learning rate rises
    linearly during the warm-up and falls to zero along a cosine. The number of steps does not
    depend on the size of the treebank.

    Attributes
    ----------
    start : float
        Components are initialised uniformly between minus and plus this value times the scale.
    batch_size : int
        Sentences per batch.
    distance_rate, depth_rate : float
        Peak learning rate of Adam, relative to the scale. Depths, of which a sentence has fewer,
        overfit at the lower rate.
    warm_up : float
        Fraction of the steps during which the learning rate rises.
    max_steps, evaluations : int
        Number of steps, and minimum number of evenly spaced evaluations of the dev loss; a run
        with fewer steps is evaluated after each.

    Notes
    -----
    In whitened coordinates, the components that fit a treebank have about the same norm, whatever
    the vectors; the typical size of one of their numbers, and a suitable step, is therefore
    proportional to the scale ``1 / sqrt(rank * n_coordinates)``.
    """

    start: float = 0.1
    batch_size: int = 32
    distance_rate: float = 0.1
    depth_rate: float = 0.3
    warm_up: float = 0.05
    max_steps: int = 2000
    evaluations: int = 10


@dataclass(frozen=True, slots=True)
class Axes:
    """How strongly the probe prefers the axes along which heads and dependents are close.

    Attributes
    ----------
    name : str
        The name.
    power, floor : float
        The initial components and the learning rate of an axis are scaled by
        ``(closeness + floor) ** power``; with a power of 0, all axes are alike.
    decay : float
        Weight decay: the share by which all components shrink in a step at the peak learning rate.
    """

    name: str
    power: float
    floor: float
    decay: float


@dataclass(frozen=True, slots=True)
class TreeAxes(Whitened):
    """The default recipe: as `Whitened`, along axes derived from the trees, in several variants.

    Whitened coordinates can be rotated freely. Here, the axes for the distance probe come from a
    generalised eigenproblem of two second moments of the training data: that of the differences
    between heads and dependents, and that of the differences between any two words of a sentence.
    The closeness of an axis is 1 minus the ratio of the two, at least 0, divided by the highest
    closeness: it is high if heads and dependents are close together along this axis and other words
    are not. Neither the axes nor their closeness change under an invertible linear map of the
    vectors.

    With little training data, it helps to prefer axes with a high closeness; how strongly depends
    on the treebank. So several candidates (`Axes`) are trained on the same batches, and the worse
    half is dropped at each rung (successive halving). The best candidate on the dev set is chosen,
    and its distances are multiplied by the factor with the lowest dev loss (not with
    ``loss="tree"``, where the scale has a meaning). The depth probe is trained as by `Whitened`.

    Attributes
    ----------
    start, batch_size, distance_rate, depth_rate, warm_up, max_steps, evaluations
        As for `Whitened`.
    candidates : tuple of Axes
        The candidates. If dev scores are equal, the first is chosen.
    margin : float
        If the UUAS of several candidates is less than this below the highest, a difference that may
        be due to the seed, the one with the lowest loss is the best.
    rungs : tuple of int
        The numbers of evaluations on the dev set after which the worse half of the candidates is
        dropped.
    """

    candidates: tuple[Axes, ...] = ()
    margin: float = 0.003
    rungs: tuple[int, ...] = (1, 3)


Recipe = Published | Whitened

_CANDIDATES = (
    Axes("axes-mild", power=1.0, floor=0.1, decay=0.0025),
    Axes("axes-strong", power=1.5, floor=0.1, decay=0.005),
    Axes("axes-stronger", power=2.0, floor=0.1, decay=0.005),
    Axes("axes-even", power=0.0, floor=0.0, decay=0.0),
)

RECIPES: dict[str, Recipe] = {
    "auto": TreeAxes(candidates=_CANDIDATES),
    "whitened": Whitened(),
    **{axes.name: TreeAxes(candidates=(axes,)) for axes in _CANDIDATES},
    "published": Published(),
}


def chooses(recipe: str) -> bool:
    """Whether a recipe chooses among candidates."""
    return len(getattr(RECIPES[recipe], "candidates", ())) > 1


# The recipes from before keys included them. They are left out of a key if unchanged, so that rows
# in older folders are found again.
_FIRST_RECIPES = {"whitened": "693eabf4", "published": "d25513d5"}


def recipe_version(recipe: str | None, dtype: str | None) -> dict[str, Any]:
    """Return the part of a key for a recipe besides its name: its numbers and noise cut-off."""
    if recipe is None:
        return {}
    numbers = json.dumps(asdict(RECIPES[recipe]), sort_keys=True)
    digest = hashlib.sha256(numbers.encode()).hexdigest()[:8]
    told = {} if digest == _FIRST_RECIPES.get(recipe) else {"recipe_numbers": digest}
    # Whitening drops directions by the resolution of this type; it was always by that of float32.
    by_type = recipe == "whitened" and dtype in ("float16", "bfloat16")
    return told | ({"whitening": 2} if by_type else {})

"""How each command works: one frozen configuration a command, checked when it is made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

from structprobe.devices import KNOWN
from structprobe.errors import ProbeError, unknown_name
from structprobe.experiments.runs.backends import HERE, Backend
from structprobe.probe.training.recipes import RECIPES

if TYPE_CHECKING:
    from structprobe.attention.patterns import PatternRules


@dataclass(frozen=True)
class Training:
    """How probes are trained.

    Parameters
    ----------
    recipe : {"whitened", "published"}, default="whitened"
        The way in which the probe's matrix is found.
    max_steps : int, optional
        The limit on training steps; the recipe's own unless given.
    products : {"float32", "bfloat16", "auto"}, default="float32"
        The type of the two large matrix products of a step; "auto" is the faster one on this
        machine.
    device : str or torch.device, default="auto"
        Where probes are trained.
    memory_gb : float, optional
        The memory for word vectors in training, in units of 10⁹ bytes (4 unless given). As many
        layers as fit are trained together; a layer that does not fit by itself is streamed from
        the system's temporary folder.

    Raises
    ------
    ProbeError
        If a value is unknown or out of range.
    """

    recipe: str = "whitened"
    max_steps: int | None = None
    products: str = "float32"
    device: Any = "auto"
    memory_gb: float | None = None

    def __post_init__(self) -> None:
        from structprobe.probe.training.settings import PRODUCTS, read_memory

        if self.recipe not in [*RECIPES]:  # a list: what was given may have no hash
            raise ProbeError(unknown_name("recipe", self.recipe, RECIPES))
        if self.products not in [*PRODUCTS]:
            raise ProbeError(unknown_name("products", self.products, PRODUCTS))
        check_steps(self.max_steps)
        check_device(self.device)
        if self.memory_gb is not None:
            read_memory(self.memory_gb)


@dataclass(frozen=True)
class FitConfig:
    """How `fit_probe` works.

    Parameters
    ----------
    training : Training, optional
        How the probe is trained.
    force : bool, default=False
        Whether a probe that is there already is replaced.
    cache : path, optional
        A folder for word vectors.
    command : str, optional
        The command line, to be written down in the probe's config.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.
    """

    training: Training = field(default_factory=Training)
    force: bool = False
    cache: str | os.PathLike[str] | None = None
    command: str | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        _check_training(self.training)


@dataclass(frozen=True)
class SweepConfig:
    """How `sweep` works, and what `plan_sweep` reckons with.

    Parameters
    ----------
    training : Training, optional
        How the probes are trained.
    baselines : bool, default=True
        Whether to score the linear chain, both branching trees and random trees (one per seed)
        too.
    untrained : bool, default=False
        Whether to run the whole grid on an untrained copy of the model too (method
        ``"probe-untrained"``).
    cache : path, optional
        A folder in which word vectors are kept. Without it they lie in the folder of results until
        the sweep is done.
    keep_predictions : bool, default=True
        Whether to keep each run's predictions, with the gold trees, beside its row; not those of
        runs already done. They take some 2 n² bytes for each sentence of n words and each probe.
    save_probes : bool, default=False
        Whether to save each fitted probe too, in the folder of results; not those of runs already
        done. Each takes 8 times rank times hidden size in bytes.
    backend : Backend, optional
        Where the runs are done; one after another in this process unless given. The folders
        must be seen from there.
    command : str, optional
        The command line, to be written down in the folder.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.
    """

    training: Training = field(default_factory=Training)
    baselines: bool = True
    untrained: bool = False
    cache: str | os.PathLike[str] | None = None
    keep_predictions: bool = True
    save_probes: bool = False
    backend: Backend = HERE
    command: str | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        _check_training(self.training)


@dataclass(frozen=True)
class CompareConfig:
    """How `compare` works.

    Parameters
    ----------
    device : str or torch.device, default="auto"
        Where things are trained.
    cache : path, optional
        A folder in which word vectors and attention are kept. Without it they lie in the folder of
        results until all is done.
    keep_predictions : bool, default=True
        Whether to keep each method's predictions on the test set as it is written, with the gold
        trees, beside its row.
    command : str, optional
        The command line, to be written down in the folder.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.

    Raises
    ------
    ProbeError
        If there is no such device.
    """

    device: Any = "auto"
    cache: str | os.PathLike[str] | None = None
    keep_predictions: bool = True
    command: str | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        check_device(self.device)


@dataclass(frozen=True)
class LocaliseConfig:
    """How `localise` works.

    Parameters
    ----------
    max_steps : int, optional
        The limit on the steps of each fit; the default recipe's own unless given.
    device : str or torch.device, default="auto"
        Where the probes are trained.
    cache : path, optional
        A folder for word vectors.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.

    Raises
    ------
    ProbeError
        If `max_steps` is out of range, or there is no such device.
    """

    max_steps: int | None = None
    device: Any = "auto"
    cache: str | os.PathLike[str] | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        check_steps(self.max_steps)
        check_device(self.device)


@dataclass(frozen=True)
class HeadsConfig:
    """How `analyse_heads` works.

    Parameters
    ----------
    rules : PatternRules, optional
        When a head has which pattern.
    force : bool, default=False
        Whether an analysis that is in the folder already is replaced.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.
    """

    rules: PatternRules | None = None
    force: bool = False
    progress: bool | None = None


def check_steps(max_steps: Any) -> None:
    """Refuse a limit on training steps that is no whole number above 0."""
    if max_steps is None:
        return
    whole = isinstance(max_steps, Integral) and not isinstance(max_steps, bool)
    if not whole or max_steps < 1:
        told = f"max_steps {max_steps!r} is out of range; it is a whole number, 1 or more"
        raise ProbeError(told)


def check_device(device: Any) -> None:
    """Refuse what names no device; whether it is there is for the machine that trains to say."""
    if device == "auto":
        return
    import torch

    try:
        torch.device(device)
    except (RuntimeError, TypeError):
        raise ProbeError(unknown_name("device", device, KNOWN)) from None


def _check_training(training: Any) -> None:
    if not isinstance(training, Training):
        raise ProbeError(
            f"training is {training!r}", hint="give Training(...), such as Training(max_steps=500)"
        )

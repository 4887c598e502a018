"""The options of the experiments: one frozen dataclass each, checked when created."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from structprobe.devices import KNOWN
from structprobe.errors import Hint, ProbeError, refuse_kind, unknown_name
from structprobe.experiments.layers_ranks_seeds import check_samples
from structprobe.experiments.runs.backends import HERE, Backend
from structprobe.probe.training.recipes import RECIPES
from structprobe.treebank.controls import CONTROLS, choose_controls

if TYPE_CHECKING:
    from structprobe.attention.patterns import PatternRules


Config = TypeVar("Config")


def checked_config(config: Config | None, kind: type[Config]) -> Config:
    """Give the options of an experiment, those by default if there are none."""
    if config is None:
        return kind()
    if not isinstance(config, kind):
        name = kind.__name__
        refuse_kind("config", config, f"a {name}", ProbeError, f"pass config={name}(...)")
    return config


@dataclass(frozen=True)
class Training:
    """Options for training probes.

    Parameters
    ----------
    recipe : {"auto", "whitened", "published"}, default="auto"
        How the matrices of the probe are trained; see `StructuralProbe`.
    max_steps : int, optional
        The maximum number of training steps; by default that of the recipe.
    products : {"float32", "bfloat16", "auto"}, default="float32"
        Precision of the large matrix products in training; ``"auto"`` is the faster one on this
        hardware.
    device : str or torch.device, default="auto"
        Where probes are trained.
    memory_gb : float, default=4
        Memory for word vectors during training, in units of 10⁹ bytes. As many layers as fit are
        trained together; a layer that does not fit is streamed from the temporary folder.
    select : {"uuas", "loss"}, default="uuas"
        The dev-set criterion by which the recipe ``"auto"`` chooses.
    relations : bool or str, default=False
        Whether probes learn relations too, and what they are read from; see `StructuralProbe`.
        Probes of control tasks learn none.
    decoding : {"published", "root", "joint"}, default="published"
        How trees are decoded; all but ``"published"`` need relations.

    Raises
    ------
    ProbeError
        If a value is unknown or out of range.
    """

    recipe: str = "auto"
    max_steps: int | None = None
    products: str = "float32"
    device: Any = "auto"
    memory_gb: float | None = None
    select: str = "uuas"
    relations: bool | str = False
    decoding: str = "published"

    def __post_init__(self) -> None:
        from structprobe.probe.training import settings

        settings.read_name("recipe", self.recipe, RECIPES)
        settings.read_name("select", self.select, settings.SELECT)
        settings.read_name("products", self.products, settings.PRODUCTS)
        check_steps(self.max_steps)
        check_device(self.device)
        if self.memory_gb is not None:
            settings.read_positive("memory_gb", self.memory_gb)
        settings.read_decoding(self.decoding, settings.read_reads(self.relations))


@dataclass(frozen=True)
class FitConfig:
    """Options of `fit_probe`.

    Parameters
    ----------
    training : Training, optional
        How the probe is trained.
    force : bool, default=False
        Whether to replace an existing probe.
    cache, command, progress, allow_withheld
        As for `SweepConfig`; `command` is recorded in the probe's config.
    """

    training: Training = field(default_factory=Training)
    force: bool = False
    cache: str | os.PathLike[str] | None = None
    command: str | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        _check_training(self.training)


@dataclass(frozen=True)
class SweepConfig:
    """Options of `sweep` and `plan_sweep`.

    Parameters
    ----------
    training : Training, optional
        How the probes are trained.
    baselines : bool, default=True
        Whether to also score the linear chain, both branching trees, and random trees per seed.
    untrained : bool, default=False
        Whether to also probe untrained copies of the model (method ``"probe-untrained"``): one for
        each seed, which draws its weights.
    controls : str or iterable of str, default=()
        Control tasks that each probe is also trained and scored on: ``"form"``, ``"position"``,
        ``"random"`` (see `structprobe.treebank.controls`), or ``"all"``. Their rows have the method
        ``"probe-control-form"`` and so on, and the selectivity.
    train_sentences : iterable of int or None, default=(None,)
        The numbers of random training sentences to train on, for a learning curve; None for all.
        Each seed has its own samples, and a larger sample contains the smaller ones. Numbers above
        the size of the training set are left out.
    stimuli : int, default=0
        The number of generated English sentences on which to measure the near-word bias of each
        probe, see `structprobe.stimuli.make_stimuli`; 0 for none.
    cache : path, optional
        A folder in which to cache word vectors. By default they are in the results folder until
        all runs are done.
    keep_predictions : bool, default=True
        Whether to save the predictions of new runs, with the gold trees: about 2 n² bytes per probe
        and sentence of n words.
    save_probes : bool, default=False
        Whether to save the probes of new runs: 8 bytes times rank times hidden size each.
    backend : Backend, optional
        Where the runs are executed; by default one after another in this process. Workers need
        access to the folders.
    command : str, optional
        The command line, to be recorded in the folder.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.
    allow_withheld : bool, default=False
        Whether to go on with treebanks whose text is withheld (more than 5 % of a file's words are
        ``_``).
    """

    training: Training = field(default_factory=Training)
    baselines: bool = True
    untrained: bool = False
    controls: str | Iterable[str] = ()
    train_sentences: Iterable[int | None] = (None,)
    stimuli: int = 0
    cache: str | os.PathLike[str] | None = None
    keep_predictions: bool = True
    save_probes: bool = False
    backend: Backend = HERE
    command: str | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        _check_training(self.training)
        if choose_controls(self.controls) and self.training.decoding == "joint":
            what = "decoding 'joint' needs relations, which the trees of control tasks do not have"
            hint = Hint("pass no controls, or decoding='published'",
                        shell="leave out --controls, or --decoding")  # fmt: skip
            raise ProbeError(what, hint=hint)
        check_samples(self.train_sentences)
        check_stimuli(self.stimuli)
        if not isinstance(self.backend, Backend):
            hint = "pass a Backend object, such as Backend(jobs=2)"
            refuse_kind("backend", self.backend, "a Backend", ProbeError, hint)


@dataclass(frozen=True)
class CompareConfig:
    """Options of `compare`.

    Parameters
    ----------
    device : str or torch.device, default="auto"
        Where methods are trained.
    cache, keep_predictions, command, progress, allow_withheld
        As for `SweepConfig`; the cache also holds attention, and predictions are those on the
        original test set.

    Raises
    ------
    ProbeError
        If the device is unknown.
    """

    device: Any = "auto"
    cache: str | os.PathLike[str] | None = None
    keep_predictions: bool = True
    command: str | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        check_device(self.device)


@dataclass(frozen=True)
class LocaliseConfig:
    """Options of `localise`.

    Parameters
    ----------
    max_steps : int, optional
        The maximum number of steps of each fit; by default that of the recipe.
    device : str or torch.device, default="auto"
        Where the probes are trained.
    cache, progress, allow_withheld
        As for `SweepConfig`; by default word vectors are not cached.

    Raises
    ------
    ProbeError
        If `max_steps` is out of range, or the device is unknown.
    """

    max_steps: int | None = None
    device: Any = "auto"
    cache: str | os.PathLike[str] | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        check_steps(self.max_steps)
        check_device(self.device)


@dataclass(frozen=True)
class InterveneConfig:
    """Options of `read_interventions`.

    Parameters
    ----------
    remove : sequence of str, default=("probe",)
        What is removed: the subspace of the ``"probe"``, or what linearly tells the ``"relation"``
        of words to their heads or their ``"depth"`` (LEACE).
    part : {"distance", "depth", "both"}, default="distance"
        Which matrices of a probe are read.
    controls : sequence of str, default=("form", "position")
        The control tasks whose probes are removed too.
    n_random : int, default=5
        The number of random subspaces of each kind, at least 5.
    later : iterable of int, optional
        Layers in which trees are read under the intervention, those above its own alone; by default
        the next, the last, and one between them. An empty one for none.
    attachment : int, default=100
        The number of items with an ambiguous attachment; 0 for none.
    sentences : int, optional
        The number of sentences of the test set that are read; by default all.
    bound : float, optional
        The norm above which a vector is left alone, as an attention sink; by default 20 times the
        median norm, and infinity for none.
    recipe, max_steps, device
        As for `Training`; by default the recipe ``"whitened"``.
    punct
        As for `score`.
    seed : int, default=0
        Random state of probes, random subspaces, made sentences and resamples.
    cache, progress, allow_withheld
        As for `SweepConfig`; by default word vectors are not cached.

    Raises
    ------
    ProbeError
        If a name is unknown, or a number out of range.
    """

    remove: tuple[str, ...] = ("probe",)
    part: str = "distance"
    controls: tuple[str, ...] = ("form", "position")
    n_random: int = 5
    later: Iterable[int] | None = None
    attachment: int = 100
    sentences: int | None = None
    bound: float | None = None
    recipe: str = "whitened"
    max_steps: int | None = None
    device: Any = "auto"
    punct: str | None = None
    seed: int = 0
    cache: str | os.PathLike[str] | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        known = {
            "remove": ("probe", "relation", "depth"),
            "controls": tuple(CONTROLS),
            "part": ("distance", "depth", "both"),
        }
        for name, choices in known.items():
            given = getattr(self, name)
            for one in (given,) if isinstance(given, str) else given:
                if one not in choices:
                    raise ProbeError(unknown_name(name, one, choices))
        for name in ("remove", "controls"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        if not self.remove:
            raise ProbeError("nothing to remove", hint=f"choose from {', '.join(known['remove'])}")
        if self.later is not None:
            object.__setattr__(self, "later", tuple(self.later))
        check_whole("n_random", self.n_random)
        check_whole("sentences", self.sentences)
        if self.attachment != 0:
            check_whole("attachment", self.attachment)
        if self.bound is not None and not self.bound > 0:
            what = f"bound must be a norm, got {self.bound!r}"
            raise ProbeError(what, hint="words whose vector has a larger norm are left alone")
        if self.n_random < 5:
            what = f"{self.n_random} random subspaces are too few to judge an effect by"
            raise ProbeError(what, hint="ask for at least 5")
        check_steps(self.max_steps)
        check_device(self.device)


@dataclass(frozen=True)
class CodelengthConfig:
    """Options of `codelength`.

    Parameters
    ----------
    controls : str or iterable of str, default=()
        Control tasks whose trees are also encoded, given the same vectors; as for `SweepConfig`.
    recipe : str, default="whitened"
        How the probes are trained, as for `StructuralProbe`; for ``"whitened"``, only the best step
        is chosen.
    max_steps : int, optional
        Training steps for the whole treebank, of which each block gets a share in proportion to
        the sentences before it; by default those of the recipe.
    device : str or torch.device, default="auto"
        Where the probes are trained.
    cache, command, progress, allow_withheld
        As for `SweepConfig`; by default word vectors are not cached.

    Raises
    ------
    TreebankError
        If a control task is unknown.
    ProbeError
        If the recipe or the device is unknown, or `max_steps` is out of range.
    """

    controls: str | Iterable[str] = ()
    recipe: str = "whitened"
    max_steps: int | None = None
    device: Any = "auto"
    cache: str | os.PathLike[str] | None = None
    command: str | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        from structprobe.probe.training.settings import read_name

        choose_controls(self.controls)
        read_name("recipe", self.recipe, RECIPES)
        check_steps(self.max_steps)
        check_device(self.device)


@dataclass(frozen=True)
class DecomposeConfig:
    """Options of `decompose`.

    Parameters
    ----------
    max_sentences : int, optional, default=2000
        Maximum number of training sentences; if there are more, as many are sampled at random. None
        for all. Time grows with the cube of their number, memory with the square.
    device : str or torch.device, default="auto"
        Where the regressions are solved.
    cache, progress, allow_withheld
        As for `SweepConfig`; by default word vectors are not cached.

    Raises
    ------
    ProbeError
        If `max_sentences` is not a positive integer, or the device is unknown.
    """

    max_sentences: int | None = 2000
    device: Any = "auto"
    cache: str | os.PathLike[str] | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        check_whole("max_sentences", self.max_sentences)
        check_device(self.device)


@dataclass(frozen=True)
class AxesConfig:
    """Options of `compare_axes`.

    Parameters
    ----------
    coordinates, l1, threshold, max_steps
        As for `OrthogonalProbe`.
    device : str or torch.device, default="auto"
        Where the probes are trained.
    cache, progress, allow_withheld
        As for `SweepConfig`; by default word vectors are not cached.

    Raises
    ------
    ProbeError
        If a value is unknown or out of range.
    """

    coordinates: str = "whitened"
    l1: float = 0.3
    threshold: float = 0.01
    max_steps: int | None = None
    device: Any = "auto"
    cache: str | os.PathLike[str] | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        from structprobe.probe.training.settings import (
            COORDINATES,
            read_from_zero,
            read_name,
        )

        read_name("coordinates", self.coordinates, COORDINATES)
        read_from_zero("l1", self.l1)
        read_from_zero("threshold", self.threshold, below=1)
        check_steps(self.max_steps)
        check_device(self.device)


@dataclass(frozen=True)
class TransferConfig:
    """Options of `transfer`.

    Parameters
    ----------
    training : Training, optional
        How the probes are trained.
    cache, progress, allow_withheld
        As for `SweepConfig`; by default word vectors are not cached.
    """

    training: Training = field(default_factory=Training)
    cache: str | os.PathLike[str] | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        _check_training(self.training)


@dataclass(frozen=True)
class HeadsConfig:
    """Options of `analyse_heads`.

    Parameters
    ----------
    rules : PatternRules, optional
        The rules that assign patterns to heads.
    force : bool, default=False
        Whether to replace an existing analysis in the folder.
    progress, allow_withheld
        As for `SweepConfig`.
    """

    rules: PatternRules | None = None
    force: bool = False
    progress: bool | None = None
    allow_withheld: bool = False


def check_steps(max_steps: Any) -> None:
    """Refuse a limit on training steps that is not a positive integer."""
    check_whole("max_steps", max_steps)


def check_whole(name: str, value: Any) -> None:
    """Refuse what is given and not a positive integer."""
    from structprobe.probe.training.settings import read_whole

    read_whole(name, value)


def check_stimuli(n: Any) -> None:
    """Refuse what is no number of stimuli with a near-word bias, or 0 for none."""
    if n != 0:
        check_whole("stimuli", n)
    if n == 1:
        what = "1 stimulus has no near-word bias, which is a difference between sentences"
        hint = Hint("use stimuli=26 or more", shell="use --stimuli 26 or more")
        raise ProbeError(what, hint=hint)


def check_device(device: Any) -> None:
    """Refuse an unknown device; its availability is checked where the training runs."""
    if device == "auto":
        return
    import torch

    try:
        torch.device(device)
    except (RuntimeError, TypeError):
        raise ProbeError(unknown_name("device", device, KNOWN)) from None


def _check_training(training: Any) -> None:
    if not isinstance(training, Training):
        hint = "pass a Training object, such as Training(max_steps=500)"
        raise ProbeError(f"training is {training!r}", hint=hint)

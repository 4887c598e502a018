"""Which axes of the vectors tasks have in common: one rotation, and a scaling for each task.

After Limisiewicz and Mareček 2021, Introducing Orthogonal Constraint in Structural Probes. If
distances in the tree are read along axes that serve no other task, syntax is separate from, say,
the order of words, or from what a probe memorises of the forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.devices import find_device
from structprobe.errors import ProbeError, ScoreError, check_encoder
from structprobe.experiments.config import AxesConfig, checked_config
from structprobe.experiments.layers_ranks_seeds import check_seeds, parse_layers
from structprobe.experiments.runs.run import Banks, warn_before
from structprobe.progress import progress_bar
from structprobe.results.rows import bank_name
from structprobe.scores.prediction import Prediction
from structprobe.scores.scoring import score
from structprobe.treebank.controls import CONTROLS, PAPER_TASKS, with_controls
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors
    from structprobe.probe.data.tasks import Structures, Task
    from structprobe.probe.orthogonal_probe import OrthogonalProbe, SharedAxes


@dataclass(frozen=True)
class TaskAxes:
    """The axes of one task.

    Attributes
    ----------
    task : str
        The name of the task.
    n_axes : int
        The number of axes that it uses.
    correlation : float or None
        Spearman's correlation of predicted and gold distances or depths (DSpr. or NSpr.), as by
        `score`; None if no sentence has one. What a probe cannot predict has no meaningful axes.
    error : float
        The mean absolute error on the dev set.
    """

    task: str
    n_axes: int
    correlation: float | None
    error: float


@dataclass(frozen=True)
class LayerAxes:
    """The axes that tasks use and share on one layer.

    Attributes
    ----------
    layer : int
        The layer.
    n_axes : int
        The number of all axes.
    tasks : tuple of TaskAxes
        Each task.
    pairs : tuple of SharedAxes
        Each two tasks.
    coordinates, l1, threshold : str, float, float
        As for `OrthogonalProbe`.
    model, train, scored_on : str or None
        The model, and the files of the training set and of the set that correlations are on.
    seed : int
        The random state.
    warnings : tuple of str
        What may make the numbers misleading.
    """

    layer: int
    n_axes: int
    tasks: tuple[TaskAxes, ...]
    pairs: tuple[SharedAxes, ...]
    coordinates: str
    l1: float
    threshold: float
    model: str | None
    train: str | None
    scored_on: str | None
    seed: int
    warnings: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types.

        Returns
        -------
        dict
            The attributes by name.
        """
        found = asdict(self)
        return found | {name: [*found[name]] for name in ("tasks", "pairs", "warnings")}


def compare_axes(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    test: Sequence[Sentence] | None = None,
    *,
    layers: str | Iterable[int] = "all",
    tasks: str | Iterable[str] = PAPER_TASKS,
    seed: int = 0,
    config: AxesConfig | None = None,
) -> list[LayerAxes]:
    """Find the axes that each task uses on each layer, and how many axes tasks have in common.

    Fits an `OrthogonalProbe` for all tasks on each layer.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train, dev : sequence of Sentence
        Sentences with heads: for fitting, and for choosing the best step.
    test : sequence of Sentence, optional
        Sentences with heads, for the correlations; by default, they are on the dev set.
    layers : str or iterable of int, default="all"
        As for `sweep`.
    tasks : str or iterable of str
        The tasks, as for `OrthogonalProbe`; by default distances and depths of the gold trees, of
        the chain of words, and of random trees.
    seed : int, default=0
        Random state of the batches.
    config : AxesConfig, optional
        Further options: coordinates, penalty, threshold, steps, device, cache.

    Returns
    -------
    list of LayerAxes
        One for each layer.

    Raises
    ------
    ProbeError
        If a task is unknown, a layer or setting is out of range, or the loss is no longer finite.
    ScoreError
        If a treebank is empty or has no heads.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    from structprobe.probe.data.tasks import SYNTAX, read_tasks

    config = checked_config(config, AxesConfig)
    find_device(config.device, error=ProbeError)
    read = read_tasks(tasks, (SYNTAX, *CONTROLS))
    check_seeds([] if seed is None else [seed])
    banks = Banks.of(train, dev, test, "keep", allow_withheld=config.allow_withheld)
    check_encoder(encoder, ProbeError)
    if banks.dev is None:
        raise ScoreError("the best step is chosen on a dev set", hint="pass one")
    chosen = parse_layers(layers, encoder.n_layers, encoder.layers)
    cautions = warn_before(banks)
    how: dict[str, Any] = {"cache": config.cache, "progress": config.progress}
    encoded = {part: encoder.encode(bank, layers=chosen, **how)
               for part, bank in banks.parts.items()}  # fmt: skip
    controls = {task.structure for task in read} & CONTROLS.keys()
    trees = {part: with_controls(bank, controls) for part, bank in banks.parts.items()}
    scored = "dev" if banks.test is None else "test"
    facts: dict[str, Any] = {"seed": int(seed), "warnings": tuple(cautions)}
    facts |= {"train": bank_name(banks.train), "scored_on": bank_name(banks.parts[scored])}
    facts |= {name: getattr(config, name) for name in ("coordinates", "l1", "threshold")}
    found = []
    with progress_bar("layers", len(chosen), "layer", shown=config.progress) as advance:
        for layer in chosen:
            own = {part: vectors.layer(layer) for part, vectors in encoded.items()}
            probe = _probe([task.name for task in read], int(seed), config)
            probe.fit(own["train"], trees["train"], dev=(own["dev"], trees["dev"]))
            uses = tuple(_use(probe, task, own[scored], trees[scored]) for task in read)
            facts["model"] = (own["train"].origin or {}).get("model")
            told = len(probe.rotation_), uses, tuple(probe.shared_axes())
            found.append(LayerAxes(layer, *told, **facts))
            advance(1)
    return found


def _probe(tasks: Sequence[str], seed: int, config: AxesConfig) -> OrthogonalProbe:
    """Make an unfitted probe."""
    from structprobe.probe.orthogonal_probe import OrthogonalProbe

    names = "coordinates", "l1", "threshold", "max_steps", "device"
    told = {name: getattr(config, name) for name in names}
    verbose = config.progress is not False
    return OrthogonalProbe(tasks=tasks, random_state=seed, verbose=verbose, **told)


def _use(probe: OrthogonalProbe, task: Task, vectors: WordVectors, trees: Structures) -> TaskAxes:
    """Count the axes of a task, and see how well it is predicted."""
    if task.structure in trees:
        gold = [sentence.heads for sentence in trees[task.structure]]
    else:  # the chain of words
        gold = [np.arange(len(sentence)) for sentence in vectors]
    places = [np.arange(len(heads)) for heads in gold]  # No tree is scored
    if task.kind == "distance":
        distances = probe.distances(vectors, task.name)
        pairs = zip(places, distances, strict=True)
        correlation = score(gold, [Prediction(own, distances=one) for own, one in pairs]).dspr
    else:
        depths = probe.depths(vectors, task.name)
        pairs = zip(places, depths, strict=True)
        correlation = score(gold, [Prediction(own, depths=one) for own, one in pairs]).nspr
    n_axes = int(np.count_nonzero(probe.scalings_[task.name]))
    return TaskAxes(task.name, n_axes, correlation, probe.dev_losses_[task.name])

"""Minimum description length: how short gold trees become, given the vectors of a layer.

The online code of Voita and Titov 2020, Information-Theoretic Probing with Minimum Description
Length, section 3.2. The sentences come in blocks. The first is coded by the uniform code, each
later one by a probe trained on the blocks before it. So what counts is not only how well a probe
does in the end, but also how few sentences it needs: a probe that has to learn the task itself
pays for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from structprobe.devices import find_device
from structprobe.errors import ProbeError, check_encoder, unknown_name
from structprobe.experiments.config import CodelengthConfig, checked_config
from structprobe.experiments.instruments.online_code import Blocks, CodedBlock, Coder
from structprobe.experiments.layers_ranks_seeds import check_ranks, check_seeds, parse_layers
from structprobe.experiments.runs.run import Banks, Run
from structprobe.progress import progress_bar
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.frames import Rows
from structprobe.results.rows import bank_name, make_row
from structprobe.treebank.controls import choose_controls
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

KINDS = ("tree", "distances", "depths")


@dataclass(frozen=True)
class Codelength:
    """The online code of a treebank given the vectors of one layer.

    The codelengths of different kinds are not comparable: a tree determines all n(n - 1)/2
    distances and all n depths of a sentence, but these are encoded as if they were independent.

    Attributes
    ----------
    kind : {"tree", "distances", "depths"}
        What is encoded.
    layer : int
        The layer.
    blocks : tuple of CodedBlock
        The blocks, in the order in which they are encoded.
    control : str or None
        The control task whose trees are encoded; None for the trees of the treebank.
    model, train : str or None
        The model, and the files that the treebank was read from, if known.
    rank, seed : int
        Rank of the probes, and the random state.
    recipe : str
        How the probes were trained.
    max_steps : int or None
        Training steps for the whole treebank; the probe for a block is trained for a share of them,
        in proportion to the sentences before the block. None if the recipe counts in epochs.
    held_out : {"train", "dev"}
        What the best step and the sharpness were chosen on: held-out sentences from those before a
        block, or the dev set.
    """

    kind: str
    layer: int
    blocks: tuple[CodedBlock, ...]
    control: str | None
    model: str | None
    train: str | None
    rank: int
    seed: int
    recipe: str
    max_steps: int | None
    held_out: str

    @property
    def codelength(self) -> float:
        """Bits of all blocks."""
        return sum(block.codelength for block in self.blocks)

    @property
    def uniform_codelength(self) -> float:
        """Bits of all blocks by the uniform code."""
        return sum(block.uniform_codelength for block in self.blocks)

    @property
    def compression(self) -> float:
        """`uniform_codelength` divided by `codelength`; 1 if nothing was learned."""
        # No bits at all where every sentence has one or two words, and so one distance.
        return self.uniform_codelength / self.codelength if self.codelength else 1.0

    @property
    def n_sentences(self) -> int:
        """The number of sentences."""
        return sum(block.n_sentences for block in self.blocks)

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types.

        Returns
        -------
        dict
            The attributes and properties by name.
        """
        sums = {name: getattr(self, name) for name in
                ("n_sentences", "codelength", "uniform_codelength", "compression")}  # fmt: skip
        own = asdict(self)
        blocks = own.pop("blocks")
        first = {name: own.pop(name) for name in ("kind", "layer", "control")}
        return {**first, **sums, **own, "blocks": list(blocks)}


def codelength(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None = None,
    *,
    layers: str | Iterable[int] = "all",
    kinds: str | Iterable[str] = KINDS,
    rank: int | None = None,
    seed: int = 0,
    config: CodelengthConfig | None = None,
) -> list[Codelength]:
    """Measure how many bits encode the trees of a treebank, given the vectors of a layer.

    The sentences are encoded in blocks that end at 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25, 50
    and 100 per cent of the treebank; blocks that coincide are merged. The first block is encoded by
    the uniform code, each later one by a probe trained on the sentences before it. The number of
    training steps is proportional to the number of these sentences. If they are too few to train
    on some and hold out others, the uniform code is used.

    - ``"tree"``: the undirected gold tree, by its likelihood among all spanning trees, from
      distances trained with ``loss="tree"``; and its root, as one of n words. The uniform code
      takes ``(n - 1) * log2(n)`` bits for n words.
    - ``"distances"``, ``"depths"``: each value on its own, by a discrete Laplace distribution
      around the predicted value, over the possible integers (1 to n - 1, and 0 to n - 1). The
      uniform code gives each integer the same probability. A code that knows only the frequencies
      of distances is already better than that, so compare the compression with that of a control.

    Codelengths of different kinds are not comparable: one tree determines all n(n - 1)/2 distances,
    but these are encoded as if they were independent.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train : sequence of Sentence
        The sentences to encode, with heads.
    dev : sequence of Sentence, optional
        Sentences on which the best training step and the sharpness of the code are chosen; they are
        not counted in the codelength. By default, a tenth of the sentences before each block is
        held out for this (at least ten, but no more than half).
    layers : str or iterable of int, default="all"
        As for `sweep`. The vectors of all are in memory at once, unless there is a cache.
    kinds : str or iterable of str, default=("tree", "distances", "depths")
        What is encoded.
    rank : int, optional
        Rank of the probes; by default hidden_size.
    seed : int, default=0
        Random state of the order of the sentences and of the probes.
    config : CodelengthConfig, optional
        Further options: control tasks, the recipe, the number of steps, device, cache.

    Returns
    -------
    list of Codelength
        One for each layer, kind and control, by layer; of each kind, the gold trees come first.

    Raises
    ------
    ProbeError
        If a kind or control is unknown, or a layer, the rank or the seed is out of range.
    ScoreError
        If a treebank has no heads, or `train` has too few sentences for a probe.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    config = checked_config(config, CodelengthConfig)
    plan = _Plan.of(encoder, Banks.of(train, dev, allow_withheld=config.allow_withheld), layers,
                    kinds, rank, seed, config)  # fmt: skip
    return [*plan.coded(plan.layers, plan.kinds, plan.tasks)]


def codelength_rows(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None = None,
    *,
    folder: str | os.PathLike[str],
    layers: str | Iterable[int] = "all",
    kinds: str | Iterable[str] = KINDS,
    rank: int | None = None,
    seed: int = 0,
    config: CodelengthConfig | None = None,
) -> Rows:
    """Measure codelengths and save them in a results folder; one row per layer, kind and control.

    Rows that are already in the folder are skipped. Their method is ``"codelength-tree"`` and so
    on, followed by ``-control-form`` and so on for controls.

    Parameters
    ----------
    encoder, train, dev
        As for `codelength`.
    folder : path
        The results folder: new, empty, or from structprobe. The rows of a layer are written when
        it is done.
    layers, kinds, rank, seed, config
        As for `codelength`.

    Returns
    -------
    Rows
        The rows of all requested layers, kinds and controls.

    Raises
    ------
    ProbeError, ScoreError, TreebankError
        As for `codelength`.
    ResultError
        If the folder is not a results folder or cannot be written.
    """
    config = checked_config(config, CodelengthConfig)
    check_folder(folder)
    plan = _Plan.of(encoder, Banks.of(train, dev, allow_withheld=config.allow_withheld), layers,
                    kinds, rank, seed, config)  # fmt: skip
    runs = {
        (layer, kind, task.control): plan.run(layer, kind, task)
        for layer, kind, task in product(plan.layers, plan.kinds, plan.tasks)
    }
    results = ResultsFolder(folder)
    results.tell_command(config.command)
    keys = results.keys
    todo = [place for place, run in runs.items() if run.key not in keys]
    layers, kinds, controls = map(set, zip(*todo, strict=True)) if todo else ((), (), ())
    left = (
        [layer for layer in plan.layers if layer in layers],
        [kind for kind in plan.kinds if kind in kinds],
        [task for task in plan.tasks if task.control in controls],
    )
    for one in plan.coded(*left):
        values = {"codelength": one.codelength, "compression": one.compression}
        results.add(make_row(**runs[one.layer, one.kind, one.control].values, **values))
    by_key = {row["key"]: row for row in results.rows}
    return Rows(by_key[run.key] for run in runs.values())


@dataclass(frozen=True)
class _Plan:
    """What is to be coded, checked before anything is encoded."""

    encoder: Encoder
    banks: Banks
    layers: tuple[int, ...]
    kinds: tuple[str, ...]
    tasks: tuple[Banks, ...]  # The treebanks, and those of controls
    rank: int | None
    seed: int
    config: CodelengthConfig

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        banks: Banks,
        layers: str | Iterable[int],
        kinds: str | Iterable[str],
        rank: int | None,
        seed: int,
        config: CodelengthConfig,
    ) -> _Plan:
        """Check what was asked for."""
        find_device(config.device, error=ProbeError)
        wanted = _read_kinds(kinds)
        check_seeds([] if seed is None else [seed])
        check_encoder(encoder, ProbeError)
        if rank is not None:
            check_ranks([rank], encoder.hidden_size)
        chosen = parse_layers(layers, encoder.n_layers, encoder.layers)
        Blocks.of(banks, seed)  # refuses too few sentences
        tasks = banks, *map(banks.controlled, choose_controls(config.controls))
        return cls(encoder, banks, tuple(chosen), wanted, tasks, rank, int(seed), config)

    def run(self, layer: int, kind: str, task: Banks) -> Run:
        """Give the known values of a row, and its key."""
        end = "" if task.control is None else f"-control-{task.control}"
        values = {"method": f"codelength-{kind}{end}", "uses_gold": False}
        values |= self.encoder.origin(0) | {"layer": layer, "control": task.control}
        values |= {"recipe": self.config.recipe, "max_steps": self.config.max_steps}
        values |= {"products": "float32", "rank": self.rank or self.encoder.hidden_size}
        # Coded is the training set: there is no part that is scored.
        sets = ("train", "train_fingerprint", "dev", "dev_fingerprint")
        told = {key: value for key, value in task.values().items() if key in sets}
        run = Run.of(values | {"seed": self.seed}, task)
        return Run({**run.values, **told})

    def coded(
        self, layers: Sequence[int], kinds: Sequence[str], tasks: Sequence[Banks]
    ) -> Iterator[Codelength]:
        """Encode the sentences, and code the trees of each task, layer after layer."""
        from structprobe.probe.data.examples import read_sets
        from structprobe.probe.training.joint_fit import most_at_once
        from structprobe.probe.training.parallel import side_by_side
        from structprobe.probe.training.settings import read_settings
        from structprobe.probe.training.streaming import bytes_of_layer

        if not layers:
            return
        config = self.config
        X = {}
        for name, bank in self.banks.parts.items():
            told: dict[str, Any] = {"cache": config.cache, "progress": config.progress}
            vectors = self.encoder.encode(bank, layers=layers, **told)
            X[name] = {layer: vectors.layer(layer) for layer in layers}
        given = {"rank": self.rank, "recipe": config.recipe, "max_steps": config.max_steps}
        given["device"] = config.device
        blocks = Blocks.of(self.banks, self.seed)
        sets = [
            read_sets(X["train"], one.train, None if one.dev is None else (X["dev"], one.dev))
            for one in tasks
        ]
        pieces, size = [], 0
        n_sentences = len(tasks) * len(layers) * len(kinds) * len(self.banks.train)
        shown = config.progress
        with progress_bar("codelength", n_sentences, "sentence", shown=shown) as advance:
            for layer, (whole, dev) in product(layers, sets):
                settings = read_settings(given, whole.layers[layer].hidden_size)
                size = max(size, bytes_of_layer(layer, whole, dev, settings))
                coder = Coder(layer, settings, whole, dev, blocks)
                pieces.append(partial(coder.code, kinds, advance))
            in_memory = int(settings.memory_gb * 1e9 / size)
            n_workers = max(1, min(most_at_once(settings.device), len(pieces), in_memory))
            found = side_by_side(pieces, n_workers)
            own: dict[str, Any] = {"recipe": config.recipe, "seed": self.seed}
            own["max_steps"] = config.max_steps or getattr(settings.recipe, "max_steps", None)
            own["train"] = bank_name(self.banks.train)
            own["held_out"] = "train" if self.banks.dev is None else "dev"
            for layer in layers:
                of_layer = [(task.control, next(found)) for task in tasks]
                own["rank"] = self.rank or X["train"][layer].hidden_size
                own["model"] = (X["train"][layer].origin or {}).get("model")
                for kind, (control, coded) in product(kinds, of_layer):
                    yield Codelength(kind, layer, tuple(coded[kind]), control, **own)


def _read_kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    """Check what is to be coded."""
    wanted = tuple(dict.fromkeys([kinds] if isinstance(kinds, str) else kinds))
    for kind in wanted:
        if kind not in KINDS:
            raise ProbeError(unknown_name("kind", kind, KINDS))
    if not wanted:
        raise ProbeError("no kind was given", hint=f"choose from {', '.join(KINDS)}")
    return wanted

"""Minimum description length: how short gold trees become, given the vectors of a layer.

The online code of Voita and Titov 2020, Information-Theoretic Probing with Minimum Description
Length, section 3.2. The sentences come in blocks. The first is coded by the uniform code, each
later one by a probe trained on the blocks before it. So what counts is not only how well a probe
does in the end, but also how few sentences it needs: a probe that has to learn the task itself
pays for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
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

    The codelengths of different kinds cannot be compared with each other: a tree decides all
    n(n - 1)/2 distances of a sentence, and all n depths, which are coded as if it did not.

    Attributes
    ----------
    kind : {"tree", "distances", "depths"}
        What is coded.
    layer : int
        The layer.
    blocks : tuple of CodedBlock
        The blocks, in the order in which they are coded.
    model, train : str or None
        The model, and the files that the treebank was read from, if known.
    rank, seed : int
        Rank of the probes, and the random state.
    recipe : str
        How the probes were trained.
    max_steps : int or None
        Steps for the whole treebank, of which the probe for a block gets the share of the sentences
        before it; None if the recipe counts in epochs.
    held_out : {"train", "dev"}
        What the best step and the sharpness were chosen on: some of the sentences before a block,
        or the dev set.
    control : str or None
        The control task whose trees were coded; None for those of the treebank.
    """

    kind: str
    layer: int
    blocks: tuple[CodedBlock, ...]
    model: str | None
    train: str | None
    rank: int
    seed: int
    recipe: str
    max_steps: int | None
    held_out: str
    control: str | None = None

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
        """How many times shorter the code is than the uniform code; 1 if nothing was learned."""
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
        return {"kind": own.pop("kind"), "layer": own.pop("layer"), **sums, **own,
                "blocks": list(blocks)}  # fmt: skip


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
    """Measure how many bits the trees of a treebank take, given the vectors of a layer.

    The sentences are coded in blocks that end at 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25, 50
    and 100 per cent of the treebank; blocks that coincide are one. The first block is coded by the
    uniform code, each later one by a probe trained on the sentences before it, in a share of the
    steps that is theirs of the sentences. Until two sentences have distances to learn from, and to
    hold out, blocks are coded by the uniform code.

    - ``"tree"``: the undirected gold tree, by its likelihood among all spanning trees, from
      distances trained with ``loss="tree"``; and its root, as one of n words. The uniform code
      takes ``(n - 1) * log2(n)`` bits for n words.
    - ``"distances"``, ``"depths"``: each value by itself, by a Laplace distribution around what the
      probe predicts, on the integers that it may take (1 to n - 1, and 0 to n - 1). The uniform
      code gives each of them the same probability, which a code that knows only how distances are
      spread beats already; so compare the compression with that of a control.

    The bits of the three cannot be compared with each other: one tree decides all n(n - 1)/2
    distances, which are coded as if it did not.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train : sequence of Sentence
        The sentences with heads to be coded.
    dev : sequence of Sentence, optional
        Sentences on which the best training step and the sharpness of the code are chosen; what
        they tell is not counted in the codelength. By default a tenth of the sentences before each
        block is held out (at least ten, but no more than half).
    layers : str or iterable of int, default="all"
        As for `sweep`. The vectors of all are in memory at once, unless there is a cache.
    kinds : str or iterable of str, default=("tree", "distances", "depths")
        What is coded.
    rank : int, optional
        Rank of the probes; by default hidden_size.
    seed : int, default=0
        Random state of the order of the sentences and of the probes.
    config : CodelengthConfig, optional
        Further options: the recipe, the number of steps, control tasks, device, cache.

    Returns
    -------
    list of Codelength
        One for each layer and kind, by layer; those of controls after the others.

    Raises
    ------
    ProbeError
        If a kind is unknown, or a layer, the rank or the seed is out of range.
    ScoreError
        If a treebank has no heads, or `train` has too few sentences for a probe.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    config = checked_config(config, CodelengthConfig)
    plan = _Plan.of(encoder, Banks.of(train, dev, allow_withheld=config.allow_withheld), layers,
                    kinds, rank, seed, config)  # fmt: skip
    return [*plan.coded(plan.layers, plan.kinds, plan.controls)]


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
    """Measure codelengths into a results folder; one row per layer, kind and control.

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
        The rows of all layers, kinds and controls that were asked for.

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
        (control, layer, kind): plan.run(control, layer, kind)
        for control in plan.controls
        for layer in plan.layers
        for kind in plan.kinds
    }
    results = ResultsFolder(folder)
    results.tell_command(config.command)
    for control in plan.controls:
        keys = results.keys
        todo = [place for place, run in runs.items() if place[0] == control and run.key not in keys]
        wanted = [layer for layer in plan.layers if any(place[1] == layer for place in todo)]
        missing = [kind for kind in plan.kinds if any(place[2] == kind for place in todo)]
        for one in plan.coded(wanted, missing, [control]) if todo else ():
            values = {"codelength": one.codelength, "compression": one.compression}
            results.add(make_row(**runs[control, one.layer, one.kind].values, **values))
    by_key = {row["key"]: row for row in results.rows}
    return Rows(by_key[run.key] for run in runs.values())


@dataclass(frozen=True)
class _Plan:
    """What is to be coded, checked before anything is encoded."""

    encoder: Encoder
    banks: Banks
    layers: tuple[int, ...]
    kinds: tuple[str, ...]
    controls: tuple[str | None, ...]  # None for the trees of the treebank
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
        controls = None, *choose_controls(config.controls)
        return cls(encoder, banks, tuple(chosen), wanted, controls, rank, int(seed), config)

    def run(self, control: str | None, layer: int, kind: str) -> Run:
        """Give the known values of a row, and its key."""
        end = "" if control is None else f"-control-{control}"
        banks = self.banks if control is None else self.banks.controlled(control)
        values = {"method": f"codelength-{kind}{end}", "uses_gold": False}
        values |= self.encoder.origin(0) | {"layer": layer, "control": control}
        values |= {"recipe": self.config.recipe, "max_steps": self.config.max_steps}
        values |= {"products": "float32", "rank": self.rank or self.encoder.hidden_size}
        # Coded is the training set: there is no part that is scored.
        sets = ("train", "train_fingerprint", "dev", "dev_fingerprint")
        told = {key: value for key, value in self.banks.values().items() if key in sets}
        run = Run.of(values | {"seed": self.seed}, banks)
        return Run({**run.values, **told})

    def coded(
        self, layers: Sequence[int], kinds: Sequence[str], controls: Sequence[str | None]
    ) -> Iterator[Codelength]:
        """Encode the sentences, and code the trees of each control, layer after layer."""
        how: dict[str, Any] = {"layers": layers, "cache": self.config.cache}
        how["progress"] = self.config.progress
        X = {}
        for name, bank in self.banks.parts.items():
            vectors = self.encoder.encode(bank, **how)
            X[name] = {layer: vectors.layer(layer) for layer in layers}
        n_sentences = len(controls) * len(layers) * len(kinds) * len(self.banks.train)
        shown = self.config.progress
        with progress_bar("codelength", n_sentences, "sentence", shown=shown) as advance:
            for control in controls:
                yield from self._code(X, kinds, control, advance)

    def _code(
        self,
        X: Mapping[str, Mapping[int, Any]],
        kinds: Sequence[str],
        control: str | None,
        advance: Callable[[int], None],
    ) -> Iterator[Codelength]:
        """Code the trees of the treebank or of a control."""
        from structprobe.probe.data.examples import read_sets
        from structprobe.probe.training.joint_fit import most_at_once
        from structprobe.probe.training.parallel import side_by_side
        from structprobe.probe.training.settings import read_settings
        from structprobe.probe.training.streaming import bytes_of_layer

        config, banks = self.config, self.banks
        banks = banks if control is None else banks.controlled(control)
        blocks = Blocks.of(banks, self.seed)
        held_out = None if banks.dev is None else (X["dev"], banks.dev)
        whole, whole_dev = read_sets(X["train"], banks.train, held_out)
        told = {"rank": self.rank, "recipe": config.recipe, "max_steps": config.max_steps}
        told["device"] = config.device
        pieces, size = [], 0
        for layer in X["train"]:
            settings = read_settings(told, whole.layers[layer].hidden_size)
            size = max(size, bytes_of_layer(layer, whole, whole_dev, settings))
            coder = Coder(layer, settings, whole, whole_dev, blocks)
            pieces.append(partial(coder.code, kinds, advance))
        in_memory = int(settings.memory_gb * 1e9 / size)
        n_workers = max(1, min(most_at_once(settings.device), len(pieces), in_memory))
        own: dict[str, Any] = {"recipe": config.recipe, "seed": self.seed, "control": control}
        own["max_steps"] = config.max_steps or getattr(settings.recipe, "max_steps", None)
        own |= {"train": bank_name(self.banks.train)}
        own["held_out"] = "train" if banks.dev is None else "dev"
        layers = zip(X["train"], side_by_side(pieces, n_workers), strict=True)
        for layer, by_kind in layers:
            model: Any = (X["train"][layer].origin or {}).get("model")
            rank = self.rank or whole.layers[layer].hidden_size
            for kind, coded in by_kind.items():
                yield Codelength(kind, layer, tuple(coded), model=model, rank=rank, **own)


def _read_kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    """Check what is to be coded."""
    wanted = tuple(dict.fromkeys([kinds] if isinstance(kinds, str) else kinds))
    for kind in wanted:
        if kind not in KINDS:
            raise ProbeError(unknown_name("kind", kind, KINDS))
    if not wanted:
        raise ProbeError("no kind was given", hint=f"choose from {', '.join(KINDS)}")
    return wanted

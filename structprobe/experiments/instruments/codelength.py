"""Minimum description length: how short gold trees become, given the vectors of a layer.

The online code of Voita and Titov 2020, Information-Theoretic Probing with Minimum Description
Length, section 3.2. The sentences come in blocks. The first is coded by the uniform code, each
later one by a probe trained on the blocks before it. So what counts is not only how well a probe
does in the end, but also how few sentences it needs: a probe that has to learn the task itself
pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from structprobe.devices import find_device
from structprobe.errors import ProbeError, ScoreError, check_encoder, counted, unknown_name
from structprobe.experiments.config import CodelengthConfig, checked_config
from structprobe.experiments.layers_ranks_seeds import check_ranks, check_seeds, parse_layers
from structprobe.experiments.runs.run import Banks
from structprobe.progress import progress_bar
from structprobe.results.rows import bank_name
from structprobe.treebank.controls import choose_controls
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.probe.data.examples import Examples, Split
    from structprobe.probe.data.whitening import Moments
    from structprobe.probe.losses.codes import Code
    from structprobe.probe.training.fit import FittedMatrix
    from structprobe.probe.training.settings import Settings
    from structprobe.probe.types import Layer

KINDS = ("tree", "distances", "depths")

# The sentences after which a block ends, in per cent of all (Voita and Titov 2020, section 4.1).
ENDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25.0, 50.0, 100.0)

# Of the sentences before a block, the share that is held out for the best step and the sharpness;
# at least so many of them, but never more than half.
HELD_OUT, LEAST_HELD_OUT = 0.1, 10

_PART = 1000  # Sentences coded at once


@dataclass(frozen=True)
class CodedBlock:
    """A block of sentences of an online code.

    Attributes
    ----------
    n_sentences : int
        The number of sentences.
    codelength, uniform_codelength : float
        Bits of their trees, distances or depths: as coded, and by the uniform code.
    n_steps : int
        Steps for which the probe was trained; 0 if the block was coded by the uniform code.
    sharpness : float
        How far its predictions are trusted: what the distances are multiplied by in the code of
        trees, and one over the width of the Laplace distribution in the others; 0 for the uniform
        code.
    """

    n_sentences: int
    codelength: float
    uniform_codelength: float
    n_steps: int = 0
    sharpness: float = 0.0


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
        return {**first, **sums, **own,
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
    from structprobe.probe.data.examples import read_sets
    from structprobe.probe.training.joint_fit import most_at_once
    from structprobe.probe.training.parallel import side_by_side
    from structprobe.probe.training.settings import read_settings
    from structprobe.probe.training.streaming import bytes_of_layer

    config = checked_config(config, CodelengthConfig)
    find_device(config.device, error=ProbeError)
    wanted = _read_kinds(kinds)
    check_seeds([] if seed is None else [seed])
    banks = Banks.of(train, dev, allow_withheld=config.allow_withheld)
    check_encoder(encoder, ProbeError)
    if rank is not None:  # before anything is encoded
        check_ranks([rank], encoder.hidden_size)
    chosen = parse_layers(layers, encoder.n_layers, encoder.layers)
    blocks = _Blocks.of(banks, seed)
    how: dict[str, Any] = {"layers": chosen, "cache": config.cache, "progress": config.progress}
    X = {}
    for name, bank in banks.parts.items():
        vectors = encoder.encode(bank, **how)
        X[name] = {layer: vectors.layer(layer) for layer in chosen}
    told = {"rank": rank, "recipe": config.recipe, "max_steps": config.max_steps}
    told["device"] = config.device
    tasks = [banks, *map(banks.controlled, choose_controls(config.controls))]
    pieces, size = [], 0
    n_sentences = len(tasks) * len(chosen) * len(wanted) * len(banks.train)
    shown = config.progress
    with progress_bar("codelength", n_sentences, "sentence", shown=shown) as advance:
        for task in tasks:
            held_out = None if task.dev is None else (X["dev"], task.dev)
            whole, whole_dev = read_sets(X["train"], task.train, held_out)
            for layer in chosen:
                settings = read_settings(told, whole.layers[layer].hidden_size)
                size = max(size, bytes_of_layer(layer, whole, whole_dev, settings))
                coder = _Coder(layer, settings, whole, whole_dev, blocks)
                pieces.append(partial(coder.code, wanted, advance))
        in_memory = int(settings.memory_gb * 1e9 / size)
        n_workers = max(1, min(most_at_once(settings.device), len(pieces), in_memory))
        found = [*side_by_side(pieces, n_workers)]
    own: dict[str, Any] = {"recipe": config.recipe, "seed": int(seed)}
    own["max_steps"] = config.max_steps or getattr(settings.recipe, "max_steps", None)
    own |= {"train": bank_name(banks.train), "held_out": "train" if dev is None else "dev"}
    models: Any = {layer: (X["train"][layer].origin or {}).get("model") for layer in chosen}
    coded = dict(zip(product((task.control for task in tasks), chosen), found, strict=True))
    return [
        Codelength(
            kind, layer, tuple(coded[control, layer][kind]), control,
            rank=rank or whole.layers[layer].hidden_size, model=models[layer], **own,
        )
        for layer in chosen
        for kind in wanted
        for control in (task.control for task in tasks)
    ]  # fmt: skip


def _read_kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    """Check what is to be coded."""
    wanted = tuple(dict.fromkeys([kinds] if isinstance(kinds, str) else kinds))
    for kind in wanted:
        if kind not in KINDS:
            raise ProbeError(unknown_name("kind", kind, KINDS))
    if not wanted:
        raise ProbeError("no kind was given", hint=f"choose from {', '.join(KINDS)}")
    return wanted


@dataclass(frozen=True)
class _Blocks:
    """The order in which sentences are coded, and what there is to learn from before each block."""

    order: NDArray[np.int64]  # (n_sentences,)
    ends: tuple[int, ...]  # Sentences coded after each block
    # By the sentences coded before a block: which of them are trained on and held out, and seeds.
    splits: Mapping[int, tuple[NDArray[np.int64], NDArray[np.int64]]]
    seeds: Mapping[int, Sequence[SeedSequence]]

    @classmethod
    def of(cls, banks: Banks, seed: int) -> _Blocks:
        """Divide a treebank into blocks; refuse one too small for any probe."""
        n = len(banks.train)
        long = np.array([len(sentence) > 1 for sentence in banks.train])
        order_seed, *seeds = SeedSequence(seed).spawn(1 + 2 * len(ENDS))
        order = np.random.default_rng(order_seed).permutation(n)
        ends = sorted({max(1, round(n * end / 100)) for end in ENDS})
        splits = {}
        for end in ends[:-1]:
            n_held_out = min(max(LEAST_HELD_OUT, int(HELD_OUT * end)), end // 2)
            if banks.dev is not None:
                n_held_out = 0
            train, held_out = order[n_held_out:end], order[:n_held_out]
            if long[train].any() and (banks.dev is not None or long[held_out].any()):
                splits[end] = train, held_out
        if not splits:
            told = f"{counted(n, 'sentence')}, {long.sum()} of two or more words"
            what = f"the train treebank is too small for an online code: it has {told}"
            raise ScoreError(what, hint="use some hundred sentences or more")
        pairs = zip(ends, seeds[::2], seeds[1::2], strict=False)
        return cls(order, tuple(ends), splits, {end: two for end, *two in pairs})


@dataclass(frozen=True)
class _Coder:
    """Codes all sentences with the probes of one layer."""

    layer: int
    settings: Settings
    whole: Examples
    dev: Examples | None
    blocks: _Blocks

    def code(
        self, kinds: Sequence[str], advance: Callable[[int], None], goes: Callable[[], None]
    ) -> dict[str, list[CodedBlock]]:
        """Code block after block."""
        from structprobe.probe.losses.codes import uniform_bits

        found: dict[str, list[CodedBlock]] = {kind: [] for kind in kinds}
        for start, end in pairwise((0, *self.blocks.ends)):
            block = self.blocks.order[start:end]
            known = self._known(start)
            for kind in kinds:
                uniform = float(uniform_bits(kind, self.whole.lengths[block]).sum())
                coded = CodedBlock(len(block), uniform, uniform)
                if known is not None:
                    fitted = self._fit(kind, start, *known, goes)
                    coded = self._code_block(kind, fitted, known[0], block, uniform)
                found[kind].append(coded)
                advance(len(block))
        return found

    def _known(self, start: int) -> tuple[Split, Mapping[Layer, Moments]] | None:
        """Take what the probes for a block learn from; None if that is too little."""
        from structprobe.probe.data.examples import Split
        from structprobe.probe.training.fit import moments_of

        if start not in self.blocks.splits:
            return None
        train, held_out = self.blocks.splits[start]
        dev = self.whole.take(held_out) if self.dev is None else self.dev
        split = Split(self.whole.take(train), dev, None)
        return split, moments_of(split.train, [self.layer], self.settings)

    def _code_block(
        self,
        kind: str,
        fitted: FittedMatrix,
        split: Split,
        block: NDArray[np.int64],
        uniform: float,
    ) -> CodedBlock:
        """Code a block by a probe that was trained on what came before."""
        from structprobe.probe.losses.codes import fit_sharpness

        (code,) = self._codes(kind, fitted, split.dev, len(split.dev.lengths))
        sharpness = fit_sharpness(code)
        codes = self._codes(kind, fitted, self.whole.take(block), _PART)
        bits = sum(float(code.bits(sharpness).sum()) for code in codes)
        return CodedBlock(len(block), bits, uniform, fitted.history["steps"], sharpness)

    def _fit(
        self,
        kind: str,
        start: int,
        split: Split,
        moments: Mapping[Layer, Moments],
        goes: Callable[[], None],
    ) -> FittedMatrix:
        """Train a probe in its share of the steps."""
        from structprobe.probe.training.fit import fit_kind, make_task
        from structprobe.probe.training.streaming import streams

        settings = replace(self.settings, loss="tree" if kind == "tree" else "absolute")
        # The published recipe counts in epochs, which are in proportion already.
        steps = settings.max_steps or getattr(settings.recipe, "max_steps", None)
        if steps is not None:
            share = start / len(self.blocks.order)
            settings = replace(settings, max_steps=max(1, round(steps * share)))
        kept = not streams([self.layer], split, settings)
        matrix = "depth" if kind == "depths" else "distance"
        task = make_task(matrix, split, settings, self.blocks.seeds[start], kept=kept)
        ranks: Mapping[Layer, Sequence[int]] = {self.layer: [settings.rank]}
        found = fit_kind(task, ranks, moments, lambda _: goes())
        return found[self.layer, settings.rank]

    def _codes(self, kind: str, fitted: FittedMatrix, examples: Examples, n: int) -> Iterator[Code]:
        """Predict for sentences, n at a time, and give the codes."""
        from structprobe.probe.losses.codes import CODES
        from structprobe.probe.projecting import predict_depths, predict_distances

        predict = predict_depths if kind == "depths" else predict_distances
        for first in range(0, len(examples.lengths), n):
            part = examples.take(np.arange(first, min(first + n, len(examples.lengths))))
            yield CODES[kind](predict(part.layers[self.layer], fitted.components), part.heads)

"""The online code of the trees of one layer: blocks of sentences, each coded by its own probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from structprobe.errors import ScoreError, counted
from structprobe.experiments.runs.run import Banks

if TYPE_CHECKING:
    from structprobe.probe.data.examples import Examples, Split
    from structprobe.probe.data.whitening import Moments
    from structprobe.probe.losses.codes import Code
    from structprobe.probe.training.fit import FittedMatrix
    from structprobe.probe.training.settings import Settings
    from structprobe.probe.types import Layer

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
class Blocks:
    """The order in which sentences are coded, and what there is to learn from before each block."""

    order: NDArray[np.int64]  # (n_sentences,)
    ends: tuple[int, ...]  # Sentences coded after each block
    # By the sentences coded before a block: which of them are trained on and held out, and seeds.
    splits: Mapping[int, tuple[NDArray[np.int64], NDArray[np.int64]]]
    seeds: Mapping[int, Sequence[SeedSequence]]

    @classmethod
    def of(cls, banks: Banks, seed: int) -> Blocks:
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
class Coder:
    """Codes all sentences with the probes of one layer."""

    layer: int
    settings: Settings
    whole: Examples
    dev: Examples | None
    blocks: Blocks

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
        from structprobe.probe.training.spaces import moments_of

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

        predict: Any = predict_depths
        if kind != "depths":
            predict = partial(predict_distances, geometry=self.settings.geometry)
        for first in range(0, len(examples.lengths), n):
            part = examples.take(np.arange(first, min(first + n, len(examples.lengths))))
            yield CODES[kind](predict(part.layers[self.layer], fitted.components), part.heads)

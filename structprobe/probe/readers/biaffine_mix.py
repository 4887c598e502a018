"""`BiaffineMix`: the biaffine head selector on a learned mix of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from structprobe.probe.data.inputs import read_words
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.probe.layer_sweep import layers_of
from structprobe.probe.readers.biaffine import BiaffineScorer, head_batches, head_blocks
from structprobe.probe.readers.biaffine_probe import RANK, RATE, predictions_of, read_trees
from structprobe.probe.readers.head_choice import HeadBlock, train_heads
from structprobe.probe.readers.mixing import (
    MIX_RATE,
    common_width,
    mix_words,
    pick_layers,
    unit_scale,
)
from structprobe.probe.training.loop import Cosine
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import read_generator, read_settings
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction


class BiaffineMix:
    """A biaffine head selector on a mix of layers whose weights are learned with it.

    The mix is that of `LayerMix`, the form and its training those of `BiaffineProbe`.

    Parameters
    ----------
    rank : int, optional
        Rows of the two projections, as of `BiaffineProbe`.
    max_steps : int, optional
        The budget; the default recipe's own unless given.
    random_state : int
        Draws batches, the start and the dropout.
    device : str
        Where to train, as `StructuralProbe` takes it.
    verbose : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Attributes
    ----------
    layers_ : tuple
        The layers that are mixed.
    heads_weights_ : ndarray of float64, shape (n_layers,)
        The weights of the layers at unit scale, which sum to 1.
    heads_factors_ : ndarray of float64, shape (n_layers,)
        What the raw vectors of each layer are multiplied by.
    history_ : list of dict
        One entry an evaluation, as of `BiaffineProbe`.
    """

    def __init__(
        self,
        *,
        rank: int | None = None,
        max_steps: int | None = None,
        random_state: int = 0,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps = rank, max_steps
        self.random_state, self.device, self.verbose = random_state, device, verbose

    def fit(self, X: Any, y: Any, dev: tuple[Any, Any]) -> Self:
        """Learn the form and the weights.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of each layer, all of one width.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees.
        dev : tuple of (X, y)
            What the best form is chosen by.

        Returns
        -------
        BiaffineMix
            Itself.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or a loss stopped being finite.
        TreeError
            The heads of a sentence are no tree.
        """
        given = layers_of(X, "X")
        read = {layer: read_trees(vectors, y) for layer, vectors in given.items()}
        words, (heads, *_) = [one for one, _ in read.values()], [own for _, own in read.values()]
        held_out = pick_layers(layers_of(dev[0], "X of dev"), read, " of dev")
        dev_read = [read_trees(vectors, dev[1], " of dev") for vectors in held_out.values()]
        width = common_width([*words, *(own for own, _ in dev_read)])
        told: dict[str, Any] = {
            "rank": RANK if self.rank is None else self.rank, "max_steps": self.max_steps,
            "recipe": "whitened", "products": "float32", "loss": "absolute", "batch_size": None,
            "learning_rate": None, "device": self.device,
        }  # fmt: skip
        settings = read_settings(told, max(RANK, width))
        generator, recipe, device = read_generator(self.random_state), Whitened(), settings.device
        scales = np.array([unit_scale(one) for one in words])
        even = mix_words(dict(zip(read, words, strict=True)), scales / len(scales))
        basis = whitening(second_moments(even), centred=False)
        seed = int(generator.integers(2**31))  # the same batches of every layer
        batches = [
            head_batches(
                *(one, heads, basis * scale, recipe.batch_size, np.random.default_rng(seed), device)
            )
            for one, scale in zip(words, scales, strict=True)
        ]
        mixed = [_stacked(same) for same in zip(*batches, strict=True)]
        dev_blocks = [
            head_blocks(one, own, basis * scale, device)
            for (one, own), scale in zip(dev_read, scales, strict=True)
        ]
        scorer = BiaffineScorer(len(basis), settings.rank, generator)
        module = _MixedScorer(scorer, len(scales)).to(device)
        n_steps = settings.max_steps or recipe.max_steps
        shown = None if self.verbose else False
        with progress_bar("biaffine mix", n_steps, "step", shown=shown) as advance:
            self.history_ = train_heads(
                module,
                lambda: [mixed[index] for index in generator.permutation(len(mixed))],
                _stacked(dev_blocks),
                Cosine(recipe, RATE, n_steps),
                lambda step: advance(1),
            )
        self.layers_, self.scorer_, self.basis_ = tuple(read), scorer, basis
        self.heads_weights_ = module.weights().detach().double().cpu().numpy()
        self.heads_factors_ = self.heads_weights_ * scales
        return self

    def predictions(self, X: Any) -> list[Prediction]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of the layers that were mixed; others may be there.

        Returns
        -------
        list of Prediction
            Heads, and as arc scores the log-probability of each head.

        Raises
        ------
        ProbeError
            A layer is missing.
        """
        given = pick_layers(layers_of(X, "X"), self.layers_)
        words = {layer: read_words(vectors) for layer, vectors in given.items()}
        return predictions_of(self.scorer_, mix_words(words, self.heads_factors_), self.basis_)


class _MixedScorer(nn.Module):
    """A scorer of one weighted layer in place of several."""

    def __init__(self, scorer: BiaffineScorer, n_layers: int) -> None:
        super().__init__()
        self.scorer = scorer
        self.logits = nn.Parameter(torch.zeros(n_layers))

    def weights(self) -> Tensor:
        """Weights of the layers (n_layers,); their logarithms take steps of `MIX_RATE`."""
        return (self.logits * (MIX_RATE / RATE)).softmax(0)

    def forward(self, layers: Tensor) -> Tensor:
        """Score all heads (b, n, n + 1) of words in all layers (n_layers, b, n, width)."""
        scores: Tensor = self.scorer(torch.tensordot(self.weights(), layers, 1))
        return scores


def _stacked(layers: Sequence[Sequence[HeadBlock]]) -> list[HeadBlock]:
    """Put the same blocks of several layers into one each."""
    return [
        HeadBlock(torch.stack([block.inputs for block in same]), same[0].heads)
        for same in zip(*layers, strict=True)
    ]

"""`BiaffineProbe`: the biaffine head selector as an estimator on word vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from structprobe.errors import ProbeError
from structprobe.probe.base import OneLayerEstimator
from structprobe.probe.data.examples import Split, read_sets
from structprobe.probe.data.inputs import origin_of
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.probe.readers.biaffine import (
    DROPOUT,
    BiaffineScorer,
    arc_log_probabilities,
    head_batches,
    head_blocks,
)
from structprobe.probe.readers.head_choice import HeadBlock, train_heads
from structprobe.probe.readers.mixing import common_width
from structprobe.probe.training.loop import Cosine, Schedule
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import Settings, read_settings, read_split
from structprobe.probe.types import DevByLayer, Layer, RandomState, TreesLike, VectorsByLayer
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction
from structprobe.trees.arborescences import arborescences

RANK = 128
RATE = 0.002  # the peak learning rate of Adam


class BiaffineProbe(OneLayerEstimator):
    """Recover directed trees from word vectors by choosing a head for each word.

    Heads are scored by a biaffine function (Dozat and Manning 2017) of whitened vectors, trained
    with the cross-entropy of the gold heads and the batches, schedule and number of steps of the
    default recipe (`structprobe.probe.training.recipes`). The tree is the best one, found with
    Chu-Liu/Edmonds. It is far more flexible than a structural probe: use it to estimate what can
    be read from the vectors at all.

    Parameters
    ----------
    rank : int, optional
        Number of rows of the two projections, 128 by default; at most hidden_size, or 128 if
        hidden_size is smaller.
    dropout : float
        Dropout rate during training; 0 for none. The default suits vectors in which many
        dimensions carry the same information, as those of language models do.
    max_steps, batch_size, learning_rate, validation_fraction, random_state, device, verbose
        As for `StructuralProbe`; ``learning_rate`` is the peak of the schedule.

    Attributes
    ----------
    scorer_ : BiaffineScorer
        The scorer with the lowest dev loss.
    basis_ : Tensor of float64, shape (n_kept, hidden_size)
        The map to the whitened coordinates that it takes.
    history_ : list of dict
        One entry per evaluation: ``step``, ``learning_rate``, ``train_loss``, ``dev_loss``.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origin_ : dict or None
        The model and settings the vectors come from, if known; others are then rejected.

    Examples
    --------
    >>> import numpy as np
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> vectors = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> probe = BiaffineProbe(max_steps=300, random_state=0)
    >>> probe = probe.fit(vectors, heads, dev=(vectors, heads))
    >>> probe.predictions(vectors)[1].arc_scores.shape
    (2, 3)
    """

    def __init__(
        self,
        *,
        rank: int | None = None,
        dropout: float = DROPOUT,
        max_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.batch_size = rank, max_steps, batch_size
        self.learning_rate, self.dropout = learning_rate, dropout
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        parts, settings, generator = read_head_sets(self.get_params(), X, y, dev)
        if not 0 <= self.dropout < 1:
            raise ProbeError(f"dropout must be at least 0 and below 1, got {self.dropout!r}")
        recipe, device = Whitened(), settings.device
        words, dev_words = parts.train.layers[None], parts.dev.layers[None]
        basis = whitening(second_moments(words), centred=False)
        size = settings.batch_size or recipe.batch_size
        batches = head_batches(words, parts.train.heads, basis, size, generator, device)
        dev_blocks = head_blocks(dev_words, parts.dev.heads, basis, device)
        scorer = BiaffineScorer(len(basis), settings.rank, generator, self.dropout).to(device)
        n_steps = settings.max_steps or recipe.max_steps
        schedule = Cosine(recipe, settings.learning_rate or RATE, n_steps)
        shown = ("biaffine probe", self.verbose)
        self.history_ = train_scorer(scorer, batches, dev_blocks, schedule, generator, shown)
        self.scorer_, self.basis_ = scorer, basis
        self.n_features_in_, self.origin_ = words.hidden_size, origin_of(X[None])

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        return predictions_of(self.scorer_, words[None], self.basis_)


def read_head_sets(
    parameters: Mapping[str, Any], X: VectorsByLayer, y: TreesLike, dev: DevByLayer
) -> tuple[Split, Settings, np.random.Generator]:
    """Check the input and hyperparameters of a head selector; its rank may be above the width."""
    # Depths are not needed, but computing them checks that the heads are trees.
    train_set, dev_set = read_sets(X, y, dev, kinds=("depth",))
    rank = RANK if parameters["rank"] is None else parameters["rank"]
    width = common_width(train_set.layers.values())
    settings = read_settings({**parameters, "rank": rank}, max(RANK, width))
    parts, generator = read_split(parameters, train_set, dev_set)
    return parts, settings, generator


def train_scorer(
    module: nn.Module,
    batches: Sequence[Sequence[HeadBlock]],
    dev_blocks: Sequence[HeadBlock],
    schedule: Schedule,
    generator: np.random.Generator,
    shown: tuple[str, bool],
) -> list[dict[str, float]]:
    """Train on shuffled batches, with a progress bar by name if it is to be shown."""
    label, verbose = shown
    shown_bar = None if verbose else False
    with progress_bar(label, schedule.max_steps, "step", shown=shown_bar) as advance:
        return train_heads(
            module,
            lambda: [batches[index] for index in generator.permutation(len(batches))],
            dev_blocks,
            schedule,
            lambda _: advance(1),
        )


def predictions_of(scorer: BiaffineScorer, words: Words, basis: Tensor) -> list[Prediction]:
    """Decode the best tree of each sentence."""
    # basis (n_kept, hidden_size)
    found: dict[int, Prediction] = {}
    for sentences, scores in arc_log_probabilities(scorer, words, basis):
        heads = arborescences(scores, words.lengths[sentences])
        for index, own_heads, own_scores in zip(sentences.tolist(), heads, scores, strict=True):
            n = int(words.lengths[index])
            own = own_scores[:n, : n + 1].copy()
            found[index] = Prediction(own_heads[:n].copy(), arc_scores=own)
    return [found[index] for index in range(len(words))]

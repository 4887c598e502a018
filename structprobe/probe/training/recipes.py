"""The two recipes that find a probe: every number named."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """The recipe of Hewitt and Manning 2019, as in the authors' code.

    Trains on the raw vectors with batches of random sentences. After every epoch without a clear
    new best dev loss the learning rate is multiplied by `decay`, as by the defaults of torch's
    ``ReduceLROnPlateau`` with a patience of 0; Adam's moments are not reset (the paper says they
    are, the code does not). The matrices are those of the last gain.

    Attributes
    ----------
    start : float
        Components start uniform between minus and plus this.
    batch_size : int
        Sentences in a batch.
    learning_rate : float
        Adam's step at the start.
    decay : float
        The factor on the learning rate after an epoch without a new best dev loss.
    decay_threshold : float
        The share of the best dev loss by which it must fall to count as a new best for `decay`.
    min_decay : float
        The least change of the learning rate; a smaller one is not made.
    min_gain : float
        How far the dev loss must fall to count as a gain, for `patience` and for matrices to be
        kept.
    patience : int
        Epochs without a gain after which training stops.
    max_epochs : int
        Epochs after which training stops in any case.
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
    """The default recipe: the published loss and geometry, optimised in whitened coordinates.

    Batches that mix lengths, made once and shuffled; a learning rate that rises linearly during
    the warm-up and falls to zero along a cosine. The budget is in steps, whatever the treebank's
    size.

    Attributes
    ----------
    start : float
        Components start uniform between minus and plus this, relative to the scale below.
    batch_size : int
        Sentences in a batch.
    distance_rate, depth_rate : float
        Adam's step at its highest, relative to the scale below. Depths, of which a sentence has
        fewer, are fitted too closely at the lower rate.
    warm_up : float
        The share of the steps during which the learning rate rises.
    max_steps : int
        Steps in all.
    evaluations : int
        How many times at least, evenly spaced, a run looks at the dev loss; of a run with fewer
        steps, after each.

    Notes
    -----
    In whitened coordinates the components that fit a treebank have, whatever the vectors, about
    the same norm; so the typical size of one number in them, and the step that suits it, is in
    proportion to ``1 / sqrt(rank * n_coordinates)``: the scale.
    """

    start: float = 0.1
    batch_size: int = 32
    distance_rate: float = 0.1
    depth_rate: float = 0.3
    warm_up: float = 0.05
    max_steps: int = 2000
    evaluations: int = 10


RECIPES: dict[str, Published | Whitened] = {"whitened": Whitened(), "published": Published()}

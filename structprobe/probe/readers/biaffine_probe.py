"""`BiaffineProbe`: the biaffine head selector as an estimator on word vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.base import OneLayerEstimator
from structprobe.probe.data.examples import split
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
from structprobe.probe.readers.head_choice import train_heads
from structprobe.probe.training.loop import Cosine
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import (
    Settings,
    read_fraction,
    read_generator,
    read_settings,
)
from structprobe.probe.types import DevLike, RandomState, TreesLike, WordVectorsLike
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction
from structprobe.trees.arborescences import arborescences

RANK = 128
# Adam's step at its highest.
RATE = 0.002


class BiaffineProbe(OneLayerEstimator):
    """Recover directed trees from word vectors by choosing a head for each word.

    The form is that of `BiaffineScorer`, on whitened vectors, so that it does not depend on how
    the model scales its directions; it is trained by the cross-entropy of the gold heads with the
    batches, schedule and number of steps of the default recipe
    (`structprobe.probe.training.recipes`). The tree is the best one by Chu-Liu/Edmonds. It
    has far more freedom than a structural probe: take it for what can be read from the vectors
    at all.

    Parameters
    ----------
    rank : int, optional
        Rows of the two projections, 128 by default; at most hidden_size, or 128 where that is less.
    max_steps : int, optional
        Training steps; by default those of the default recipe.
    batch_size : int, optional
        Sentences in a step; by default those of the default recipe.
    learning_rate : float, optional
        Adam's step size at its highest.
    dropout : float
        The share of the numbers that a step leaves out; 0 for none. The default suits vectors in
        which many numbers tell alike, as those of models do.
    validation_fraction : float
        The share of the training sentences that is held out where `fit` is given no dev set.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Draws the held-out sentences, the start, the batches and the dropout.
    device : str
        Where to train, as `StructuralProbe` takes it.
    verbose : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Attributes
    ----------
    scorer_ : BiaffineScorer
        The form with the lowest dev loss.
    basis_ : Tensor of float64, shape (n_kept, hidden_size)
        The map to the whitened coordinates that it reads.
    history_ : list of dict
        One entry per evaluation: ``step``, ``learning_rate``, ``train_loss``, ``dev_loss``.
    n_features_in_ : int
        hidden_size of the vectors seen by `fit`.
    origin_ : dict or None
        Where the vectors came from, if they said so; vectors of another origin are refused.

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
        max_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        dropout: float = DROPOUT,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.batch_size = rank, max_steps, batch_size
        self.learning_rate, self.dropout = learning_rate, dropout
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def fit(self, X: WordVectorsLike, y: TreesLike, *, dev: DevLike | None = None) -> Self:
        """Learn the form from scratch.

        Parameters
        ----------
        X : WordVectors, or sequence of ndarray or Tensor of float, each (n_words, hidden_size)
            Word vectors, one array a sentence.
        y : Treebank, sequence of Sentence, or sequence of array_like of int, each (n_words,)
            The trees.
        dev : tuple of (X, y), optional
            Vectors and trees to stop by, in the forms above; by default a random share of the
            training sentences, which are then not learned from.

        Returns
        -------
        BiaffineProbe
            Itself.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or the loss stopped being finite.
        TreeError
            The heads of a sentence are no tree.
        """
        # Depths are not needed, but making them checks that the heads are trees.
        train_set, dev_set = self._read_sets(X, y, dev, kinds=("depth",))
        width = train_set.layers[None].hidden_size
        settings = read_head_settings(self.get_params(), width)
        if not 0 <= self.dropout < 1:
            raise ProbeError(f"dropout {self.dropout!r} is out of range; it is 0 or more, below 1")
        recipe, generator = Whitened(), read_generator(self.random_state)
        parts = split(train_set, dev_set, read_fraction(self.validation_fraction), generator)
        words, dev_words = parts.train.layers[None], parts.dev.layers[None]
        n_steps, device = settings.max_steps or recipe.max_steps, settings.device

        basis = whitening(second_moments(words), centred=False)
        size = settings.batch_size or recipe.batch_size
        batches = head_batches(words, parts.train.heads, basis, size, generator, device)
        dev_blocks = head_blocks(dev_words, parts.dev.heads, basis, device)
        scorer = BiaffineScorer(len(basis), settings.rank, generator, self.dropout).to(device)
        shown = None if self.verbose else False
        with progress_bar("biaffine probe", n_steps, "step", shown=shown) as advance:
            self.history_ = train_heads(
                scorer,
                lambda: [batches[index] for index in generator.permutation(len(batches))],
                dev_blocks,
                Cosine(recipe, settings.learning_rate or RATE, n_steps),
                lambda step: advance(1),
            )
        self.scorer_, self.basis_ = scorer, basis
        self.n_features_in_, self.origin_ = width, origin_of(X)
        return self

    def predictions(self, X: WordVectorsLike) -> list[Prediction]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors, as for `fit`.

        Returns
        -------
        list of Prediction
            Heads, and as arc scores the log-probability of each head.

        Raises
        ------
        ProbeError
            The vectors are not such as those of the fit.
        NotFittedError
            Nothing was fitted.
        """
        words = self._words(X)[None]
        return predictions_of(self.scorer_, words, self.basis_)


def read_head_settings(parameters: Mapping[str, Any], width: int) -> Settings:
    """Check the hyperparameters of an estimator that chooses heads; its rank may be above width."""
    rank = RANK if parameters["rank"] is None else parameters["rank"]
    return read_settings({**parameters, "rank": rank}, max(RANK, width))


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

"""`PolarProbe`: labelled trees from one linear map, by lengths and directions of differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.probe.base import TreeEstimator
from structprobe.probe.data.examples import read_sets
from structprobe.probe.data.inputs import origin_of
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.relation_labels import Labels, with_relations
from structprobe.probe.projecting import predict_polar, project
from structprobe.probe.training.polar_fit import RECIPE, WEIGHTS, fit_polar
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import (
    MEMORY_GB,
    read_positive,
    read_settings,
    read_split,
    spawn_seeds,
)
from structprobe.probe.types import (
    DevByLayer,
    Layer,
    RandomState,
    TreesLike,
    VectorsByLayer,
    WordVectorsLike,
)
from structprobe.progress import progress_bar
from structprobe.scores import Prediction


class PolarProbe(TreeEstimator):
    """Recover labelled trees from word vectors with one linear map, in polar coordinates.

    After Diego-Simón, d'Ascoli, Chemla, Lakretz and King 2024, A polar coordinate system represents
    syntax in large language models. Learns a matrix B such that the squared length of
    ``B (h_i - h_j)`` approximates the distance between words i and j in the tree, as in a
    `StructuralProbe`, and its direction, for a dependent i and its head j, is that of their
    relation.

    The loss is that of the distances, plus `weight` times a contrastive loss of directions. Its
    form is ours, and may differ from the authors': with the unit vector ``u`` of
    ``B (h_i - h_j)`` for each gold arc between two words of a batch, and ``m_r`` the unit vector of
    the mean of the arcs of relation r, it is the mean over arcs of the cross-entropy of the arc's
    relation, under a softmax of ``u·m_r / 0.1`` and ``-u·m_r / 0.1`` over all relations of the
    batch: arcs of one relation should point one way, away from all others, and not backwards.

    The predicted tree is the minimum spanning tree of the distances. An arc has, with each
    relation, the cosine of its direction and of the relation's `prototypes_`; the reverse arc has
    the opposite. The best relation of each edge and direction is the one with the largest cosine,
    so that the sign of the largest absolute cosine tells which word is the head. As the arcs of a
    tree all point away from its root, the root is the word for which the sum of the largest
    cosines of all arcs is highest. With the directions given, each arc takes its best relation, and
    the root the most frequent relation of roots in the training set.

    It trains along the axes of the recipe ``"axes-mild"`` (`structprobe.probe.training.recipes`),
    so no invertible linear map of the vectors changes the trees, other than by rounding. Two arcs
    of one relation that follow each other would need directions both alike (as of one relation)
    and at a right angle (as a squared length of 2 needs), so distances and directions cannot both
    be exact.

    Parameters
    ----------
    rank : int, optional
        Number of rows of the matrix, 1 to hidden_size; hidden_size by default.
    weight : float, optional
        The weight of the directions in the loss. By default, 0.1, 0.3 and 1 are trained on the same
        batches until, after a third of the steps, the one with the highest LAS on the dev set is
        chosen.
    subtypes : bool, default False
        Whether ``nsubj:pass`` is another relation than ``nsubj``; LAS makes no difference.
    max_steps, batch_size, learning_rate, validation_fraction, random_state
        As for `StructuralProbe`; ``learning_rate`` is the peak of the schedule.
    device, products, memory_gb, verbose
        As for `StructuralProbe`.

    Attributes
    ----------
    components_ : ndarray of float32, shape (rank, hidden_size)
        The matrix.
    prototypes_ : ndarray of float32, shape (n_classes, rank)
        The unit vector of the mean direction of the arcs of each relation in the training set, from
        head to dependent.
    classes_ : ndarray of str, shape (n_classes,)
        The relations of arcs between words in the training set, sorted.
    root_relation_ : str
        The relation that roots are given.
    weight_ : float
        The weight that was chosen.
    history_ : dict
        ``evaluations``, a list with ``step``, ``learning_rate``, ``train_loss`` and ``dev_loss`` of
        each evaluation; if a weight was chosen, ``chosen`` and ``las``, the LAS on dev by weight.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origin_ : dict or None
        The model and settings the vectors come from, if known; others are then rejected.

    Examples
    --------
    >>> import numpy as np
    >>> from structprobe import Sentence
    >>> trees = [Sentence(("dogs", "bark", "loudly"), [2, 0, 2], ("nsubj", "root", "advmod"))]
    >>> vectors = [np.array([[1.0, 0], [0, 0], [0, 1.0]])]
    >>> probe = PolarProbe(random_state=0, max_steps=100).fit(vectors, trees, dev=(vectors, trees))
    >>> tree = probe.predictions(vectors)[0]
    >>> tree.heads.tolist(), tree.deprels
    ([2, 0, 2], ('nsubj', 'root', 'advmod'))
    """

    components_: NDArray[np.float32]
    prototypes_: NDArray[np.float32]
    classes_: Labels
    root_relation_: str
    weight_: float
    history_: dict[str, Any]

    def __init__(
        self,
        *,
        rank: int | None = None,
        weight: float | None = None,
        subtypes: bool = False,
        max_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        products: str = "float32",
        memory_gb: float = MEMORY_GB,
        verbose: bool = False,
    ) -> None:
        self.rank, self.weight, self.subtypes = rank, weight, subtypes
        self.max_steps, self.batch_size = max_steps, batch_size
        self.learning_rate, self.validation_fraction = learning_rate, validation_fraction
        self.random_state, self.device = random_state, device
        self.products, self.memory_gb, self.verbose = products, memory_gb, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        sets = read_sets(X, y, dev, kinds=("distance",))
        width = sets[0].layers[None].hidden_size
        settings = read_settings({**self.get_params(), "recipe": RECIPE}, width)
        weights = WEIGHTS if self.weight is None else (read_positive("weight", self.weight),)
        sets, names = with_relations(sets, (y, dev and dev[1]), subtypes=self.subtypes)
        split, generator = read_split(self.get_params(), *sets)
        n_steps = settings.max_steps or Whitened().max_steps
        shown = None if self.verbose else False
        with progress_bar("polar probe", n_steps, "step", shown=shown) as advance:
            seeds = spawn_seeds(generator, 2)
            found = fit_polar(split, settings, seeds, weights, lambda _: advance(1))
        self.components_, self.prototypes_ = found.components, found.prototypes
        self.classes_, self.root_relation_ = names[found.classes], str(names[found.root])
        self.weight_, self.history_ = found.weight, found.history
        self.n_features_in_, self.origin_ = width, origin_of(X[None])

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        found = predict_polar(words[None], self.components_, self.prototypes_)
        names = np.append(self.classes_, self.root_relation_)  # the root has the code -1
        return [
            Prediction(heads, distances, deprels=tuple(names[codes].tolist()))
            for heads, distances, codes in zip(
                found.heads, found.distances, found.codes, strict=True
            )
        ]

    def transform(self, X: WordVectorsLike) -> list[NDArray[np.float32]]:
        """Project words with the matrix.

        Parameters
        ----------
        X : word vectors
            As for `fit`.

        Returns
        -------
        list of ndarray of float32, each (n_words, rank)
            The projected words, between which lengths and directions are read.
        """
        return project(self._words(X)[None], self.components_)

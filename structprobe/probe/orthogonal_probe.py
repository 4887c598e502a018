"""`OrthogonalProbe`: one rotation of the word vectors for several tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.base import TreeEstimator
from structprobe.probe.data.examples import read_sets
from structprobe.probe.data.inputs import origin_of
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.tasks import (
    SYNTAX,
    Structures,
    add_gold,
    read_structures,
    read_tasks,
)
from structprobe.probe.losses.geometries import EUCLIDEAN
from structprobe.probe.projecting import predict_depths, predict_distances, predict_trees
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.rotation import RotationSettings, fit_rotation
from structprobe.probe.training.settings import (
    COORDINATES,
    read_from_zero,
    read_name,
    read_settings,
    read_split,
)
from structprobe.probe.types import (
    DevByLayer,
    Layer,
    RandomState,
    TreesLike,
    VectorsByLayer,
    VectorsLike,
    WordVectorsLike,
)
from structprobe.progress import progress_bar
from structprobe.scores import Prediction

DISTANCE, DEPTH = f"{SYNTAX}-distance", f"{SYNTAX}-depth"


@dataclass(frozen=True)
class SharedAxes:
    """How many axes two tasks have in common.

    Attributes
    ----------
    a, b : str
        The names of the tasks.
    n_a, n_b : int
        The number of axes that each task uses.
    n_shared : int
        The number of axes that both use.
    share : float
        `n_shared` divided by the smaller of `n_a` and `n_b`: 1 if the axes of one task are among
        those of the other, 0 if the tasks have no axis in common.
    chance : float
        The expected share for axes drawn at random: the larger of `n_a` and `n_b`, divided by the
        number of all axes.
    overlap : float
        The same without a threshold, and with axes weighted by their use: the sum over axes of the
        smaller of the two tasks' `weights_`; 1 if both use all axes alike.
    """

    a: str
    b: str
    n_a: int
    n_b: int
    n_shared: int
    share: float
    chance: float
    overlap: float

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types.

        Returns
        -------
        dict
            The attributes by name.
        """
        return asdict(self)


class OrthogonalProbe(TreeEstimator):
    """Read several tasks from the same word vectors: one rotation, and a scaling for each task.

    Learns an orthogonal matrix V, whose rows are axes, and for each task a vector s that scales the
    axes, such that ``‖diag(s) V (h_i - h_j)‖²`` approximates a distance between words i and j, and
    ``‖diag(s) V h_i‖²`` a depth of word i (Limisiewicz and Mareček 2021, Introducing Orthogonal
    Constraint in Structural Probes). As the tasks share the axes, one can see which axes they have
    in common (`shared_axes`). The predicted tree is that of ``"syntax-distance"``, rooted by
    ``"syntax-depth"``, as by `StructuralProbe`.

    The loss of a task is that of `StructuralProbe`, divided by the mean absolute deviation of the
    gold values, so that all tasks weigh the same; the losses are summed. V is turned by Cayley
    transforms, which keeps it orthogonal, whereas the authors penalise what is not orthogonal.

    Parameters
    ----------
    tasks : str or iterable of str
        The tasks, as ``"structure-distance"`` and ``"structure-depth"``. The structures are the
        gold trees (``"syntax"``), the chain of words (``"linear"``: the distance of two words in
        the sentence, and the position of a word; "positional" in the paper), and all others whose
        trees are passed to `fit` by name, such as those of control tasks
        (`structprobe.treebank.controls.with_controls`). The paper's lexical tasks, which need
        WordNet, are not supported.
    coordinates : {"whitened", "raw"}
        The coordinates in which V is orthogonal. In whitened coordinates, the mean square of the
        word vectors is the same in all directions, and no invertible linear map of the vectors
        changes the axes. ``"raw"`` is as in the paper: the axes are at right angles in the model's
        own coordinates, and only rotating or scaling the vectors does not change them.
    l1 : float
        Weight of the L1 penalty of the scalings: of their mean absolute value, relative to that at
        the start of training. With higher values, tasks use fewer axes.
    threshold : float
        After training, the weakest axes of each task that together make up at most this fraction
        of its mean predicted distance or depth are dropped: their scaling is set to 0.
    max_steps, batch_size : int, optional
        As for `StructuralProbe`; all tasks are trained on the same batches.
    learning_rate : float, optional
        Peak learning rate of Adam for scalings, relative to their values at the start; that for
        angles is proportional to it.
    validation_fraction, random_state, device, verbose
        As for `StructuralProbe`.

    Attributes
    ----------
    rotation_ : ndarray of float32, shape (n_axes, n_axes)
        V: orthogonal, up to 1e-6 in each entry of ``V Vᵀ - I``.
    coordinates_ : ndarray of float32, shape (n_axes, hidden_size)
        Linear map from vectors to the coordinates in which V is orthogonal; the identity if they
        are raw. ``rotation_ @ coordinates_ @ h`` is the vector h along the axes.
    scalings_ : dict of ndarray of float32, each (n_axes,)
        The scaling of each task, by its name; 0 for axes that it does not use.
    weights_ : dict of ndarray of float32, each (n_axes,)
        The share of a task's mean predicted distance or depth that is along each axis, for the
        training set; each sums to 1.
    dev_losses_ : dict of float
        The mean absolute error of each task on the dev set, as in `StructuralProbe`.
    history_ : list of dict
        One entry per evaluation: ``step``, ``learning_rate``, ``train_loss``, ``dev_loss``, where
        losses are sums over tasks, without the penalty.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origin_ : dict or None
        The model and settings the vectors come from, if known; others are then rejected.

    Notes
    -----
    The training starts with the axes along which heads and dependents in the gold trees are
    closest, relative to all words. The best step is that with the lowest sum of the dev losses.
    Vectors that differ only by an invertible linear map, or by a rotation if coordinates are raw,
    give the same predictions up to rounding, as long as the map does not turn variance into
    rounding errors.

    Examples
    --------
    >>> import numpy as np
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> vectors = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> probe = OrthogonalProbe(max_steps=50, random_state=0)
    >>> probe = probe.fit(vectors, heads, dev=(vectors, heads))
    >>> [tree.tolist() for tree in probe.predict(vectors)]
    [[2, 0, 2], [0, 1]]
    >>> [(both.n_a, both.n_b, both.n_shared) for both in probe.shared_axes()]
    [(2, 2, 2)]
    """

    rotation_: NDArray[np.float32]
    coordinates_: NDArray[np.float32]
    scalings_: dict[str, NDArray[np.float32]]
    weights_: dict[str, NDArray[np.float32]]
    dev_losses_: dict[str, float]
    history_: list[dict[str, float]]

    def __init__(
        self,
        *,
        tasks: str | Iterable[str] = (DISTANCE, DEPTH),
        coordinates: str = "whitened",
        l1: float = 0.3,
        threshold: float = 0.01,
        max_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.tasks, self.coordinates, self.l1, self.threshold = tasks, coordinates, l1, threshold
        self.max_steps, self.batch_size = max_steps, batch_size
        self.learning_rate, self.validation_fraction = learning_rate, validation_fraction
        self.random_state, self.device, self.verbose = random_state, device, verbose

    def fit(
        self,
        X: VectorsLike,
        y: TreesLike | Structures,
        *,
        dev: tuple[VectorsLike, TreesLike | Structures] | None = None,
    ) -> Self:
        """Fit from scratch.

        Parameters
        ----------
        X : word vectors
            `WordVectors`, or one float array or tensor (n_words, hidden_size) per sentence.
        y : trees, or mapping of str to trees
            The gold trees, as for `StructuralProbe`; or the trees of several structures by name,
            with ``"syntax"`` for the gold trees.
        dev : tuple of (X, y), optional
            Vectors and trees by which the best training step is chosen; by default, a random
            ``validation_fraction`` of the training sentences, which are not trained on.

        Returns
        -------
        self
            The fitted probe.

        Raises
        ------
        ProbeError
            If the vectors, trees or settings cannot be used, a task is unknown, or the loss is no
            longer finite.
        TreeError
            If the heads of a sentence are not a tree.
        """
        return super().fit(X, y, dev=dev)  # type: ignore[arg-type]  # `_fit` takes mappings too

    def distances(self, X: WordVectorsLike, task: str = DISTANCE) -> list[NDArray[np.float32]]:
        """Predict the distance between every two words in one of the tasks.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors.
        task : str
            The task, whose name ends in ``-distance``.

        Returns
        -------
        list of ndarray of float32, each (n_words, n_words)
            Distances: symmetric, zero on the diagonal.

        Raises
        ------
        ProbeError
            If the probe was not fitted for the task, or the vectors cannot be used.
        """
        words = self._words(X)[None]
        return predict_distances(words, self._components(task, "distance"), EUCLIDEAN)

    def depths(self, X: WordVectorsLike, task: str = DEPTH) -> list[NDArray[np.float32]]:
        """Predict the depth of every word in one of the tasks.

        Parameters
        ----------
        X, task
            As for `distances`, with a name that ends in ``-depth``.

        Returns
        -------
        list of ndarray of float32, each (n_words,)
            Depths; the root has depth 0 in a gold tree.

        Raises
        ------
        ProbeError
            As for `distances`.
        """
        words = self._words(X)[None]
        return predict_depths(words, self._components(task, "depth"))

    def shared_axes(self) -> list[SharedAxes]:
        """Compare the axes of each two tasks.

        Returns
        -------
        list of SharedAxes
            One for each pair of tasks, in the order of the tasks.

        Raises
        ------
        NotFittedError
            If the probe is not fitted.
        """
        self._check_fitted()
        found = []
        for a, b in combinations(self.scalings_, 2):
            used = [self.scalings_[name] != 0 for name in (a, b)]
            n_a, n_b = (int(own.sum()) for own in used)
            shared = int((used[0] & used[1]).sum())
            share = shared / min(n_a, n_b) if min(n_a, n_b) else 0.0
            overlap = float(np.minimum(self.weights_[a], self.weights_[b]).sum())
            chance = max(n_a, n_b) / len(used[0])
            found.append(SharedAxes(a, b, n_a, n_b, shared, share, chance, overlap))
        return found

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        structures, dev_structures = read_structures(y, "y"), None
        tasks, parameters = read_tasks(self.tasks, structures), self.get_params()
        settings = RotationSettings(
            read_settings({**parameters, "rank": None}, 1),
            read_name("coordinates", self.coordinates, COORDINATES),
            read_from_zero("l1", self.l1),
            read_from_zero("threshold", self.threshold, below=1),
        )
        # Depths are not needed, but computing them checks that the heads are trees.
        first = SYNTAX if SYNTAX in structures else next(iter(structures))
        trees, dev_trees = structures[first], None
        if dev is not None:
            dev_structures = read_structures(dev[1], "y_dev")
            dev_trees = dev[0], dev_structures.get(first, next(iter(dev_structures.values())))
        train_set, dev_set = read_sets(X, trees, dev_trees, kinds=("depth",))
        train_set = add_gold(train_set, structures, tasks, "y")
        if dev_set is not None and dev_structures is not None:
            dev_set = add_gold(dev_set, dev_structures, tasks, "y_dev")
        split, generator = read_split(parameters, train_set, dev_set)
        n_steps = settings.general.max_steps or Whitened().max_steps
        shown = None if self.verbose else False
        with progress_bar("orthogonal probe", n_steps, "step", shown=shown) as advance:
            found = fit_rotation(tasks, split, settings, generator, lambda _: advance(1))
        for name, value in asdict(found).items():
            setattr(self, f"{name}_", value)
        self.n_features_in_, self.origin_ = train_set.layers[None].hidden_size, origin_of(X[None])

    @property
    def n_parameters_(self) -> int:
        """How many numbers were learned: the angles of a rotation, and the scalings."""
        self._check_fitted()
        n = len(self.rotation_)
        return n * (n - 1) // 2 + sum(one.size for one in self.scalings_.values())

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        distances = predict_distances(
            words[None], self._components(DISTANCE, "distance"), EUCLIDEAN
        )
        depths = predict_depths(words[None], self._components(DEPTH, "depth"))
        return predict_trees(distances, depths)

    def _components(self, task: str, kind: str) -> NDArray[np.float32]:
        """Give the map whose squared lengths are the distances or depths of a task."""
        # -> (rank, hidden_size)
        known = [name for name in self.scalings_ if name.endswith(f"-{kind}")]
        if task not in known:
            told = f"the probe was not fitted for the task {task!r}"
            hint = f"it has: {', '.join(self.scalings_)}"
            raise ProbeError(told, hint=hint)
        scaling = self.scalings_[task].astype(np.float64)
        used = scaling != 0
        found: NDArray[np.float64] = scaling[used, None] * self.rotation_[used] @ self.coordinates_
        return found.astype(np.float32)

"""`StructuralProbe`: the probe as a scikit-learn estimator on word vectors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from structprobe._version import __version__
from structprobe.errors import ProbeError
from structprobe.probe.base import OneLayerEstimator
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.projecting import (
    predict_depths,
    predict_distances,
    predict_trees,
    project,
)
from structprobe.probe.training.joint_fit import FittedProbe, fit_jointly
from structprobe.probe.training.settings import MEMORY_GB
from structprobe.probe.types import (
    DevLike,
    Layer,
    RandomState,
    TreesLike,
    VectorsByLayer,
    WordVectorsLike,
)
from structprobe.scores import Prediction

if TYPE_CHECKING:
    from structprobe.probe.saving.saved_files import SavedProbe


class StructuralHyperparameters:
    """The hyperparameters of structural probes."""

    def __init__(
        self,
        *,
        rank: int | None = None,
        recipe: str = "whitened",
        loss: str = "absolute",
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
        self.rank = rank
        self.recipe = recipe
        self.loss = loss
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device
        self.products = products
        self.memory_gb = memory_gb
        self.verbose = verbose


class StructuralProbe(StructuralHyperparameters, OneLayerEstimator):
    """Recover trees from word vectors by two linear maps.

    Two matrices B are learned such that the squared length of ``B_distance (h_i - h_j)`` is the
    distance of words i and j in the tree, and that of ``B_depth h_i`` the depth of word i
    (Hewitt and Manning 2019, A Structural Probe for Finding Syntax in Word Representations,
    sections 2.2 and 2.3). The tree is the minimum spanning tree of the distances, rooted at the
    shallowest word.

    The loss is theirs too: the absolute error, summed over the word pairs of a sentence
    and divided by the square of its length (for depths, over words, divided by its length), as a
    mean over the sentences of a batch or of the dev set. So each sentence weighs the same however
    long; a one-word sentence counts and has no distance to get wrong.

    Parameters
    ----------
    rank : int, optional
        Rows of each matrix, 1 to hidden_size; full rank (hidden_size) by default.
    recipe : {"whitened", "published"}
        How the matrices are found. ``"whitened"`` finds them in whitened coordinates with a fixed
        budget of steps, and does not depend on how the model scales its directions;
        ``"published"`` is the recipe of the paper, on the raw vectors. All numbers are in
        `structprobe.probe.training.recipes`.
    loss : {"absolute", "tree"}
        What the distances are trained by: their absolute error, or the likelihood of the gold tree
        among all spanning trees, in nats per edge, as a parser is trained
        (`structprobe.probe.losses.tree_likelihood`). Their scale then says how sure the probe is,
        and they are no longer distances in the tree. Depths are trained the same way under both.
    max_steps : int, optional
        Training steps for each matrix; by default the recipe's own budget.
    batch_size : int, optional
        Sentences in a step; by default the recipe's own.
    learning_rate : float, optional
        Adam's step size; by default the recipe's own.
    validation_fraction : float
        The share of the training sentences that is held out, without a refit, where `fit` is
        given no dev set; at least one sentence.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Draws the start, the batches and the held-out sentences. The same number gives the same
        matrices, bit for bit, on the same machine.
    device : str
        ``"auto"`` (CUDA or MPS if available, else the CPU), or a device as torch names it:
        ``"cpu"``, ``"cuda:1"``, ``"mps"``.
    products : {"float32", "bfloat16", "auto"}
        The type of the two large products of a training step; sums are float32 always.
        ``"bfloat16"`` is faster and halves the memory where the hardware has it, and the dev loss
        differed by 0.001 at most where it was measured (MiniLM on English EWT);
        ``"auto"`` takes it there.
    memory_gb : float
        The memory for vectors in training, in units of 10⁹ bytes. Vectors that do not fit are
        written once to the system's temporary folder (``TMPDIR``) and read from there batch by
        batch; the matrices are the same, on the CPU bit for bit. Less than the largest batches
        take is refused.
    verbose : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Attributes
    ----------
    distance_components_, depth_components_ : ndarray of float32, shape (rank, hidden_size)
        The two matrices.
    history_ : dict
        Plain values: ``recipe``, ``device``, ``n_train`` and ``n_dev`` sentences, and under
        ``distance`` and ``depth`` the course of each fit: ``steps_per_epoch``, ``steps``,
        ``best_step``, ``best_epoch``, ``best_dev_loss`` and ``evaluations`` (``step``,
        ``learning_rate``, ``train_loss``, ``dev_loss``).
    n_features_in_ : int
        hidden_size of the vectors seen by `fit`.
    origin_ : dict or None
        Where the vectors came from, if they said so; vectors of another origin are refused.
    treebank_fingerprint_ : str or None
        Fingerprint of the treebank seen by `fit`, if it has one.

    Examples
    --------
    >>> import numpy as np
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> vectors = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> probe = StructuralProbe(max_steps=50, random_state=0)
    >>> [tree.tolist() for tree in probe.fit(vectors, heads).predict(vectors)]
    [[2, 0, 2], [0, 1]]
    """

    distance_components_: NDArray[np.float32]
    depth_components_: NDArray[np.float32]
    history_: dict[str, Any]
    treebank_fingerprint_: str | None
    saved_: Mapping[str, Any]  # What was saved beside the probe, by `NOTES`; only where loaded

    _hint = "call fit, or load a saved probe with from_pretrained"

    def fit(self, X: WordVectorsLike, y: TreesLike, *, dev: DevLike | None = None) -> Self:
        """Learn both matrices from scratch.

        Parameters
        ----------
        X : WordVectors, or sequence of ndarray or Tensor of float, each (n_words, hidden_size)
            Word vectors, one array a sentence.
        y : Treebank, sequence of Sentence, or sequence of array_like of int, each (n_words,)
            The trees: sentences with heads, or the heads, 1-based, 0 for the root's.
        dev : tuple of (X, y), optional
            Vectors and trees to choose the best matrices by, in the forms above; by default a
            random share of the training sentences, which are then not learned from.

        Returns
        -------
        StructuralProbe
            Itself.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or the loss stopped being finite.
        TreeError
            The heads of a sentence are no tree.
        """
        own_dev, layers = self._dev_layers(dev), self._layers(X, "X")
        for found in fit_jointly([(None, self.get_params())], layers, y, dev=own_dev):
            self._keep_fit(found[0])
        return self

    def transform(self, X: WordVectorsLike) -> list[NDArray[np.float32]]:
        """Project words with the distance probe's matrix.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors, as for `fit`.

        Returns
        -------
        list of ndarray of float32, each (n_words, rank)
            The projected words; squared distances between them are `distances`.
        """
        return project(self._read(X), self.distance_components_)

    def distances(self, X: WordVectorsLike) -> list[NDArray[np.float32]]:
        """Predict the distance in the tree of every two words.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors, as for `fit`.

        Returns
        -------
        list of ndarray of float32, each (n_words, n_words)
            Distances: symmetric, zero on the diagonal.
        """
        return predict_distances(self._read(X), self.distance_components_)

    def depths(self, X: WordVectorsLike) -> list[NDArray[np.float32]]:
        """Predict the depth in the tree of every word.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors, as for `fit`.

        Returns
        -------
        list of ndarray of float32, each (n_words,)
            Depths; the root's should be 0.
        """
        return predict_depths(self._read(X), self.depth_components_)

    def predictions(self, X: WordVectorsLike) -> list[Prediction]:
        """Recover the tree of each sentence, with the distances and depths it came from.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors, as for `fit`.

        Returns
        -------
        list of Prediction
            One a sentence.
        """
        words = self._read(X)
        distances = predict_distances(words, self.distance_components_)
        depths = predict_depths(words, self.depth_components_)
        return predict_trees(distances, depths)

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dev_scores: object = None,
        fitted_on: Mapping[str, object] | None = None,
        dev_baselines: Mapping[str, object] | None = None,
    ) -> Path:
        """Write the fitted probe into a folder; see `structprobe.probe.saving.pretrained.save`.

        Parameters
        ----------
        folder : path
            A folder that does not exist, is empty, or holds an older saved probe.
        dev_scores : Scores or mapping, optional
            The scores on the dev set, for the config and the model card.
        fitted_on : mapping, optional
            What else to say of the data, in plain values.
        dev_baselines : mapping of str to Scores or mapping, optional
            The scores of baselines on the dev set by name, such as ``{"linear": scores}``.

        Returns
        -------
        Path
            The folder.
        """
        from structprobe.probe.saving import pretrained as saving

        notes = {"dev_scores": dev_scores, "fitted_on": fitted_on, "dev_baselines": dev_baselines}
        return saving.save(self._to_save(notes), folder)

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        layer: int | None = None,
        rank: int | None = None,
        seed: int | None = None,
        revision: str | None = None,
    ) -> Self:
        """Read a saved probe; see `structprobe.probe.saving.pretrained.load`.

        Parameters
        ----------
        source : path or str
            A folder, a hub id such as ``"owner/name"``, or a folder of results with saved probes.
        layer, rank, seed : int, optional
            Which probe of a folder of results; the best on dev of those that are left open.
        revision : str, optional
            Branch, tag or commit on the hub.

        Returns
        -------
        StructuralProbe
            The fitted probe.

        Raises
        ------
        ProbeError
            If there is no such probe.
        ResultError
            If a folder of results has no such probe, or does not say which one is meant.
        """
        from structprobe.probe.saving import pretrained as saving
        from structprobe.results.saved_probes import locate_probe

        source = locate_probe(source, layer=layer, rank=rank, seed=seed)
        saved = saving.load(source, revision=revision)
        try:
            return cls._from_saved(saved)
        except TypeError as error:
            raise ProbeError(
                f"hyperparameters that structprobe {__version__} does not know: {error}",
                where=str(source),
            ) from error

    def push_to_hub(
        self,
        repo_id: str,
        *,
        dev_scores: object = None,
        fitted_on: Mapping[str, object] | None = None,
        dev_baselines: Mapping[str, object] | None = None,
        **hub: Any,
    ) -> str:
        """Upload the fitted probe to the hub, in one commit.

        Parameters
        ----------
        repo_id : str
            The hub id, ``"owner/name"``.
        dev_scores, fitted_on, dev_baselines
            As for `save_pretrained`.
        **hub
            How it is uploaded: ``private``, ``token``, ``revision``, ``commit_message``.

        Returns
        -------
        str
            The address of the commit.
        """
        from structprobe.probe.saving import pretrained as saving

        notes = {"dev_scores": dev_scores, "fitted_on": fitted_on, "dev_baselines": dev_baselines}
        return saving.push(self._to_save(notes), repo_id, **hub)

    @classmethod
    def _from_saved(cls, saved: SavedProbe) -> Self:
        """Make a fitted probe of plain values."""
        probe = cls(**saved.hyperparameters)
        for name, matrix in saved.matrices.items():
            setattr(probe, f"{name}_", matrix)
        probe.n_features_in_ = probe.distance_components_.shape[1]
        probe.origin_, probe.treebank_fingerprint_ = saved.origin, saved.treebank_fingerprint
        probe.history_, probe.saved_ = dict(saved.history), saved.notes
        return probe

    def _keep_fit(self, found: FittedProbe) -> None:
        """Take what a fit found as one's own."""
        self.distance_components_, self.depth_components_ = (
            found.matrices[kind].components for kind in ("distance", "depth")
        )
        self.history_, self.n_features_in_ = found.history, found.n_features
        self.origin_, self.treebank_fingerprint_ = found.origin, found.treebank_fingerprint
        self.saved_ = {}  # which was said of an earlier fit

    def _to_save(self, notes: Mapping[str, Any]) -> SavedProbe:
        """Give the fitted probe in plain values; notes of a loaded one hold unless given anew."""
        from structprobe.probe.saving.saved_files import COMPONENTS, SavedProbe

        self._check_fitted()
        given = {name: value for name, value in notes.items() if value is not None}
        return SavedProbe(
            {name: getattr(self, f"{name}_") for name in COMPONENTS},
            self.get_params(),
            self.history_,
            self.origin_,
            self.treebank_fingerprint_,
            {**self.saved_, **given},
        )

    def _read(self, X: WordVectorsLike) -> Words:
        """Vectors to apply the probe to, checked against those of the fit."""
        return self._words(X)[None]


def fit_together(
    jobs: Sequence[tuple[Layer, StructuralProbe]],
    X: VectorsByLayer,
    y: TreesLike,
    *,
    dev: tuple[VectorsByLayer, TreesLike] | None = None,
) -> Iterator[list[tuple[Layer, StructuralProbe]]]:
    """Fit probes on several layers of the same sentences, and give them as they are done."""
    parameters = [(layer, probe.get_params()) for layer, probe in jobs]
    for found in fit_jointly(parameters, X, y, dev=dev):
        for place, fitted in found.items():
            jobs[place][1]._keep_fit(fitted)
        yield [jobs[place] for place in found]

"""`StructuralProbe`: the probe as a scikit-learn estimator on word vectors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from structprobe._version import __version__
from structprobe.errors import ProbeError
from structprobe.probe.base import TreeEstimator
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.relation_labels import Labels
from structprobe.probe.data.whitening import SharedMoments
from structprobe.probe.losses.geometries import GEOMETRIES
from structprobe.probe.projecting import predict_depths, predict_distances, predict_trees, project
from structprobe.probe.readers.relation_decoding import check_decoding, choose_weight, labelled
from structprobe.probe.readers.relation_reader import RelationReader
from structprobe.probe.training.joint_fit import FittedProbe, fit_jointly
from structprobe.probe.training.settings import MEMORY_GB, read_name
from structprobe.probe.types import (
    DevByLayer,
    Layer,
    RandomState,
    TreesLike,
    VectorsByLayer,
    WordVectorsLike,
)
from structprobe.scores import Prediction

if TYPE_CHECKING:
    from structprobe.probe.saving.save_load import SavedProbe


class StructuralHyperparameters:
    """The hyperparameters of structural probes."""

    def __init__(
        self,
        *,
        rank: int | None = None,
        geometry: str = "euclidean",
        recipe: str = "auto",
        loss: str = "absolute",
        select: str = "uuas",
        relations: bool | str = False,
        subtypes: bool = False,
        decoding: str = "published",
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
        self.rank, self.geometry, self.recipe = rank, geometry, recipe
        self.loss, self.select, self.max_steps = loss, select, max_steps
        self.relations, self.subtypes, self.decoding = relations, subtypes, decoding
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.products = device, products
        self.memory_gb, self.verbose = memory_gb, verbose


class StructuralProbe(StructuralHyperparameters, TreeEstimator):
    """Recover dependency trees from word vectors with two linear maps.

    Learns two matrices B such that the squared length of ``B_distance (h_i - h_j)`` approximates
    the distance between words i and j in the tree, and that of ``B_depth h_i`` the depth of word i
    (Hewitt and Manning 2019, A Structural Probe for Finding Syntax in Word Representations,
    sections 2.2 and 2.3). The predicted tree is the minimum spanning tree of the distances, rooted
    at the word with the smallest depth. The loss is the absolute error, summed over the word pairs
    of a sentence and divided by the square of its length (for depths, over words and the length),
    averaged over sentences; a one-word sentence has a distance loss of 0.

    Parameters
    ----------
    rank : int, optional
        Number of rows of each matrix, 1 to hidden_size; hidden_size by default.
    geometry : {"euclidean", "hyperbolic", "signed", "polynomial", "sigmoid", "rbf"}
        How the distance of two words follows from their projections: the squared L2 distance above,
        that in the Poincaré ball, a difference of two squared L2 distances, or the squared distance
        in the feature space of a kernel; see `structprobe.probe.losses.geometries` for formulas and
        sources. Depths are squared lengths in all of them.
    recipe : {"auto", "whitened", "published"}
        How the matrices are trained: in whitened coordinates, either in several variants, of which
        the best on the dev set is chosen (``"auto"``), or in one (``"whitened"``); or as in the
        paper, on the raw vectors. See `structprobe.probe.training.recipes`. With the geometries
        hyperbolic, polynomial and sigmoid, ``"auto"`` is ``"whitened"``.
    loss : {"absolute", "tree"}
        The loss for distances: their absolute error, or the negative log-likelihood of the gold
        tree among all spanning trees, in nats per edge, as for a parser
        (`structprobe.probe.losses.tree_likelihood`). With ``"tree"``, the scale of the distances
        expresses how certain the probe is, and they no longer estimate distances in the tree.
    select : {"uuas", "loss"}
        The dev-set criterion by which the recipe ``"auto"`` chooses: UUAS over all words, or the
        loss of the distances. The variant with the highest UUAS may have a slightly higher loss.
    relations : bool or {"pair", "difference", "dependent"}
        Whether to learn the relations of arcs too, and from what, as ``reads`` of `RelationReader`;
        True for ``"pair"``. Neither the matrices nor the published trees depend on it.
    subtypes : bool
        Whether ``nsubj:pass`` is another relation than ``nsubj``.
    decoding : {"published", "root", "joint"}
        How trees are decoded: as published; as published, but rooted at the word that is most
        probably the root according to the relations; or as the directed tree with the highest sum,
        over its arcs, of minus the distance and the weighted log-probability of the best relation
        (`RelationReader.arc_log_probabilities`). The weight is the one with the highest LAS on the
        dev set. All but ``"published"`` need `relations`.
    max_steps, batch_size : int, optional
        Training steps for each matrix, and sentences per batch; set by the recipe by default.
        Relations take half as many steps as the recipe has.
    learning_rate : float, optional
        Learning rate of Adam for the two matrices; set by the recipe by default.
    validation_fraction : float
        Fraction of the training sentences that is held out, without a refit, if `fit` is given no
        dev set; at least one sentence.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Determines the initial matrices, the batches and the held-out sentences. The same integer
        gives the same matrices, bit for bit, on the same machine, also in a `LayerSweep`. With
        another number of threads, too little `memory_gb` for all vectors, or vectors from other
        batches of the encoder, rounding may move the dev loss by 1e-4 and UUAS by 0.5 points.
    device : str
        ``"auto"`` (CUDA or MPS if available, otherwise the CPU), or a torch device.
    products : {"float32", "bfloat16", "auto"}
        The type of the two large matrix products of a training step; sums are always float32.
        ``"bfloat16"`` is faster and halves the memory on hardware that supports it (``"auto"``
        uses it there), and changed the dev loss by at most 0.001 (MiniLM on English EWT).
    memory_gb : float
        Memory for word vectors during training, in units of 10⁹ bytes. Vectors that do not fit are
        read batch by batch from a file in the system's temporary folder (``TMPDIR``); the matrices
        are the same, on the CPU bit for bit.
    verbose : bool
        Whether to show a progress bar on standard error, if that is a terminal.

    Attributes
    ----------
    distance_components_, depth_components_ : ndarray of float32, shape (rank, hidden_size)
        The two matrices.
    relation_reader_ : RelationReader or None
        What reads the relations, fitted; None without `relations`.
    relation_components_, classes_ : ndarray
        Its map and its relations.
    relation_weight_ : float or None
        The weight of relations, for ``decoding="joint"``.
    history_ : dict
        Plain values: ``recipe``, ``device``, ``treebank`` (the files that the trees were read from,
        if known), the numbers of sentences ``n_train`` and ``n_dev``, ``held_out`` (the indices of
        the training sentences used as dev set, unless one was given), and for ``distance`` and
        ``depth`` the training history: ``steps_per_epoch``, ``steps``, ``best_step``,
        ``best_epoch``, ``best_dev_loss`` and ``evaluations`` (``step``, ``learning_rate``,
        ``train_loss``, ``dev_loss``). With the recipe ``"auto"``, also ``chosen``, the name of what
        was chosen, and ``candidates`` for ``distance``: of each the ``step``, ``uuas``, ``loss``
        and ``factor`` when it was last compared. The loss is after multiplication of the
        distances by the factor, which is part of the matrix. With `relations`, also ``relation``.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origin_ : dict or None
        The model and settings the vectors come from, if known; others are then rejected.
    treebank_fingerprint_ : str or None
        Fingerprint of the treebank seen during `fit`, if it has one.

    Notes
    -----
    Vectors are centred in float64, then projected in float32. With up to 8,192 dimensions, some of
    them as large as 1e4, distances were within ``2e-6 * (D + A * sqrt(D))`` of those in float64,
    where D is the largest distance in the sentence and A the largest norm of ``abs(B) @ abs(h)``,
    the projection of a centred vector if all terms had the same sign; the same holds for depths,
    with vectors that are not centred. Trees are those of float64 where competing distances, and
    the two smallest depths, differ by more than twice as much. Exact ties, such as between words
    with equal vectors, are broken by the order of the words, in every batch.

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
    relation_reader_: RelationReader | None = None
    relation_weight_: float | None = None
    saved_: Mapping[str, Any]  # By `NOTES`: saved beside a loaded probe
    _geometry = "euclidean"  # That of the fit, as the hyperparameter may be set to another later

    _hint = "call fit, or load a saved probe with from_pretrained"

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        for found in fit_jointly([(None, self.get_params())], X, y, dev=dev):
            self._keep_fit(found[0], partial(found[0].dev_part, None, X, y, dev))

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        trees, reader = self._trees(words[None]), self.relation_reader_
        if reader is None:
            check_decoding(self.decoding, reader, self.relation_weight_)
            return trees
        return labelled(trees, reader, words[None], self.decoding, self.relation_weight_)

    def _trees(self, words: Words) -> list[Prediction]:
        """Decode trees as published."""
        depths = predict_depths(words, self.depth_components_)
        return predict_trees(self._distances(words), depths)

    @property
    def classes_(self) -> Labels:
        """The relations, sorted."""
        return self._fitted_reader().classes_

    @property
    def relation_components_(self) -> NDArray[np.float32]:
        """The map from vectors to relations."""
        return self._fitted_reader().relation_components_

    def _fitted_reader(self) -> RelationReader:
        """Give what reads the relations."""
        reader: RelationReader | None = getattr(self, "relation_reader_", None)
        if reader is None:
            raise AttributeError("this probe has no relations: fit it with relations=True")
        return reader

    def transform(self, X: WordVectorsLike) -> list[NDArray[np.float32]]:
        """Project words with the matrix of the distance probe.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors.

        Returns
        -------
        list of ndarray of float32, each (n_words, rank)
            The projected words; their squared distances are those of `distances`.

        Raises
        ------
        ProbeError
            As for `predictions`, or if the geometry is not Euclidean.
        """
        words = self._words(X)[None]
        if self._geometry != "euclidean":
            told = "squared distances of projected words are not those of the geometry"
            told = f"{told} {self._geometry!r}"
            raise ProbeError(told, hint="use distances(X), or geometry='euclidean'")
        return project(words, self.distance_components_)

    def distances(self, X: WordVectorsLike) -> list[NDArray[np.float32]]:
        """Predict the distance in the tree between every two words.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors.

        Returns
        -------
        list of ndarray of float32, each (n_words, n_words)
            Distances: symmetric, zero on the diagonal; with ``geometry="signed"`` or
            ``"sigmoid"``, some may be negative.
        """
        return self._distances(self._words(X)[None])

    def depths(self, X: WordVectorsLike) -> list[NDArray[np.float32]]:
        """Predict the depth of every word in the tree.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors.

        Returns
        -------
        list of ndarray of float32, each (n_words,)
            Depths; the root has depth 0 in a gold tree.
        """
        return predict_depths(self._words(X)[None], self.depth_components_)

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dev_scores: object = None,
        fitted_on: Mapping[str, object] | None = None,
        dev_baselines: Mapping[str, object] | None = None,
    ) -> Path:
        """Save the fitted probe to a folder.

        Parameters
        ----------
        folder : path
            A folder that does not exist, is empty, or holds an older saved probe.
        dev_scores : Scores or mapping, optional
            Scores on the dev set, for the config and the model card.
        fitted_on : mapping, optional
            Information about the training data, in plain values.
        dev_baselines : mapping of str to Scores or mapping, optional
            Scores of baselines on the dev set by name, such as ``{"linear": scores}``.

        Returns
        -------
        Path
            The folder.
        """
        from structprobe.probe.saving import save_load as saving

        return saving.save(self._to_save(dev_scores, fitted_on, dev_baselines), folder)

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
        """Load a saved probe.

        Parameters
        ----------
        source : path or str
            A folder, a hub id such as ``"owner/name"``, or a results folder with saved probes.
        layer, rank, seed : int, optional
            Which probe of a results folder; of those that match, the best on the dev set.
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
            If no probe of the results folder matches, or it is not clear which one is meant.
        """
        from structprobe.probe.saving import save_load as saving
        from structprobe.results.saved_probes import locate_probe

        source = locate_probe(source, layer=layer, rank=rank, seed=seed)
        saved = saving.load(source, revision=revision)
        try:
            return cls._from_saved(saved)
        except TypeError as error:
            raise ProbeError(
                f"has hyperparameters that structprobe {__version__} does not support: {error}",
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
        """Upload the fitted probe to the Hugging Face Hub, in one commit.

        Parameters
        ----------
        repo_id : str
            The hub id, ``"owner/name"``.
        dev_scores, fitted_on, dev_baselines
            As for `save_pretrained`.
        **hub
            Upload options: ``private``, ``token``, ``revision``, ``commit_message``.

        Returns
        -------
        str
            The URL of the commit.
        """
        from structprobe.probe.saving.push_to_hub import push

        return push(self._to_save(dev_scores, fitted_on, dev_baselines), repo_id, **hub)

    @classmethod
    def _from_saved(cls, saved: SavedProbe) -> Self:
        """Make a fitted probe from plain values."""
        probe = cls(**saved.hyperparameters)
        probe._geometry = read_name("geometry", probe.geometry, GEOMETRIES)
        for name, matrix in saved.matrices.items():
            setattr(probe, f"{name}_", matrix)
        probe.n_features_in_ = probe.distance_components_.shape[1]
        probe.origin_, probe.treebank_fingerprint_ = saved.origin, saved.treebank_fingerprint
        probe.history_, probe.saved_ = dict(saved.history), saved.notes
        probe.relation_reader_ = probe.relation_weight_ = None
        if saved.relations is not None:
            probe.relation_weight_ = saved.relations.weight
            reader = RelationReader._from_saved(saved.relations, probe.get_params())
            reader.n_features_in_, reader.origin_ = probe.n_features_in_, probe.origin_
            reader.history_ = probe.history_["relation"]["evaluations"]
            probe.relation_reader_ = reader
        return probe

    def _distances(self, words: Words) -> list[NDArray[np.float32]]:
        """Predict distances in the geometry of the probe."""
        return predict_distances(words, self.distance_components_, GEOMETRIES[self._geometry])

    def _keep_fit(
        self, found: FittedProbe, dev: Callable[[], tuple[WordVectorsLike, TreesLike]]
    ) -> None:
        """Set the fitted attributes, one of them chosen on the dev set."""
        self.distance_components_, self.depth_components_ = (
            found.matrices[kind].components for kind in ("distance", "depth")
        )
        self.history_, self.n_features_in_ = found.history, found.n_features
        self.origin_, self.treebank_fingerprint_ = found.origin, found.treebank_fingerprint
        self.saved_ = {}  # notes on an earlier fit no longer hold
        self._geometry = self.geometry
        self.relation_reader_ = self.relation_weight_ = None
        if found.relations is None or found.names is None:
            return
        reader = RelationReader._of_probe(found.relations.reads, self.get_params())
        self.relation_reader_ = reader
        reader._keep_fit(found.relations, found.names)
        reader.n_features_in_, reader.origin_ = found.n_features, found.origin
        if self.decoding == "joint":
            X_dev, y_dev = dev()
            words = self._words(X_dev)[None]
            self.relation_weight_ = choose_weight(self._trees(words), reader, words, y_dev)

    def _to_save(self, dev_scores: object, fitted_on: object, dev_baselines: object) -> SavedProbe:
        """Give the fitted probe in plain values; notes of a loaded one are kept unless replaced."""
        from structprobe.probe.saving.save_load import COMPONENTS, SavedProbe

        self._check_fitted()
        reader = self.relation_reader_
        check_decoding(self.decoding, reader, self.relation_weight_)
        notes = {"dev_scores": dev_scores, "fitted_on": fitted_on, "dev_baselines": dev_baselines}
        return SavedProbe(
            {name: getattr(self, f"{name}_") for name in COMPONENTS},
            {**self.get_params(), "geometry": self._geometry},
            self.history_,
            self.origin_,
            self.treebank_fingerprint_,
            {**self.saved_, **{name: note for name, note in notes.items() if note is not None}},
            None if reader is None else reader._to_save(self.relation_weight_),
        )


def fit_together(
    jobs: Sequence[tuple[Layer, StructuralProbe]],
    X: VectorsByLayer,
    y: TreesLike,
    *,
    dev: DevByLayer = None,
    moments: SharedMoments | None = None,
) -> Iterator[list[tuple[Layer, StructuralProbe]]]:
    """Fit probes on several layers of the same sentences, and yield them as they finish."""
    parameters = [(layer, probe.get_params()) for layer, probe in jobs]
    for found in fit_jointly(parameters, X, y, dev=dev, moments=moments):
        for place, fitted in found.items():
            layer, probe = jobs[place]
            probe._keep_fit(fitted, partial(fitted.dev_part, layer, X, y, dev))
        yield [jobs[place] for place in found]

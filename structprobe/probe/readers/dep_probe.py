"""`DepProbe`: labelled trees from a structural probe's distances and relations of words alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structprobe.probe.base import TreeEstimator
from structprobe.probe.data.inputs import origin_of
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.relation_labels import read_relations
from structprobe.probe.estimator import StructuralProbe
from structprobe.probe.projecting import predict_distances
from structprobe.probe.readers.relation_reader import RelationReader, head_rows
from structprobe.probe.training.settings import MEMORY_GB
from structprobe.probe.types import DevByLayer, Layer, RandomState, TreesLike, VectorsByLayer
from structprobe.scores import Prediction
from structprobe.trees import decode_rooted

OF_PROBE_ALONE = ("rank", "recipe", "products", "memory_gb")


class DepProbe(TreeEstimator):
    """Recover labelled trees from word vectors with two linear maps, as DepProbe does.

    The undirected tree is the minimum spanning tree of the distances of a `StructuralProbe`. The
    relation of each word to its head is read from the word's own vector, by a softmax over the
    relations (`RelationReader` with ``reads="dependent"``), which takes ``root`` for a relation
    like the others. The root is the word with the highest log-probability of ``root``, all arcs
    point away from it, and no other word takes that relation (Müller-Eberstein, van der Goot and
    Plank 2022, Probing for Labeled Dependency Trees, section 3). Probabilities are of each word
    alone, so the log-odds of words would not do: their offsets differ.

    The two maps share no parameters, so each is trained by itself, with the recipe of this library.

    Parameters
    ----------
    rank, recipe, products, memory_gb
        As for `StructuralProbe`, for the distances.
    subtypes
        As for `RelationReader`.
    max_steps, validation_fraction, random_state, device, verbose
        As for `StructuralProbe`, for both.

    Attributes
    ----------
    probe_ : StructuralProbe
        The probe of distances; its depths are not used.
    reader_ : RelationReader
        The reader of relations.
    history_ : dict
        As `StructuralProbe.history_`, with the training history of the reader as ``relations``.
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
    >>> probe = DepProbe(random_state=0, max_steps=50).fit(vectors, trees, dev=(vectors, trees))
    >>> tree = probe.predictions(vectors)[0]
    >>> tree.heads.tolist(), tree.deprels
    ([2, 0, 2], ('nsubj', 'root', 'advmod'))
    """

    probe_: StructuralProbe
    reader_: RelationReader
    history_: dict[str, Any]

    def __init__(
        self,
        *,
        rank: int | None = None,
        recipe: str = "auto",
        subtypes: bool = False,
        max_steps: int | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        products: str = "float32",
        memory_gb: float = MEMORY_GB,
        verbose: bool = False,
    ) -> None:
        self.rank, self.recipe, self.subtypes = rank, recipe, subtypes
        self.max_steps, self.validation_fraction = max_steps, validation_fraction
        self.random_state, self.device = random_state, device
        self.products, self.memory_gb, self.verbose = products, memory_gb, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        for name, bank in {"y": y, "y_dev": dev and dev[1]}.items():  # before anything is trained
            if bank is not None:
                read_relations(bank, name, subtypes=self.subtypes)
        held_out = dev and (dev[0][None], dev[1])
        settings = self.get_params()
        subtypes = settings.pop("subtypes")
        probe = StructuralProbe(**settings).fit(X[None], y, dev=held_out)
        shared = {key: value for key, value in settings.items() if key not in OF_PROBE_ALONE}
        reader = RelationReader(reads="dependent", subtypes=subtypes, **shared)
        self.probe_, self.reader_ = probe, reader.fit(X[None], y, dev=held_out)
        self.history_ = {**probe.history_, "relations": reader.history_}
        self.n_features_in_, self.origin_ = probe.n_features_in_, origin_of(X[None])

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        distances = predict_distances(words[None], self.probe_.distance_components_)
        of_roots = [-arcs[:, 0] for arcs in self.reader_._arcs(words[None])]
        heads = decode_rooted(distances, of_roots)
        labels = self.reader_._labels(words[None], head_rows(heads, words[None]))
        return [
            Prediction(own, one, deprels=tuple(names.tolist()))
            for own, one, names in zip(heads, distances, labels, strict=True)
        ]

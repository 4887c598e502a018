"""`RelationReader`: the relation of each arc, read from the vectors of its two words.

A linear map of the vectors, trained with the cross-entropy of the relations of gold arcs (a softmax
regression). It takes the heads as given, so that it can follow any method that gives heads.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError, counted
from structprobe.probe.base import PerSentence, VectorsEstimator
from structprobe.probe.data.examples import Split, read_sets
from structprobe.probe.data.inputs import origin_of, read_heads, treebank_name
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.readers.relation_training import arcs, barred, fit_relations, head_rows
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import read_name, read_settings, read_split
from structprobe.probe.types import DevByLayer, RandomState, TreesLike, VectorsByLayer, VectorsLike
from structprobe.progress import progress_bar
from structprobe.scores.attachment import without_subtypes

READS = ("pair", "difference", "dependent")
SHOWN = 5  # relations, in a warning

_log = logging.getLogger(__name__)

Labels = NDArray[np.str_]


class RelationReader(VectorsEstimator):
    """Read the relation of each arc from the word vectors of its dependent and its head.

    The log-odds of the relations are a linear map of the vectors, trained by cross-entropy on the
    gold arcs, in whitened coordinates and with the schedule and number of steps of the default
    recipe (`structprobe.probe.training.recipes`). Adam has one step size per relation, so that no
    invertible linear map of the vectors changes the predictions.

    The arc to the root has no second vector. It has an intercept of its own, and takes only
    relations that arcs to the root have in the training set (``root`` in UD), as other arcs take
    only those of other arcs.

    Parameters
    ----------
    reads : {"pair", "difference", "dependent"}
        What is mapped: the vectors of dependent and head, and so also their difference; their
        difference alone; or the dependent's vector alone, as in DepProbe (Müller-Eberstein, van der
        Goot and Plank 2022, Probing for Labeled Dependency Trees, section 3). The last learns to
        tell the root from other words too.
    subtypes : bool, default False
        Whether ``nsubj:pass`` is another relation than ``nsubj``; LAS makes no difference.
    max_steps, batch_size, learning_rate, validation_fraction, random_state, device, verbose
        As for `StructuralProbe`; ``batch_size`` counts arcs, 512 by default, and ``learning_rate``
        is the peak of the schedule.

    Attributes
    ----------
    classes_ : ndarray of str, shape (n_classes,)
        The relations of the training set, sorted.
    relation_components_ : ndarray of float32, shape (n_classes, hidden_size)
        The map of what is read; for ``"pair"``, of width ``2 * hidden_size``, the dependent first.
    intercept_ : ndarray of float32, shape (2, n_classes)
        What is added for arcs from a word, and for arcs from the root.
    allowed_ : ndarray of bool, shape (2, n_classes)
        Which relations arcs from a word, and arcs from the root, have in the training set.
    history_ : list of dict
        One entry per evaluation: ``step``, ``learning_rate``, ``train_loss``, ``dev_loss``.
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
    >>> reader = RelationReader(random_state=0).fit(vectors, trees, dev=(vectors, trees))
    >>> reader.predict(vectors, trees)[0].tolist()
    ['nsubj', 'root', 'advmod']
    """

    classes_: Labels
    relation_components_: NDArray[np.float32]
    intercept_: NDArray[np.float32]
    allowed_: NDArray[np.bool_]
    history_: list[dict[str, float]]

    def __init__(
        self,
        *,
        reads: str = "pair",
        subtypes: bool = False,
        max_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.reads, self.subtypes, self.max_steps = reads, subtypes, max_steps
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def fit(
        self, X: VectorsLike, y: TreesLike, *, dev: tuple[VectorsLike, TreesLike] | None = None
    ) -> Self:
        """Fit from scratch.

        Parameters
        ----------
        X : word vectors
            `WordVectors`, or one float array or tensor (n_words, hidden_size) per sentence.
        y : Treebank or sequence of Sentence
            The sentences, with heads and deprels.
        dev : tuple of (X, y), optional
            Vectors and sentences by which the best training step is chosen; by default, a random
            ``validation_fraction`` of the training sentences, which are not trained on.

        Returns
        -------
        self
            The fitted reader.

        Raises
        ------
        ProbeError
            If the vectors, trees or settings cannot be used, or a sentence has no relations.
        TreeError
            If the heads of a sentence are not a tree.
        """
        return super().fit(X, y, dev=dev)

    def predict(self, X: VectorsLike, heads: TreesLike | None = None) -> list[Labels]:
        """Read the relation of each word to its head.

        Parameters
        ----------
        X : word vectors
            As for `fit`.
        heads : Treebank, sequence of Sentence, or sequence of array_like of int, each (n_words,)
            The heads, 1-based, 0 for the root, which need not form trees; with
            ``reads="dependent"``, they can be left out, and each word can then be the root.

        Returns
        -------
        list of ndarray of str, each (n_words,)
            The most probable relation of each word.

        Raises
        ------
        ProbeError
            If width, model or settings of the vectors differ from those of `fit`, or the heads do
            not match.
        NotFittedError
            If the reader is not fitted.
        """
        words = self._words(X)[None]
        best = [scores.argmax(1) for scores in self._scores(words, self._heads_of(heads, words))]
        found = self.classes_[np.concatenate(best)]
        return PerSentence(np.split(found, np.cumsum(words.lengths)[:-1]))

    def predict_proba(
        self, X: VectorsLike, heads: TreesLike | None = None
    ) -> list[NDArray[np.float32]]:
        """Give the probability of each relation for each word.

        Parameters
        ----------
        X, heads
            As for `predict`, which raises the same errors.

        Returns
        -------
        list of ndarray of float32, each (n_words, n_classes)
            The probabilities, by `classes_`.
        """
        words = self._words(X)[None]
        every = self._scores(words, self._heads_of(heads, words))
        found = np.concatenate([scores.softmax(1).float().numpy() for scores in every])
        return PerSentence(np.split(found, np.cumsum(words.lengths)[:-1]))

    def score(self, X: VectorsLike, y: TreesLike) -> float:
        """Give the share of words whose relation is right, with gold heads.

        Relations that the training set does not have count as wrong; a warning names them.

        Parameters
        ----------
        X, y : word vectors, and sentences
            As for `fit`.

        Returns
        -------
        float
            A fraction.

        Raises
        ------
        ProbeError
            As for `predict`, or if a sentence has no relations.
        """
        found = np.concatenate(self.predict(X, y))
        gold = read_relations(y, "y", subtypes=self.subtypes)
        if told := unseen(gold, self.classes_, "y"):
            _log.warning("%s", told)
        return float((found == gold).mean())

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        read_name("reads", self.reads, READS)
        # Depths are not needed, but computing them checks that the heads are trees.
        train_set, dev_set = read_sets(X, y, dev, kinds=("depth",))
        settings = read_settings({**self.get_params(), "rank": None}, 1)
        split, generator = read_split(self.get_params(), train_set, dev_set)
        classes, codes = read_codes(y, dev, split, subtypes=self.subtypes)
        shown = None if self.verbose else False
        n_steps = settings.max_steps or Whitened().max_steps
        with progress_bar("relation reader", n_steps, "step", shown=shown) as advance:
            fitted = fit_relations(
                self.reads, split, codes, settings, generator, lambda _: advance(1)
            )
        for name, value in {"classes_": classes, **fitted}.items():
            setattr(self, name, value)
        self.n_features_in_ = split.train.layers[None].hidden_size
        self.origin_ = origin_of(X[None])

    def _heads_of(self, heads: TreesLike | None, words: Words) -> NDArray[np.int64] | None:
        """Check the heads; those of words that have none may be left out."""
        if heads is not None:
            return head_rows(read_heads(heads, words, ("X", "heads")), words)
        if self.reads != "dependent":
            told = f"reads={self.reads!r} needs the heads"
            raise ProbeError(told, hint="pass predict(X, heads)")
        return None

    def _scores(self, words: Words, heads: NDArray[np.int64] | None) -> Iterator[Tensor]:
        """Give the log-odds of all relations, of words in chunks."""
        # heads (n_words,) -> (m, n_classes)
        # A common offset of the vectors can cost most of the digits of float32.
        components = torch.from_numpy(self.relation_components_).double()
        intercept = torch.from_numpy(self.intercept_).double()
        if heads is not None:
            intercept += barred(torch.from_numpy(self.allowed_))
        known = np.zeros(int(words.lengths.sum()), np.int64) if heads is None else heads
        for parts, is_root in arcs(self.reads, words, known):
            yield torch.cat(parts, 1) @ components.T + intercept[is_root.long()]


def read_relations(y: TreesLike, name: str, *, subtypes: bool) -> Labels:
    """Read the relations of all words."""
    # -> (n_words,)
    found: list[str] = []
    rows = [getattr(one, "deprels", None) for one in y]
    hint = "use a treebank with DEPREL, or a method without relations"
    if not any(row is not None and {*row} != {"_"} for row in rows):
        told = "no sentence has relations (DEPREL is _ throughout, or only heads were passed)"
        raise ProbeError(told, where=treebank_name(y) or name, hint=hint)
    for index, (sentence, row) in enumerate(zip(y, rows, strict=True)):
        if row is None or "_" in row:
            place = getattr(sentence, "where", None)
            where = f"{place}: {name}[{index}]" if place else f"{name}[{index}]"
            which = "the sentence" if row is None else f"word {row.index('_') + 1}"
            raise ProbeError(f"{which} has no relation", where=where, hint=hint)
        found += row
    return np.array(found) if subtypes else without_subtypes(found)


def read_codes(
    y: TreesLike, dev: DevByLayer, split: Split, *, subtypes: bool
) -> tuple[Labels, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Read the relations of the training and the dev set, as numbers of those of training."""
    # -> (n_classes,), (n_words,) each: -1 for relations that the training set does not have
    if not isinstance(subtypes, bool):
        raise ProbeError(f"subtypes must be True or False, got {subtypes!r}")
    labels = read_relations(y, "y", subtypes=subtypes)
    if dev is not None:
        dev_labels = read_relations(dev[1], "y_dev", subtypes=subtypes)
    else:
        assert split.held_out is not None
        sentence = np.repeat(np.arange(len(y)), [len(one) for one in y])
        is_dev = np.isin(sentence, split.held_out)
        labels, dev_labels = labels[~is_dev], labels[is_dev]
    classes = np.unique(labels)
    index = {name: code for code, name in enumerate(classes.tolist())}
    codes, dev_codes = (
        np.array([index.get(name, -1) for name in some.tolist()]) for some in (labels, dev_labels)
    )
    return classes, (codes, dev_codes)


def unseen(labels: Iterable[str], known: Iterable[str], name: str) -> str | None:
    """Count and name the relations that a reader cannot give, as it never saw them."""
    left = Counter(map(str, labels))
    for one in known:
        del left[str(one)]
    if not left:
        return None
    shown = [f"{one!r} ({counted(n, 'word')})" for one, n in left.most_common(SHOWN)]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    be, count = ("is", "counts") if len(left) == 1 else ("are", "count")
    told = f"{counted(len(left), 'relation')} of {name} {be} not in the training set"
    return f"{told} and {count} as wrong: {', '.join(shown)}{more}"

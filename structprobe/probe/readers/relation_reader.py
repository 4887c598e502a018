"""`RelationReader`: the relation of each arc, read from the vectors of its two words.

A linear map of the vectors, trained with the cross-entropy of the relations of gold arcs (a softmax
regression). It takes the heads as given, so that it can follow any method that gives heads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError, counted
from structprobe.probe.base import PerSentence, VectorsEstimator
from structprobe.probe.data.examples import KINDS, RELATION, read_sets
from structprobe.probe.data.inputs import origin_of, read_heads
from structprobe.probe.data.ragged_vectors import Words, ragged
from structprobe.probe.data.relation_labels import Labels, read_relations, unseen, with_relations
from structprobe.probe.losses.relations import READS
from structprobe.probe.training.fit import fit_relations, make_task
from structprobe.probe.training.relation_task import FittedRelations
from structprobe.probe.training.settings import read_name, read_settings, read_split, spawn_seeds
from structprobe.probe.training.spaces import moments_of
from structprobe.probe.types import DevByLayer, RandomState, TreesLike, VectorsByLayer, VectorsLike
from structprobe.progress import progress_bar

if TYPE_CHECKING:
    from structprobe.probe.saving.saved_relations import SavedRelations

_log = logging.getLogger(__name__)


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
        As for `StructuralProbe`; ``learning_rate`` is the peak of the schedule.

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
    word_components_ : ndarray of float32, shape (n_classes, hidden_size)
        The map of a word's vector alone, from which the root of a sentence is read; for
        ``"dependent"``, the same map again.
    word_intercept_ : ndarray of float32, shape (n_classes,)
        What is added then.
    history_ : list of dict
        One entry per evaluation: ``step``, ``learning_rate``, ``train_loss``, ``dev_loss``. The
        losses are in nats per arc: of its relation given what is read of it, plus, unless that is
        the dependent alone, of its relation given the dependent alone.
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
    word_components_: NDArray[np.float32]
    word_intercept_: NDArray[np.float32]
    history_: list[dict[str, float]]
    _reads: str  # That of the fit, as the hyperparameter may be set to another later

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
        return PerSentence(_per_sentence(self.classes_[np.concatenate(best)], words))

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
        return PerSentence(_per_sentence(found, words))

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

    def arc_log_probabilities(self, X: VectorsLike) -> list[NDArray[np.float32]]:
        """Give the log-probability of the best relation of each possible arc.

        Parameters
        ----------
        X : word vectors
            As for `fit`.

        Returns
        -------
        list of ndarray of float32, each (n_words, n_words + 1)
            ``[i, h]`` is that of an arc to word `i` (0-based) from head `h` (1-based), in nats. For
            ``h = 0``, it is that of word `i` having a relation of the root, given that word alone.
            The score of a word with itself as head is ``-inf``.

        Raises
        ------
        ProbeError
            As for `predict`.
        """
        return [*self._arcs(self._words(X)[None])]

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        read_name("reads", self.reads, READS)
        # Depths are not needed, but computing them checks that the heads are trees.
        sets = read_sets(X, y, dev, kinds=("depth",))
        settings = read_settings({**self.get_params(), "rank": None}, 1)
        settings = replace(settings, reads=self.reads)
        sets, names = with_relations(sets, (y, dev and dev[1]), subtypes=self.subtypes)
        split, generator = read_split(self.get_params(), *sets)
        # As for the relations of a structural probe, whose own matrices take the seeds before.
        seeds = spawn_seeds(generator, 2 * len(KINDS) + 2)[2 * len(KINDS) :]
        task = make_task(RELATION, split, settings, seeds)
        shown = None if self.verbose else False
        with progress_bar("relation reader", task.max_steps, "step", shown=shown) as advance:
            moments = moments_of(split.train, [None], task.settings)
            fitted = fit_relations(task, [None], moments, lambda _: advance(1))[None]
        self._keep_fit(fitted, names)
        self.n_features_in_ = split.train.layers[None].hidden_size
        self.origin_ = origin_of(X[None])

    @property
    def n_parameters_(self) -> int:
        """How many numbers were learned, for raw vectors."""
        self._check_fitted()
        found = [self.relation_components_, self.intercept_]
        if self._reads != "dependent":  # where the map of a word alone is the same again
            found += [self.word_components_, self.word_intercept_]
        return sum(one.size for one in found)

    def _keep_fit(self, found: FittedRelations, names: Labels) -> None:
        """Set the fitted attributes."""
        self._reads, self.classes_ = found.reads, names[found.classes]
        self.relation_components_, self.intercept_ = found.components, found.intercept
        self.word_components_, self.word_intercept_ = found.word_components, found.word_intercept
        self.allowed_ = found.allowed
        self.history_ = found.history["evaluations"]

    def _to_save(self, weight: float | None) -> SavedRelations:
        """Give what was fitted, in plain values, with the weight of relations in trees."""
        from structprobe.probe.saving.saved_relations import ARRAYS, SavedRelations

        arrays = {name: getattr(self, attribute) for name, attribute in ARRAYS.items()}
        return SavedRelations(self._reads, self.classes_.tolist(), weight, arrays)

    @classmethod
    def _from_saved(cls, saved: SavedRelations, hyperparameters: Mapping[str, Any]) -> Self:
        """Make a fitted reader from plain values and the hyperparameters of its probe."""
        from structprobe.probe.saving.saved_relations import ARRAYS

        reader = cls._of_probe(saved.reads, hyperparameters)
        reader._reads, reader.classes_ = saved.reads, np.array(saved.classes)
        for name, attribute in ARRAYS.items():
            setattr(reader, attribute, saved.arrays[name])
        return reader

    @classmethod
    def _of_probe(cls, reads: str, hyperparameters: Mapping[str, Any]) -> Self:
        """Make the reader of a structural probe, with what the two have in common."""
        own = {*cls().get_params()} & {*hyperparameters} - {"learning_rate"}
        return cls(reads=reads, **{name: hyperparameters[name] for name in own})

    def _heads_of(self, heads: TreesLike | None, words: Words) -> NDArray[np.int64] | None:
        """Check the heads; those of words that have none may be left out."""
        if heads is not None:
            return head_rows(read_heads(heads, words, ("X", "heads")), words)
        if self._reads != "dependent":
            told = f"reads={self._reads!r} needs the heads"
            raise ProbeError(told, hint="pass predict(X, heads)")
        return None

    def _scores(self, words: Words, heads: NDArray[np.int64] | None) -> Iterator[Tensor]:
        """Give the log-odds of all relations, of words in chunks."""
        # heads (n_words,): -1 for the root -> (m, n_classes)
        intercept = torch.from_numpy(self.intercept_).double()
        if heads is not None:
            intercept += torch.where(torch.from_numpy(self.allowed_), 0.0, -torch.inf)
        known = np.full(int(words.lengths.sum()), 0) if heads is None else heads
        maps, done = self._maps(), 0
        for chunk in words.chunks():
            own, of_heads = self._projected(chunk, maps)
            rows = torch.from_numpy(known[done : done + len(own)] - done)
            is_root = torch.from_numpy(known[done : done + len(own)] < 0)
            done += len(own)
            taken = of_heads[rows.clamp(0, len(own) - 1)].masked_fill(is_root[:, None], 0)
            yield own + taken + intercept[is_root.long()]

    def _labels(
        self, words: Words, heads: Sequence[NDArray[np.integer]]
    ) -> Iterator[tuple[Labels, NDArray[np.float32]]]:
        """Give the relation of each word to its head, and the probability of that."""
        # heads (n_words,) -> (n_words,), (n_words,)
        parts = [odds.softmax(1).max(1) for odds in self._scores(words, head_rows(heads, words))]
        odds, best = (np.concatenate([part[which].numpy() for part in parts]) for which in (0, 1))
        each = (self.classes_[best], odds.astype(np.float32))
        yield from zip(*(_per_sentence(some, words) for some in each), strict=True)

    def _maps(self) -> list[Tensor]:
        """Give the map of dependents and, if it is another, of heads."""
        # A common offset of the vectors can cost most of the digits of float32.
        whole = torch.from_numpy(self.relation_components_).double()
        return [*whole.split(self.n_features_in_, 1)]

    def _projected(self, chunk: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Give what some words add to the log-odds as dependents and as heads."""
        # chunk (m, hidden_size) -> (m, n_classes), (m, n_classes)
        own = chunk @ maps[0].T
        if self._reads == "pair":
            return own, chunk @ maps[1].T
        return own, -own if self._reads == "difference" else torch.zeros_like(own)

    def _arcs(self, words: Words) -> Iterator[NDArray[np.float32]]:
        """Give the log-probability of the best relation of each possible arc."""
        # -> (n, n + 1)
        intercept, allowed = torch.from_numpy(self.intercept_[0]).double(), self.allowed_
        barred = torch.where(torch.from_numpy(allowed[0]), 0.0, -torch.inf)
        of_root = torch.from_numpy(allowed[1])
        of_words, maps = (self.word_components_, self.word_intercept_), self._maps()
        alone, offset = (torch.from_numpy(some).double() for some in of_words)
        for (first, last), chunk in zip(words.cuts(), words.chunks(), strict=True):
            own, of_heads = self._projected(chunk, maps)
            sizes = words.lengths[first:last].tolist()
            logs = (chunk @ alone.T + offset).log_softmax(-1)  # (m, n_classes)
            parts = (some.split(sizes) for some in (logs, own, of_heads))
            for words_alone, dependents, heads in zip(*parts, strict=True):
                if self._reads == "dependent":
                    best = (words_alone + barred).amax(-1)[:, None].expand(-1, len(heads))
                else:
                    logits = dependents[:, None] + heads + (intercept + barred)
                    best = logits.log_softmax(-1).amax(-1)  # (n, n)
                to_root = words_alone[:, of_root].logsumexp(-1, keepdim=True)
                found = torch.cat([to_root, best], 1)
                found[torch.arange(len(found)), torch.arange(1, len(found) + 1)] = -torch.inf
                yield found.float().numpy()


def _per_sentence(values: NDArray[Any], words: Words) -> list[NDArray[Any]]:
    """Split what is known of all words."""
    return np.split(values, np.cumsum(words.lengths)[:-1])


def head_rows(heads: Sequence[NDArray[np.integer]], words: Words) -> NDArray[np.int64]:
    """Find the row of each word's head among all words, -1 for the root."""
    # heads (n_words,) -> (n_words,)
    flat = np.concatenate(heads).astype(np.int64)
    sentence, _ = ragged(words.lengths)
    off = (flat < 0) | (flat > words.lengths[sentence])
    if off.any():
        row = int(np.argmax(off))
        n = int(words.lengths[sentence[row]])
        told = f"head {flat[row]} of a word, in a sentence of {counted(n, 'word')}"
        raise ProbeError(told, where=f"heads[{sentence[row]}]", hint="use 0 for the root")
    firsts = np.cumsum(words.lengths) - words.lengths
    return np.where(flat == 0, -1, firsts[sentence] + flat - 1)

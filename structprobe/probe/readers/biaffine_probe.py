"""`BiaffineProbe`: what a parser can read from frozen vectors.

Dozat and Manning 2017, Deep Biaffine Attention for Neural Dependency Parsing, equations 3 to 6
and 9, without their encoder. As a probe of word pairs it corresponds to the arc prediction of
Liu et al. 2019, Linguistic Knowledge and Transferability of Contextual Representations, with all
candidates of a word scored together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from structprobe.errors import ProbeError
from structprobe.probe.base import TreeEstimator
from structprobe.probe.data.batches import SLACK, mixed_batches
from structprobe.probe.data.examples import Split, read_sets
from structprobe.probe.data.inputs import common_width, origin_of
from structprobe.probe.data.ragged_vectors import Words, first_equal
from structprobe.probe.data.relation_labels import Labels, with_relations
from structprobe.probe.data.whitening import lay_out, second_moments, whitening
from structprobe.probe.readers.biaffine_scorers import (
    DROPOUT,
    RELATION_DROPOUT,
    BiaffineScorer,
    RelationScorer,
    relation_log_probabilities,
)
from structprobe.probe.readers.head_choice import (
    Choice,
    HeadBlock,
    head_log_probabilities,
    train_heads,
)
from structprobe.probe.training.loop import Cosine
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.relation_task import number_relations
from structprobe.probe.training.settings import (
    Settings,
    read_settings,
    read_split,
    read_whole,
    spawn_seeds,
)
from structprobe.probe.types import (
    DevByLayer,
    Layer,
    RandomState,
    TreesLike,
    VectorsByLayer,
    VectorsLike,
)
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction
from structprobe.trees.arborescences import arborescences
from structprobe.trees.padding import group_by_length, pad

RANK, RELATION_RANK = 128, 64
RATE = 0.002  # the peak learning rate of Adam


class BiaffineProbe(TreeEstimator):
    """Recover directed trees from word vectors by choosing a head for each word.

    Heads are scored by a biaffine function (Dozat and Manning 2017) of whitened vectors, trained
    with the cross-entropy of the gold heads and the batches, schedule and number of steps of the
    default recipe (`structprobe.probe.training.recipes`). The tree is the best one, found with
    Chu-Liu/Edmonds. It is far more flexible than a structural probe: use it to estimate what can
    be read from the vectors at all.

    With ``relations=True``, a second scorer, with projections of its own and a biaffine function
    per relation, chooses the relation of each word to its head. It is trained after the first, for
    as many steps, with the cross-entropy of the relations of gold arcs; the trees are the same with
    and without it. Arcs from the root take only relations that such arcs have in the training set,
    as other arcs take only those of other arcs.

    Parameters
    ----------
    rank : int, optional
        Number of rows of the two projections, 128 by default; at most hidden_size, or 128 if
        hidden_size is smaller.
    dropout : float
        Dropout rate during training; 0 for none. The default suits vectors in which many
        dimensions carry the same information, as those of language models do.
    relations : bool, default False
        Whether to learn relations too; `fit` then takes sentences with deprels.
    subtypes : bool, default False
        Whether ``nsubj:pass`` is another relation than ``nsubj``; LAS makes no difference.
    relation_rank : int, optional
        As `rank`, for the relations; 64 by default.
    relation_dropout : float
        As `dropout`, for the relations.
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
    relation_scorer_ : RelationScorer or None
        The scorer of relations with the lowest dev loss; None without relations.
    classes_ : ndarray of str, shape (n_classes,), or None
        The relations of the training set, sorted.
    relation_history_ : list of dict, or None
        As `history_`, for the relations.
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

    relation_scorer_: RelationScorer | None = None
    classes_: Labels | None = None
    relation_history_: list[dict[str, float]] | None = None

    _label, _choice = "biaffine probe", staticmethod(head_log_probabilities)

    def __init__(
        self,
        *,
        rank: int | None = None,
        dropout: float = DROPOUT,
        relations: bool = False,
        subtypes: bool = False,
        relation_rank: int | None = None,
        relation_dropout: float = RELATION_DROPOUT,
        max_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.batch_size = rank, max_steps, batch_size
        self.relations, self.subtypes = relations, subtypes
        self.relation_rank, self.relation_dropout = relation_rank, relation_dropout
        self.learning_rate, self.dropout = learning_rate, dropout
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        parts, settings, generator, names = self._read(X, y, dev)
        gold = None if names is None else _gold_arcs(parts, names)  # before any training
        # The trees are the same whether relations follow or not.
        relation_seed = spawn_seeds(generator, 1)[0]
        words, dev_words, device = parts.train.layers[None], parts.dev.layers[None], settings.device
        basis = whitening(second_moments(words), centred=False)
        size = settings.batch_size or Whitened().batch_size
        batches = head_batches(words, parts.train.heads, basis, size, generator, device)
        dev_blocks = head_blocks(dev_words, parts.dev.heads, basis, device)
        scorer = BiaffineScorer(len(basis), settings.rank, generator, self.dropout).to(device)
        shown, choice = (self._label, self.verbose), self._choice
        self.history_ = train_scorer(
            scorer, batches, dev_blocks, settings, generator, shown, choice
        )
        self.scorer_, self.basis_ = scorer, basis
        self.n_features_in_, self.origin_ = words.hidden_size, origin_of(X[None])
        self.relation_scorer_ = self.classes_ = self.relation_history_ = None
        if gold is not None:
            del batches, dev_blocks
            self._fit_relations(parts, gold, settings, np.random.default_rng(relation_seed))

    def fit_relations(
        self, X: VectorsLike, y: TreesLike, *, dev: tuple[VectorsLike, TreesLike] | None = None
    ) -> Self:
        """Fit the relations of a probe whose trees are fitted, and stay as they are.

        With the same data and an integer as `random_state`, the probe is then the same as if it had
        been fitted with ``relations=True``.

        Parameters
        ----------
        X, y, dev
            As for `fit`; `y` are sentences with deprels.

        Returns
        -------
        self
            The estimator, with relations.

        Raises
        ------
        ProbeError
            As for `fit`, if the vectors are not like those of `fit`, or a sentence has no
            relations.
        NotFittedError
            If the trees are not fitted.
        """
        self._words(X)  # as in the fit of the trees
        held_out = None if dev is None else (self._layers(dev[0], "X_dev"), dev[1])
        parts, settings, generator, names = self._read(
            self._layers(X, "X"), y, held_out, relations=True
        )
        assert names is not None
        seed = spawn_seeds(generator, 1)[0]
        gold = _gold_arcs(parts, names)
        self._fit_relations(parts, gold, settings, np.random.default_rng(seed))
        return self

    def _read(
        self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer, **changes: bool
    ) -> tuple[Split, Settings, np.random.Generator, Labels | None]:
        """Check the input and hyperparameters."""
        if not isinstance(self.relations, bool):
            raise ProbeError(f"relations must be True or False, got {self.relations!r}")
        found = read_head_sets(self.get_params() | changes, X, y, dev)
        for name in ("dropout", "relation_dropout"):
            if not 0 <= (share := getattr(self, name)) < 1:
                raise ProbeError(f"{name} must be at least 0 and below 1, got {share!r}")
        width = found[0].train.layers[None].hidden_size
        read_whole("relation_rank", self.relation_rank, max(RANK, width))
        return found

    def _fit_relations(
        self, parts: Split, gold: _GoldArcs, settings: Settings, generator: np.random.Generator
    ) -> None:
        """Train the scorer of relations on gold arcs."""
        device, size = settings.device, settings.batch_size or Whitened().batch_size
        words, dev_words = parts.train.layers[None], parts.dev.layers[None]
        given = head_batches(words, gold.train, self.basis_, size, generator, device)
        batches = [[*map(_of_arcs, blocks)] for blocks in given]
        dev_blocks = [*map(_of_arcs, head_blocks(dev_words, gold.dev, self.basis_, device))]
        rank, allowed = self.relation_rank or RELATION_RANK, torch.from_numpy(gold.allowed)
        dropout = self.relation_dropout
        scorer = RelationScorer(len(self.basis_), rank, allowed, generator, dropout).to(device)
        shown = ("relations", self.verbose)
        self.relation_history_ = train_scorer(
            scorer, batches, dev_blocks, settings, generator, shown, relation_log_probabilities
        )
        self.relation_scorer_, self.classes_ = scorer, gold.classes

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        return self._labelled(predictions_of(self.scorer_, words[None], self.basis_), words[None])

    def _labelled(self, found: list[Prediction], words: Words) -> list[Prediction]:
        """Add relations to trees, if they were fitted."""
        if self.relation_scorer_ is None or self.classes_ is None:
            return found
        heads = [one.heads for one in found]
        chosen = relations_of(self.relation_scorer_, words, self.basis_, heads)
        return [
            replace(one, deprels=tuple(self.classes_[own].tolist()), deprel_probabilities=odds)
            for one, (own, odds) in zip(found, chosen, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _GoldArcs:
    """The head of each word, with the number of the relation to it."""

    classes: Labels  # (n_classes,)
    allowed: NDArray[np.bool_]  # (2, n_classes): of arcs from words, and from the root
    train: list[NDArray[np.int64]]  # (n_words, 2) each
    dev: list[NDArray[np.int64]]  # Likewise; a relation is -1 if it cannot be right


def _gold_arcs(parts: Split, names: Labels) -> _GoldArcs:
    """Take head and relation of each word."""
    classes, allowed, codes = number_relations(parts)
    train, held_out = (
        np.split(np.stack([np.concatenate(one.heads), own], 1), np.cumsum(one.lengths)[:-1])
        for one, own in zip((parts.train, parts.dev), codes, strict=True)
    )
    return _GoldArcs(names[classes], allowed, train, held_out)


def _of_arcs(block: HeadBlock) -> HeadBlock:
    """Turn heads and relations (b, n, 2) into relations to choose, given the heads."""
    heads, relations = block.heads.unbind(-1)
    return HeadBlock((block.inputs, heads), relations)


def read_head_sets(
    parameters: Mapping[str, Any], X: VectorsByLayer, y: TreesLike, dev: DevByLayer
) -> tuple[Split, Settings, np.random.Generator, Labels | None]:
    """Check the input and hyperparameters of a head selector; its rank may be above the width.

    If it has relations, the sets have them by number, and their names are given too.
    """
    # Depths are not needed, but computing them checks that the heads are trees.
    sets, names = read_sets(X, y, dev, kinds=("depth",)), None
    if parameters.get("relations"):
        banks = y, None if dev is None else dev[1]
        sets, names = with_relations(sets, banks, subtypes=parameters["subtypes"])
    rank = RANK if parameters["rank"] is None else parameters["rank"]
    width = common_width(sets[0].layers.values())
    settings = read_settings({**parameters, "rank": rank}, max(RANK, width))
    parts, generator = read_split(parameters, *sets)
    return parts, settings, generator, names


def train_scorer(
    module: nn.Module,
    batches: Sequence[Sequence[HeadBlock]],
    dev_blocks: Sequence[HeadBlock],
    settings: Settings,
    generator: np.random.Generator,
    shown: tuple[str, bool],
    choice: Choice = head_log_probabilities,
) -> list[dict[str, float]]:
    """Train on shuffled batches, with a progress bar by name if it is to be shown."""
    recipe, (label, verbose) = Whitened(), shown
    n_steps = settings.max_steps or recipe.max_steps
    schedule = Cosine(recipe, settings.learning_rate or RATE, n_steps)
    with progress_bar(label, n_steps, "step", shown=None if verbose else False) as advance:
        return train_heads(
            module,
            lambda: [batches[index] for index in generator.permutation(len(batches))],
            dev_blocks,
            schedule,
            lambda _: advance(1),
            choice,
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


def head_batches(
    words: Words,
    heads: Sequence[NDArray[np.integer]],
    basis: Tensor,
    batch_size: int,
    generator: np.random.Generator,
    device: torch.device,
) -> list[list[HeadBlock]]:
    """Compose batches that mix lengths, each of blocks of similar length."""
    # heads (n_words, ...), basis (n_kept, hidden_size)
    return [
        head_blocks(words.take(part), [heads[index] for index in part], basis, device, SLACK)
        for part in mixed_batches(words.lengths, batch_size, generator)
    ]


def head_blocks(
    words: Words,
    heads: Sequence[NDArray[np.integer]],
    basis: Tensor,
    device: torch.device,
    slack: float = 0.1,
) -> list[HeadBlock]:
    """Group sentences into padded blocks of similar length."""
    blocks = []
    for group in group_by_length(words.lengths, slack=slack):
        gold = pad([heads[index] for index in group], fill=-1, dtype=np.int64)  # (b, n, ...)
        padded = whitened(words.take(group), basis, device)
        blocks.append(HeadBlock(padded, torch.from_numpy(gold).to(device)))
    return blocks


@torch.no_grad()
def arc_log_probabilities(
    scorer: BiaffineScorer, words: Words, basis: Tensor
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Predict the head of every word, for sentences of similar length together."""
    # basis (n_kept, hidden_size) -> (b,), (b, n, n + 1)
    for group in group_by_length(words.lengths):
        lengths = words.lengths[group]
        padded = whitened(words.take(group), basis, scorer.root.device)  # (b, n, n_kept)
        is_word = torch.from_numpy(np.arange(padded.shape[1]) < lengths[:, None])
        log_probabilities = head_log_probabilities(scorer(padded), is_word.to(padded.device))
        found = log_probabilities.cpu().numpy()
        for row, start, n in zip(found, words.starts[group], lengths, strict=True):
            if (same := first_equal(words.values[start : start + n])) is not None:
                row[:n, : n + 1] = _tied(row[:n, : n + 1], np.array(same))
        yield group, found


@torch.no_grad()
def relations_of(
    scorer: RelationScorer, words: Words, basis: Tensor, heads: Sequence[NDArray[np.integer]]
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Give the number of the best relation of each word to its head, and its probability."""
    # basis (n_kept, hidden_size), heads (n_words,) -> (n_words,), (n_words,)
    found: dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]] = {}
    for group in group_by_length(words.lengths):
        padded = whitened(words.take(group), basis, scorer.root.device)  # (b, n, n_kept)
        own = pad([heads[index] for index in group], fill=-1, dtype=np.int64)  # (b, n)
        scores = scorer((padded, torch.from_numpy(own).to(padded.device)))  # (b, n, n_classes)
        odds, codes = (some.cpu().numpy() for some in scores.softmax(-1).max(-1))
        for row, index in enumerate(group.tolist()):
            n = int(words.lengths[index])
            found[index] = codes[row, :n].copy(), odds[row, :n].copy()
    return [found[index] for index in range(len(words))]


def _tied(scores: NDArray[np.float32], same: NDArray[np.intp]) -> NDArray[np.float32]:
    """Give equal words the scores of the first, and as heads of one another those of two."""
    # scores (n, n + 1), same (n,): the first word that equals each
    tied: NDArray[np.float32] = scores[np.ix_(same, np.append(0, same + 1))]
    second = {one: i for i, one in reversed([*enumerate(same.tolist())]) if i != one}
    twin = np.array([second.get(one, one) for one in same.tolist()])
    inside = (same[:, None] == same) & ~np.eye(len(same), dtype=np.bool_)
    tied[:, 1:] = np.where(inside, scores[same, twin + 1][:, None], tied[:, 1:])
    return tied


def whitened(words: Words, basis: Tensor, device: torch.device) -> Tensor:
    """Whiten the words of some sentences, padded with zeros: (b, n, n_kept)."""
    b, n = len(words), int(words.lengths.max())
    out = torch.zeros(b * n, len(basis), device=device)
    lay_out(words, basis, out, np.arange(b) * n, centred=False)
    return out.view(b, n, -1)

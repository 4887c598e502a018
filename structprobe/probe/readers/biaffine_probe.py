"""`BiaffineProbe`: what a parser can read from frozen vectors.

Dozat and Manning 2017, Deep Biaffine Attention for Neural Dependency Parsing, equations 4 to 6
and 9, without their encoder. As a probe of word pairs it corresponds to the arc prediction of
Liu et al. 2019, Linguistic Knowledge and Transferability of Contextual Representations, with all
candidates of a word scored together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
from structprobe.probe.data.whitening import lay_out, second_moments, whitening
from structprobe.probe.readers.head_choice import (
    HeadBlock,
    Normalise,
    head_log_probabilities,
    train_heads,
)
from structprobe.probe.training.loop import Cosine
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import Settings, read_settings, read_split
from structprobe.probe.types import DevByLayer, Layer, RandomState, TreesLike, VectorsByLayer
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction
from structprobe.trees.arborescences import arborescences
from structprobe.trees.padding import group_by_length, pad

# Dropout rate of the word vectors and of both projections (Dozat and Manning 2017, table 1).
# Without dropout, the scorer memorises the training set.
DROPOUT = 0.33
RANK = 128
RATE = 0.002  # the peak learning rate of Adam


class BiaffineProbe(TreeEstimator):
    """Recover directed trees from word vectors by choosing a head for each word.

    Heads are scored by a biaffine function (Dozat and Manning 2017) of whitened vectors, trained
    with the cross-entropy of the gold heads and the batches, schedule and number of steps of the
    default recipe (`structprobe.probe.training.recipes`). The tree is the best one, found with
    Chu-Liu/Edmonds. It is far more flexible than a structural probe: use it to estimate what can
    be read from the vectors at all.

    Parameters
    ----------
    rank : int, optional
        Number of rows of the two projections, 128 by default; at most hidden_size, or 128 if
        hidden_size is smaller.
    dropout : float
        Dropout rate during training; 0 for none. The default suits vectors in which many
        dimensions carry the same information, as those of language models do.
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

    _label, _normalise = "biaffine probe", staticmethod(head_log_probabilities)

    def __init__(
        self,
        *,
        rank: int | None = None,
        dropout: float = DROPOUT,
        max_steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.batch_size = rank, max_steps, batch_size
        self.learning_rate, self.dropout = learning_rate, dropout
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        parts, settings, generator = read_head_sets(self.get_params(), X, y, dev)
        if not 0 <= self.dropout < 1:
            raise ProbeError(f"dropout must be at least 0 and below 1, got {self.dropout!r}")
        words, dev_words, device = parts.train.layers[None], parts.dev.layers[None], settings.device
        basis = whitening(second_moments(words), centred=False)
        size = settings.batch_size or Whitened().batch_size
        batches = head_batches(words, parts.train.heads, basis, size, generator, device)
        dev_blocks = head_blocks(dev_words, parts.dev.heads, basis, device)
        scorer = BiaffineScorer(len(basis), settings.rank, generator, self.dropout).to(device)
        shown, normalise = (self._label, self.verbose), self._normalise
        self.history_ = train_scorer(
            scorer, batches, dev_blocks, settings, generator, shown, normalise
        )
        self.scorer_, self.basis_ = scorer, basis
        self.n_features_in_, self.origin_ = words.hidden_size, origin_of(X[None])

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        return predictions_of(self.scorer_, words[None], self.basis_)


def read_head_sets(
    parameters: Mapping[str, Any], X: VectorsByLayer, y: TreesLike, dev: DevByLayer
) -> tuple[Split, Settings, np.random.Generator]:
    """Check the input and hyperparameters of a head selector; its rank may be above the width."""
    # Depths are not needed, but computing them checks that the heads are trees.
    train_set, dev_set = read_sets(X, y, dev, kinds=("depth",))
    rank = RANK if parameters["rank"] is None else parameters["rank"]
    width = common_width(train_set.layers.values())
    settings = read_settings({**parameters, "rank": rank}, max(RANK, width))
    parts, generator = read_split(parameters, train_set, dev_set)
    return parts, settings, generator


def train_scorer(
    module: nn.Module,
    batches: Sequence[Sequence[HeadBlock]],
    dev_blocks: Sequence[HeadBlock],
    settings: Settings,
    generator: np.random.Generator,
    shown: tuple[str, bool],
    normalise: Normalise = head_log_probabilities,
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
            normalise,
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


class BiaffineScorer(nn.Module):
    """Scores every head of every word with a biaffine function.

    ``score(i, j) = d_i^T U h_j + u^T h_j`` with ``d_i = relu(D x_i + b)`` for the dependent and
    ``h_j = relu(H x_j + c)`` for the head; the root has a learned h.
    """

    def __init__(
        self, width: int, rank: int, generator: np.random.Generator, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        self.generator, self.dropout = generator, dropout

        def drawn(*shape: int) -> nn.Parameter:
            spread = shape[-1] ** -0.5
            return nn.Parameter(torch.from_numpy(generator.uniform(-spread, spread, shape)).float())

        self.to_dependent, self.to_head = drawn(rank, width), drawn(rank, width)  # D, H
        self.dependent_bias, self.head_bias = (nn.Parameter(torch.zeros(rank)) for _ in range(2))
        self.between, self.alone, self.root = drawn(rank, rank), drawn(rank), drawn(rank)  # U, u

    def forward(self, words: Tensor) -> Tensor:
        """Score all heads."""
        # words (b, n, width) -> (b, n, n + 1)
        words = self._drop(words)
        dependents = self._drop((words @ self.to_dependent.T + self.dependent_bias).relu())
        heads = self._drop((words @ self.to_head.T + self.head_bias).relu())  # (b, n, rank)
        heads = torch.cat([self.root.expand(len(words), 1, -1), heads], 1)  # (b, n + 1, rank)
        return (dependents @ self.between + self.alone) @ heads.mT

    def _drop(self, values: Tensor) -> Tensor:
        """Apply dropout while training, drawn from the own generator."""
        if not self.training or not self.dropout:
            return values
        drawn = self.generator.random(values.shape, dtype=np.float32)
        kept = torch.from_numpy(drawn >= self.dropout).to(values.device)
        return values * kept / (1 - self.dropout)


def head_batches(
    words: Words,
    heads: Sequence[NDArray[np.integer]],
    basis: Tensor,
    batch_size: int,
    generator: np.random.Generator,
    device: torch.device,
) -> list[list[HeadBlock]]:
    """Compose batches that mix lengths, each of blocks of similar length."""
    # heads (n_words,), basis (n_kept, hidden_size)
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
        gold = pad([heads[index] for index in group], fill=-1, dtype=np.int64)  # (b, n)
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

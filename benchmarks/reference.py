"""How research scripts do it: plain, one sentence, one pair, one word at a time.

Written from the description in Hewitt and Manning 2019, A Structural Probe for Finding Syntax in
Word Representations, to be measured against and to be compared with; nothing in here is fast, and
nothing of the library is used.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

PENN_PUNCTUATION = {"''", ",", ".", ":", "``", "-LRB-", "-RRB-"}


@dataclass
class Observation:
    """One sentence; heads 1-based, 0 for the root's."""

    words: list[str]
    xpos: list[str]
    heads: list[int]


def read(path: Path) -> list[Observation]:
    """Read a CoNLL-U file line by line, without a check."""
    observations, current = [], Observation([], [], [])
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if not line:
                if current.words:
                    observations.append(current)
                current = Observation([], [], [])
            elif not line.startswith("#"):
                fields = line.split("\t")
                if fields[0].isdigit():  # neither a multiword range nor an empty node
                    current.words.append(fields[1])
                    current.xpos.append(fields[4])
                    current.heads.append(int(fields[6]))
    if current.words:
        observations.append(current)
    return observations


# Gold values


def path_to_root(heads: Sequence[int], word: int) -> list[int]:
    """Walk from a word, 1-based, to the root; both are on the path."""
    path = [word]
    while heads[path[-1] - 1] != 0:
        path.append(heads[path[-1] - 1])
    return path


def gold_distances(heads: Sequence[int]) -> Tensor:
    """Walk from every two words up to the first that is above both: (n, n)."""
    n = len(heads)
    distances = torch.zeros((n, n))
    for i in range(n):
        for j in range(i, n):
            above_i, above_j = path_to_root(heads, i + 1), path_to_root(heads, j + 1)
            meeting = next(word for word in above_i if word in above_j)
            length = above_i.index(meeting) + above_j.index(meeting)
            distances[i][j] = distances[j][i] = length
    return distances


def gold_depths(heads: Sequence[int]) -> Tensor:
    """Walk from every word to the root: (n,)."""
    depths = torch.zeros(len(heads))
    for i in range(len(heads)):
        depths[i] = len(path_to_root(heads, i + 1)) - 1
    return depths


# Vectors


def encode(model: Any, tokenizer: Any, words: Sequence[str]) -> list[Tensor]:
    """Send one sentence through a model; average each word's pieces: (n, hidden) a layer."""
    text, spans = "", []
    for word in words:
        text = f"{text} {word}" if text else word
        spans.append((len(text) - len(word), len(text)))
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    pieces = encoded.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        hidden_states = model(**encoded, output_hidden_states=True).hidden_states
    layers = []
    for hidden in hidden_states:
        vectors = []
        for first, last in spans:
            own = [p for p, (start, end) in enumerate(pieces) if start < last and end > first]
            vectors.append(hidden[0, own].mean(dim=0))
        layers.append(torch.stack(vectors))
    return layers


# Probes


class DistanceProbe(nn.Module):
    """Squared L2 distance of every two words after projection (section 2.2)."""

    def __init__(self, hidden_size: int, rank: int) -> None:
        super().__init__()
        self.projection = nn.Parameter(torch.empty(hidden_size, rank).uniform_(-0.05, 0.05))

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (b, n, hidden) to distances (b, n, n)."""
        projected = vectors @ self.projection  # (b, n, rank)
        b, n, rank = projected.shape
        rows = projected.unsqueeze(2).expand(b, n, n, rank)
        columns = projected.unsqueeze(1).expand(b, n, n, rank)
        return (rows - columns).pow(2).sum(-1)  # of (b, n, n, rank)


class DepthProbe(nn.Module):
    """Squared L2 length of every word after projection (section 2.3)."""

    def __init__(self, hidden_size: int, rank: int) -> None:
        super().__init__()
        self.projection = nn.Parameter(torch.empty(hidden_size, rank).uniform_(-0.05, 0.05))

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (b, n, hidden) to depths (b, n)."""
        return (vectors @ self.projection).pow(2).sum(-1)


def l1_loss(predicted: Tensor, gold: Tensor, lengths: Tensor) -> Tensor:
    """Absolute error by sentence, over n² pairs or n words, mean of the batch; -1 is padding."""
    is_real = (gold != -1).float()
    errors = ((predicted - gold).abs() * is_real).flatten(1).sum(1)  # (b,)
    pairs = gold.dim() == 3
    return (errors / (lengths.float() ** 2 if pairs else lengths.float())).mean()


def pad_batch(vectors: list[Tensor], gold: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Pad sentences to the longest: vectors (b, n, hidden), gold (b, n[, n]), lengths (b,)."""
    lengths = torch.tensor([len(one) for one in vectors])
    b, n, hidden = len(vectors), int(lengths.max()), vectors[0].shape[1]
    padded = torch.zeros(b, n, hidden)
    labels = torch.full((b, n, n) if gold[0].dim() == 2 else (b, n), -1.0)
    for i, (one, label) in enumerate(zip(vectors, gold, strict=True)):
        padded[i, : len(one)] = one
        labels[(i, *(slice(size) for size in label.shape))] = label
    return padded, labels, lengths


def batches(
    vectors: Sequence[Tensor], gold: Sequence[Tensor], order: Sequence[int], batch_size: int = 20
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Pad one batch after another, anew in every epoch."""
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield pad_batch([vectors[i] for i in chosen], [gold[i] for i in chosen])


def train_epoch(
    probe: nn.Module,
    optimizer: torch.optim.Optimizer,
    vectors: Sequence[Tensor],
    gold: Sequence[Tensor],
) -> None:
    """One step of Adam a batch of 20 random sentences."""
    for padded, labels, lengths in batches(vectors, gold, torch.randperm(len(vectors)).tolist()):
        optimizer.zero_grad()
        l1_loss(probe(padded), labels, lengths).backward()
        optimizer.step()


def dev_loss(probe: nn.Module, vectors: Sequence[Tensor], gold: Sequence[Tensor]) -> float:
    """Mean loss over sentences."""
    total = 0.0
    with torch.no_grad():
        for padded, labels, lengths in batches(vectors, gold, range(len(vectors))):
            total += float(l1_loss(probe(padded), labels, lengths)) * len(lengths)
    return total / len(vectors)


@dataclass
class Run:
    """What a training run gave: the probe at its best, that dev loss, and the epochs it took."""

    probe: nn.Module
    loss: float
    epochs: int


def train(
    probe: nn.Module,
    vectors: Sequence[Tensor],
    gold: Sequence[Tensor],
    dev_vectors: Sequence[Tensor],
    dev_gold: Sequence[Tensor],
    max_epochs: int = 40,
    learning_rate: float = 0.001,
) -> Run:
    """Adam, a tenth of the rate after an epoch without a new best; stop after 5 without gain."""
    optimizer = torch.optim.Adam(probe.parameters(), lr=learning_rate)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    best, stale = Run(probe, math.inf, 0), 0
    kept: dict[str, Tensor] = {}
    for epoch in range(1, max_epochs + 1):
        train_epoch(probe, optimizer, vectors, gold)
        loss = dev_loss(probe, dev_vectors, dev_gold)
        plateau.step(loss)
        stale += 1
        if loss < best.loss - 1e-4:
            best.loss, stale = loss, 0
            kept = {name: value.clone() for name, value in probe.state_dict().items()}
        best.epochs = epoch
        if stale >= 5:
            break
    probe.load_state_dict(kept)
    return best


# Trees


class UnionFind:
    """Sets of words that are joined already."""

    def __init__(self, n: int) -> None:
        self.parents = list(range(n))

    def find(self, i: int) -> int:
        """Name the set of a word by one of its words."""
        while self.parents[i] != i:
            i = self.parents[i]
        return i

    def join(self, i: int, j: int) -> bool:
        """Join two sets; say whether they were two."""
        i, j = self.find(i), self.find(j)
        self.parents[i] = j
        return i != j


def spanning_edges(distances: Any, words: Sequence[int]) -> list[tuple[int, int]]:
    """Kruskal over some of the words, 0-based: the edges (i, j), i < j, of the spanning tree."""
    pairs = [(float(distances[i][j]), i, j) for i in words for j in words if i < j]
    union, edges = UnionFind(len(distances)), []
    for _, i, j in sorted(pairs):
        if union.join(i, j):
            edges.append((i, j))
    return edges


def root_of(depths: Any, words: Sequence[int]) -> int:
    """Find the least deep of some words, 0-based."""
    return min(words, key=lambda word: float(depths[word]))


def decode(distances: Any, depths: Any) -> list[int]:
    """Direct the spanning tree away from the least deep word: heads, 1-based, 0 for the root's."""
    words = range(len(depths))
    neighbours = defaultdict(list)
    for i, j in spanning_edges(distances, words):
        neighbours[i].append(j)
        neighbours[j].append(i)
    heads, ahead = [-1] * len(depths), [root_of(depths, words)]
    heads[ahead[0]] = 0
    while ahead:
        word = ahead.pop()
        for other in neighbours[word]:
            if heads[other] == -1:
                heads[other] = word + 1
                ahead.append(other)
    return heads


# Scores


def uuas(gold: Sequence[Observation], distances: Sequence[Any]) -> float:
    """Share of gold edges between words that are no Penn punctuation, trees over those alone."""
    right = total = 0
    for observation, matrix in zip(gold, distances, strict=True):
        kept = _kept(observation)
        edges = {
            (min(i, head - 1), max(i, head - 1))
            for i, head in enumerate(observation.heads)
            if head > 0 and i in kept and head - 1 in kept
        }
        right += len(edges & set(spanning_edges(matrix, kept)))
        total += len(edges)
    return right / total


def root_accuracy(gold: Sequence[Observation], depths: Sequence[Any]) -> float:
    """Share of sentences whose least deep word that is no Penn punctuation is the root."""
    right = total = 0
    for observation, row in zip(gold, depths, strict=True):
        kept = _kept(observation)
        if kept:
            right += observation.heads[root_of(row, kept)] == 0
            total += 1
    return right / total


def distance_spearman(gold: Sequence[Any], predicted: Sequence[Any]) -> float:
    """One correlation a word; mean of each length's words, then of the lengths 5 to 50."""
    return _mean_over_lengths(gold, predicted, lambda a, b: list(zip(a, b, strict=True)))


def depth_spearman(gold: Sequence[Any], predicted: Sequence[Any]) -> float:
    """One correlation a sentence; mean of each length's, then of the lengths 5 to 50."""
    return _mean_over_lengths(gold, predicted, lambda a, b: [(a, b)])


def _mean_over_lengths(
    gold: Sequence[Any], predicted: Sequence[Any], rows: Callable[[Any, Any], list[Any]]
) -> float:
    """Correlate row by row; a row that is all the same has no correlation."""
    found = defaultdict(list)
    for true, guess in zip(gold, predicted, strict=True):
        if 5 <= len(true) <= 50:
            for one, other in rows(np.asarray(true), np.asarray(guess)):
                if np.ptp(one) > 0 and np.ptp(other) > 0:
                    found[len(true)].append(spearmanr(one, other).correlation)
    return float(np.mean([np.mean(correlations) for correlations in found.values()]))


def _kept(observation: Observation) -> list[int]:
    """List the words that are no Penn punctuation, 0-based."""
    return [i for i, tag in enumerate(observation.xpos) if tag not in PENN_PUNCTUATION]

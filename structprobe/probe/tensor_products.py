"""Sentence vectors as sums of filler-role products, fitted by ridge regression in closed form.

A tensor product representation (Smolensky 1990; McCoy et al. 2019) is a linear map of the sum, over
words, of the outer product of the word's filler and its role. With fillers that are given, and one
axis for each role, this is a linear map of the filler for each role. The maps here have a part that
all roles share, so that a role that is rare or new falls back on it; how much each role may depart
from it is a weight, chosen with the penalty on held-out sentences.

There are far more parameters than sentences. So the regression is solved in its dual, in which all
layers share one matrix over sentences: the inner products of their sums of outer products.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# What may be chosen: how far roles depart from what they share, and the penalty, both relative to
# the mean square of the sum of products of a sentence. With weight 0, all roles are the same.
WEIGHTS = (0.01, 0.1, 1.0, 10.0)
PENALTIES = (1e-6, 1e-4, 1e-2, 1e-1, 1.0, 10.0)

# Dimensions of the random projection of sentence vectors on which these two are compared.
SKETCH = 32

_ROUNDING = 1e-9  # of the variance


@dataclass(frozen=True, eq=False)
class Bindings:
    """The words of all sentences, those for training first, as fillers."""

    vectors: Tensor  # (n_forms, width), float64, of the forms
    forms: NDArray[np.int64]  # (n_words,): the form of each word
    lengths: NDArray[np.int64]  # (n_sentences,)
    n_train: int  # How many of the sentences are for training
    average: bool  # Whether products are averaged over the words of a sentence, or summed

    def shared(self) -> Tensor:
        """Compute the inner products of sentences in which all words have the same role."""
        return self.products(np.zeros(len(self.forms), np.int64))

    def products(self, roles: NDArray[np.int64]) -> Tensor:
        """Compute the inner products of sums of filler-role products, centred and scaled.

        A role below 0 is none: its word is left out.
        """
        # roles (n_words,) -> (n_sentences, n_train)
        n, n_train = len(self.lengths), self.n_train
        found = torch.zeros((n, n_train), dtype=torch.float64, device=self.vectors.device)
        sentence = np.repeat(np.arange(n), self.lengths)
        each = np.repeat(1 / self.lengths if self.average else np.ones(n), self.lengths)
        order = np.argsort(roles, kind="stable")
        bounds = np.flatnonzero(np.diff(roles[order], prepend=-1, append=-1))
        for words in (order[a:b] for a, b in pairwise(bounds)):
            rows, place = np.unique(sentence[words], return_inverse=True)  # ascending
            vectors = self.vectors[torch.from_numpy(self.forms[words]).to(found.device)]
            vectors *= torch.from_numpy(each[words]).to(vectors)[:, None]
            sums = vectors.new_zeros((len(rows), vectors.shape[1]))
            sums.index_add_(0, torch.from_numpy(place).to(found.device), vectors)
            at = torch.from_numpy(rows).to(found.device)
            columns = at[: np.searchsorted(rows, n_train)]
            found[at[:, None], columns] += sums @ sums[: len(columns)].T
        return _centred(found)


def _centred(products: Tensor) -> Tensor:
    """Subtract the mean of the training sentences, and scale to a mean square of 1."""
    # products (n_sentences, n_train)
    n_train = products.shape[1]
    means = products[:n_train].mean(0)  # (n_train,)
    products = products - products.mean(1, keepdim=True) - means + means.mean()
    square = products.diagonal().mean()
    return products / square if square > 1e-12 * means.abs().mean() else products * 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was chosen for the vectors of a layer, and how far the test sentences are off."""

    weight: float  # 0 where all roles are best the same
    penalty: float
    errors: NDArray[np.float64]  # (n_test,): squared


class RoleRegression:
    """Fits the sentence vectors of several layers, under one role scheme after another."""

    def __init__(
        self, bindings: Bindings, targets: Mapping[int, Tensor], n_dev: int, seed: int
    ) -> None:
        self._n = bindings.n_train, n_dev
        self._targets = targets  # each (n_sentences, n_dims), centred on the training sentences
        self._shared = bindings.shared()
        generator = torch.Generator().manual_seed(seed)
        self._sketches = torch.stack(
            [_sketch(one, generator) for one in targets.values()]
        )  # (n_layers, n_sentences, n_sketch)
        dev = slice(bindings.n_train, bindings.n_train + n_dev)
        self._dev_squares = self._sketches[:, dev].square().sum((1, 2))  # (n_layers,)
        # For each choice, the dev error of each layer.
        self._choices = dict(self._try(0.0, self._shared))

    def fit(self, own: Tensor | None = None) -> dict[int, Fitted]:
        """Fit with the products of a role scheme, or with none: a bag of words."""
        # own (n_sentences, n_train)
        tried = dict(self._choices)
        for weight in WEIGHTS if own is not None else ():
            tried |= self._try(weight, self._mixed(weight, own))
        choices, errors = [*tried], torch.stack([*tried.values()])  # (n_choices, n_layers)
        # Rounding decides nothing: of errors that are as low, that of the simplest choice.
        as_low = errors <= errors.amin(0) + _ROUNDING * self._dev_squares
        best = [choices[number] for number in as_low.int().argmax(0).tolist()]
        found = {}
        layers = sorted(zip(best, self._targets, strict=True))
        n_train, n_dev = self._n
        for (weight, penalty), group in groupby(layers, key=lambda one: one[0]):
            products = self._mixed(weight, own)
            factor = _factor(products, penalty)
            for _, layer in group:
                target = self._targets[layer]
                weights = torch.cholesky_solve(target[:n_train], factor)
                missed = target[n_train + n_dev :] - products[n_train + n_dev :] @ weights
                errors_of_layer = missed.square().sum(1).cpu().numpy()
                found[layer] = Fitted(weight, penalty, errors_of_layer)
        return found

    def _mixed(self, weight: float, own: Tensor | None) -> Tensor:
        return self._shared + weight * own if weight and own is not None else self._shared

    def _try(self, weight: float, products: Tensor) -> Iterator[tuple[tuple[float, float], Tensor]]:
        """Compute the dev error of each layer under each penalty."""
        n_train, n_dev = self._n
        n_layers, _, width = self._sketches.shape
        flat = self._sketches.transpose(0, 1).flatten(1)  # (n_sentences, n_layers * n_sketch)
        dev = slice(n_train, n_train + n_dev)
        for penalty in PENALTIES:
            solved = torch.cholesky_solve(flat[:n_train], _factor(products, penalty))
            missed = (flat[dev] - products[dev] @ solved).square()
            yield (weight, penalty), missed.sum(0).reshape(n_layers, width).sum(1)


def _sketch(targets: Tensor, generator: torch.Generator) -> Tensor:
    """Project vectors at random, which keeps squared lengths in expectation."""
    # targets (n_sentences, n_dims) -> (n_sentences, SKETCH)
    drawn = torch.randn(targets.shape[1], SKETCH, dtype=torch.float64, generator=generator)
    drawn /= SKETCH**0.5
    return targets @ drawn.to(targets.device)


def _factor(products: Tensor, penalty: float) -> Tensor:
    # products (n_sentences, n_train) -> (n_train, n_train)
    square = products[: products.shape[1]].clone()
    square.diagonal().add_(penalty)
    factor: Tensor = torch.linalg.cholesky(square)
    return factor

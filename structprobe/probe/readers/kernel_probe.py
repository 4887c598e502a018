"""`KernelProbe`: distance and depth probes on kernel features of the word vectors.

A linear map of the feature space of a kernel is, by the representer theorem, a linear map of the
kernels with all training words. Here, some of these words stand in for all, the landmarks
(Williams and Seeger 2001, Using the Nyström Method to Speed Up Kernel Machines), so that the cost
is linear in the number of words: the features of a word are its kernels with the landmarks. Their
correlations need not be removed, as for the usual Nyström features, since the probe's matrix
absorbs any linear map. Features are computed in chunks, whenever they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.base import TreeEstimator
from structprobe.probe.data.inputs import check_finite, check_width, origin_of, read_words
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.losses.geometries import EUCLIDEAN
from structprobe.probe.projecting import predict_depths, predict_distances, predict_trees
from structprobe.probe.training.joint_fit import FittedProbe, fit_jointly
from structprobe.probe.training.settings import (
    MEMORY_GB,
    read_generator,
    read_name,
    read_positive,
    read_whole,
)
from structprobe.probe.types import (
    DevByLayer,
    Layer,
    Origin,
    RandomState,
    TreesLike,
    VectorsByLayer,
)
from structprobe.scores import Prediction

# Of products and squared distances, both relative to the mean squared distance of two words.
KERNELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "rbf": lambda products, squares: (squares / -2).exp(),
    "polynomial": lambda products, squares: (products + 1).square(),
    "sigmoid": lambda products, squares: products.tanh(),
}


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The map from word vectors to their kernels with the landmarks."""

    kernel: str  # One of `KERNELS`
    mean: Tensor  # (hidden_size,)
    factor: float  # Of the centred vectors
    places: Tensor  # (n_landmarks, hidden_size): so centred and scaled

    def __call__(self, vectors: Tensor) -> Tensor:
        """Compute the features of some words."""
        # vectors (m, hidden_size) -> (m, n_landmarks)
        places = self.places.to(vectors.device)
        own = (vectors.to(places) - self.mean.to(places)) * self.factor
        products = own @ places.T
        squares = own.square().sum(-1, keepdim=True) + places.square().sum(-1) - 2 * products
        return KERNELS[self.kernel](products, squares.clamp_(min=0))


@dataclass(frozen=True, slots=True)
class KernelWords(Words):
    """Word vectors of which probes see kernel features."""

    landmarks: Landmarks | None = None
    origin: Origin = None

    @property
    def hidden_size(self) -> int:
        """Number of features."""
        assert self.landmarks is not None
        return len(self.landmarks.places)

    def _features(self, vectors: Tensor, dtype: torch.dtype) -> Tensor:
        assert self.landmarks is not None
        return self.landmarks(vectors).to(dtype)


class KernelProbe(TreeEstimator):
    """Recover dependency trees with structural probes on kernel features of the word vectors.

    The features of a word are its kernels with landmarks, words of the training set drawn at
    random; the matrices of a `StructuralProbe` are learned on these features, so that distances
    depend on the vectors in a non-linear way. This kernel is a function of the vectors as they are,
    while the kernels of White et al. 2021 (A Non-Linear Structural Probe), which are geometries of
    `StructuralProbe`, are functions of projected vectors.

    Vectors are centred, and divided by the root of the mean squared distance of two training words.
    With z and l, a word and a landmark, the kernels are ``exp(-‖z - l‖² / 2)``, ``(z·l + 1)²`` and
    ``tanh(z·l)``. Rotating, scaling or moving all vectors changes nothing; other linear maps do.

    Parameters
    ----------
    kernel : {"rbf", "polynomial", "sigmoid"}
        The kernel.
    n_landmarks : int, optional
        Number of landmarks; by default twice hidden_size, or all words if there are fewer. The cost
        of a training step grows with it, as it takes the place of hidden_size.
    gamma : float, default=1
        Factor of products and squared distances in the kernel; higher for narrower kernels.
    rank : int, optional
        Number of rows of each matrix; by default hidden_size, or `n_landmarks` if that is less.
    recipe, loss, select, max_steps, batch_size, learning_rate, validation_fraction
        As for `StructuralProbe`.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Determines the landmarks, and all that it determines in `StructuralProbe`.
    device, products, memory_gb, verbose
        As for `StructuralProbe`.

    Attributes
    ----------
    landmarks_ : ndarray of float32, shape (n_landmarks, hidden_size)
        The vectors of the landmarks, centred and scaled.
    distance_components_, depth_components_ : ndarray of float32, shape (rank, n_landmarks)
        The two matrices.
    history_, origin_, treebank_fingerprint_
        As for `StructuralProbe`.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.

    Examples
    --------
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> vectors = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> probe = KernelProbe(max_steps=50, random_state=0)
    >>> [tree.tolist() for tree in probe.fit(vectors, heads).predict(vectors)]
    [[2, 0, 2], [0, 1]]
    """

    landmarks_: NDArray[np.float32]
    distance_components_: NDArray[np.float32]
    depth_components_: NDArray[np.float32]
    history_: dict[str, Any]
    treebank_fingerprint_: str | None
    _map: Landmarks

    def __init__(
        self,
        *,
        kernel: str = "rbf",
        n_landmarks: int | None = None,
        gamma: float = 1.0,
        rank: int | None = None,
        recipe: str = "whitened",
        loss: str = "absolute",
        select: str = "uuas",
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
        self.kernel, self.n_landmarks, self.gamma, self.rank = kernel, n_landmarks, gamma, rank
        self.recipe, self.loss, self.select, self.max_steps = recipe, loss, select, max_steps
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.products = device, products
        self.memory_gb, self.verbose = memory_gb, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        fit_kernel_probes({None: self}, X, y, dev)

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        seen = kernel_words(words[None], self._map)
        distances = predict_distances(seen, self.distance_components_, EUCLIDEAN)
        return predict_trees(distances, predict_depths(seen, self.depth_components_))

    def _find_landmarks(self, words: Words) -> Landmarks:
        """Draw the landmarks, and measure how far apart words are."""
        kernel = read_name("kernel", self.kernel, KERNELS)
        gamma, n_words = read_positive("gamma", self.gamma), int(words.lengths.sum())
        n = read_whole("n_landmarks", self.n_landmarks, n_words)
        n = min(2 * words.hidden_size, n_words) if n is None else n
        total, squares = torch.zeros(words.hidden_size).double(), 0.0
        for chunk in words.chunks():
            total += chunk.sum(0)
            squares += float(chunk.square().sum())
        mean = total / n_words
        # The mean squared distance of two words is twice their variance.
        variance = squares / n_words - float(mean.square().sum())
        factor = (gamma / (2 * variance)) ** 0.5 if variance > 0 else 1.0
        chosen = read_generator(self.random_state).choice(n_words, n, replace=False)  # (n,)
        wanted, places, first = np.sort(chosen), [], 0
        for chunk in words.chunks():
            inside = wanted[(wanted >= first) & (wanted < first + len(chunk))] - first
            places.append((chunk[torch.from_numpy(inside)] - mean) * factor)
            first += len(chunk)
        return Landmarks(kernel, mean, factor, torch.cat(places).float())

    def _keep_fit(self, found: FittedProbe, landmarks: Landmarks) -> None:
        """Set the fitted attributes."""
        self.distance_components_, self.depth_components_ = (
            found.matrices[kind].components for kind in ("distance", "depth")
        )
        self.history_, self.origin_ = found.history, found.origin
        self.treebank_fingerprint_ = found.treebank_fingerprint
        self._map, self.landmarks_ = landmarks, landmarks.places.numpy()
        self.n_features_in_ = len(landmarks.mean)


def kernel_words(words: Words, landmarks: Landmarks, origin: Origin = None) -> KernelWords:
    """Let probes see kernel features of words."""
    return KernelWords(words.values, words.starts, words.lengths, words.eps, landmarks, origin)


def fit_kernel_probes(
    probes: Mapping[Any, KernelProbe], X: VectorsByLayer, y: TreesLike, dev: DevByLayer
) -> None:
    """Fit a probe on each layer, all in one training run."""
    maps: dict[Layer, Landmarks] = {}
    seen: dict[Layer, Any] = {}
    dev_seen: dict[Layer, Any] = {}
    jobs = []
    for layer, probe in probes.items():
        words = read_words(X[layer])
        check_finite(words, "X", y)
        maps[layer] = probe._find_landmarks(words)
        seen[layer] = kernel_words(words, maps[layer], origin_of(X[layer]))
        if dev is not None:
            dev_words = read_words(dev[0][layer], "X_dev")
            check_width(dev_words, words.hidden_size, "X_dev")
            dev_seen[layer] = kernel_words(dev_words, maps[layer], origin_of(dev[0][layer]))
        told = probe.get_params()
        if told["rank"] is None:
            told["rank"] = min(words.hidden_size, seen[layer].hidden_size)
        jobs.append((layer, told))
    held_out = None if dev is None else (dev_seen, dev[1])
    for found in fit_jointly(jobs, seen, y, dev=held_out):
        for place, fitted in found.items():
            layer = jobs[place][0]
            probes[layer]._keep_fit(fitted, maps[layer])

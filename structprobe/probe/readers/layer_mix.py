"""`LayerMix`: distance and depth probes on a learned weighted sum of layers.

The probe sees the word vector ``sum_l s_l c_l h_l`` (Peters et al. 2018, Deep contextualized word
representations, equation 1; Tenney et al. 2019, BERT Rediscovers the Classical NLP Pipeline,
section 3.1): ``c_l`` scales layer l to unit scale, so that a weight does not compensate for the
size of a layer, and the weights ``s``, a softmax, are learned with the components. All layers are
whitened with one map, that of their unweighted mean: they share axes, which separate maps would
break.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.base import LayersEstimator
from structprobe.probe.data.batches import Batch, halve
from structprobe.probe.data.examples import KINDS, Split, read_sets
from structprobe.probe.data.inputs import common_width
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.probe.losses.geometries import EUCLIDEAN
from structprobe.probe.projecting import predict_depths, predict_distances, predict_trees
from structprobe.probe.training.fit import Task, lay_out_layers, make_task, new_problem
from structprobe.probe.training.loop import Adam, Cosine, Problem, endless, make_halving
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import Settings, read_settings, read_split, spawn_seeds
from structprobe.probe.training.spaces import Space
from structprobe.probe.types import DevByLayer, Layer, RandomState, TreesLike, VectorsByLayer
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction

# The peak learning rate for the logits of the weights: over 2,000 steps it can separate two layers
# by a factor far beyond that of any mix found.
MIX_RATE = 0.02


class LayerMix(LayersEstimator):
    """A structural probe on a weighted sum of layers, with weights learned together with it.

    Distances and depths each have their own weights. They apply to layers at unit scale (a mean
    square of 1 about the sentence mean); see `structprobe.probe.readers.layer_mix`.

    Parameters
    ----------
    rank, max_steps, loss, validation_fraction, random_state, device, verbose
        As for `StructuralProbe` with the default recipe.

    Attributes
    ----------
    layers_ : tuple
        The layers that are mixed.
    distance_weights_, depth_weights_ : ndarray of float64, shape (n_layers,)
        The weights, which sum to 1.
    distance_factors_, depth_factors_ : ndarray of float64, shape (n_layers,)
        The factors by which the raw vectors of each layer are multiplied.
    distance_components_, depth_components_ : ndarray of float32, shape (rank, hidden_size)
        The matrices, for mixed raw vectors.
    history_ : dict
        For ``distance`` and ``depth``, one entry per evaluation.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origins_ : dict of dict
        The model and settings of each layer's vectors, if known; others are then rejected.

    Examples
    --------
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> layer = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> mix = LayerMix(max_steps=50, random_state=0).fit({0: layer, 1: layer}, heads)
    >>> float(round(mix.distance_weights_.sum(), 6))
    1.0
    """

    def __init__(
        self,
        *,
        rank: int | None = None,
        max_steps: int | None = None,
        loss: str = "absolute",
        validation_fraction: float = 0.1,
        random_state: RandomState = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.loss = rank, max_steps, loss
        self.validation_fraction, self.random_state = validation_fraction, random_state
        self.device, self.verbose = device, verbose

    def _fit(self, X: VectorsByLayer, y: TreesLike, dev: DevByLayer) -> None:
        parameters, sets = self.get_params(), read_sets(X, y, dev)
        width = common_width(sets[0].layers.values())
        settings = read_settings(parameters, width)
        parts, generator = read_split(parameters, *sets)
        seeds = spawn_seeds(generator, len(KINDS))
        n_steps = len(KINDS) * (settings.max_steps or Whitened().max_steps)
        shown = None if self.verbose else False
        with progress_bar("mix", n_steps, "step", shown=shown) as advance:
            pairs = zip(KINDS, seeds, strict=True)
            found = {kind: fit_mix(kind, parts, settings, seed, advance) for kind, seed in pairs}
        for kind, one in found.items():
            for name in ("weights", "factors", "components"):
                setattr(self, f"{kind}_{name}_", one[name])
        self.history_ = {kind: one["history"] for kind, one in found.items()}
        self._note_layers(X, width)

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        distances = predict_distances(
            mix_words(words, self.distance_factors_), self.distance_components_, EUCLIDEAN
        )
        depths = predict_depths(mix_words(words, self.depth_factors_), self.depth_components_)
        return predict_trees(distances, depths)


def centre_of_gravity(layers: Any, weights: NDArray[np.floating]) -> float:
    """Mean layer under the weights of a mix (Tenney et al. 2019, section 3.1)."""
    # weights (n_layers,)
    return float(np.dot(np.asarray(layers, dtype=float), weights))


def expected_layer(scores: Mapping[Hashable, float]) -> float:
    """Mean layer at which a score improves, when layers are added from the lowest to the highest.

    Tenney et al. 2019, section 3.2, equation 2: the sum of ``l * (score_l - score_(l-1))`` over
    all layers but the first, over the sum of the gains. A drop counts as a negative gain, so the
    ratio is NaN where it is no mean: without a gain in all, and outside of the layers.
    """
    layers = np.array([*scores], dtype=float)
    gains = np.diff([*scores.values()])
    total = gains.sum()
    if total <= 0:
        return float("nan")
    mean = float(np.round(np.dot(layers[1:], gains) / total, 12))
    return mean if layers[0] <= mean <= layers[-1] else float("nan")


def fit_mix(
    kind: str, split: Split, settings: Settings, seed: SeedSequence, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Find the components and the weights of the layers together, with the default recipe."""
    # -> components (rank, hidden_size): for mixed raw vectors; weights (n_layers,): of each layer
    # at unit scale; factors (n_layers,); history
    task = make_task(kind, split, settings, seed.spawn(2))
    scales, basis = whiten_mix(split.train.layers, centred=task.centred)
    pairs = zip(split.train.layers, scales, strict=True)
    spaces = {layer: Space(basis * scale) for layer, scale in pairs}
    vectors, dev_vectors = lay_out_layers(task, spaces, len(basis), torch.float32)
    problem = new_problem(task, settings.rank, len(basis), len(basis))
    assert isinstance(problem.schedule, Cosine)
    mix = _Mix(task, problem, vectors, dev_vectors)
    weights = mix.solve(MIX_RATE / problem.schedule.peak, advance)
    return {
        "components": (problem.components.cpu().double() @ basis).float().numpy(),
        "weights": weights,
        "factors": weights * scales,
        "history": problem.history,
    }


class _Mix:
    """One problem and the weights of its layers."""

    def __init__(self, task: Task, problem: Problem, vectors: Tensor, dev_vectors: Tensor) -> None:
        self.task, self.problem = task, problem
        self.loss: Any = task.new_loss()
        self.halving = make_halving()
        self.vectors, self.dev_vectors = vectors, dev_vectors  # (n_layers, n_rows, width)
        self.components = problem.start.clone()  # (rank, width)
        self.logits = vectors.new_zeros(len(vectors))  # (n_layers,)

    def solve(self, mix_share: float, advance: Callable[[int], None]) -> NDArray[np.float64]:
        """Take all steps; give the weights that belong to the best components."""
        schedule, losses = self.problem.schedule, []
        adam, mix_adam = Adam(self.components), Adam(self.logits)
        gradient, mix_gradient = torch.empty_like(self.components), torch.empty_like(self.logits)
        best_weights = self.logits.softmax(0)
        for step, batch in enumerate(endless(self.task.begin()), 1):
            losses.append(self._gradients(batch, gradient, mix_gradient))
            rate = schedule.learning_rate(step)
            adam.step(self.components, gradient, rate)
            mix_adam.step(self.logits, mix_gradient, rate * mix_share)
            advance(1)
            if not schedule.evaluates_at(step):
                continue
            weights = self.logits.softmax(0)
            dev_loss = self._dev_loss(weights)
            ends = self.problem.note(step, torch.stack(losses).cpu(), dev_loss, self.components)
            if self.problem.kept["step"] == step:
                best_weights = weights
            if ends:
                break
            losses = []
        advance(self.task.max_steps - step)
        return best_weights.cpu().double().numpy()

    def _gradients(self, batch: Batch, gradient: Tensor, mix_gradient: Tensor) -> Tensor:
        """Give the loss of a batch, and fill in both gradients."""
        weights = self.logits.softmax(0)

        def take(part: Batch) -> tuple[Tensor, Tensor, Tensor]:
            layers = self.vectors[:, part.rows].flatten(1)  # (n_layers, m * width)
            mixed = (weights @ layers).view(-1, self.vectors.shape[-1])  # (m, width)
            own, towards = torch.empty_like(gradient), torch.empty_like(mixed)
            loss = self.loss(self.components, mixed, part, own, towards)
            return loss, own, layers @ towards.flatten()  # (), (rank, width), (n_layers,)

        found = self.halving.run(take, batch, halve)
        loss, own, by_weight = (torch.stack(some).sum(0) for some in zip(*found, strict=True))
        gradient.copy_(own)
        torch.mul(weights, by_weight - weights @ by_weight, out=mix_gradient)
        return loss

    def _dev_loss(self, weights: Tensor) -> float:
        """Mean loss over the sentences of the dev set."""

        def take(part: Batch) -> float:
            mixed = torch.tensordot(weights, self.dev_vectors[:, part.rows], 1)  # (m, width)
            return float(self.loss(self.components, mixed, part))

        total, n_sentences = 0.0, 0
        for batch in self.task.dev:
            total += sum(self.halving.run(take, batch, halve)) * batch.n_sentences
            n_sentences += batch.n_sentences
        return total / n_sentences


def mix_words(layers: Mapping[Layer, Words], factors: NDArray[np.float64]) -> Words:
    """Mix the vectors of several layers."""
    # factors (n_layers,)
    first = next(iter(layers.values()))
    total = np.zeros((int(first.lengths.sum()), first.hidden_size), dtype=np.float32)
    for words, factor in zip(layers.values(), factors, strict=True):
        done = 0
        for chunk in words.chunks():
            total[done : done + len(chunk)] += (factor * chunk).numpy()
            done += len(chunk)
    eps = max(words.eps for words in layers.values())
    return Words(total, np.cumsum(first.lengths) - first.lengths, first.lengths, eps)


def whiten_mix(
    layers: Mapping[Layer, Words], *, centred: bool
) -> tuple[NDArray[np.float64], Tensor]:
    """Find the factors that scale layers to unit scale, and whiten the mean of the layers."""
    scales = np.ones(len(layers))
    for place, words in enumerate(layers.values()):
        total = sum(float(chunk.square().sum()) for chunk in words.chunks(centred=True))
        if total:
            scales[place] = (int(words.lengths.sum()) * words.hidden_size / total) ** 0.5
    moments = second_moments(mix_words(layers, scales / len(scales)))
    return scales, whitening(moments, centred=centred)

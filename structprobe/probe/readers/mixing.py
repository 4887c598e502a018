"""A probe on a learned weighted sum of layers.

The probe sees the word vector ``sum_l s_l c_l h_l`` (Peters et al. 2018, Deep contextualized word
representations, equation 1; Tenney et al. 2019, BERT Rediscovers the Classical NLP Pipeline,
section 3.1): ``c_l`` scales layer l to unit scale, so that a weight does not compensate for the
size of a layer, and the weights ``s``, a softmax, are learned with the components. All layers are
whitened with one map, that of their unweighted mean: they share axes, which separate maps would
break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.batches import Batch
from structprobe.probe.data.examples import Split
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.probe.training.fit import Task, lay_out_layers, make_task, new_problem
from structprobe.probe.training.loop import Adam, Cosine, Problem, endless
from structprobe.probe.training.settings import Settings
from structprobe.probe.types import Layer

# The peak learning rate for the logits of the weights: over 2,000 steps it can separate two layers
# by a factor far beyond that of any mix found.
MIX_RATE = 0.02


def fit_mix(
    kind: str, split: Split, settings: Settings, seed: SeedSequence, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Find the components and the weights of the layers together, with the default recipe."""
    # -> components (rank, hidden_size): for mixed raw vectors; weights (n_layers,): of each layer
    # at unit scale; factors (n_layers,); history
    task = make_task(kind, split, settings, seed.spawn(2))
    scales, basis = whiten_mix(split.train.layers, centred=task.pairs)
    bases = {layer: basis * scale for layer, scale in zip(split.train.layers, scales, strict=True)}
    vectors, dev_vectors = lay_out_layers(task, bases, len(basis), torch.float32)
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
        layers = self.vectors[:, batch.rows].flatten(1)  # (n_layers, m * width)
        weights = self.logits.softmax(0)
        mixed = (weights @ layers).view(-1, self.vectors.shape[-1])  # (m, width)
        towards = torch.empty_like(mixed)
        loss: Tensor = self.loss(self.components, mixed, batch, gradient, towards)
        by_weight = layers @ towards.flatten()  # (n_layers,)
        torch.mul(weights, by_weight - weights @ by_weight, out=mix_gradient)
        return loss

    def _dev_loss(self, weights: Tensor) -> float:
        """Mean loss over the sentences of the dev set."""
        total, n_sentences = 0.0, 0
        for batch in self.task.dev:
            mixed = torch.tensordot(weights, self.dev_vectors[:, batch.rows], 1)  # (m, width)
            total += float(self.loss(self.components, mixed, batch)) * batch.n_sentences
            n_sentences += batch.n_sentences
        return total / n_sentences


def common_width(layers: Iterable[Words]) -> int:
    """Find the width of the layers to be mixed."""
    widths = sorted({words.hidden_size for words in layers})
    if len(widths) > 1:
        raise ProbeError(f"cannot mix layers of different widths: {', '.join(map(str, widths))}")
    return widths[0]


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

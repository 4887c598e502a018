"""A learned mix of layers finds the layer that holds the tree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.planted import planted

from structprobe import StructuralProbe, score
from structprobe.errors import ProbeError
from structprobe.probe.data.batches import FixedBatches, Pool
from structprobe.probe.data.inputs import read_words
from structprobe.probe.losses.geometry import DistanceLoss, depth_loss
from structprobe.probe.losses.tree_likelihood import TreeLoss
from structprobe.probe.readers.biaffine_mix import BiaffineMix
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.probe.readers.layer_mix import (
    LayerMix,
    centre_of_gravity,
    expected_layer,
    mix_words,
)
from structprobe.trees.gold import flat_depths, flat_distances

N_TRAIN = 90
VECTORS, HEADS = planted(120, seed=0, noise=0.3)
WIDTH = VECTORS[0].shape[1]


def bank(part: slice) -> dict[int, list[Any]]:
    """Layer 2 holds the trees, on a scale of its own; 0 and 5 are noise."""
    rng = np.random.default_rng(part.start or 0)
    trees = [30 * x for x in VECTORS[part]]
    noise = [[rng.normal(size=x.shape) for x in trees] for _ in range(2)]
    return {0: noise[0], 2: trees, 5: noise[1]}


TRAIN_HEADS = HEADS[:N_TRAIN]
X, DEV = bank(slice(N_TRAIN)), (bank(slice(N_TRAIN, None)), HEADS[N_TRAIN:])

NARROW = [x[:, :3] for x in X[0]]
NARROW_DEV = ({0: DEV[0][0], 2: [x[:, :3] for x in DEV[0][2]]}, DEV[1])


def test_the_mix_is_the_layer_that_holds_the_tree() -> None:
    mix = LayerMix(max_steps=600, random_state=0, device="cpu").fit(X, TRAIN_HEADS, dev=DEV)
    assert mix.layers_ == (0, 2, 5)
    for weights in (mix.distance_weights_, mix.depth_weights_):
        assert weights.sum() == pytest.approx(1)
        assert weights[1] > 2 * max(weights[0], weights[2])
    assert centre_of_gravity(mix.layers_, mix.distance_weights_) == pytest.approx(2, abs=0.6)
    probe = StructuralProbe(max_steps=600, random_state=0, device="cpu")
    probe.fit(X[2], TRAIN_HEADS, dev=(DEV[0][2], DEV[1]))
    found = score(DEV[1], mix.predictions(DEV[0]))
    alone = probe.evaluate(DEV[0][2], DEV[1])
    assert found.uuas == pytest.approx(alone.uuas, abs=0.05)


def test_a_mix_trained_by_trees() -> None:
    mix = LayerMix(max_steps=300, random_state=0, device="cpu", loss="tree").fit(
        X, TRAIN_HEADS, dev=DEV
    )
    assert mix.distance_weights_[1] > 2 * max(mix.distance_weights_[[0, 2]])
    probe = StructuralProbe(max_steps=300, random_state=0, device="cpu", loss="tree")
    probe.fit(X[2], TRAIN_HEADS, dev=(DEV[0][2], DEV[1]))
    found = score(DEV[1], mix.predictions(DEV[0])).uuas
    assert found == pytest.approx(probe.evaluate(DEV[0][2], DEV[1]).uuas, abs=0.1)


@pytest.mark.slow
def test_a_mix_that_chooses_heads() -> None:
    mix = BiaffineMix(max_steps=600, random_state=0, device="cpu").fit(X, TRAIN_HEADS, dev=DEV)
    assert mix.heads_weights_.sum() == pytest.approx(1)
    assert mix.heads_weights_[1] > 2 * max(mix.heads_weights_[[0, 2]])
    probe = BiaffineProbe(max_steps=600, random_state=0, device="cpu")
    probe.fit(X[2], TRAIN_HEADS, dev=(DEV[0][2], DEV[1]))
    found = score(DEV[1], mix.predictions(DEV[0])).uuas
    alone = score(DEV[1], probe.predictions(DEV[0][2])).uuas
    assert found == pytest.approx(alone, abs=0.1)
    lone = BiaffineMix(max_steps=20, random_state=0, device="cpu").fit(
        {2: X[2]}, TRAIN_HEADS, dev=({2: DEV[0][2]}, DEV[1])
    )
    assert lone.heads_weights_.tolist() == [1.0]


def test_predictions_are_those_of_the_mixed_vectors() -> None:
    mix = LayerMix(max_steps=20, random_state=0, rank=3, device="cpu").fit(X, TRAIN_HEADS, dev=DEV)
    first = mix.predictions(DEV[0])[0]
    mixed = sum(
        factor * DEV[0][layer][0]
        for layer, factor in zip(mix.layers_, mix.distance_factors_, strict=True)
    )
    projected = mixed @ mix.distance_components_.T
    differences = projected[:, None] - projected[None]
    np.testing.assert_allclose(first.distances, (differences**2).sum(-1), rtol=1e-3, atol=1e-4)


def test_a_lone_layer_is_the_probe_of_that_layer() -> None:
    mix = LayerMix(max_steps=100, random_state=0, device="cpu").fit(
        {2: X[2]}, TRAIN_HEADS, dev=({2: DEV[0][2]}, DEV[1])
    )
    assert mix.distance_weights_.tolist() == [1.0]
    probe = StructuralProbe(max_steps=100, random_state=0, device="cpu")
    probe.fit(X[2], TRAIN_HEADS, dev=(DEV[0][2], DEV[1]))
    losses = [
        min(entry["dev_loss"] for entry in mix.history_["distance"]),
        probe.history_["distance"]["best_dev_loss"],
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)  # other batches, another start


@pytest.mark.parametrize("loss", [DistanceLoss(), depth_loss, TreeLoss()])
def test_the_gradient_in_the_vectors_is_what_autograd_finds(loss: Any) -> None:
    pairs = loss is not depth_loss
    heads = HEADS[:5]
    lengths = np.array([len(one) for one in heads])
    gold = torch.from_numpy((flat_distances if pairs else flat_depths)(heads))
    pool = Pool(lengths, gold, pairs, torch.float64)
    batches = FixedBatches(pool, [np.arange(5)], kept=True)
    batch, layout = batches[0], batches.layout
    rng = torch.Generator().manual_seed(0)
    drawn = torch.randn(layout.n_rows, 7, dtype=torch.float64, generator=rng)
    vectors = torch.zeros_like(drawn)  # as the rows of padding stay
    for row, n in zip(layout.first_rows, lengths, strict=True):
        vectors[row : row + n] = drawn[row : row + n]
    components = torch.randn(4, 7, dtype=torch.float64, generator=rng)
    gradient, towards = torch.empty_like(components), torch.empty_like(vectors)
    loss(components, vectors, batch, gradient, towards)
    for index in ((0, 3), (5, 1), (layout.n_rows - 1, 6)):
        moved = [vectors.clone() for _ in range(2)]
        moved[0][index] += 1e-6
        moved[1][index] -= 1e-6
        plus, minus = (float(loss(components, one, batch)) for one in moved)
        assert float(towards[index]) == pytest.approx((plus - minus) / 2e-6, abs=1e-5)


def test_a_mix_of_raw_vectors_is_their_weighed_sum() -> None:
    layers = {layer: read_words(vectors) for layer, vectors in X.items()}
    mixed = mix_words(layers, np.array([0.5, -2.0, 0.0]))
    expected = np.concatenate([0.5 * a - 2 * b for a, b in zip(X[0], X[2], strict=True)])
    np.testing.assert_allclose(mixed.values, expected, rtol=1e-5, atol=1e-5)


def test_expected_layer_counts_gains_where_they_come() -> None:
    assert expected_layer({0: 0.2, 4: 0.2, 8: 0.5}) == 8
    assert expected_layer({0: 0.5, 1: 0.7, 2: 0.6}) == pytest.approx((0.2 - 0.2) / 0.1)
    assert np.isnan(expected_layer({0: 0.5, 1: 0.5}))
    assert np.isnan(expected_layer({0: 0.55, 1: 0.6, 2: 0.551}))  # -48, outside of the layers
    assert np.isnan(expected_layer({0: 0.6, 1: 0.7, 2: 0.5}))  # a loss in all


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: LayerMix().fit({0: X[0], 2: NARROW}, TRAIN_HEADS, dev=NARROW_DEV),
            "layers of different widths",
        ),
        (
            lambda: LayerMix().fit({1: X[0]}, TRAIN_HEADS, dev=DEV),
            "X_dev has no vectors for layer 1",
        ),
        (lambda: LayerMix(rank=99).fit(X, TRAIN_HEADS, dev=DEV), "rank must be .*, got 99"),
        (
            lambda: BiaffineMix().fit({0: X[0], 2: NARROW}, TRAIN_HEADS, dev=NARROW_DEV),
            "layers of different widths",
        ),
        (lambda: BiaffineMix().fit({1: X[0]}, TRAIN_HEADS, dev=DEV), "no vectors for layer 1"),
        (
            lambda: (
                LayerMix(max_steps=2, random_state=0)
                .fit(X, TRAIN_HEADS, dev=DEV)
                .predictions({0: X[0]})
            ),
            "no vectors for layer 2",
        ),
    ],
)
def test_faults_are_named(call: Any, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        call()

"""Probes on kernel features: against features written out, and vectors that no linear map reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.planted import planted

from structprobe import StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.data import ragged_vectors
from structprobe.probe.readers.kernel_probe import KERNELS, KernelProbe, fit_kernel_probes

TOLD: dict[str, Any] = {"random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def sets() -> tuple[Any, Any]:
    return planted(40, seed=0, noise=0.1), planted(12, seed=1, noise=0.1)


def with_any_sign(n_sentences: int, seed: int) -> tuple[list[NDArray[np.float32]], Any]:
    """Trees in the products of coordinates: the sign of each word's vector is random."""
    rng = np.random.default_rng(seed)
    steps, heads = planted(n_sentences, seed=seed, hidden_size=4, longest=5)
    signs = [rng.choice([-1, 1], size=(len(one), 1)) for one in steps]
    ones = [np.hstack([np.ones((len(one), 1)), 2 * one]) for one in steps]
    return [(sign * one).astype(np.float32) for sign, one in zip(signs, ones, strict=True)], heads


@pytest.mark.parametrize("kernel", ["rbf", "polynomial"])
def test_what_only_products_of_coordinates_tell_is_found(kernel: str) -> None:
    train, dev, test = (with_any_sign(n, seed) for seed, n in enumerate((200, 40, 60)))
    told = {"recipe": "whitened", "max_steps": 400, **TOLD}
    probe = KernelProbe(kernel=kernel, n_landmarks=60, **told).fit(*train, dev=dev)
    assert probe.score(*test) > 0.97
    for geometry in ("euclidean", "signed"):
        linear = StructuralProbe(geometry=geometry, **told).fit(*train, dev=dev)
        assert linear.score(*test) < 0.85


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_the_probe_on_features_written_out(
    kernel: str, sets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (X, y), (X_dev, y_dev) = sets
    told = {"rank": 5, "max_steps": 10, "recipe": "whitened", **TOLD}
    probe = KernelProbe(kernel=kernel, n_landmarks=30, **told).fit(X, y, dev=(X_dev, y_dev))
    words = np.concatenate(X).astype(np.float64)
    scale = np.sqrt(2 * words.var(axis=0).sum())
    own = (words - words.mean(0)) / scale
    distances = ((own[:, None] - own) ** 2).sum(-1)
    assert distances.mean() == pytest.approx(1)
    landmarks = probe.landmarks_.astype(np.float64)
    assert landmarks.shape == (30, 24)
    # Each is a training word.
    assert ((landmarks[:, None] - own) ** 2).sum(-1).min(1).max() < 1e-10

    def features(x: NDArray[np.float32]) -> NDArray[np.float64]:
        z = (x - words.mean(0)) / scale
        if kernel == "rbf":
            return np.exp(-((z[:, None] - landmarks) ** 2).sum(-1) / 2)
        return (z @ landmarks.T + 1) ** 2 if kernel == "polynomial" else np.tanh(z @ landmarks.T)

    seen, dev_seen = ([features(x).astype(np.float32) for x in some] for some in (X, X_dev))
    plain = StructuralProbe(**told).fit(seen, y, dev=(dev_seen, y_dev))
    for kind in ("distance", "depth"):
        mine, its = (one.history_[kind]["best_dev_loss"] for one in (probe, plain))
        assert mine == pytest.approx(its, rel=0.05)
    for x, found in zip(X_dev, probe.predictions(X_dev), strict=True):
        projected = features(x) @ probe.distance_components_.astype(np.float64).T
        expected = ((projected[:, None] - projected) ** 2).sum(-1)
        np.testing.assert_allclose(found.distances, expected, rtol=2e-3, atol=2e-3)
    # Chunks of words, or a file of their features, change nothing but rounding.
    monkeypatch.setattr(ragged_vectors, "CHUNK_SIZE", 30 * 20)
    for memory_gb in (4.0, 6e-5):
        again = KernelProbe(kernel=kernel, n_landmarks=30, memory_gb=memory_gb, **told)
        again.fit(X, y, dev=(X_dev, y_dev))
        np.testing.assert_allclose(again.landmarks_, probe.landmarks_, atol=1e-6)
        loss = again.history_["distance"]["best_dev_loss"]
        assert loss == pytest.approx(probe.history_["distance"]["best_dev_loss"], rel=1e-2)


def test_rotating_scaling_and_moving_all_vectors_changes_nothing(sets: Any) -> None:
    (X, y), (X_dev, y_dev) = sets
    turned = np.linalg.qr(np.random.default_rng(3).normal(size=(24, 24)))[0]
    losses = []
    for change in (lambda x: x, lambda x: (30 * x @ turned + 7).astype(np.float32)):
        probe = KernelProbe(n_landmarks=40, max_steps=60, **TOLD)
        probe.fit([change(x) for x in X], y, dev=([change(x) for x in X_dev], y_dev))
        losses.append(probe.history_["distance"]["best_dev_loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


def test_layers_together_are_what_each_is_alone(sets: Any) -> None:
    (X, y), (X_dev, y_dev) = sets
    told = {"n_landmarks": 20, "max_steps": 5, **TOLD}
    probes = {0: KernelProbe(**told), 1: KernelProbe(**told)}
    other, dev_other = ([x[:, ::-1].copy() for x in some] for some in (X, X_dev))
    fit_kernel_probes(probes, {0: X, 1: other}, y, ({0: X_dev, 1: dev_other}, y_dev))
    alone = KernelProbe(**told).fit(other, y, dev=(dev_other, y_dev))
    assert np.array_equal(probes[1].distance_components_, alone.distance_components_)
    assert not np.array_equal(probes[0].distance_components_, alone.distance_components_)


def test_sizes(sets: Any) -> None:
    train, dev = sets
    probe = KernelProbe(max_steps=2, **TOLD).fit(*train, dev=dev)
    assert probe.landmarks_.shape == (48, 24)
    assert probe.distance_components_.shape == (24, 48)
    assert probe.n_features_in_ == 24
    few = KernelProbe(max_steps=2, n_landmarks=9, **TOLD).fit(*train)
    assert few.depth_components_.shape == (9, 9)


def test_what_is_wrong_is_said(sets: Any) -> None:
    train, dev = sets
    n_words = sum(map(len, train[0]))
    for settings, message in (
        (
            {"kernel": "cosine"},
            "unknown kernel 'cosine'; choose from 'rbf', 'polynomial', 'sigmoid'",
        ),
        (
            {"n_landmarks": 10**6},
            f"n_landmarks must be an integer from 1 to {n_words}, got 1000000",
        ),
        ({"gamma": 0}, "gamma must be a positive number, got 0"),
        ({"n_landmarks": 9, "rank": 10}, "rank must be an integer from 1 to 9, got 10"),
    ):
        with pytest.raises(ProbeError, match=message):
            KernelProbe(max_steps=2, **settings, **TOLD).fit(*train, dev=dev)
    same, dev_same = ([np.ones_like(x) for x in some] for some in (train[0], dev[0]))
    with pytest.raises(ProbeError, match="all words of a sentence have the same vector"):
        KernelProbe(max_steps=2, **TOLD).fit(same, train[1], dev=(dev_same, dev[1]))


def test_features_are_finite_where_a_landmark_meets_itself() -> None:
    X, y = planted(10, seed=0)
    probe = KernelProbe(max_steps=2, **TOLD).fit(X, y)
    found = probe._map(torch.from_numpy(np.concatenate(X)))
    assert found.max() == pytest.approx(1)
    assert found.min() > 0

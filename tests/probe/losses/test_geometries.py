"""Every geometry against its formula, pair by pair, and vectors in which it alone is true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.planted import planted
from torch import Tensor

from structprobe import LayerSweep, StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.data.batches import Batch, Pool, rows_of
from structprobe.probe.losses.block_loss import AbsoluteLoss
from structprobe.probe.losses.geometries import EUCLIDEAN, GEOMETRIES, Geometry
from structprobe.probe.losses.geometry import DistanceLoss
from structprobe.probe.losses.tree_likelihood import TreeLoss
from structprobe.probe.training.candidates import best_factor
from structprobe.trees import gold_distances, tree_distances

OTHERS = [name for name in GEOMETRIES if name != "euclidean"]
BY_DIFFERENCES = [name for name in OTHERS if GEOMETRIES[name].by_differences]
HEADS = [np.array([2, 0, 2, 3]), np.array([0]), np.array([0, 1, 2, 3, 2])]
LENGTHS = [len(one) for one in HEADS]


def poincare(u: Tensor, v: Tensor) -> Tensor:
    """Möbius addition, written out (Chen et al. 2021, equation 1)."""
    p, q = (one.norm().tanh() * one / one.norm() for one in (u, v))
    p, product = -p, -(p @ q)
    p2, q2 = p @ p, q @ q
    added = (1 + 2 * product + q2) * p + (1 - p2) * q
    return (2 * (added / (1 + 2 * product + p2 * q2)).norm().atanh()) ** 2


def by_kernel(kernel: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda u, v: kernel(u, u) - 2 * kernel(u, v) + kernel(v, v)


def signed(u: Tensor, v: Tensor) -> Tensor:
    squares = (u - v) ** 2
    return squares[: -(len(u) // 2)].sum() - squares[-(len(u) // 2) :].sum()


# The distance of two projected words.
PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": lambda u, v: (u - v) @ (u - v),
    "hyperbolic": poincare,
    "signed": signed,
    "polynomial": by_kernel(lambda u, v: (u @ v + 1) ** 2),
    "sigmoid": by_kernel(lambda u, v: 10 * (u @ v).tanh()),
    "rbf": by_kernel(lambda u, v: 5 * (-((u - v) @ (u - v))).exp()),
}


def plain_distances(name: str, words: Tensor) -> Tensor:
    zero = torch.zeros((), dtype=words.dtype)
    rows = [
        torch.stack([zero if i == j else PLAIN[name](u, v) for j, v in enumerate(words)])
        for i, u in enumerate(words)
    ]
    return torch.stack(rows)


def make_batch(width: int = 6, layers: tuple[int, ...] = ()) -> tuple[Tensor, Batch]:
    """Random vectors of three sentences, one of one word, in float64."""
    gold = torch.from_numpy(np.concatenate([one.ravel() for one in gold_distances(HEADS)]))
    batch = Pool(np.array(LENGTHS), gold, True, torch.float64).batch(np.arange(len(HEADS)))
    generator = torch.Generator().manual_seed(0)
    shape = (*layers, sum(LENGTHS), width)
    vectors = torch.randn(shape, dtype=torch.float64, generator=generator)
    padded = torch.cat([vectors, torch.zeros(*layers, 1, width).double()], -2)
    return padded, batch


def matrix(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) / 2


def test_there_is_a_formula_of_each() -> None:
    assert [*PLAIN] == [*GEOMETRIES]


@pytest.mark.parametrize("loss", [AbsoluteLoss, TreeLoss])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_loss_and_gradient_are_those_of_autograd_on_the_formula(
    name: str, loss: Callable[[Geometry], Any]
) -> None:
    vectors, batch = make_batch()
    B = (matrix(5, 6) / (1 if loss is AbsoluteLoss else 3)).requires_grad_()  # Z must not underflow
    total = torch.zeros((), dtype=torch.float64)
    for words, heads in zip((vectors[:-1] @ B.T).split(LENGTHS), HEADS, strict=True):
        distances, gold = plain_distances(name, words), torch.from_numpy(tree_distances(heads))
        n = len(heads)
        if loss is AbsoluteLoss:
            total = total + (distances - gold).abs().sum() / n**2
        elif n > 1:
            weights = (-distances).exp() * (1 - torch.eye(n))
            laplacian = weights.sum(1).diag() - weights
            edges = torch.where(gold == 1, distances, 0).sum() / 2
            total = total + (edges + laplacian[1:, 1:].logdet()) / (n - 1)
    (expected,) = torch.autograd.grad(total / len(HEADS), B)
    gradient = torch.full_like(B, torch.nan)
    with torch.no_grad():
        found = loss(GEOMETRIES[name])(B, rows_of(vectors, batch.rows), batch, gradient)
    assert found.item() == pytest.approx(total.item() / len(HEADS), abs=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", OTHERS)
def test_leading_layers_and_rounded_vectors(name: str) -> None:
    loss, B = AbsoluteLoss(GEOMETRIES[name]), matrix(2, 5, 6)
    vectors, batch = make_batch(layers=(2,))
    rows, gradient = rows_of(vectors, batch.rows), torch.empty_like(B)
    together = loss(B, rows, batch, gradient)
    for layer in range(2):
        expected = torch.empty_like(B[layer])
        assert loss(B[layer], rows[layer], batch, expected).item() == pytest.approx(
            together[layer].item()
        )
        torch.testing.assert_close(gradient[layer], expected)
    rounded = torch.empty_like(B)
    found = loss(B, rows.bfloat16(), batch, rounded)
    assert found.dtype == B.dtype
    torch.testing.assert_close(found, together, rtol=0.05, atol=0)


def test_the_general_loss_of_the_l2_geometry_is_the_fast_one() -> None:
    vectors, batch = make_batch()
    rows, B = rows_of(vectors, batch.rows), matrix(5, 6)
    found = []
    for loss in (AbsoluteLoss(EUCLIDEAN), DistanceLoss()):
        gradient, towards = torch.empty_like(B), torch.empty_like(rows)
        found.append((loss(B, rows, batch, gradient, towards), gradient, towards))
    for mine, fast in zip(*found, strict=True):
        torch.testing.assert_close(mine, fast)


def test_equal_words_and_words_at_the_origin_have_finite_gradients() -> None:
    words = torch.tensor([[1.0, 2], [1, 2], [0, 0], [0, 0], [1, 2.0001]])
    for name, geometry in GEOMETRIES.items():
        distances, pull = geometry.measure(words)
        assert (distances.diagonal() == 0).all(), name
        assert torch.equal(distances, distances.mT), name
        assert distances[0, 1].abs() < 1e-5, name
        assert pull(torch.ones(5, 5)).isfinite().all(), name


def test_depth_in_the_ball_is_four_times_the_squared_length() -> None:
    words = torch.tensor([[0.3, -0.4], [0.0, 0.0]], dtype=torch.float64)
    distances, _ = GEOMETRIES["hyperbolic"].measure(words)
    assert distances[0, 1].item() == pytest.approx(4 * 0.25)


def test_the_factor_of_distances_that_may_be_negative() -> None:
    predicted, gold = torch.tensor([2.0, 2, -1]), torch.tensor([1.0, 1, 1])
    assert best_factor(predicted, gold, torch.ones(3)) == 0.5
    assert best_factor(-predicted, gold, torch.ones(3)) == 1.0


def fast_probe(geometry: str, **settings: Any) -> StructuralProbe:
    told = {"recipe": "whitened", "max_steps": 400, "random_state": 0, "device": "cpu"}
    return StructuralProbe(geometry=geometry, **{**told, **settings})


Sentences = tuple[list[NDArray[np.float32]], list[NDArray[np.int64]]]


def in_hyperbolic_space(n_sentences: int, seed: int, n: int = 8, away: int = 16) -> Sentences:
    """Trees far from the centre of the ball whose distances are squared distances in it.

    The products of points of the hyperboloid are -cosh(distance), and their eigenvectors are the
    points. The centre is the end of a path of `away` further words that starts at the root.
    """
    rng, width = np.random.default_rng(seed), n + away
    vectors, heads = [], []
    for _ in range(n_sentences):
        order, tree = rng.permutation(n), np.arange(width)  # each word of the path below the last
        for place in range(1, n):
            tree[order[place]] = order[rng.integers(max(0, place - 3), place)] + 1
        tree[order[0]], tree[n] = 0, order[0] + 1
        r = np.sqrt(tree_distances(tree))
        # By the law of cosines, sinh r sinh r' cos(angle) = cosh r cosh r' - cosh(distance).
        high = np.cosh(r[-1])
        values, axes = np.linalg.eigh(np.outer(high, high) - np.cosh(r))
        points = axes * np.sqrt(values.clip(0))  # of length sinh r
        lengths = np.linalg.norm(points, axis=1, keepdims=True)
        tangents = points / lengths.clip(1e-9) * r[-1][:, None] / 2
        turned = np.linalg.qr(rng.normal(size=(width, width)))[0]
        vectors.append((tangents @ turned)[:n].astype(np.float32))
        heads.append(tree[:n])
    return vectors, heads


def as_differences(n_sentences: int, seed: int, n_axes: int = 4) -> Sentences:
    """Steps along axes, turned by any angle towards axes of noise; and the noise, turned too."""
    rng = np.random.default_rng(seed)
    steps, heads = planted(n_sentences, seed=seed, hidden_size=n_axes, longest=n_axes + 1)
    vectors = []
    for one in steps:
        noise = 0.5 * rng.normal(size=one.shape)
        angles = rng.uniform(0, 2 * np.pi, size=(2, n_axes))
        parts = [
            (
                along * np.cos(angle) - across * np.sin(angle),
                along * np.sin(angle) + across * np.cos(angle),
            )
            for along, across, angle in ((one, noise, angles[0]), (noise, 0 * noise, angles[1]))
        ]
        vectors.append(np.hstack([*parts[0], *parts[1]]).astype(np.float32))
    return vectors, heads


PLANTED = {"hyperbolic": in_hyperbolic_space, "signed": as_differences}


@pytest.mark.parametrize("name", PLANTED)
def test_vectors_in_which_the_geometry_is_true(name: str) -> None:
    train, dev, test = (PLANTED[name](n, seed) for seed, n in enumerate((250, 40, 60)))
    uuas = {
        geometry: fast_probe(geometry).fit(*train, dev=dev).score(*test)
        for geometry in ("euclidean", name)
    }
    assert uuas[name] > 0.97
    assert uuas["euclidean"] < 0.92


@pytest.mark.parametrize("name", OTHERS)
def test_a_linear_map_of_the_vectors_changes_nothing(name: str) -> None:
    train, dev, test = (planted(60, seed=seed, noise=0.2) for seed in range(3))
    change = np.random.default_rng(5).normal(size=(24, 24)).astype(np.float32)
    change[:, 3] *= 1e3
    losses, scores = [], []
    for one in (np.eye(24, dtype=np.float32), change):
        sets = [([x @ one for x in X], y) for X, y in (train, dev, test)]
        probe = fast_probe(name, max_steps=100).fit(*sets[0], dev=sets[1])
        losses.append(probe.history_["distance"]["best_dev_loss"])
        scores.append(probe.score(*sets[2]))
    # Whitened coordinates may be rotated, and so the start is another.
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert scores[1] == pytest.approx(scores[0], abs=0.08)


@pytest.fixture(scope="module")
def sets() -> tuple[Any, Any]:
    return planted(40, seed=0, noise=0.1), planted(12, seed=1, noise=0.1)


@pytest.mark.parametrize("recipe", ["auto", "whitened", "published"])
@pytest.mark.parametrize("name", OTHERS)
def test_what_is_predicted_is_what_was_trained(name: str, recipe: str, sets: Any) -> None:
    """Dev loss, distances, trees, layers together, streamed: all by the same formula."""
    (X, y), (X_dev, y_dev) = sets
    settings = {"max_steps": 12, "recipe": recipe, "rank": 6, "batch_size": 8}
    probe = fast_probe(name, **settings).fit(X, y, dev=(X_dev, y_dev))
    B = torch.from_numpy(probe.distance_components_).double()
    losses = []
    for x, heads, found in zip(X_dev, y_dev, probe.distances(X_dev), strict=True):
        words = torch.from_numpy(x).double() @ B.T
        expected = plain_distances(name, words)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        losses.append((expected.numpy() - tree_distances(heads)).__abs__().mean())
    assert probe.history_["distance"]["best_dev_loss"] == pytest.approx(np.mean(losses), rel=1e-3)
    streamed = fast_probe(name, **settings, memory_gb=3e-5).fit(X, y, dev=(X_dev, y_dev))
    sweep = LayerSweep(geometry=name, random_state=0, device="cpu", **settings)
    sweep.fit({0: X, 1: X}, y, dev=({0: X_dev, 1: X_dev}, y_dev))
    for other in (streamed, sweep.probes_[1]):
        assert np.array_equal(other.distance_components_, probe.distance_components_)
    assert np.array_equal(
        probe.depth_components_,
        fast_probe("euclidean", **settings).fit(X, y, dev=(X_dev, y_dev)).depth_components_,
    )


def test_what_a_geometry_does_not_allow_is_said(sets: Any) -> None:
    train, dev = sets
    for settings, message in (
        ({"geometry": "spherical"}, r"unknown geometry 'spherical'; choose from 'euclidean', 'hyp"),
        ({"geometry": "signed", "rank": 1}, "geometry='signed' divides the rows in two, but rank"),
        (
            {"geometry": "hyperbolic", "recipe": "axes-even"},
            "recipe 'axes-even' needs distances that depend on differences .* 'hyperbolic' does",
        ),
    ):
        with pytest.raises(ProbeError, match=message):
            StructuralProbe(**{"max_steps": 2, **settings}).fit(*train, dev=dev)
    probe = fast_probe("hyperbolic", max_steps=2).fit(*train, dev=dev)
    with pytest.raises(ProbeError, match="are not those of the geometry 'hyperbolic'"):
        probe.transform(train[0])


@pytest.mark.parametrize("name", ["hyperbolic", "polynomial", "signed"])
def test_a_geometry_that_does_not_converge_ends_in_one_line(name: str, sets: Any) -> None:
    train, dev = sets
    probe = fast_probe(name, max_steps=30).fit(*train, dev=dev)
    before = probe.distance_components_
    probe.learning_rate = 1e30
    with pytest.raises(ProbeError, match=r"the loss is no longer finite at step \d+"):
        probe.fit(*train, dev=dev)
    assert probe.distance_components_ is before


def test_a_saved_probe_keeps_its_geometry(tmp_path: Path, sets: Any) -> None:
    train, dev = sets
    for name, version in (("hyperbolic", 2), ("euclidean", 1)):
        probe = fast_probe(name, max_steps=5).fit(*train, dev=dev)
        folder = probe.save_pretrained(tmp_path / name)
        config = (folder / "config.json").read_text()
        assert f'"format_version": {version},' in config
        assert ('"geometry"' in config) == (version == 2)
        assert ("geometry `hyperbolic`" in (folder / "README.md").read_text()) == (version == 2)
        loaded = StructuralProbe.from_pretrained(folder)
        assert loaded.geometry == name
        for mine, its in zip(loaded.distances(dev[0]), probe.distances(dev[0]), strict=True):
            assert np.array_equal(mine, its)


@pytest.mark.fault_class("versions")
def test_an_older_version_does_not_read_it_as_euclidean(
    tmp_path: Path, sets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fast_probe("signed", max_steps=5).fit(*sets[0]).save_pretrained(tmp_path / "probe")
    monkeypatch.setattr("structprobe.probe.saving.save_load.FORMAT_VERSION", 1)
    with pytest.raises(ProbeError, match=r"format version 2, but structprobe .* reads up to 1"):
        StructuralProbe.from_pretrained(folder)

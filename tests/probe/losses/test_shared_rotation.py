"""The loss of tasks that share a rotation, against plain autograd, and turns of the rotation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.planted import planted

from structprobe.probe.data.batches import Pool
from structprobe.probe.losses.geometry import DistanceLoss, depth_loss
from structprobe.probe.losses.shared_rotation import (
    add_task_loss,
    angle_gradient,
    made_orthogonal,
    turn,
)
from structprobe.trees.gold import flat_depths, flat_distances

WIDTH = 24


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def rotation(seed: int = 1) -> torch.Tensor:
    return torch.linalg.qr(drawn(WIDTH, WIDTH, seed=seed))[0]


@pytest.mark.parametrize("kind", ["distance", "depth"])
def test_the_gradients_are_those_of_autograd(kind: str) -> None:
    vectors, heads = planted(9, seed=0, noise=0.3)
    flat = {"distance": flat_distances, "depth": flat_depths}[kind](heads)
    lengths = np.array([*map(len, heads)])
    pool = Pool(lengths, torch.from_numpy(flat), kind == "distance", dtype=torch.float64)
    batch = pool.batch(np.arange(len(heads)))
    rows = torch.from_numpy(np.concatenate([*vectors, np.zeros((1, WIDTH))])).double()
    axes = rotation().requires_grad_(), drawn(WIDTH, seed=2).requires_grad_()

    # One sentence after the other, with all differences of words written out.
    plain, start = torch.zeros(()).double(), 0
    for n, own in zip(lengths.tolist(), heads, strict=True):
        words = rows[start : start + n]
        if kind == "distance":
            words = words[:, None] - words
        found = ((words @ axes[0].T) * axes[1]).square().sum(-1)
        make = {"distance": flat_distances, "depth": flat_depths}[kind]
        gold = torch.from_numpy(make([own])).view(found.shape)
        plain = plain + (found - gold).abs().mean() / len(heads)
        start += n
    plain.backward()

    gradients = torch.zeros(WIDTH, WIDTH).double(), torch.zeros(WIDTH).double()
    loss = DistanceLoss() if kind == "distance" else depth_loss
    with torch.no_grad():
        told = axes, rows[batch.rows], batch
        for times in (1, 2):  # they add up
            assert add_task_loss(loss, *told, gradients) == pytest.approx(plain.item())
            for mine, leaf in zip(gradients, axes, strict=True):
                torch.testing.assert_close(mine, times * leaf.grad, rtol=1e-9, atol=1e-11)
        assert add_task_loss(loss, *told, None) == pytest.approx(plain.item())


def test_the_gradient_of_angles_is_that_of_autograd() -> None:
    start, target = rotation(), drawn(WIDTH, WIDTH, seed=3)
    angles = torch.zeros(WIDTH, WIDTH).double().requires_grad_()
    skew = angles - angles.T
    (turn(start, skew) * target).sum().backward()
    torch.testing.assert_close(angle_gradient(start, target), angles.grad, rtol=1e-9, atol=1e-11)


def test_turns_keep_axes_orthogonal() -> None:
    eye, found = torch.eye(WIDTH), torch.eye(WIDTH)
    for seed in range(200):
        some = 0.02 * drawn(WIDTH, WIDTH, seed=seed).float()
        found = turn(found, some - some.T)
    error = (found @ found.T - eye).abs().max()
    assert error < 1e-4
    assert (found - eye).abs().max() > 0.3  # it went somewhere
    tidy = made_orthogonal(found)
    assert (tidy @ tidy.T - eye).abs().max() < max(1e-6, error / 10)

"""One rotation shared by several tasks, with a scaling of its axes for each.

With the rotation ``V`` (width, width) and the scaling ``s`` (width,) of a task, a word vector ``h``
is projected to ``diag(s) V h``, whose squared lengths are distances or depths (Limisiewicz and
Mareček 2021, Introducing Orthogonal Constraint in Structural Probes). So the loss of a task is that
of the components ``B = diag(s) V``. With its gradient ``G`` in ``B``, the gradient in ``V`` is
``diag(s) G``, summed over tasks, and that in ``s`` the row sums of ``G * V``.

Each step turns ``V`` by the Cayley transform of a skew matrix, which is orthogonal, so that ``V``
stays orthogonal up to rounding, without a penalty whose weight would have to be chosen (Wen and Yin
2013, A Feasible Method for Optimization with Orthogonality Constraints, section 2).
"""

from __future__ import annotations

import torch
from torch import Tensor

from structprobe.probe.data.batches import Batch
from structprobe.probe.training.loop import Loss


def add_task_loss(
    loss: Loss,
    axes: tuple[Tensor, Tensor],
    rows: Tensor,
    batch: Batch,
    gradients: tuple[Tensor, Tensor] | None,
) -> Tensor:
    """Give the loss of a task, and add its gradients in the rotation and in its scaling."""
    # axes and gradients: (width, width) and (width,), rows (m, width) -> ()
    rotation, scaling = axes
    components = rotation * scaling[:, None]
    if gradients is None:
        return loss(components, rows, batch, None)
    inner = torch.empty_like(components)  # G
    found = loss(components, rows, batch, inner)
    gradients[0].addcmul_(inner, scaling[:, None])
    gradients[1].add_(inner.mul_(rotation).sum(1))
    return found


def angle_gradient(rotation: Tensor, gradient: Tensor) -> Tensor:
    """Turn the gradient in the rotation to that in the angles between each two of its axes."""
    # (width, width) -> (width, width): skew
    product = gradient @ rotation.T
    return product - product.T


def turn(rotation: Tensor, angles: Tensor) -> Tensor:
    """Turn the axes by the Cayley transform of a skew matrix."""
    # rotation (width, width), angles (width, width) -> (width, width)
    half = angles / 2
    eye = torch.eye(len(half), dtype=half.dtype, device=half.device)
    found: Tensor = torch.linalg.solve(eye - half, torch.addmm(rotation, half, rotation))
    return found


def made_orthogonal(rotation: Tensor) -> Tensor:
    """Remove the rounding errors of many turns, by a step of Newton's method."""
    # (width, width) -> (width, width)
    return torch.addmm(rotation, rotation @ rotation.T, rotation, beta=1.5, alpha=-0.5)

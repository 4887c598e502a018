"""Adam, on one tensor, in place."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on one tensor, in place."""

    def __init__(self, like: Tensor, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.mean, self.square = torch.zeros_like(like), torch.zeros_like(like)
        self.scratch, self.betas, self.t = torch.empty_like(like), betas, 0

    def step(
        self, parameters: Tensor, gradient: Tensor, rate: float, shares: Tensor | None = None
    ) -> None:
        """Move the parameters one step."""
        beta1, beta2 = self.betas
        self.t += 1
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        # The bias of the second moment goes into the numbers, which saves a pass over the tensor.
        bias = (1 - beta2**self.t) ** 0.5
        torch.sqrt(self.square, out=self.scratch).add_(EPSILON * bias)
        if shares is not None:
            self.scratch /= shares
        parameters.addcdiv_(self.mean, self.scratch, value=-rate * bias / (1 - beta1**self.t))

    def keep(self, index: Tensor) -> None:
        """Go on with some of the problems along the first axis."""
        self.mean, self.square = self.mean[index], self.square[index]
        self.scratch = torch.empty_like(self.mean)

"""Training off the processor, on a device that has no numbers and so can wait for none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from support.planted import planted
from torch.overrides import TorchFunctionMode

from structprobe import StructuralProbe
from structprobe.probe.estimator import fit_together
from structprobe.probe.training import settings

VECTORS, HEADS = planted(40, seed=0, noise=0.3)
STEPS = 12


class Card(TorchFunctionMode):
    """Torch's device "meta" as a card: it refuses float64, as Apple's do, and counts waits.

    Torch itself refuses whatever needs a number from there, but for what is copied by ``cpu``;
    that gives ones.
    """

    waits = 0

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is torch.Tensor.cpu and args[0].is_meta:
            self.waits += 1
            return torch.ones(args[0].shape, dtype=args[0].dtype)
        given = func(*args, **(kwargs or {}))
        if isinstance(given, torch.Tensor) and given.is_meta and given.dtype == torch.float64:
            raise TypeError("there is no float64 on the card")
        return given


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"recipe": "auto"},
        {"recipe": "published"},
        {"products": "bfloat16"},
        {"loss": "tree"},
        {"memory_gb": 4e-5, "batch_size": 4},
    ],
    ids=["whitened", "auto", "published", "bfloat16", "tree", "streamed"],
)
@pytest.mark.parametrize("n_layers", [1, 3])
def test_no_step_waits_for_the_device_or_needs_float64(
    how: dict[str, Any], n_layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "find_device", lambda name, **_: torch.device(name))
    layers, how = range(n_layers), {"recipe": "whitened"} | how
    jobs = [
        (layer, StructuralProbe(rank=rank, max_steps=steps, random_state=0, device="meta", **how))
        for layer in layers
        for rank, steps in [(4, STEPS), (6, STEPS)]
    ]
    train, dev = dict.fromkeys(layers, VECTORS), dict.fromkeys(layers, VECTORS[:9])
    with Card() as card:
        done = [
            job for some in fit_together(jobs, train, HEADS, dev=(dev, HEADS[:9])) for job in some
        ]
    assert len(done) == len(jobs)
    looks = sum(
        len(probe.history_[kind]["evaluations"])
        for _, probe in done
        for kind in ("distance", "depth")
    )
    # At each look the losses on train and dev are fetched, and at the end the components. The
    # recipe that chooses looks at four candidates, and fetches their trees.
    most = 8 if how["recipe"] == "auto" else 2
    assert card.waits <= most * looks + 2 * len(jobs)

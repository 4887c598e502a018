"""`Move`: move words along the geometry of a probe, towards another tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from structprobe.behaviour.interventions.base import Intervention, bound_of
from structprobe.behaviour.interventions.coordinates import Coordinates
from structprobe.behaviour.interventions.subspaces import PARTS, probe_subspace
from structprobe.errors import EncoderError, ProbeError, unknown_name
from structprobe.probe.estimator import StructuralProbe
from structprobe.probe.losses.geometries import GEOMETRIES
from structprobe.trees import tree_depths, tree_distances

_DEFAULT_STEPS = 200


class Move(Intervention):
    """Move the words of sentences until a probe sees another tree (Tucker, Qian & Levy 2021).

    Gradient steps (Adam) on the loss of the probe for the other tree, the mean absolute error of
    its distances, its depths or both. Words move in whitened coordinates, within the subspace that
    the probe reads, so that a given change of what it sees is the smallest relative to how words
    vary; all subwords of a word move alike. The probe sees a word at the mean of its subwords.

    Parameters
    ----------
    probe : StructuralProbe
        A fitted probe.
    coordinates : Coordinates
        Those of the word vectors of the probe's layer.
    trees : sequence of array_like of int or None
        For each sentence of a call the heads of the other tree, 1-based with 0 for the root; None
        leaves a sentence alone.
    layer : int, optional
        The layer, 0 to `n_layers`; by default that of the coordinates.
    part : {"distance", "depth", "both"}, default="distance"
        What of the tree is moved towards.
    bound : float, default=0.1
        The loss, in edges, below which a sentence is done.
    n_steps : int, default=200
        The most steps.
    step : float, default=0.05
        The learning rate, in standard deviations of words.
    sinks : float, "auto" or None, default="auto"
        As for `Remove`; these words stay where they are while the others move.

    Attributes
    ----------
    losses_ : dict of int to (float, float, int)
        For each sentence that was moved in the last block the loss before and after, and the
        number of steps.
    unreached_ : list of int
        The sentences whose loss is still above `bound`.

    Raises
    ------
    ProbeError
        If the probe and the coordinates do not fit, or a choice is unknown.

    References
    ----------
    Tucker, M., Qian, P., & Levy, R. (2021). What if This Modified That? Syntactic Interventions via
    Counterfactual Embeddings. Findings of ACL 2021.
    """

    kind = "move"

    def __init__(
        self,
        probe: StructuralProbe,
        coordinates: Coordinates,
        trees: Sequence[ArrayLike | None],
        layer: int | None = None,
        *,
        part: str = "distance",
        bound: float = 0.1,
        n_steps: int = _DEFAULT_STEPS,
        step: float = 0.05,
        sinks: float | str | None = "auto",
    ) -> None:
        if part not in PARTS:
            raise ProbeError(unknown_name("part", part, PARTS))
        if not (bound > 0 and n_steps >= 1 and step > 0):
            what = f"bound={bound!r}, n_steps={n_steps!r} and step={step!r} must be above 0"
            raise ProbeError(what)
        found: Any = coordinates.origin.get("layer") if layer is None else layer
        if found is None:
            raise EncoderError("the layer of the coordinates is not known", hint="pass layer=")
        subspace = probe_subspace(probe, coordinates, part=part)
        super().__init__(found, None, bound_of(coordinates, sinks))
        self.width = len(coordinates.mean)
        self.loss_bound, self.n_steps, self.step = bound, n_steps, step
        self.trees = [None if one is None else np.asarray(one) for one in trees]
        self._geometry = GEOMETRIES[probe._geometry]
        self._writes = torch.from_numpy(subspace.writes)  # (rank, width)
        self._matrices = {
            name: torch.from_numpy(getattr(probe, f"{name}_components_")).double()
            for name in PARTS[:2]
            if part in (name, "both")
        }
        self.losses_: dict[int, tuple[float, float, int]] = {}

    @property
    def unreached_(self) -> list[int]:
        """The sentences whose loss is still above the bound."""
        return [n for n, (_, after, _) in sorted(self.losses_.items()) if after > self.loss_bound]

    @contextmanager
    def _block(self, target: Any) -> Iterator[None]:
        self.losses_ = {}
        with super()._block(target):
            yield

    def _change(self, values: Tensor, marks: Tensor, chosen: Tensor) -> Tensor:
        changed = values.clone()
        for row, own in enumerate(marks):
            number = int(own[0, 0])
            heads = self._of(self.trees, number, "trees")
            if heads is None:
                chosen[row] = False
                continue
            words, n = own[:, 1], len(heads)
            places = torch.nonzero(words >= 0).flatten()
            present = words[places].unique()
            if len(present) != n or int(present.max()) != n - 1:
                what = f"sentence {number} has a tree of {n} words, but {len(present)} are read"
                hint = "give the tree of these words; a text must be read whole, in one window"
                raise EncoderError(f"{what} at once", hint=hint)
            at = words[places]  # (n_places,)
            counts = torch.bincount(at, minlength=n)[:, None]
            pieces = values[row, places].double()  # (n_places, width)
            means = torch.zeros(n, pieces.shape[1], dtype=torch.float64, device=values.device)
            means.index_add_(0, at, pieces)
            free = torch.zeros(n, dtype=torch.float64, device=values.device)
            free.index_add_(0, at, chosen[row, places].double())
            shift = self._solved(means / counts, free[:, None] / counts, heads, number)
            moved = pieces + shift[at] * chosen[row, places][:, None]
            keep = chosen[row, places]
            changed[row, places[keep]] = moved[keep].to(values.dtype)
        return changed

    def _solved(self, words: Tensor, free: Tensor, heads: Any, number: int) -> Tensor:
        """Find how words move, (n_words, width); `free` is which part of each word may."""
        # words (n_words, width), free (n_words, 1)
        device = words.device
        writes = self._writes.to(device)
        gold = {"distance": tree_distances(heads), "depth": tree_depths(heads)}
        terms = [
            (name, words @ matrix.to(device).T, writes @ matrix.to(device).T,
             torch.from_numpy(np.asarray(gold[name], dtype=np.float64)).to(device))
            for name, matrix in self._matrices.items()
        ]  # fmt: skip

        def loss_of(moves: Tensor) -> Tensor:
            total = words.new_zeros(())
            for name, here, towards, wanted in terms:
                seen = here + (moves * free) @ towards  # (n_words, rank)
                if name == "depth":
                    total = total + (seen.square().sum(-1) - wanted).abs().mean()
                    continue
                if self._geometry.by_differences:
                    seen = seen - seen.mean(0, keepdim=True)
                predicted = self._geometry.measure(seen)[0]
                total = total + (predicted - wanted).abs().sum() / max(1, len(wanted) ** 2)
            return total

        with torch.enable_grad():
            moves = torch.zeros(len(words), len(writes), dtype=torch.float64, device=device)
            moves.requires_grad_()
            optimiser = torch.optim.Adam([moves], lr=self.step)
            best, first, least, taken = moves.detach().clone(), None, float("inf"), 0
            for taken in range(self.n_steps + 1):
                loss = loss_of(moves)
                value = loss.item()
                first = value if first is None else first
                if value < least:
                    best, least = moves.detach().clone(), value
                if value <= self.loss_bound or taken == self.n_steps:
                    break
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        self.losses_[number] = (float(first or 0.0), least, taken)
        return best @ writes

    def _told(self) -> Iterable[Any]:
        yield repr((self.loss_bound, self.n_steps, self.step)).encode()
        yield repr([None if one is None else one.tolist() for one in self.trees]).encode()
        yield self._writes.numpy()
        yield from (one.numpy() for one in self._matrices.values())

"""The relations of arcs as targets of training, and the fitted map for raw vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.batches import Pool
from structprobe.probe.data.examples import RELATION, Examples, Split
from structprobe.probe.data.ragged_vectors import ragged
from structprobe.probe.losses.relations import N_BIASES, RelationForm
from structprobe.probe.training.loop import Cosine, Problem
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import Settings

# Relations converge sooner than distances; the published recipe is not for them.
RECIPE = replace(Whitened(), max_steps=Whitened().max_steps // 2)
RATE = 0.005  # the peak learning rate of Adam


@dataclass(frozen=True, slots=True)
class FittedRelations:
    """A map from the vectors of dependent and head to relations, for raw vectors."""

    reads: str  # One of `READS`
    classes: NDArray[np.integer]  # (n_classes,): the numbers of the relations
    components: NDArray[np.float32]  # (n_classes, width): for "pair", twice the hidden size
    intercept: NDArray[np.float32]  # (2, n_classes): for arcs from a word, and from the root
    allowed: NDArray[np.bool_]  # (2, n_classes): which relations such arcs may have
    word_components: NDArray[np.float32]  # (n_classes, hidden_size): for words without their heads
    word_intercept: NDArray[np.float32]  # (n_classes,)
    history: Mapping[str, Any]


def relation_pools(
    split: Split, reads: str, device: torch.device
) -> tuple[RelationForm, NDArray[np.integer], tuple[Pool, Pool]]:
    """Find what arcs of the training set may be, its relations, and the arcs of both sets."""
    classes, allowed, codes = number_relations(split)
    pools = []
    for part, numbers in zip((split.train, split.dev), codes, strict=True):
        gold, heads = (torch.from_numpy(some).to(device) for some in (numbers, heads_of(part)))
        pools.append(Pool(part.lengths, gold, pairs=False, heads=heads))
    form = RelationForm(reads, torch.from_numpy(allowed).to(device))
    return form, classes, (pools[0], pools[1])


def number_relations(
    split: Split,
) -> tuple[NDArray[np.integer], NDArray[np.bool_], tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """Give the relations of the training set, which arcs may have them, and those of each word."""
    # -> (n_classes,), (2, n_classes), (n_words,): by place among the first; -1 in dev for others
    codes, is_root = zip(*map(arcs_of, (split.train, split.dev)), strict=True)
    classes, own = np.unique(codes[0], return_inverse=True)
    allowed = np.zeros((2, len(classes)), dtype=np.bool_)
    allowed[is_root[0].astype(int), own] = True
    place = np.minimum(np.searchsorted(classes, codes[1]), len(classes) - 1)
    usable = (classes[place] == codes[1]) & allowed[is_root[1].astype(int), place]
    if not usable.any():
        raise ProbeError("no relation of y_dev is in the training set", hint="pass another dev")
    return classes, allowed, (own, np.where(usable, place, -1))


def arcs_of(part: Examples) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
    """Give the relation of each word, by number, and whether it is the root."""
    # -> (n_words,), (n_words,)
    gold = part.gold[RELATION]
    sentence, inside = ragged(part.lengths)
    return gold.values[gold.starts[sentence] + inside], heads_of(part) == 0


def heads_of(part: Examples) -> NDArray[np.int64]:
    """Concatenate the heads of all sentences."""
    # -> (n_words,)
    return np.concatenate(part.heads).astype(np.int64)


def relation_problem(form: RelationForm, settings: Settings, width: int, n_steps: int) -> Problem:
    """Start with no preference for any relation."""
    start = torch.zeros(form.n_rows, width + N_BIASES, device=settings.device)
    schedule = Cosine(RECIPE, settings.learning_rate or RATE, n_steps)
    return Problem(start, schedule, by_row=True)


def for_raw_vectors(
    form: RelationForm, components: Tensor, basis: Tensor, origin: Tensor
) -> dict[str, Any]:
    """Turn a map of whitened coordinates to one of raw vectors."""
    # components (n_rows, width + 2), basis (n_kept, hidden_size), origin (hidden_size,)
    raw = (components[:, : len(basis)].double() @ basis).split(form.n_classes)
    biases = components[:, -N_BIASES:].double().split(form.n_classes)
    offsets = [part @ origin for part in raw]  # (n_classes,) each
    word = root = biases[0][:, 0] - offsets[0]
    inputs, to_word = raw[:1], word
    if form.reads != "dependent":
        inputs, (to_word, to_root) = raw[1:], biases[1].T
        root = to_root - offsets[1]  # the root itself has no vector
        to_word = to_word if form.reads == "difference" else to_word - sum(offsets[1:])
    return {
        "reads": form.reads,
        "components": torch.cat(inputs, 1).float().numpy(),
        "intercept": torch.stack([to_word, root]).float().numpy(),
        "allowed": form.allowed.cpu().numpy(),
        "word_components": raw[0].float().numpy(),
        "word_intercept": word.float().numpy(),
    }

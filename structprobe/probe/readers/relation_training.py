"""Training a linear map from the vectors of arcs to their relations: whitening, loss, layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError, counted
from structprobe.probe.data.batches import FixedBatches, Pool, WordBatch, mixed_batches
from structprobe.probe.data.examples import Examples, Split
from structprobe.probe.data.ragged_vectors import Words, ragged
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.probe.training.loop import Cosine, Problem, Stack, train
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import Settings

BATCH_SIZE, DEV_BATCH_SIZE = 512, 4096  # arcs
RATE = 0.005  # the peak learning rate of Adam


@dataclass(frozen=True, slots=True)
class Space:
    """Whitened coordinates about the mean of all words."""

    basis: Tensor  # (n_kept, hidden_size)
    mean: Tensor  # (hidden_size,)

    @classmethod
    def of(cls, words: Words) -> Self:
        """Find the coordinates in which some words have no mean and all directions are alike."""
        moments = second_moments(words)
        total = sum(chunk.sum(0) for chunk in words.chunks())
        mean = torch.as_tensor(total) / int(words.lengths.sum())
        pooled = moments.about_origin - torch.outer(mean, mean)
        return cls(whitening(replace(moments, within=pooled), centred=True), mean)


class RelationLoss:
    """Cross-entropy of relations with its gradient; barred relations have no share in it."""

    def __init__(self, allowed: Tensor) -> None:
        self.barred = barred(allowed).float()  # (2, n_classes)

    def __call__(
        self, components: Tensor, rows: Tensor, batch: WordBatch, gradient: Tensor | None = None
    ) -> Tensor:
        """Give the loss of a batch, and fill in its gradient."""
        # components (n_classes, width), rows (m, width) -> ()
        logits = rows @ components.T
        logits += self.barred[rows[:, -1].long()]  # (m, n_classes)
        logs = logits.log_softmax(1)
        gold = batch.gold.long()[:, None]  # (m, 1)
        if gradient is not None:
            excess = logs.exp().scatter_add_(1, gold, torch.full_like(logs[:, :1], -1))
            torch.matmul((excess * batch.weights[:, None]).T, rows, out=gradient)
        return -(logs.gather(1, gold)[:, 0] * batch.weights).sum()


def fit_relations(
    reads: str,
    split: Split,
    codes: tuple[NDArray[np.int64], NDArray[np.int64]],
    settings: Settings,
    generator: np.random.Generator,
    on_step: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Find the map from vectors to relations, by number, with the lowest dev loss."""
    # codes (n_words,): -1 for relations of dev that the training set does not have
    device, recipe, sets = settings.device, Whitened(), (split.train, split.dev)
    heads = [head_rows(part.heads, part.layers[None]) for part in sets]
    allowed, is_usable = find_allowed((heads[0] < 0, heads[1] < 0), codes)
    usable = np.flatnonzero(is_usable)
    # A word alone does not say what its head is: there, root is a relation like the others.
    told = np.ones_like(allowed) if reads == "dependent" else allowed
    size = settings.batch_size or BATCH_SIZE
    parts = (
        mixed_batches(np.ones(len(codes[0]), np.int64), size, generator),
        np.split(usable, range(DEV_BATCH_SIZE, len(usable), DEV_BATCH_SIZE)),
    )
    space = Space.of(split.train.layers[None])
    batches, rows = [], []
    for part, own_heads, own_codes, some in zip(sets, heads, codes, parts, strict=True):
        gold = torch.from_numpy(own_codes).to(device)
        # Each arc is a sentence of its own: all arcs weigh the same.
        pool = Pool(np.ones(len(gold), np.int64), gold, pairs=False)
        batches.append(FixedBatches(pool, some, kept=True))
        first_rows = batches[-1].layout.first_rows
        rows.append(lay_out_arcs(reads, part, own_heads, space, first_rows).to(device))
    n_steps = settings.max_steps or recipe.max_steps
    schedule = Cosine(recipe, settings.learning_rate or RATE, n_steps)
    start = torch.zeros(allowed.shape[1], rows[0].shape[1], device=device)
    problem = Problem(start, schedule, by_row=True)
    stack = Stack(RelationLoss(torch.from_numpy(told).to(device)), [problem], *rows)
    train([stack], lambda: batches[0].shuffled(generator), batches[1], on_step)
    found = _for_raw_vectors(reads, problem.components.cpu().double(), space)
    return {"allowed_": allowed, "history_": problem.history, **found}


def find_allowed(
    is_root: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    codes: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the relations that arcs from words, and the root, have in train; and the usable dev."""
    # is_root, codes (n_words,) -> (2, n_classes), (n_dev_words,)
    allowed = np.zeros((2, int(codes[0].max()) + 1), dtype=np.bool_)
    allowed[is_root[0].astype(int), codes[0]] = True
    usable = (codes[1] >= 0) & allowed[is_root[1].astype(int), codes[1]]
    if not usable.any():
        raise ProbeError("no relation of y_dev is in the training set", hint="pass another dev")
    return allowed, usable


def _for_raw_vectors(reads: str, components: Tensor, space: Space) -> dict[str, Any]:
    """Turn a map of whitened coordinates, with two intercepts, to one of raw vectors."""
    # components (n_classes, n_inputs * n_kept + 2)
    inputs = [part @ space.basis for part in components[:, :-2].split(len(space.basis), 1)]
    offsets = [part @ space.mean for part in inputs]  # (n_classes,)
    word, root = components[:, -2] - sum(offsets), components[:, -1] - offsets[0]
    if reads == "difference":
        word = components[:, -2]
    intercept = torch.stack([word, word if reads == "dependent" else root])
    whole = torch.cat(inputs, 1)
    return {
        "relation_components_": whole.float().numpy(),
        "intercept_": intercept.float().numpy(),
    }


def lay_out_arcs(
    reads: str,
    examples: Examples,
    heads: NDArray[np.int64],
    space: Space,
    first_rows: NDArray[np.int64],
) -> Tensor:
    """Write what is read of each arc to its row, with a column for arcs from words and the root."""
    # heads (n_words,), first_rows (n_words,): -1 where an arc has no row -> (n_rows, width)
    n_rows, width = int((first_rows >= 0).sum()), len(space.basis)
    n_parts = 2 if reads == "pair" else 1
    out, done = torch.empty(n_rows, n_parts * width + 2), 0
    for parts, is_root in arcs(reads, examples.layers[None], heads, space):
        place = torch.from_numpy(first_rows[done : done + len(is_root)])
        done += len(is_root)
        taken = torch.nonzero(place >= 0)[:, 0]
        place = place[taken]
        for number, part in enumerate(parts):
            own = part if len(taken) == len(part) else part[taken]
            out[:, number * width : (number + 1) * width].index_copy_(0, place, own)
        of_root = is_root[taken] & (reads != "dependent")
        out[:, -2:].index_copy_(0, place, torch.stack([~of_root, of_root], 1).float())
    return out


def arcs(
    reads: str, words: Words, heads: NDArray[np.int64], space: Space | None = None
) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Take what is read of each word's arc, in chunks, and whether its head is the root."""
    # heads (n_words,): the rows of the heads, -1 for the root -> (m, width) each, (m,)
    change = None if space is None else space.basis.float().T
    done = 0
    for chunk in words.chunks():
        vectors = chunk
        if space is not None and change is not None:
            vectors = (chunk - space.mean).float() @ change
        own = torch.from_numpy(heads[done : done + len(chunk)] - done)
        is_root = torch.from_numpy(heads[done : done + len(chunk)] < 0)
        done += len(chunk)
        if reads == "dependent":
            yield [vectors], is_root
            continue
        of_heads = vectors[own.clamp(min=0)]
        of_heads[is_root] = 0  # the root has the mean vector, and a row of its own
        yield [vectors - of_heads] if reads == "difference" else [vectors, of_heads], is_root


def barred(allowed: Tensor) -> Tensor:
    """Give what is added to the log-odds of relations that may not be chosen, and others."""
    # allowed (2, n_classes) -> (2, n_classes)
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill(~allowed, -torch.inf)


def head_rows(heads: Sequence[NDArray[np.integer]], words: Words) -> NDArray[np.int64]:
    """Find the row of each word's head among all words, -1 for the root."""
    # heads (n_words,) -> (n_words,)
    flat = np.concatenate(heads).astype(np.int64)
    sentence, _ = ragged(words.lengths)
    off = (flat < 0) | (flat > words.lengths[sentence])
    if off.any():
        row = int(np.argmax(off))
        n = int(words.lengths[sentence[row]])
        told = f"head {flat[row]} of a word, in a sentence of {counted(n, 'word')}"
        raise ProbeError(told, where=f"heads[{sentence[row]}]", hint="use 0 for the root")
    firsts = np.cumsum(words.lengths) - words.lengths
    return np.where(flat == 0, -1, firsts[sentence] + flat - 1)

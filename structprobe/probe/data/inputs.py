"""What users pass to a probe, checked, into flat words and heads; every fault is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data.ragged_vectors import Words, give_back

# What must agree between the vectors that a probe was fitted on and those it is used on.
ORIGIN_KEYS = ("fingerprint", "layer", "pooling", "spacing", "bos")


def read_words(X: Any, name: str = "X") -> Words:
    """Take word vectors in any form that a probe accepts."""
    # X (n_words, hidden_size)
    if not hasattr(X, "__len__") or isinstance(X, str | Mapping):
        raise ProbeError(f"{name} is {type(X).__name__}, not a list of arrays", hint=_SHAPE_HINT)
    if not len(X):
        raise ProbeError(f"{name} is empty", hint="give at least one sentence")
    if hasattr(X, "values") and hasattr(X, "offsets"):
        values, offsets = X.values, np.asarray(X.offsets, dtype=np.int64)
        words = Words(values, offsets[:-1], np.diff(offsets))
    else:
        arrays = [_array(x, f"{name}[{index}]") for index, x in enumerate(X)]
        widths = [array.shape[1] for array in arrays]
        for index, width in enumerate(widths):
            if width != widths[0]:
                raise ProbeError(
                    f"vectors are {width} wide, those of {name}[0] {widths[0]}",
                    where=f"{name}[{index}]",
                )
        lengths = np.array([len(array) for array in arrays], dtype=np.int64)
        words = Words(np.concatenate(arrays), np.cumsum(lengths) - lengths, lengths)
    if not words.lengths.all():
        index = int(np.argmin(words.lengths))
        raise ProbeError("the sentence has no words", where=f"{name}[{index}]")
    return words


def check_finite(words: Words, name: str, y: Any = None) -> None:
    """Refuse vectors with NaN or infinities."""
    if _all_finite(words):
        return
    done = 0
    for chunk in words.chunks():
        if not bool(chunk.isfinite().all()):
            row = done + int((~chunk.isfinite().all(1)).nonzero()[0])
            ends = np.cumsum(words.lengths)
            index = int(np.searchsorted(ends, row, side="right"))
            word = row - int(ends[index] - words.lengths[index])
            raise ProbeError(
                "the vector holds NaN or an infinity",
                where=f"{_place(name, index, y)}, word {word + 1}",
                hint="encode the treebank anew, in float32",
            )
        done += len(chunk)


def read_heads(y: Any, words: Words, names: tuple[str, str] = ("X", "y")) -> list[NDArray[Any]]:
    """Take the heads of the sentences in any form that a probe accepts."""
    # y (n_words,) -> (n_words,)
    X_name, y_name = names
    if not hasattr(y, "__len__") or isinstance(y, str | Mapping):
        raise ProbeError(
            f"{y_name} is {type(y).__name__}, not a Treebank, a list of Sentence or of heads"
        )
    if len(y) != len(words):
        counts = [np.size(getattr(one, "heads", one)) for one in y]
        pairs = zip(words.lengths.tolist(), counts, strict=False)
        shorter = min(len(y), len(words))
        first = next((i for i, (n, count) in enumerate(pairs) if n != count), shorter)
        raise ProbeError(
            f"{X_name} has {len(words)} sentences, {y_name} has {len(y)}; "
            f"the first that differs is number {first} (counted from 0)"
        )
    heads = []
    for index, one in enumerate(y):
        row = getattr(one, "heads", one)
        where = _place(y_name, index, y)
        if row is None:
            raise ProbeError(
                "the sentence has no heads", where=where, hint="a probe learns from trees"
            )
        row = np.asarray(row)
        if row.ndim != 1 or row.dtype.kind not in "iu":
            raise ProbeError(f"{one!r:.80} is neither a Sentence nor a row of heads", where=where)
        if len(row) != words.lengths[index]:
            raise ProbeError(
                f"{X_name}[{index}] has {words.lengths[index]} words, {y_name}[{index}] has"
                f" {len(row)}",
                where=where,
                hint="encode the same treebank that the trees come from",
            )
        heads.append(row)
    return heads


def origin_of(X: Any) -> dict[str, object] | None:
    """Where vectors came from, if they say so."""
    origin = getattr(X, "origin", None)
    return None if origin is None else dict(origin)


def check_origin(
    given: Mapping[str, object] | None, fitted: Mapping[str, object] | None, name: str
) -> None:
    """Refuse vectors that come from elsewhere than those the probe was fitted on."""
    if given is None or fitted is None:
        return
    differing = [key for key in ORIGIN_KEYS if given.get(key) != fitted.get(key)]
    if differing:
        raise ProbeError(
            f"{name} is of {_describe(given, differing)}, the probe was fitted on"
            f" {_describe(fitted, differing)}",
            hint="encode with the model and settings of the fit",
        )


def check_width(words: Words, expected: int, name: str) -> None:
    """Refuse vectors of another width than those of the fit."""
    if words.hidden_size != expected:
        raise ProbeError(
            f"{name} is {words.hidden_size} wide, the probe was fitted on vectors {expected} wide"
        )


def check_pairs(words: Words, name: str) -> None:
    """Refuse sentences none of which has a distance."""
    if words.lengths.max() < 2:
        raise ProbeError(
            f"no sentence of {name} has two or more words",
            hint="there is no distance to learn from or to choose by",
        )


def hold_out(
    lengths: NDArray[np.int64], fraction: float, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split sentences at random into those to train on and those to hold out.

    Both parts get a sentence of two or more words, without which there is nothing to learn from
    and nothing to choose by.
    """
    # lengths (n_sentences,)
    order = generator.permutation(len(lengths))
    long = order[lengths[order] > 1]
    if len(long) < 2:
        raise ProbeError(
            f"too few sentences of two or more words, {len(long)} of {len(lengths)}, to hold out"
            " some of them",
            hint="give dev=(X_dev, y_dev)",
        )
    # The first two long sentences go to either end, where no fraction can part them wrongly.
    others = order[(order != long[0]) & (order != long[1])]
    order = np.concatenate([long[:1], others, long[1:2]])
    n = min(max(1, round(fraction * len(order))), len(order) - 1)
    return np.sort(order[n:]), np.sort(order[:n])


def _all_finite(words: Words) -> bool:
    """Look at words that lie side by side where they lie; False where some may not be finite."""
    first, last = int(words.starts.min()), int((words.starts + words.lengths).max())
    if last - first > words.lengths.sum():
        return False
    for row in range(first, last, words.chunk_words):
        if not np.isfinite(words.values[row : min(row + words.chunk_words, last)]).all():
            return False
        give_back(words.values)
    return True


_SHAPE_HINT = "give one array (n_words, hidden_size) a sentence"


def _array(x: Any, where: str) -> NDArray[np.floating]:
    """One sentence's vectors as a floating array (n_words, hidden_size)."""
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        x = (x.float() if x.dtype == torch.bfloat16 else x).numpy()
    array = np.asarray(x)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise ProbeError(
            f"an array of shape {array.shape} and type {array.dtype}", where=where, hint=_SHAPE_HINT
        )
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _place(name: str, index: int, y: Sequence[Any] | None) -> str:
    """Name a sentence by its index and, where it knows, by where it stands."""
    where = getattr(y[index], "where", None) if y is not None else None
    return f"{where}: {name}[{index}]" if where else f"{name}[{index}]"


def _describe(origin: Mapping[str, object], keys: Sequence[str]) -> str:
    """Name a model and those of its settings that differ."""
    settings = ", ".join(f"{key} {origin.get(key)!r}" for key in keys)
    return f"model {origin.get('model')!r} ({settings})"

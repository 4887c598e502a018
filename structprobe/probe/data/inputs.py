"""Check what users pass to a probe, and turn it into flat words and heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data.ragged_vectors import FLOAT32_EPS, Words, give_back
from structprobe.probe.types import (
    Layer,
    Origin,
    TreesLike,
    VectorsByLayer,
    VectorsLike,
    WordVectorsLike,
)

T = TypeVar("T")

_SHAPE_HINT = "pass one array (n_words, hidden_size) per sentence"

# What must be the same for the vectors that a probe was fitted on and is applied to.
ORIGIN_KEYS = ("fingerprint", "layer", "pooling", "spacing", "bos", "positions")

# The resolution of types that are coarser than float32.
_COARSE = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def layers_of(X: VectorsLike, name: str = "X") -> VectorsByLayer:
    """Read the vectors of several layers in any form that a probe accepts."""
    if not isinstance(X, Mapping) and not _has_layers(X):
        told = f"{name} is {type(X).__name__}, not the vectors of several layers"
        raise ProbeError(told, hint="pass an EncodedBank or a dict of vectors by layer")
    found = X if isinstance(X, Mapping) else {layer: X.layer(layer) for layer in X.layers}
    if not found:
        raise ProbeError(f"{name} has no layers", hint="pass the vectors of at least one layer")
    return found


def pick_layers(
    given: Mapping[Layer, T], layers: Iterable[Layer], name: str = "X"
) -> dict[Layer, T]:
    """Select layers from those given."""
    found = {}
    for layer in layers:
        if layer not in given:
            known = ", ".join(map(str, given))
            raise ProbeError(f"{name} has no vectors for layer {layer}", hint=f"it has: {known}")
        found[layer] = given[layer]
    return found


def read_words(X: WordVectorsLike, name: str = "X") -> Words:
    """Read word vectors in any form that a probe accepts."""
    # X (n_words, hidden_size)
    if isinstance(X, Words):  # read already
        return X
    if _has_layers(X):
        told = f"{name} holds the vectors of several layers ({', '.join(map(str, X.layers))})"
        raise ProbeError(told, hint="choose one: X.layer(n)")
    _refuse_table(X, name)
    if not hasattr(X, "__len__") or isinstance(X, str | Mapping):
        raise ProbeError(f"{name} is {type(X).__name__}, not a list of arrays", hint=_SHAPE_HINT)
    if not len(X):
        raise ProbeError(f"{name} is empty", hint="pass at least one sentence")
    if hasattr(X, "values") and hasattr(X, "offsets"):
        values, offsets = X.values, np.asarray(X.offsets, dtype=np.int64)
        words = Words(values, offsets[:-1], np.diff(offsets), _resolution([values], origin_of(X)))
    else:
        arrays = [_array(x, f"{name}[{index}]") for index, x in enumerate(X)]
        width = arrays[0].shape[1]
        for index, array in enumerate(arrays):
            if (own := array.shape[1]) != width:
                told = f"the vectors have width {own}, those of {name}[0] have width {width}"
                raise ProbeError(told, where=f"{name}[{index}]")
        lengths = np.array([len(array) for array in arrays], dtype=np.int64)
        starts, eps = np.cumsum(lengths) - lengths, _resolution(X, origin_of(X))
        words = Words(np.concatenate(arrays), starts, lengths, eps)
    if not words.lengths.all():
        index = int(np.argmin(words.lengths))
        raise ProbeError("the sentence has no words", where=f"{name}[{index}]")
    return words


def check_finite(words: Words, name: str, y: TreesLike | None = None) -> None:
    """Reject vectors with NaN or infinities."""
    first, last = int(words.starts.min()), int((words.starts + words.lengths).max())
    if last - first <= words.lengths.sum():  # contiguous: checked in place
        finite = True
        for row in range(first, last, words.chunk_words):
            block = words.values[row : min(row + words.chunk_words, last)]
            finite = finite and bool(np.isfinite(block).all())
            give_back(words.values)
        if finite:
            return
    done = 0
    for chunk in words.chunks():
        bad = (~chunk.isfinite().all(1)).nonzero()
        if len(bad):
            row, ends = done + int(bad[0]), np.cumsum(words.lengths)
            index = int(np.searchsorted(ends, row, side="right"))
            word = row - int(ends[index] - words.lengths[index])
            raise ProbeError(
                "the vector contains NaN or infinity",
                where=f"{_place(name, index, y)}, word {word + 1}",
                hint="encode the treebank again, in float32",
            )
        done += len(chunk)


def read_heads(
    y: TreesLike, words: Words, names: tuple[str, str] = ("X", "y")
) -> list[NDArray[np.integer]]:
    """Read the heads of the sentences in any form that a probe accepts."""
    # y (n_words,) -> (n_words,)
    X_name, y_name = names
    _refuse_table(y, y_name)
    if not hasattr(y, "__len__") or isinstance(y, str | Mapping):
        told = f"{y_name} is {type(y).__name__}, not a Treebank or a list of sentences or heads"
        raise ProbeError(told)
    rows: list[Any] = [getattr(one, "heads", one) for one in y]
    if len(y) != len(words):
        pairs = enumerate(zip(words.lengths.tolist(), map(np.size, rows), strict=False))
        shorter = min(len(y), len(words))
        first = next((index for index, (n, count) in pairs if n != count), shorter)
        raise ProbeError(
            f"{X_name} has {len(words)} sentences, {y_name} has {len(y)}; "
            f"they first differ at sentence {first} (counted from 0)"
        )
    heads = []
    for index, row in enumerate(rows):
        where = _place(y_name, index, y)
        if row is None:
            told = "the sentence has no heads"
            raise ProbeError(told, where=where, hint="a probe is trained on trees")
        row = np.asarray(row)
        if row.ndim != 1 or row.dtype.kind not in "iu":
            told = f"{_item(y, index)!r:.80} is neither a Sentence nor a list of heads"
            raise ProbeError(told, where=where)
        if len(row) != words.lengths[index]:
            raise ProbeError(
                f"{X_name}[{index}] has {words.lengths[index]} words, {y_name}[{index}] has"
                f" {len(row)}",
                where=where,
                hint="encode the treebank that the trees come from",
            )
        heads.append(row)
    return heads


def treebank_name(y: TreesLike) -> str | None:
    """Name the files that trees were read from, with their folder, if known."""
    paths = getattr(y, "paths", ())
    return "+".join("/".join(Path(path).absolute().parts[-2:]) for path in paths) or None


def origin_of(X: WordVectorsLike) -> Origin:
    """Give the origin of vectors, if known."""
    origin = getattr(X, "origin", None)
    return None if origin is None else dict(origin)


def check_origin(given: Origin, fitted: Origin, name: str) -> None:
    """Reject vectors from another origin than those the probe was fitted on."""
    if given is None or fitted is None:
        return
    differing = [key for key in ORIGIN_KEYS if given.get(key) != fitted.get(key)]
    if differing:
        raise ProbeError(
            f"{name} comes from {_describe(given, differing)}, but the probe was fitted on"
            f" {_describe(fitted, differing)}",
            hint="encode with the model and settings that were used for fit",
        )


def check_width(words: Words, expected: int, name: str) -> None:
    """Reject vectors of another width than those of the fit."""
    if (width := words.hidden_size) != expected:
        told = f"{name} has width {width}, but the probe was fitted on vectors of width {expected}"
        raise ProbeError(told)


def check_lengths(layers: Mapping[Layer, Words]) -> None:
    """Reject layers of different sentences."""
    (first, words), *others = layers.items()
    for layer, other in others:
        if not np.array_equal(words.lengths, other.lengths):
            told = f"X of layer {layer} and X of layer {first} have different sentences"
            raise ProbeError(told, hint="encode the same treebank for all layers")


def common_width(layers: Iterable[Words]) -> int:
    """Find the width of the layers to be mixed."""
    widths = sorted({words.hidden_size for words in layers})
    if len(widths) > 1:
        raise ProbeError(f"cannot mix layers of different widths: {', '.join(map(str, widths))}")
    return widths[0]


def check_pairs(words: Words, name: str) -> None:
    """Reject data without any sentence of two or more words."""
    if words.lengths.max() < 2:
        hint = "distances need word pairs, for training and for choosing the best step"
        raise ProbeError(f"no sentence of {name} has two or more words", hint=hint)


def _has_layers(X: object) -> TypeGuard[Any]:
    """Whether these are the vectors of several layers, as `EncodedBank` holds them."""
    return hasattr(X, "layers") and hasattr(X, "layer")


def _refuse_table(given: object, name: str) -> None:
    """Refuse a pandas table, over whose names one would iterate."""
    if hasattr(given, "columns") and hasattr(given, "iloc"):
        hint = f"pass one of its columns, as {name}['column'], with one array per sentence"
        raise ProbeError(f"{name} is a {type(given).__name__}", hint=hint)


def _resolution(arrays: Iterable[Any], origin: Origin) -> float:
    """Find the resolution of the coarsest type in which vectors are stored or were computed."""
    types = {getattr(array, "dtype", None) for array in arrays}
    names = {str(one).removeprefix("torch.") for one in types} | {str((origin or {}).get("dtype"))}
    return max([FLOAT32_EPS, *(eps for name, eps in _COARSE.items() if name in names)])


def _array(x: Any, where: str) -> NDArray[np.floating]:
    """One sentence's vectors as a floating array (n_words, hidden_size)."""
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        x = (x.float() if x.dtype == torch.bfloat16 else x).numpy()
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        hint = "leave out the sentence, or fill in its vectors"
        raise ProbeError("some values are masked", where=where, hint=hint)
    array = np.asarray(x)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        told = f"array has shape {array.shape} and type {array.dtype}"
        raise ProbeError(told, where=where, hint=_SHAPE_HINT)
    if array.dtype.kind == "f":  # torch knows none that are wider than float64
        return array if array.dtype.itemsize <= 8 else array.astype(np.float64)
    return array.astype(np.float32)


def _place(name: str, index: int, y: TreesLike | None) -> str:
    """Name a sentence by its index and, if known, by its place in a file."""
    where = getattr(_item(y, index), "where", None) if y is not None else None
    return f"{where}: {name}[{index}]" if where else f"{name}[{index}]"


def _item(y: Any, index: int) -> Any:
    """Give one of the trees; a pandas column counts by its labels."""
    return (y.iloc if hasattr(y, "iloc") else y)[index]


def _describe(origin: Mapping[str, object], keys: Sequence[str]) -> str:
    """Name a model and the settings that differ."""
    settings = ", ".join(f"{key} {origin.get(key)!r}" for key in keys)
    return f"model {origin.get('model')!r} ({settings})"

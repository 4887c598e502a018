"""Word vectors of a whole treebank, with their origin."""

from __future__ import annotations

import mmap
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NoReturn, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import EncoderError, StoreError, escaped
from structprobe.notebook import html_table

_OF_A_LAYER = (
    "an EncodedBank holds several layers: use bank.layer(7) for the word vectors of one layer, "
    "sentence by sentence; bank.layers lists the available layers"
)


class WordVectors(Sequence[NDArray[np.floating]]):
    """The word vectors of one layer, one array per sentence.

    A sequence without ``.shape``, so that scikit-learn's splitters accept it as ``X``. Indexing
    returns views. Vectors on a read-only memory map are pickled as its path and their position.

    Parameters
    ----------
    values : ndarray of float, shape (n_words_total, hidden_size)
        The words of all sentences, concatenated; may be a memory map.
    offsets : ndarray of int64, shape (n_sentences + 1,)
        Sentence `i` has the rows ``offsets[i]:offsets[i + 1]``; starts at 0.
    origin : mapping, optional
        Plain values for ``model``, ``revision``, ``fingerprint``, ``layer``, ``pooling``,
        ``spacing``, ``bos`` and ``dtype``. A probe rejects vectors from another origin.

    Raises
    ------
    EncoderError
        If `values` is not two-dimensional or `offsets` do not divide it into sentences.
    """

    def __init__(
        self,
        values: NDArray[np.floating],
        offsets: NDArray[np.integer],
        origin: Mapping[str, object] | None = None,
    ) -> None:
        self.values: NDArray[np.floating] = np.asarray(values)  # (n_words_total, hidden_size)
        self.offsets: NDArray[np.int64] = np.asarray(offsets, dtype=np.int64)  # (n_sentences + 1,)
        copied = None if origin is None else MappingProxyType(dict(origin))
        self.origin: Mapping[str, object] | None = copied
        if self.values.ndim != 2:
            shape = self.values.shape
            raise EncoderError(f"values must be (n_words_total, hidden_size), got shape {shape}")
        check_offsets(self.offsets, n_words=len(self.values))

    @property
    def hidden_size(self) -> int:
        """Width of a vector."""
        return int(self.values.shape[1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: SupportsIndex) -> NDArray[np.floating]: ...
    @overload
    def __getitem__(self, index: slice) -> WordVectors: ...
    def __getitem__(self, index: SupportsIndex | slice) -> NDArray[np.floating] | WordVectors:
        """Give the vectors of one sentence, (n_words, hidden_size), or a slice of sentences.

        A slice with step 1 is a view, any other slice a copy.
        """
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"sentence {number} is out of range: there are {len(self)} sentences")
        number %= len(self)
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.values[start:stop]

    def __repr__(self) -> str:
        model, layer = ((self.origin or {}).get(key) for key in ("model", "layer"))
        source = "" if self.origin is None else escaped(f", layer {layer} of {model}")
        return (
            f"<WordVectors: {len(self)} sentences, {len(self.values)} words, "
            f"{self.hidden_size} wide, {self.values.dtype}{source}>"
        )

    def take(self, numbers: Sequence[int]) -> WordVectors:
        """Select sentences.

        Parameters
        ----------
        numbers : sequence of int
            The numbers of the sentences, counted from 0, in any order.

        Returns
        -------
        WordVectors
            Their vectors: a view for a range with step 1, otherwise a copy.
        """
        if isinstance(numbers, range) and numbers.step == 1:
            offsets = self.offsets[numbers.start : max(numbers.start, numbers.stop) + 1]
            values = self.values[offsets[0] : offsets[-1]]
            return WordVectors(values, offsets - offsets[0], self.origin)
        picked = [self[number] for number in numbers]
        offsets = np.cumsum([0, *map(len, picked)])
        return WordVectors(np.concatenate([self.values[:0], *picked]), offsets, self.origin)

    def __reduce__(self) -> tuple[object, ...]:
        origin = None if self.origin is None else dict(self.origin)
        return _rebuild, (pack(self.values), self.offsets, origin, WordVectors)


class EncodedBank:
    """The word vectors of a treebank in several layers of one model.

    Parameters
    ----------
    values : mapping of int to ndarray of float, shape (n_words_total, hidden_size)
        The vectors of each layer; may be memory maps.
    offsets, origin
        As for `WordVectors`; `origin` without ``layer``.
    outliers : mapping of int to int, optional
        For each layer, the number of positions with an extreme norm, among those that were encoded
        rather than found in a cache.
    """

    def __init__(
        self,
        values: Mapping[int, NDArray[np.floating]],
        offsets: NDArray[np.integer],
        origin: Mapping[str, object] | None = None,
        outliers: Mapping[int, int] | None = None,
    ) -> None:
        self._values = {int(layer): values[layer] for layer in sorted(values)}
        self.offsets: NDArray[np.int64] = np.asarray(offsets, dtype=np.int64)
        self.origin: dict[str, object] = dict(origin or {})
        self.outliers: dict[int, int] = dict(outliers or {})

    @property
    def layers(self) -> tuple[int, ...]:
        """The available layers, ascending; 0 is the embedding output."""
        return tuple(self._values)

    def layer(self, layer: SupportsIndex) -> WordVectors:
        """Give the word vectors of one layer.

        Parameters
        ----------
        layer : int
            One of `layers`.

        Returns
        -------
        WordVectors
            All sentences.

        Raises
        ------
        EncoderError
            If this layer was not encoded.
        """
        try:
            if isinstance(layer, bool):
                raise TypeError
            number = operator.index(layer)
        except TypeError:
            hint = f"available layers: {_ranges(self.layers)}"
            raise EncoderError(f"{layer!r} is not a layer number", hint=hint) from None
        if number not in self._values:
            what = f"layer {number} was not encoded (available: {_ranges(self.layers)})"
            hint = "encode the treebank again with this layer in layers="
            raise EncoderError(what, hint=hint)
        return WordVectors(self._values[number], self.offsets, {**self.origin, "layer": number})

    def __len__(self) -> int:
        """Count the sentences."""
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        n_sentences, n_words, layers, width, dtype, *model = self._facts().values()
        source = escaped(f", of {model[0]}") if model else ""
        return (
            f"<EncodedBank: {n_sentences} sentences, {n_words} words, layers {layers}, "
            f"{width} wide, {dtype}{source}>"
        )

    def _repr_html_(self) -> str:
        return html_table("EncodedBank", self._facts())

    def _facts(self) -> dict[str, object]:
        """Summarise the vectors, for the repr."""
        first = next(iter(self._values.values()), np.empty((0, 0)))
        facts: dict[str, object] = {
            "sentences": len(self),
            "words": int(self.offsets[-1]),
            "layers": _ranges(self.layers),
            "hidden_size": first.shape[1],
            "dtype": first.dtype.name,
        }
        return facts | {name: self.origin[name] for name in ("model",) if name in self.origin}

    def __iter__(self) -> NoReturn:
        """Raise an error, as it would not be clear which layer the sentences are from."""
        raise TypeError(_OF_A_LAYER)

    def __getitem__(self, index: object) -> NoReturn:
        """As `__iter__`."""
        raise TypeError(_OF_A_LAYER)

    def __reduce__(self) -> tuple[object, ...]:
        packed = {layer: pack(values) for layer, values in self._values.items()}
        return _rebuild, (packed, self.offsets, self.origin, EncodedBank, self.outliers)


def check_offsets(offsets: NDArray[np.int64], n_words: int | None = None) -> None:
    """Check that offsets start at 0, never decrease, and end at `n_words`."""
    # offsets (n_sentences + 1,)
    if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise EncoderError(
            "offsets must be a 1-D array of integers that starts at 0 and never decreases"
        )
    if n_words is not None and offsets[-1] != n_words:
        raise EncoderError(f"offsets end at {offsets[-1]}, but there are {n_words} word vectors")


def pack(values: NDArray[Any]) -> object:
    """Give a compact form of an array for pickling: its position in a read-only map, or itself."""
    root: Any = values
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    on_map = isinstance(root, np.memmap) and root.filename is not None and root.mode == "r"
    if not on_map or not values.flags.c_contiguous:
        return np.array(values)
    place = values.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    path = os.path.abspath(os.fspath(root.filename))
    return path, values.dtype.str, int(root.offset + place), tuple(map(int, values.shape))


def unpack(packed: Any) -> NDArray[Any]:
    """Undo `pack`."""
    if not isinstance(packed, tuple):
        return np.asarray(packed)
    path, dtype, offset, shape = packed
    if 0 in shape:
        return np.empty(shape, dtype)
    try:
        return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
    except (OSError, ValueError) as error:
        hint = "encode the treebank again"
        raise StoreError(f"cannot read the pickled vectors in {path}: {error}", hint=hint) from None


def _ranges(numbers: Sequence[int]) -> str:
    """Write ascending numbers, with a dash for three or more in a row: 0, 4-6."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [[f"{run[0]}-{run[-1]}"] if len(run) > 2 else map(str, run) for run in runs]
    return ", ".join(chain.from_iterable(parts)) or "none"


def _rebuild(
    packed: Any, offsets: object, origin: object, kind: Callable[..., object], *more: object
) -> object:
    """Unpickle word vectors of one layer, or of several by layer."""
    by_layer = isinstance(packed, dict)
    values = {k: unpack(v) for k, v in packed.items()} if by_layer else unpack(packed)
    return kind(values, offsets, origin, *more)

"""Word vectors in the HDF5 layout of earlier research code: one dataset a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.subwords.sentences import SentenceLike
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import StoreError
from structprobe.treebank.sentence import Sentence

LAYERS = "layers"

Spans = Sequence[tuple[int, int]]


def write_hdf5(bank: EncodedBank, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write word vectors as earlier research code reads them.

    Parameters
    ----------
    bank : EncodedBank
        The vectors.
    path : path
        The file. A sentence is a dataset named by its number, from ``"0"``, of the shape
        (n_layers, n_words, hidden_size); an attribute of the file says which layers these are.
    force : bool, default False
        Whether a file that is there is written over.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StoreError
        If h5py is not installed, the file is there already, or it cannot be written.
    """
    h5py, target = _h5py(), Path(path)
    if target.exists() and not force:
        raise StoreError(f"{target} is there already", hint="name another file, or force=True")
    layers = [bank.layer(layer) for layer in bank.layers]
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with h5py.File(draft, "w") as file:
            file.attrs[LAYERS] = np.array(bank.layers, dtype=np.int64)
            for number in range(len(bank)):
                file.create_dataset(str(number), data=np.stack([one[number] for one in layers]))
        draft.replace(target)
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return target


def read_hdf5(
    path: str | os.PathLike[str],
    sentences: Sequence[SentenceLike],
    *,
    layers: Iterable[int] | None = None,
    first_layer: int = 0,
    pieces: Sequence[Spans] | None = None,
    origin: Mapping[str, object] | None = None,
) -> EncodedBank:
    """Read vectors that earlier research code wrote.

    Parameters
    ----------
    path : path
        The file: datasets ``"0"``, ``"1"`` and so on, each (n_layers, n_words, hidden_size), or
        (n_layers, n_pieces, hidden_size) where `pieces` are given.
    sentences : sequence of Sentence or of sequences of str
        The sentences that it is of, in their order.
    layers : iterable of int, optional
        The layers wanted; all by default. Only these are held in memory.
    first_layer : int, default 0
        The number of the first layer in the file, where it does not say itself: 1 for files of
        BERT models without the embedding output.
    pieces : sequence of sequences of (int, int), optional
        Of each sentence, for each word the first of its pieces and the one behind its last, special
        tokens counted; a word's vector is the mean of its pieces' (Hewitt & Manning 2019).
    origin : mapping, optional
        Where the vectors came from, as in `WordVectors`, without the layer.

    Returns
    -------
    EncodedBank
        The vectors of words.

    Raises
    ------
    StoreError
        If h5py is not installed, the file cannot be read, its sentences or words are not those of
        `sentences`, or it has no such layer.
    """
    h5py = _h5py()
    lengths = [len(one.words if isinstance(one, Sentence) else one) for one in sentences]
    if pieces is not None and [*map(len, pieces)] != lengths:
        raise StoreError("pieces must name a span for each word of each sentence")
    where = str(path)
    try:
        with h5py.File(path, "r") as file:
            if len(file) != len(lengths) or any(str(i) not in file for i in range(len(lengths))):
                raise StoreError(
                    f"holds {len(file)} datasets, there are {len(lengths)} sentences",
                    where=where,
                    hint="give the sentences that it was made of, in their order",
                )
            if not lengths:
                raise StoreError("holds no sentence", where=where)
            rows = _rows(file, first_layer, layers, where)
            places, shape = [*rows.values()], (file["0"].shape[0], file["0"].shape[2])
            found: dict[int, list[NDArray[Any]]] = {layer: [] for layer in rows}
            for number, n_words in enumerate(lengths):
                place = f"{where}, dataset {number}"
                values = _dataset(file, number, shape, place)[()][places]
                spans = None if pieces is None else pieces[number]
                for layer, one in zip(rows, _words(values, n_words, spans, place), strict=True):
                    found[layer].append(one)
    except OSError as error:
        raise StoreError(f"cannot be read: {error.strerror or error}", where=where) from error
    offsets = np.cumsum([0, *lengths])
    return EncodedBank({k: np.concatenate(v) for k, v in found.items()}, offsets, origin)


def _h5py() -> Any:
    """Import h5py when it is needed."""
    try:
        import h5py
    except ImportError as error:
        hint = "install it with: pip install 'structprobe[hdf5]'"
        raise StoreError("HDF5 files need h5py, which is not installed", hint=hint) from error
    return h5py


def _rows(file: Any, first: int, wanted: Iterable[int] | None, where: str) -> dict[int, int]:
    """Give the place in each dataset of each layer that is wanted, ascending by layer."""
    n_layers = _dataset(file, 0, None, f"{where}, dataset 0").shape[0]
    numbers = [*map(int, file.attrs.get(LAYERS, range(first, first + n_layers)))]
    if len(numbers) != n_layers:
        raise StoreError(f"names {len(numbers)} layers and has {n_layers}", where=where)
    layers = sorted(set(numbers if wanted is None else map(int, wanted)))
    if unknown := [layer for layer in layers if layer not in numbers]:
        hint = f"there are {', '.join(map(str, numbers))}"
        raise StoreError(f"has no layer {unknown[0]}", where=where, hint=hint)
    return {layer: numbers.index(layer) for layer in layers}


def _dataset(file: Any, number: int, shape: tuple[int, int] | None, where: str) -> Any:
    """Give one sentence's dataset, of so many layers and so wide as that of the first."""
    found = file[str(number)]
    told = getattr(found, "shape", None)
    if told is None or len(told) != 3:
        hint = "each is to be (n_layers, n_words, hidden_size)"
        raise StoreError(f"has the shape {told}", where=where, hint=hint)
    if shape is not None and (told[0], told[2]) != shape:
        raise StoreError(
            f"has {told[0]} layers of {told[2]} numbers, the first has {shape[0]} of {shape[1]}",
            where=where,
        )
    return found


def _words(
    values: NDArray[Any], n_words: int, spans: Spans | None, where: str
) -> NDArray[np.floating]:
    """Give vectors of words (n_layers, n_words, hidden_size) from those of words or pieces."""
    if spans is not None:
        if any(not 0 <= start < stop <= values.shape[1] for start, stop in spans):
            raise StoreError(f"a word's pieces are not among {values.shape[1]}", where=where)
        means = [values[:, start:stop].mean(axis=1) for start, stop in spans]
        return np.stack(means, axis=1) if means else values[:, :0]
    if values.shape[1] != n_words:
        raise StoreError(
            f"has {values.shape[1]} vectors, the sentence has {n_words} words",
            where=where,
            hint="where these are vectors of pieces, say which are whose by pieces=",
        )
    return values

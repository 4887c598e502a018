"""Word vectors in the HDF5 layout of earlier research code: one dataset per sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.checksums import checksum
from structprobe.drafts import draft_path
from structprobe.encoder.subwords.sentences import SentenceLike
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import StoreError
from structprobe.output_paths import disk_hint
from structprobe.treebank.sentence import Sentence

LAYERS = "layers"
MAX_CLAIM = 2**24  # bytes that a dataset may have without so much in the file
CHECK = "checksum"  # of each dataset, and of the layers; other programs write none
INDEX = "sentence_to_index"  # in files of AllenNLP and NeuroX, as JSON

_SAME_HINT = "pass the sentences the file was made from, in the same order"

Spans = Sequence[tuple[int, int]]


def write_hdf5(bank: EncodedBank, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write word vectors in the format of earlier research code.

    Parameters
    ----------
    bank : EncodedBank
        The vectors.
    path : path
        The file. Each sentence is a dataset named by its index, from ``"0"``, of shape
        (n_layers, n_words, hidden_size), with a ``checksum`` of its values, which `read_hdf5`
        verifies; the attribute ``layers`` lists the layers, and has a checksum, too.
    force : bool, default False
        Whether to overwrite an existing file.

    Returns
    -------
    Path
        The path of the file.

    Raises
    ------
    StoreError
        If h5py is not installed, the file exists, or it cannot be written.
    """
    h5py, target = _h5py(), Path(path)
    if target.exists() and not force:
        raise StoreError(f"{target} already exists", hint="choose another file, or pass force=True")
    layers = [bank.layer(layer) for layer in bank.layers]
    try:
        with draft_path(target) as draft, h5py.File(draft, "w", locking=False) as file:
            file.attrs[LAYERS] = np.array(bank.layers, dtype=np.int64)
            file.attrs[CHECK] = _sum_up(file.attrs[LAYERS])
            for number in range(len(bank)):
                values = np.stack([one[number] for one in layers])
                own = file.create_dataset(str(number), data=values)
                own.attrs[CHECK] = _sum_up(values)
    except OSError as error:
        what = f"cannot write {target}: {error.strerror or error}"
        raise StoreError(what, hint=disk_hint(error) or None) from error
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
    """Read vectors in the format of earlier research code.

    These are the files of Hewitt & Manning's structural-probes, of AllenNLP's ``elmo`` command and
    of NeuroX: one dataset per sentence, named by its index or by its words joined by spaces. Other
    datasets are ignored, except for ``sentence_to_index``: the sentences are checked against it.

    Parameters
    ----------
    path : path
        A file as `write_hdf5` makes it, with or without its attribute; (n_layers, n_subwords,
        hidden_size) if `pieces` is given. A file of a single layer may leave out the first axis.
    sentences : sequence of Sentence or of sequences of str
        The sentences of the file, in the same order.
    layers : iterable of int, optional
        The layers to read; all by default.
    first_layer : int, default 0
        The first layer in a file that does not list its layers: 1 for files of BERT models without
        the embedding output.
    pieces : sequence of sequences of (int, int), optional
        For each word of each sentence, the range of its subwords (start, end), special tokens
        included; the vector of a word is the mean of its subwords (Hewitt & Manning 2019).
    origin : mapping, optional
        As for `EncodedBank`.

    Returns
    -------
    EncodedBank
        The word vectors.

    Raises
    ------
    StoreError
        If h5py is not installed, the file cannot be read, it does not match `sentences`, or it has
        no such layer.
    """
    h5py = _h5py()
    words = [one.words if isinstance(one, Sentence) else one for one in sentences]
    lengths = [*map(len, words)]
    if pieces is not None and [*map(len, pieces)] != lengths:
        raise StoreError("pieces must have one (start, end) for each word of each sentence")
    where = str(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise StoreError("is not a regular file", where=where)
    try:
        with h5py.File(path, "r") as file:
            names = _names(file, words, where)
            _verify(file, np.array(file.attrs.get(LAYERS, ()), np.int64), f"{where}, {LAYERS}")
            if not lengths:
                raise StoreError("has no sentences", where=where)
            if LAYERS not in file.attrs and CHECK in file[names[0]].attrs:
                hint = f"copy the attribute {LAYERS!r} of the file that it was written to"
                raise StoreError("does not say which layers it has", where=where, hint=hint)
            first = _dataset(file, names[0], None, where)
            rows = _rows(file, len(first), first_layer, layers, where)
            places, shape = [*rows.values()], (first.shape[0], first.shape[2])
            found: dict[int, list[NDArray[Any]]] = {layer: [] for layer in rows}
            for number, (name, n_words) in enumerate(zip(names, lengths, strict=True)):
                place = f"{where}, dataset {name}"
                whole = _dataset(file, name, shape, where)
                _verify(file[name], whole, place)
                values = whole[places]
                spans = None if pieces is None else pieces[number]
                for layer, one in zip(rows, _words(values, n_words, spans, place), strict=True):
                    found[layer].append(one)
    except StoreError:
        raise
    except Exception as error:  # for files that are damaged or lie, the library raises any
        what = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        raise StoreError(f"cannot be read: {what}", where=where) from error
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


def _sum_up(values: NDArray[Any]) -> NDArray[np.uint32]:
    """Give the checksum of values, wherever they are: a dataset may be copied to another file."""
    return checksum("", [values])


def _verify(told: Any, values: NDArray[Any], where: str) -> None:
    """Compare values with the checksum of their dataset or file, if it has one."""
    check = told.attrs.get(CHECK)
    if check is not None and check != _sum_up(values):
        hint = "write the file again"
        raise StoreError("was changed after it was written", where=where, hint=hint)


def _names(file: Any, sentences: Sequence[Sequence[str]], where: str) -> list[str]:
    """Give the name of each sentence's dataset: its index, or its words."""
    texts = [" ".join(" ".join(words).split()) for words in sentences]
    numbers = [str(number) for number in range(len(sentences))]
    n_numbered = sum(name.isdecimal() for name in file)
    if texts and not n_numbered and all(text in file for text in texts):
        return texts
    if n_numbered != len(numbers) or any(number not in file for number in numbers):
        what = f"has {n_numbered} datasets, but there are {len(numbers)} sentences"
        raise StoreError(what, where=where, hint=_SAME_HINT)
    if INDEX in file:
        known = {" ".join(text.split()): str(i) for text, i in _index(file[INDEX], where).items()}
        for number, text in enumerate(texts):
            # Of a sentence that occurs several times, the index has one number.
            at = known.get(text, "")
            if not at.isdecimal() or int(at) >= len(texts) or texts[int(at)] != text:
                what = (
                    f"sentence {number} (counted from 0), {text[:40]!r}, is not sentence {number} "
                )
                raise StoreError(f"{what}of {INDEX}", where=where, hint=_SAME_HINT)
    return numbers


def _index(dataset: Any, where: str) -> Mapping[str, object]:
    """Read the numbers of sentences by their words, which AllenNLP and NeuroX write as JSON."""
    try:
        _check_claims(dataset.parent, INDEX, where)
        found = json.loads(np.asarray(dataset[()]).ravel()[0])
    except (AttributeError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{INDEX} is not JSON: {error}", where=where) from error
    if not isinstance(found, dict):
        raise StoreError(f"{INDEX} is {type(found).__name__}, not a table", where=where)
    return found


def _rows(
    file: Any, n_layers: int, first: int, wanted: Iterable[int] | None, where: str
) -> dict[int, int]:
    """Give the index of each wanted layer in the datasets, ascending by layer."""
    numbers = [*map(int, file.attrs.get(LAYERS, range(first, first + n_layers)))]
    if len(numbers) != n_layers:
        raise StoreError(f"lists {len(numbers)} layers, but has {n_layers}", where=where)
    layers = sorted(set(numbers if wanted is None else map(int, wanted)))
    if unknown := [layer for layer in layers if layer not in numbers]:
        hint = f"available layers: {', '.join(map(str, numbers))}"
        raise StoreError(f"has no layer {unknown[0]}", where=where, hint=hint)
    return {layer: numbers.index(layer) for layer in layers}


def _dataset(
    file: Any, name: str, shape: tuple[int, int] | None, where: str
) -> NDArray[np.floating]:
    """Read the vectors of one sentence, with as many layers and the same width as the first."""
    # -> (n_layers, n_words, hidden_size)
    where = f"{where}, dataset {name}"
    told = getattr(file[name], "shape", None)
    if told is None or len(told) not in (2, 3):
        hint = "it must be (n_layers, n_words, hidden_size)"
        raise StoreError(f"has shape {told}", where=where, hint=hint)
    _check_claims(file, name, where)
    found: NDArray[np.floating] = file[name][()]
    if found.ndim == 2:
        found, told = found[None], (1, *told)
    if shape is not None and (told[0], told[2]) != shape:
        what = f"has {told[0]} layers of width {told[2]}"
        raise StoreError(f"{what}, but the first has {shape[0]} of width {shape[1]}", where=where)
    return found


def _check_claims(file: Any, name: str, where: str) -> None:
    """Refuse data that lies in other files, and shapes of much more than is there."""
    dataset = file[name]
    hard = type(file.get(name, getlink=True)).__name__ == "HardLink"
    if not hard or dataset.external or dataset.is_virtual:
        raise StoreError("is a link to other data", where=where, hint="copy the data into the file")
    if dataset.dtype.kind not in ("f" if name != INDEX else "OSU"):
        raise StoreError(f"has type {dataset.dtype}, not of real numbers", where=where)
    stored = dataset.id.get_storage_size()
    if dataset.size * dataset.dtype.itemsize > max(MAX_CLAIM, 100 * stored):
        raise StoreError(f"claims shape {dataset.shape}, but holds {stored:,} bytes", where=where)


def _words(
    values: NDArray[Any], n_words: int, spans: Spans | None, where: str
) -> NDArray[np.floating]:
    """Give vectors of words (n_layers, n_words, hidden_size) from those of words or subwords."""
    if spans is not None:
        if any(not 0 <= start < stop <= values.shape[1] for start, stop in spans):
            what = f"the subwords of a word are not within 0 to {values.shape[1]}"
            raise StoreError(what, where=where)
        means = [values[:, start:stop].mean(axis=1) for start, stop in spans]
        return np.stack(means, axis=1) if means else values[:, :0]
    if values.shape[1] != n_words:
        what = f"has {values.shape[1]} vectors, but the sentence has {n_words} words"
        hint = "if these are vectors of subwords, pass their words as pieces="
        raise StoreError(what, where=where, hint=hint)
    return values

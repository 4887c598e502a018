"""Prediction files: the predictions and gold trees of one run, as npz."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from structprobe.checksums import checksum
from structprobe.errors import ResultError, counted
from structprobe.scores.prediction import Prediction
from structprobe.stored_files import MAX_BYTES
from structprobe.treebank.sentence import Sentence

CHECK = "checksum"
MAX_SMALL = 2**26  # bytes that any archive may unpack to
DEFLATE = 1032  # times that it packs at most; regular distances come near


def predictions_to_bytes(
    sentences: Sequence[Sentence], predictions: Sequence[Prediction], key: str = ""
) -> bytes:
    """Write the predictions of a run as a compressed npz archive."""
    arrays: dict[str, NDArray[Any]] = {
        "offsets": np.cumsum([0, *map(len, sentences)], dtype=np.int64),
        "words": np.array([word for sentence in sentences for word in sentence.words], dtype=str),
        "heads": _flat([prediction.heads for prediction in predictions], np.int32),
    }
    for name in ("depths", "distances", "arc_scores", "deprels"):
        values = [getattr(prediction, name) for prediction in predictions]
        if any(value is None for value in values):
            continue
        if name == "deprels":
            arrays[name] = np.array([*chain.from_iterable(values)], dtype=str)
        elif name == "distances":
            arrays |= _flat_distances([np.asarray(value, np.float32) for value in values])
        else:
            arrays[name] = _flat(values, np.float32)
    if not all(prediction.as_tree for prediction in predictions):
        arrays["as_tree"] = np.array([prediction.as_tree for prediction in predictions])
    arrays |= _gold(sentences)
    # First: damage to an entry of the archive can hide those after it, but none before it.
    arrays = {CHECK: _sum_up(arrays, key), **arrays}
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)  # older NumPy takes allow_pickle for an array
    return archive.getvalue()


Predicted = tuple[tuple[str, ...], Prediction]  # Words, and what was predicted for them


def predictions_from_bytes(content: bytes, where: str, key: str = "") -> list[Predicted]:
    """Read the predictions that `predictions_to_bytes` wrote."""
    with _loaded(content, where, key) as arrays:
        words = (tuple(map(str, one)) for one in _cut(arrays["words"], arrays["offsets"][1:]))
        return [*zip(words, _predictions(arrays), strict=True)]


def sentences_from_bytes(content: bytes, where: str, key: str = "") -> list[Sentence]:
    """Read the sentences that `predictions_to_bytes` wrote."""
    with _loaded(content, where, key) as arrays:
        ends = arrays["offsets"][1:]
        columns: dict[str, list[Any]] = {"words": _cut(arrays["words"], ends)}
        for name in ("heads", *_COLUMNS):
            if f"gold_{name}" in arrays:
                columns[name] = _cut(arrays[f"gold_{name}"], ends)
        for name in {"words", *_COLUMNS} & columns.keys():
            columns[name] = [tuple(map(str, one)) for one in columns[name]]
        if "sent_ids" in arrays:
            columns["sent_id"] = [str(name) or None for name in arrays["sent_ids"]]
        rows = zip(*columns.values(), strict=True)
        return [Sentence(**dict(zip(columns, row, strict=True))) for row in rows]


_COLUMNS = ("deprels", "upos", "xpos")


def _gold(sentences: Sequence[Sentence]) -> dict[str, NDArray[Any]]:
    """Concatenate the gold columns that all sentences have."""
    arrays: dict[str, NDArray[Any]] = {}
    if all(sentence.heads is not None for sentence in sentences):
        arrays["gold_heads"] = _flat([sentence.heads for sentence in sentences], np.int32)
    for name in _COLUMNS:
        columns = [getattr(sentence, name) for sentence in sentences]
        if all(column is not None for column in columns):
            arrays[f"gold_{name}"] = np.array([*chain.from_iterable(columns)], dtype=str)
    if any(sentence.sent_id for sentence in sentences):
        arrays["sent_ids"] = np.array([sentence.sent_id or "" for sentence in sentences])
    return arrays


def _flat_distances(matrices: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Concatenate distances; symmetric ones with each pair of words once."""
    if all(np.array_equal(one, one.T) and not np.diag(one).any() for one in matrices):
        above = [one[np.triu_indices(len(one), 1)] for one in matrices]
        return {"pair_distances": _flat(above, np.float32)}
    return {"distances": _flat(matrices, np.float32)}


def _square(pairs: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Fill a symmetric matrix (n, n) from the values above its diagonal."""
    matrix = np.zeros((n, n), dtype=np.float32)
    matrix[np.triu_indices(n, 1)] = pairs
    return matrix + matrix.T


def _sum_up(arrays: Mapping[str, NDArray[Any]], key: str) -> NDArray[np.uint32]:
    """Give the checksum of the arrays of a run."""
    names = sorted(arrays.keys() - {CHECK})
    return checksum(f"{key} {names}", (arrays[name] for name in names))


@contextmanager
def _loaded(content: bytes, where: str, key: str) -> Iterator[dict[str, NDArray[Any]]]:
    """Load an archive, and report a damaged one in one line; older versions wrote no checksums."""
    hint = "remove it and the line of this run in rows.jsonl, and run the same command again"
    try:
        arrays = _arrays(content)
        if CHECK in arrays and not np.array_equal(arrays[CHECK], _sum_up(arrays, key)):
            what = "was changed after it was written, or is of another run"
            raise ResultError(what, where=where, hint=hint)
        _check_sizes(arrays)
        yield arrays
    except ResultError:
        raise
    except Exception as error:  # damaged archives raise errors of any type
        told = str(error)[:200] or type(error).__name__
        raise ResultError(f"not a predictions file: {told}", where=where, hint=hint) from error


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Read an archive; what its headers claim is compared with what there is before it is made."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked, packed = sum(one.file_size for one in archive.infolist()), len(content)
        if unpacked > max(MAX_SMALL, 100 * packed, min(DEFLATE * packed, MAX_BYTES)):
            raise ValueError(f"{packed:,} bytes that unpack to {unpacked:,}")
        return {
            name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()
        }


def _array(data: bytes) -> NDArray[Any]:
    """Read one array, of numbers or texts."""
    file = io.BytesIO(data)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = readers[npy.read_magic(file)](file)
    n_bytes = math.prod(shape) * dtype.itemsize
    if dtype.kind not in "iufbU" or not dtype.itemsize or n_bytes != len(data) - file.tell():
        raise ValueError(f"an array of {n_bytes:,} bytes of type {dtype} in {len(data):,} bytes")
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape).copy()


def _check_sizes(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse arrays that do not fit the sentences: views of too little would be made up."""
    offsets = arrays["offsets"]
    lengths = np.diff(offsets)
    if offsets.dtype.kind != "i" or offsets[:1].tolist() != [0] or (lengths < 0).any():
        raise ValueError("the offsets of sentences do not ascend from 0")
    n_words = int(offsets[-1])
    if "words" not in arrays or "heads" not in arrays or n_words != len(arrays["words"]):
        raise ValueError(f"the offsets end at {n_words:,}, not at the number of words")
    sizes = {"offsets": len(offsets), "as_tree": len(lengths), "sent_ids": len(lengths)}
    # Numbers of Python, which do not overflow.
    n = [*map(int, lengths)]
    sizes |= {
        "distances": sum(one**2 for one in n),
        "arc_scores": sum(one * (one + 1) for one in n),
    }
    sizes["pair_distances"] = sum(one * (one - 1) // 2 for one in n)
    kinds = {"words": "U", "deprels": "U", "gold_deprels": "U", "gold_upos": "U", "gold_xpos": "U"}
    kinds |= {"sent_ids": "U", "heads": "i", "gold_heads": "i", "offsets": "i", "as_tree": "b"}
    for name, array in arrays.items():
        if name == CHECK:
            continue
        wanted = (sizes.get(name, n_words),), kinds.get(name, "f")
        if (array.shape, array.dtype.kind) != wanted:
            what = f"{name} has shape {array.shape} and type {array.dtype}"
            raise ValueError(f"{what} for {counted(len(n), 'sentence')} of {n_words:,} words")


def _predictions(arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
    """Split concatenated arrays into sentences."""
    ends, lengths = arrays["offsets"][1:], np.diff(arrays["offsets"])
    depths: list[Any] = [None] * len(lengths)
    distances, arc_scores, deprels = list(depths), list(depths), list(depths)
    if "depths" in arrays:
        depths = _cut(arrays["depths"], ends)
    if "pair_distances" in arrays:
        flat = _cut(arrays["pair_distances"], np.cumsum(lengths * (lengths - 1) // 2))
        distances = [_square(pairs, n) for pairs, n in zip(flat, lengths, strict=True)]
    elif "distances" in arrays:
        flat = _cut(arrays["distances"], np.cumsum(lengths**2))
        distances = [matrix.reshape(n, n) for matrix, n in zip(flat, lengths, strict=True)]
    if "arc_scores" in arrays:
        flat = _cut(arrays["arc_scores"], np.cumsum(lengths * (lengths + 1)))
        arc_scores = [rows.reshape(n, n + 1) for rows, n in zip(flat, lengths, strict=True)]
    if "deprels" in arrays:
        deprels = [tuple(map(str, one)) for one in _cut(arrays["deprels"], ends)]
    as_tree = arrays.get("as_tree", np.ones(len(lengths), dtype=bool)).tolist()
    columns = _cut(arrays["heads"], ends), distances, depths, arc_scores, deprels, as_tree
    return [Prediction(*one) for one in zip(*columns, strict=True)]


def _cut(array: NDArray[Any], ends: NDArray[np.integer]) -> list[Any]:
    """Split an array after each sentence."""
    return np.split(array, ends)[:-1]


def _flat(arrays: Sequence[Any], dtype: type) -> NDArray[Any]:
    """Flatten and concatenate arrays."""
    return np.concatenate([np.empty(0), *(np.ravel(array) for array in arrays)]).astype(dtype)

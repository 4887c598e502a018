"""Prediction files: the predictions and gold trees of one run, as npz."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from structprobe.checksums import begin_sum, checksum, describe
from structprobe.errors import ResultError, counted
from structprobe.scores.prediction import Prediction
from structprobe.stored_files import MAX_BYTES
from structprobe.treebank.sentence import Sentence

CHECK = "checksum"
MAX_SMALL = 2**26  # bytes that any archive may unpack to
_AT_ONCE = 2**24  # bytes that are unpacked
MAX_PACKED = 2**32  # bytes of an archive
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
    names = sorted(arrays)
    check = checksum(_place(names, key), (arrays[name] for name in names))
    whole: dict[str, Any] = {CHECK: check, **arrays}
    archive = io.BytesIO()
    np.savez_compressed(archive, **whole)  # older NumPy takes allow_pickle for an array
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


def _place(names: Iterable[str], key: str) -> str:
    """Say what a checksum is of: the arrays of a run."""
    return f"{key} {sorted(names)}"


@contextmanager
def _loaded(content: bytes, where: str, key: str) -> Iterator[dict[str, NDArray[Any]]]:
    """Load an archive, and report a damaged one in one line; older versions wrote no checksums."""
    hint = "remove it and the line of this run in rows.jsonl, and run the same command again"
    try:
        arrays, found = _arrays(content, key)
        if CHECK in arrays and not np.array_equal(arrays.pop(CHECK), found):
            what = "was changed after it was written, or is of another run"
            raise ResultError(what, where=where, hint=hint)
        _check_sizes(arrays)
        yield arrays
    except ResultError:
        raise
    except Exception as error:  # damaged archives raise errors of any type
        told = str(error)[:200] or type(error).__name__
        raise ResultError(f"not a predictions file: {told}", where=where, hint=hint) from error


def _arrays(content: bytes, key: str) -> tuple[dict[str, NDArray[Any]], int]:
    """Read an archive, and sum it up; what it claims is compared with what there is before."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        heads = {
            one.filename.removesuffix(".npy"): _Head.of(archive, one) for one in archive.infolist()
        }
        packed, taken = len(content), sum(head.taken for head in heads.values())
        left = max(MAX_SMALL, 100 * packed, min(DEFLATE * packed, MAX_BYTES)) - taken
        if left < 0:
            raise ValueError(f"{packed:,} bytes that unpack to {taken:,}")
        names = sorted(heads.keys() - {CHECK})
        arrays, found = {}, begin_sum(_place(names, key))
        for name in names:
            found = zlib.crc32(describe(heads[name].dtype, heads[name].shape), found)
            arrays[name], found = heads[name].read(archive, left, found)
        if CHECK in heads:
            arrays[CHECK], _ = heads[CHECK].read(archive, left)
        return arrays, found


@dataclass(frozen=True)
class _Head:
    """What an archive claims of one of its arrays, of numbers or texts."""

    member: zipfile.ZipInfo
    start: int  # of the values, in bytes
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Self:
        """Read the header of an array."""
        with archive.open(member) as file:
            if npy.read_magic(file) != (1, 0):  # headers of others may be of any size
                raise ValueError("arrays of another version of NumPy's format")
            shape, _, dtype = npy.read_array_header_1_0(file)
            start = file.tell()
        n_bytes, there = math.prod(shape) * dtype.itemsize, member.file_size - start
        if dtype.kind not in "iufbU" or not 0 < dtype.itemsize <= _AT_ONCE or n_bytes != there:
            raise ValueError(f"an array of {n_bytes:,} bytes of type {dtype} in {there:,} bytes")
        return cls(member, start, shape, dtype)

    @property
    def taken(self) -> int:
        """The bytes that the array takes, without its texts."""
        return math.prod(self.shape) * (8 if self.dtype.kind == "U" else self.dtype.itemsize)

    def read(self, archive: zipfile.ZipFile, left: int, found: int = 0) -> tuple[NDArray[Any], int]:
        """Read the array by parts, with texts of at most so many characters, and sum it up."""
        # Texts are padded to the longest of them, which can take a hundred times what they do.
        texts: list[str] = []
        known: dict[str, str] = {}
        values = bytearray(0 if self.dtype.kind == "U" else self.taken)
        place = 0
        with archive.open(self.member) as file:
            file.read(self.start)
            while part := file.read(_AT_ONCE // self.dtype.itemsize * self.dtype.itemsize):
                found = zlib.crc32(part, found)
                if self.dtype.kind != "U":
                    values[place : place + len(part)] = part
                    place += len(part)
                    continue
                new = [
                    known.setdefault(one, one) for one in np.frombuffer(part, self.dtype).tolist()
                ]
                if sum(map(len, known)) > left:
                    raise ValueError(f"texts of more than {left:,} characters")
                texts += new
        if self.dtype.kind == "U":
            return np.array(texts, dtype=object).reshape(self.shape), found
        if place < len(values):
            raise ValueError(f"{place:,} of {len(values):,} bytes of an array")
        return np.frombuffer(values, self.dtype).reshape(self.shape), found


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
    texts = ("words", "deprels", "gold_deprels", "gold_upos", "gold_xpos", "sent_ids")
    kinds = dict.fromkeys(texts, "O") | dict.fromkeys(("heads", "gold_heads", "offsets"), "i")
    kinds["as_tree"] = "b"
    for name, array in arrays.items():
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

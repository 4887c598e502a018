"""A prediction file: words, heads, distances and depths of each sentence of one run, as npz."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ResultError
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence


def predictions_to_bytes(sentences: Sequence[Sentence], predictions: Sequence[Prediction]) -> bytes:
    """Write predictions as a compressed npz archive.

    Parameters
    ----------
    sentences : sequence of Sentence
        The sentences that were parsed.
    predictions : sequence of Prediction
        Their predictions; either all or none have distances, and likewise depths.

    Returns
    -------
    bytes
        The archive: ``offsets`` (n_sentences + 1,) counts words, ``words`` (n_words,) str,
        ``heads`` (n_words,) int32, ``depths`` (n_words,) float32, ``distances`` float32, each
        sentence's (n, n) matrix row by row behind the one before.
    """
    lengths = [len(sentence) for sentence in sentences]
    arrays: dict[str, NDArray[Any]] = {
        "offsets": np.cumsum([0, *lengths], dtype=np.int64),
        "words": np.array([word for sentence in sentences for word in sentence.words], dtype=str),
        "heads": _flat([prediction.heads for prediction in predictions], np.int32),
    }
    for name in ("distances", "depths"):
        values = [getattr(prediction, name) for prediction in predictions]
        if all(value is not None for value in values):
            arrays[name] = _flat(values, np.float32)
    archive = io.BytesIO()
    np.savez_compressed(archive, allow_pickle=False, **arrays)
    return archive.getvalue()


def predictions_from_bytes(content: bytes, where: str) -> list[tuple[tuple[str, ...], Prediction]]:
    """Read what `predictions_to_bytes` wrote.

    Parameters
    ----------
    content : bytes
        The archive.
    where : str
        Its path, for messages.

    Returns
    -------
    list of (tuple of str, Prediction)
        The words and the prediction of each sentence.

    Raises
    ------
    ResultError
        If the archive is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
        return _unpack(arrays)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ResultError(f"not a file of predictions: {error}", where=where) from error


def _unpack(arrays: dict[str, NDArray[Any]]) -> list[tuple[tuple[str, ...], Prediction]]:
    """Cut flat arrays into sentences."""
    ends = arrays["offsets"][1:]
    lengths = np.diff(arrays["offsets"])
    words, heads = _cut(arrays["words"], ends), _cut(arrays["heads"], ends)
    depths = distances = [None] * len(lengths)
    if "depths" in arrays:
        depths = _cut(arrays["depths"], ends)
    if "distances" in arrays:
        flat = _cut(arrays["distances"], np.cumsum(lengths**2))
        distances = [matrix.reshape(n, n) for matrix, n in zip(flat, lengths, strict=True)]
    return [
        (tuple(map(str, words[i])), Prediction(heads[i], distances[i], depths[i]))
        for i in range(len(lengths))
    ]


def _cut(array: NDArray[Any], ends: NDArray[np.integer]) -> list[Any]:
    """Cut a flat array behind each sentence."""
    return np.split(array, ends)[:-1]


def _flat(arrays: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Lay arrays out flat, one behind the other."""
    return np.concatenate([np.empty(0), *(np.ravel(array) for array in arrays)]).astype(dtype)

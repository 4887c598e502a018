"""What is looked at while vectors are made: values that are not finite, and enormous norms."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.encoder.sentences import SpacedWords
from structprobe.errors import EncoderError

OUTLIER_FACTOR = 20.0

_logger = logging.getLogger(__name__)


def refuse_non_finite(
    vectors: Mapping[int, NDArray[np.floating]], sentences: Sequence[SpacedWords]
) -> None:
    """Refuse vectors with values that are infinite or no numbers.

    Parameters
    ----------
    vectors : mapping of int to ndarray, shape (n_words, hidden_size)
        The vectors of each layer, sentence after sentence.
    sentences : sequence of SpacedWords
        The sentences.

    Raises
    ------
    EncoderError
        If there is such a value; names the first sentence and layer.
    """
    for layer in sorted(vectors):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(vectors[layer].sum()):  # a quick look: it misses nothing
                continue
        finite = np.isfinite(vectors[layer]).all(axis=1)  # (n_words,)
        if not finite.all():
            row = int(np.argmin(finite))
            ends = np.cumsum([len(sentence.words) for sentence in sentences])
            number = int(np.searchsorted(ends, row, side="right"))
            sentence = sentences[number]
            word = sentence.words[row - int(ends[number]) + len(sentence.words)]
            raise EncoderError(
                f"layer {layer}: the vector of word {word!r} is not finite",
                where=sentence.where,
                hint="the model overflows in this dtype; try dtype='float32' or 'bfloat16'",
            )


class NormWatch:
    """Count the pieces whose vectors are enormous beside the others of their layer.

    Decoders put a vector of enormous norm on the first token of a text; such vectors rule any
    loss that looks at lengths.
    """

    def __init__(self) -> None:
        self._norms: dict[int, list[NDArray[np.float32]]] = {}

    def add(self, layer: int, norms: torch.Tensor) -> None:
        """Note the norms of some pieces.

        Parameters
        ----------
        layer : int
            The layer.
        norms : Tensor of float32, shape (n_pieces,)
            Norms of the vectors of pieces that words are made of.
        """
        self._norms.setdefault(layer, []).append(norms.cpu().numpy())

    def report(self) -> dict[int, int]:
        """Count the outliers, and log a line for each layer that has any.

        Returns
        -------
        dict of int to int
            For each layer the number of positions whose norm is beyond `OUTLIER_FACTOR` times
            the layer's median.
        """
        counts = {}
        for layer, parts in sorted(self._norms.items()):
            norms = np.concatenate(parts)
            median, largest = float(np.median(norms)), float(norms.max())
            counts[layer] = int((norms > OUTLIER_FACTOR * median).sum())
            if counts[layer]:
                _logger.warning(
                    "layer %d: %d of %d positions have a norm beyond %g times the median "
                    "(%.4g, largest %.4g)",
                    *(layer, counts[layer], len(norms), OUTLIER_FACTOR, median, largest),
                )
        return counts

"""Checks of tokens and vectors: unknown to the model, not finite, of extreme norm."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.errors import EncoderError, Hint
from structprobe.models.inside.edits import is_edited
from structprobe.models.loading import LoadedModel

OUTLIER_FACTOR = 20.0
_BEYOND_FLOAT16 = 65_520  # the least number that float16 rounds to infinity
_DROPPED = 12  # the last of the 32 bits of a float are ignored
_N_BINS = 1 << 31 - _DROPPED  # a norm has no sign

_logger = logging.getLogger(__name__)


def check_numbers(max_unknown: Any, batch_tokens: Any) -> None:
    """Refuse numbers out of range, and what is no number."""
    if not (isinstance(max_unknown, Real) and 0 <= float(max_unknown) <= 1):
        raise EncoderError(f"max_unknown must be a share from 0 to 1, got {max_unknown!r}")
    if batch_tokens is not None and not isinstance(batch_tokens, Integral):
        raise EncoderError(f"batch_tokens must be a whole number, got {batch_tokens!r}")
    if batch_tokens is not None and batch_tokens < 1:
        raise EncoderError(f"batch_tokens must be at least 1, got {batch_tokens}")


def refuse_non_finite(
    vectors: Mapping[int, NDArray[np.floating]], sentences: Sequence[SpacedWords]
) -> None:
    """Raise an error for vectors with infinite or NaN values."""
    # vectors (n_words, hidden_size)
    for layer in sorted(vectors):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(vectors[layer].sum()):  # a quick test that misses nothing
                continue
        finite = np.isfinite(vectors[layer]).all(axis=1)  # (n_words,)
        if not finite.all():
            word, where = _word(sentences, int(np.argmin(finite)))
            raise overflow(f"layer {layer}: the vector of word {word!r}", where)


def refuse_beyond_float16(
    vectors: Mapping[int, NDArray[np.floating]], sentences: Sequence[SpacedWords]
) -> None:
    """Raise an error for values that would be infinite in float16."""
    # vectors (n_words, hidden_size)
    for layer in sorted(vectors):
        largest = np.abs(vectors[layer]).max(axis=1, initial=0)  # (n_words,)
        if largest.max(initial=0) >= _BEYOND_FLOAT16:
            number = int(largest.argmax())
            word, where = _word(sentences, number)
            what = f"layer {layer}: the vector of word {word!r} has the value {largest[number]:.4g}"
            shell = "use --store-dtype float32, or encode other layers"
            hint = Hint("use store_dtype='float32', or encode other layers", shell=shell)
            raise EncoderError(f"{what}, which float16 cannot hold", where=where, hint=hint)


def _word(sentences: Sequence[SpacedWords], number: int) -> tuple[str, str]:
    """Give a word by its number in a batch, and where it is."""
    return [(word, one.where) for one in sentences for word in one.words][number]


def refuse_foreign_tokens(
    loaded: LoadedModel, pieces: Sequence[Pieces], sentences: Sequence[SpacedWords]
) -> None:
    """Raise an error for tokens of the tokenizer that the model does not have."""
    for one, sentence in zip(pieces, sentences, strict=True):
        if loaded.n_tokens is not None and one.ids.max(initial=0) >= loaded.n_tokens:
            place = int(one.ids.argmax())
            words = one.links[one.links[:, 0] == place, 1]
            word = f"word {sentence.words[words[0]]!r} has" if words.size else "a space has"
            token = loaded.tokenizer.convert_ids_to_tokens(int(one.ids[place]))
            raise EncoderError(
                f"{word} the token {token!r} (number {one.ids[place]}), but {loaded.name!r} has "
                f"only tokens 0 to {loaded.n_tokens - 1}",
                where=sentence.where,
                hint="does the tokenizer belong to the model?",
            )


def overflow(what: str, where: str) -> EncoderError:
    """Make the error for what a model computed as infinite or NaN."""
    hint = "its weights are not, or it overflows in this dtype; try dtype='float32' or 'bfloat16'"
    return EncoderError(f"{what} is not finite", where=where, hint=hint)


class NormWatch:
    """Count the subwords with vectors of extreme norm in their layer."""

    def __init__(self) -> None:
        self._counts: dict[int, NDArray[np.uint32]] = {}  # by layer, counts per bin
        self._largest: dict[int, float] = {}

    def add(self, layer: int, norms: torch.Tensor) -> None:
        """Add the norms of some subwords."""
        values = norms.cpu().numpy()  # (n_pieces,)
        counts = self._counts.setdefault(layer, np.zeros(_N_BINS, np.uint32))
        np.add.at(counts, _bins(values), np.uint32(1))  # of their type: 25 times as fast
        self._largest[layer] = max(self._largest.get(layer, 0.0), float(values.max(initial=0)))

    def report(self) -> dict[int, int]:
        """Count the outliers, and log a warning for each layer that has any."""
        outliers = {}
        for layer, counts in sorted(self._counts.items()):
            up_to = np.cumsum(counts, dtype=np.int64)  # norms in each bin and those below
            n_norms = int(up_to[-1])
            median = _middle(int(np.searchsorted(up_to, (n_norms + 1) // 2)))
            (limit,) = _bins(np.array([OUTLIER_FACTOR * median], np.float32))
            outliers[layer] = n_norms - int(up_to[limit])
            if outliers[layer] and not is_edited():  # told of the untouched model
                _logger.warning(
                    "layer %d: %d of %d positions have a norm above %g times the median "
                    "(%.3g, largest %.4g)",
                    *(layer, outliers[layer], n_norms, OUTLIER_FACTOR, median),
                    self._largest[layer],
                )
        return outliers


def _bins(norms: NDArray[np.float32]) -> NDArray[np.intp]:
    """Give the bins of norms: the exponent and the first 11 binary digits of the fraction."""
    bits = np.abs(norms).view(np.uint32)  # abs, since a NaN may have a sign
    return (bits >> _DROPPED).astype(np.intp)


def _middle(number: int) -> float:
    """Give the norm in the middle of a bin."""
    bits = (number << _DROPPED) + (1 << _DROPPED - 1)
    return float(np.uint32(bits).view(np.float32))

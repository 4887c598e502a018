"""Whether the vectors of words depend on the words that follow, found by encoding prefixes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from structprobe.encoder.encoder import unwatched
from structprobe.models.trial import TOLERANCES
from structprobe.treebank.disturb import beginning
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.models.limits import Layers

N_SENTENCES = 8
# Relative to the largest value of a sentence, as for texts in other batches: by the type that the
# model runs in, and that its vectors are stored in.
_TOLERANCES = {str(dtype).removeprefix("torch."): one for dtype, one in TOLERANCES.items()}


def find_later_words(
    encoder: Encoder, sentences: Sequence[Sentence], *, layers: Layers = None
) -> str | None:
    """Say where vectors depend on the words that follow; None if they do not.

    A few of the sentences are encoded, the longest among them, and their beginnings. Vectors change
    if the model is not causal, if it reads a long sentence in windows, or if the tokenizer splits a
    word by what comes behind it.
    """
    chosen = _some([one for one in sentences if len(one) > 1])
    if not chosen:
        return None
    cuts = [sorted({1, len(one) // 2, len(one) - 1}) for one in chosen]
    parts = [beginning(one, k) for one, own in zip(chosen, cuts, strict=True) for k in own]
    bank = unwatched(encoder).encode([*chosen, *parts], layers=layers, progress=False)
    worst, told = 0.0, None
    for layer in bank.layers:
        vectors = bank.layer(layer)
        kinds = (str(bank.origin.get("dtype", "float32")), vectors.values.dtype.name)
        tolerance = max(_TOLERANCES.get(kind, 0.0) for kind in kinds)
        place = len(chosen)
        for number, own in enumerate(cuts):
            whole = np.asarray(vectors[number], dtype=np.float64)  # (n, hidden_size)
            largest = float(np.abs(whole).max()) or 1.0
            for k in own:
                gaps = np.abs(vectors[place] - whole[:k]).max(axis=1) / largest  # (k,)
                place += 1
                if gaps.max() > max(tolerance, worst):
                    worst, word = float(gaps.max()), int(gaps.argmax())
                    told = (
                        f"layer {layer}: the vector of word {word + 1}, "
                        f"{chosen[number].words[word]!r}, changes by {100 * worst:.3g}% of the "
                        f"largest value with the words that follow ({chosen[number].where})"
                    )
    return told


def _some(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Choose sentences of all lengths, evenly, the longest among them."""
    in_order = sorted(sentences, key=len)
    places = np.linspace(len(in_order) - 1, 0, min(N_SENTENCES, len(in_order)))
    return [in_order[int(place)] for place in places]

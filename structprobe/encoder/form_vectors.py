"""One vector for each form of a word, whatever the sentence in which it stands."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.encoder import Encoder
from structprobe.treebank.sentence import Sentence


class FormVectors:
    """The words of many sentences, each with the vector of its form.

    A form's vector is in memory once, however many words have it.

    Parameters
    ----------
    values : ndarray of float32, shape (n_forms, hidden_size)
        The vector of each form.
    numbers : sequence of ndarray of int, each (n_words,)
        The form of each word of each sentence, from 0.
    """

    def __init__(self, values: NDArray[np.float32], numbers: Sequence[NDArray[np.integer]]) -> None:
        self.values, self.numbers = values, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, sentence: int) -> NDArray[np.float32]:
        """Give the vectors of one sentence's words, shape (n_words, hidden_size)."""
        return self.values[self.numbers[sentence]]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many words have each form, shape (n_forms,)."""
        return np.bincount(np.concatenate(self.numbers), minlength=len(self.values))


def form_vectors(
    encoder: Encoder,
    sentences: Sequence[Sentence],
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> FormVectors:
    """Read the form of each word away from its sentence, at layer 0.

    Layer 0 of many models knows where in the sentence a word stands, and with what pieces it
    begins there. Here each form, as it is written, is read once, in a text of its own, so that
    its vector tells of nothing but the form, and forms that no training sentence has are no case
    apart. The text is the form twice, and the vector that of the second: many tokenizers cut the
    first word of a text otherwise than a word behind a space.

    Parameters
    ----------
    encoder : Encoder
        The model.
    sentences : sequence of Sentence
        At least one.
    cache : path, optional
        A folder for the vectors.
    progress : bool, optional
        Whether to draw a bar on stderr; by default where that is a terminal.

    Returns
    -------
    FormVectors
        A vector for each word.

    Raises
    ------
    EncoderError
        If a vector is not finite or a form yields no piece.
    StoreError
        If the cache folder is not ours, damaged, or the disk is full.
    """
    forms = sorted({word for sentence in sentences for word in sentence.words})
    number = {form: place for place, form in enumerate(forms)}
    twice = [(form, form) for form in forms]
    bank = encoder.encode(twice, layers=0, cache=cache, progress=progress)
    values = bank.layer(0).values[1::2].astype(np.float32)  # (n_forms, hidden_size)
    return FormVectors(
        values, [np.array([number[word] for word in one.words]) for one in sentences]
    )

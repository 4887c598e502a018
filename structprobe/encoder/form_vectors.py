"""One vector per word form, independent of the sentence, and the main axes of such vectors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.encoder.encoder import Encoder, unwatched
from structprobe.encoder.vectors import EncodedBank
from structprobe.treebank.sentence import Sentence


@dataclass(frozen=True, eq=False)
class FormVectors:
    """The words of many sentences with the vector of their form, each stored once."""

    values: NDArray[np.float32]  # (n_forms, hidden_size)
    numbers: Sequence[NDArray[np.integer]]  # (n_words,): the form of each word

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, sentence: int) -> NDArray[np.float32]:
        """Give the vectors of one sentence's words, shape (n_words, hidden_size)."""
        vectors: NDArray[np.float32] = self.values[self.numbers[sentence]]
        return vectors

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of words with each form, shape (n_forms,)."""
        return np.bincount(np.concatenate(self.numbers), minlength=len(self.values))

    def main_axes(self, n_axes: int) -> tuple[Tensor, Tensor]:
        """Find the mean of all words and their main axes, scaled to equal variance."""
        # -> (hidden_size,), (hidden_size, n_axes)
        values = torch.from_numpy(self.values).double()  # (n_forms, hidden_size)
        shares = torch.from_numpy(self.counts / self.counts.sum())  # (n_forms,)
        mean = shares @ values
        centred = (values - mean) * shares.sqrt()[:, None]
        variances, directions = torch.linalg.eigh(centred.T @ centred)  # the largest last
        # Rounding errors between identical words are not a variance.
        kept = variances > 1e-12 * (shares @ values.square()).sum()
        axes = (directions[:, kept] / variances[kept].sqrt())[:, -n_axes:]
        return mean.float(), axes.float() / max(1, axes.shape[1]) ** 0.5


def form_vectors(
    encoder: Encoder,
    sentences: Sequence[Sentence],
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> FormVectors:
    """Encode the form of each word without its sentence, at layer 0."""
    forms = sorted({word for sentence in sentences for word in sentence.words})
    number = {form: place for place, form in enumerate(forms)}
    twice = [(form, form) for form in forms]
    bank = unwatched(encoder).encode(twice, layers=0, cache=cache, progress=progress)
    values = bank.layer(0).values[1::2].astype(np.float32)  # (n_forms, hidden_size)
    return FormVectors(values, [np.array([number[w] for w in one.words]) for one in sentences])


class TypeEncoder:
    """Encodes each word as the mean vector of its form at layer 0, over the given sentences.

    A form that they lack has the mean of all forms. All else is as for the encoder.
    """

    def __init__(
        self,
        encoder: Encoder,
        sentences: Sequence[Sentence],
        *,
        cache: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> None:
        self.encoder = encoder
        bank = encoder.encode(sentences, layers=0, cache=cache, progress=progress)
        forms = dict.fromkeys(word for sentence in sentences for word in sentence.words)
        self._numbers = {form: number for number, form in enumerate(forms)}
        sums = np.zeros((len(forms), bank.layer(0).hidden_size))
        counts = np.zeros(len(forms))
        for sentence, vectors in zip(sentences, bank.layer(0), strict=True):
            numbers = self._numbers_of(sentence)
            np.add.at(sums, numbers, vectors)
            np.add.at(counts, numbers, 1)
        means = sums / counts[:, None]
        # Last: what other forms have.
        self._values = np.vstack([means, means.mean(axis=0)]).astype(np.float32)
        # Vectors of another origin than the encoder's: a probe on these refuses those.
        digest = hashlib.sha256(self._values.tobytes()).hexdigest()[:16]
        told = {"model": f"{bank.origin.get('model')} (type vectors)"}
        told["fingerprint"] = f"{bank.origin.get('fingerprint')}-{digest}"
        self._origin = {**bank.origin, **told}

    def __getattr__(self, name: str) -> Any:
        if name == "encoder":  # while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self.encoder, name)

    def encode(self, sentences: Sequence[Sentence], **_: object) -> EncodedBank:
        """Give the words of sentences the vectors of their forms, as layer 0."""
        numbers = [self._numbers_of(sentence) for sentence in sentences]
        offsets = np.cumsum([0, *map(len, numbers)])
        flat = np.concatenate([np.empty(0, np.int64), *numbers])
        return EncodedBank({0: self._values[flat]}, offsets, self._origin)

    def _numbers_of(self, sentence: Sentence) -> NDArray[np.int64]:
        # -> (n_words,)
        other = len(self._numbers)
        return np.array([self._numbers.get(word, other) for word in sentence.words], np.int64)

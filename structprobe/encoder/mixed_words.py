"""Layer 0 with the words of a sentence mixed without training: the floors Decay0 and Proj0.

Hewitt and Manning 2019, A Structural Probe for Finding Syntax in Word Representations, section 3.2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.encoder.encoder import Encoder
from structprobe.encoder.vectors import EncodedBank
from structprobe.treebank.sentence import Sentence

_AT_ONCE = 64  # sentences


class DecayEncoder:
    """Encodes each word as a mean of its sentence's at layer 0; one d words away weighs 1 / 2^d."""

    mark = "decay0"

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def __getattr__(self, name: str) -> Any:
        if name == "encoder":  # while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self.encoder, name)

    def encode(
        self,
        sentences: Sequence[Sentence],
        *,
        cache: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
        **_: object,
    ) -> EncodedBank:
        """Give the words of sentences their vectors, as layer 0."""
        bank = self.encoder.encode(sentences, layers=0, cache=cache, progress=progress)
        plain = [np.asarray(one, np.float32) for one in bank.layer(0)]
        # Vectors of another origin than the encoder's: a probe on these refuses those.
        told = {"model": f"{bank.origin.get('model')} ({self.mark})"}
        told["fingerprint"] = f"{bank.origin.get('fingerprint')}-{self.mark}"
        values = np.concatenate([*self._mixed(plain)])
        return EncodedBank({0: values}, bank.offsets, {**bank.origin, **told})

    def _mixed(self, plain: list[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Mix the vectors of each sentence, (n_words, hidden_size) each."""
        for vectors in plain:
            place = np.arange(len(vectors))
            weights = 0.5 ** np.abs(np.subtract.outer(place, place))  # (n_words, n_words)
            yield ((weights / weights.sum(axis=1, keepdims=True)) @ vectors).astype(np.float32)


class ProjEncoder(DecayEncoder):
    """Encodes each word by a BiLSTM with random weights over its sentence at layer 0."""

    def __init__(self, encoder: Encoder, random_state: int = 0) -> None:
        super().__init__(encoder)
        size = encoder.hidden_size
        self.mark = f"proj0, seed {random_state}"
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(random_state)
            half = size - size // 2
            self._lstm = torch.nn.LSTM(size, half, batch_first=True, bidirectional=True)

    @torch.no_grad()
    def _mixed(self, plain: list[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        from torch.nn.utils.rnn import pack_sequence, unpack_sequence

        for first in range(0, len(plain), _AT_ONCE):
            batch = [torch.from_numpy(one.copy()) for one in plain[first : first + _AT_ONCE]]
            found, _ = self._lstm(pack_sequence(batch, enforce_sorted=False))
            # Of an odd width, the last axis is one too many.
            size = batch[0].shape[1]
            yield from (one[:, :size].numpy() for one in unpack_sequence(found))

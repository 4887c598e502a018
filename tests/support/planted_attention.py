"""A stand-in for `WordAttentions` whose heads do what is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from structprobe.attention.word_attentions import AttentionBatch


def plant(monkeypatch, before: tuple[int, ...] = (0,)) -> list[int]:
    """Let `analyse_heads` read planted attention; gives the sizes of the treebanks it reads.

    Layer 1: head 1 looks at special tokens, head 2 at the word before (the first at itself). Layer
    2: head 1 at the gold head (the root at itself), head 2 evenly at all words.
    """
    read: list[int] = []

    class PlantedAttentions:
        n_layers = n_heads = 2
        layers = (1, 2)

        def __init__(self, encoder) -> None:
            self.encoder = SimpleNamespace(surroundings=SimpleNamespace(before=before))

        def read(self, sentences, *, progress=None):
            read.append(len(sentences))
            for number in reversed(range(len(sentences))):
                yield _batch(number, sentences[number].heads)

    monkeypatch.setattr("structprobe.experiments.heads.WordAttentions", PlantedAttentions)
    return read


def _batch(number: int, heads: np.ndarray) -> AttentionBatch:
    n = len(heads)
    words = np.arange(n)
    weights = np.zeros((1, 2, 2, n, n), dtype=np.float32)
    weights[0, 0, 1, words, np.maximum(words - 1, 0)] = 1
    weights[0, 1, 0, words, np.where(heads > 0, heads - 1, words)] = 1
    weights[0, 1, 1] = 1 / n
    special = np.zeros((1, 2, 2, n), dtype=np.float32)
    special[0, 0, 0] = 1
    return AttentionBatch(np.array([number]), np.array([n]), weights, special, special / 2)

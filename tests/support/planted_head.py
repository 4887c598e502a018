"""Attention that is known: read from given matrices, or planted into the weights of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from support.tiny_checkpoints import SPECIAL, make_tokenizer
from transformers import BertConfig, BertModel

from structprobe import Encoder, Sentence, Treebank
from structprobe.attention.word_attentions import AttentionBatch
from structprobe.recoverers.random_tree import random_heads


class GivenAttentions:
    """Stands in for `WordAttentions`; `weights` has (n_layers, n_heads, n, n) for each sentence."""

    def __init__(self, weights: Sequence[np.ndarray], batch_size: int = 3, **options: Any) -> None:
        self.weights, self.batch_size, self.options = weights, batch_size, options
        self.n_layers, self.n_heads = weights[0].shape[:2]
        self.layers = tuple(range(1, self.n_layers + 1))

    def read(self, sentences: Any, **_: Any) -> Iterator[AttentionBatch]:
        assert len(sentences) == len(self.weights)
        lengths = np.array([one.shape[-1] for one in self.weights])
        order = np.argsort(-lengths, kind="stable")
        for start in range(0, len(order), self.batch_size):
            some = order[start : start + self.batch_size]
            n = lengths[some].max()
            padded = np.zeros((len(some), self.n_layers, self.n_heads, n, n), dtype=np.float32)
            for row, number in enumerate(some):
                padded[row, ..., : lengths[number], : lengths[number]] = self.weights[number]
            rest = 1 - padded.sum(axis=-1)
            yield AttentionBatch(some, lengths[some], padded, rest, rest, **self.options)


LONGEST = 8
PLANTED = {"layer": 2, "head": 2}


def planted_encoder() -> Encoder:
    """A BERT whose layer 2, head 2 attends from each word of `planted_bank` to its gold head.

    A word spells its place and its head's. Both are axes of its vector: the head's asks, the
    place's answers. All other heads attend to everything alike, and no layer adds anything.
    """
    words = [f"w{i}h{head}" for i in range(1, LONGEST + 1) for head in range(LONGEST + 1)]
    tokenizer = make_tokenizer([*words, "."])
    width, half = 4 * LONGEST, 2 * LONGEST
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=4, max_position_embeddings=16, pad_token_id=1,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm.weight" not in name:
                parameter.zero_()
        vectors = model.embeddings.word_embeddings.weight
        vectors[:, [width - 2, width - 1]] = (
            1.0  # two ones in every vector, so that all are as long
        )
        for place in range(1, LONGEST + 1):
            for head in range(LONGEST + 1):
                row = vectors[tokenizer.convert_tokens_to_ids(f"w{place}h{head}")]
                row.zero_()
                row[place - 1] = 1.0
                row[LONGEST + head - 1 if head else width - 3] = 1.0
        for layer in model.encoder.layer:
            layer.attention.self.is_causal = False  # as newer versions of transformers say
        attention = model.encoder.layer[1].attention.self
        for axis in range(LONGEST):  # the second head has the second half of the outputs
            attention.query.weight[half + axis, LONGEST + axis] = 8.0
            attention.key.weight[half + axis, axis] = 1.0
    assert len(SPECIAL) + len(words) < len(tokenizer)
    return Encoder(model, tokenizer=tokenizer, batch_tokens=50)


def planted_bank(n: int = 20, seed: int = 0) -> Treebank:
    """Random trees over words that spell them; some leaves and, rarely, inner nodes are PUNCT."""
    generator = np.random.default_rng(seed)
    sentences = []
    for _ in range(n):
        heads = random_heads(int(generator.integers(1, LONGEST + 1)), generator)
        words = tuple(f"w{i}h{head}" for i, head in enumerate(heads, start=1))
        upos = tuple(generator.choice(["X", "X", "X", "PUNCT"], size=len(heads)))
        sentences.append(Sentence(words, heads, upos=upos))
    return Treebank(sentences)

"""Layer 0 mixed without training: Decay0 by slow sums, Proj0 by a BiLSTM run word by word."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from support.models import tiny_model, wordpiece

from structprobe.encoder import Encoder
from structprobe.encoder.mixed_words import DecayEncoder, ProjEncoder
from structprobe.treebank import Sentence

SENTENCES = [
    Sentence(("the", "dog", "that", "chased", "the", "cat")),
    Sentence(("The", "unbelievable", "dog")),
    Sentence(("cat",)),
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    cutter = wordpiece()
    return Encoder(tiny_model("bert", cutter), tokenizer=cutter)


def test_a_word_that_is_d_words_away_weighs_half_to_the_d(encoder: Encoder) -> None:
    plain = encoder.encode(SENTENCES, layers=0, progress=False).layer(0)
    found = DecayEncoder(encoder).encode(SENTENCES, layers=(0,), progress=False)
    for vectors, mixed in zip(plain, found.layer(0), strict=True):
        for at, word in enumerate(mixed):
            weights = [0.5 ** abs(at - other) for other in range(len(vectors))]
            mean = sum(w * one for w, one in zip(weights, vectors, strict=True)) / sum(weights)
            np.testing.assert_allclose(word, mean, atol=1e-6)
    np.testing.assert_allclose(found.layer(0)[2], plain[2], atol=1e-6)


def test_the_bilstm_reads_from_both_sides(encoder: Encoder) -> None:
    mixed = ProjEncoder(encoder, 3)
    plain = encoder.encode(SENTENCES, layers=0, progress=False).layer(0)
    found = mixed.encode(SENTENCES, progress=False).layer(0)
    assert found.hidden_size == encoder.hidden_size
    for vectors, own in zip(plain, found, strict=True):
        with torch.no_grad():
            alone, _ = mixed._lstm(torch.from_numpy(np.array(vectors))[None])
        np.testing.assert_allclose(own, alone[0].numpy(), atol=1e-6)
    half = encoder.hidden_size // 2
    longer = Sentence((*SENTENCES[1].words, "cat"))
    ahead, whole = mixed.encode([SENTENCES[1], longer], progress=False).layer(0)
    np.testing.assert_allclose(ahead[:, :half], whole[:3, :half], atol=1e-6)  # from the left
    assert np.abs(ahead[:, half:] - whole[:3, half:]).max() > 1e-3  # from the right


def test_weights_are_those_of_the_seed_and_of_no_other(encoder: Encoder) -> None:
    state = torch.get_rng_state()
    first, again, other = (
        ProjEncoder(encoder, seed).encode(SENTENCES, progress=False) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.layer(0).values, again.layer(0).values)
    assert np.abs(first.layer(0).values - other.layer(0).values).max() > 1e-3
    assert torch.equal(torch.get_rng_state(), state)
    assert first.origin == again.origin != other.origin
    assert first.origin["model"].endswith("(proj0, seed 0)")


@pytest.mark.parametrize("kind", [DecayEncoder, ProjEncoder])
def test_all_else_is_as_for_the_encoder(encoder: Encoder, kind: type) -> None:
    mixed = kind(encoder)
    assert mixed.hidden_size == encoder.hidden_size
    copied = pickle.loads(pickle.dumps(mixed))
    vectors = (one.encode(SENTENCES, progress=False).layer(0).values for one in (mixed, copied))
    np.testing.assert_array_equal(next(vectors), next(vectors))

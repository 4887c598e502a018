"""The vectors of forms: the same in every sentence, and those of layer 0 where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.models import gpt2_bpe, tiny_model, wordpiece

from structprobe.encoder import Encoder
from structprobe.encoder.form_vectors import TypeEncoder, form_vectors
from structprobe.errors import EncoderError
from structprobe.treebank import Sentence

SENTENCES = [
    Sentence(("the", "dog", "that", "chased", "the", "cat")),
    Sentence(("The", "unbelievable", "dog")),
]


def tiny_encoder(kind: str) -> Encoder:
    cutter = {"bert": wordpiece, "gpt2": gpt2_bpe}[kind]()
    return Encoder(tiny_model(kind, cutter), tokenizer=cutter)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_word_has_the_vector_of_its_form_read_behind_itself(kind: str) -> None:
    encoder = tiny_encoder(kind)
    vectors = form_vectors(encoder, SENTENCES, progress=False)
    assert len(vectors) == 2
    for number, sentence in enumerate(SENTENCES):
        for place, word in enumerate(sentence.words):
            wanted = encoder.encode([[word, word]], layers=0, progress=False).layer(0)[0][1]
            np.testing.assert_allclose(vectors[number][place], wanted, atol=1e-6)
    assert vectors.counts.sum() == 9
    assert sorted(vectors.counts) == [1, 1, 1, 1, 1, 2, 2]  # "dog" and "the" twice, "The" once


def test_neither_the_place_nor_the_neighbours_are_in_it() -> None:
    encoder = tiny_encoder("bert")
    layer = encoder.encode(SENTENCES, layers=0, progress=False).layer(0)
    assert np.abs(layer[0][0] - layer[0][4]).max() > 0.01  # "the" in two places
    vectors = form_vectors(encoder, SENTENCES, progress=False)
    np.testing.assert_array_equal(vectors[0][0], vectors[0][4])
    np.testing.assert_allclose(
        form_vectors(encoder, SENTENCES[1:], progress=False)[0][2], vectors[0][1], atol=1e-6
    )


def test_a_vector_that_is_no_number_is_refused() -> None:
    encoder = tiny_encoder("bert")
    with torch.no_grad():
        encoder.loaded.model.get_input_embeddings().weight.fill_(torch.nan)
    with pytest.raises(EncoderError, match="not finite"):
        form_vectors(encoder, SENTENCES, progress=False)


def test_a_type_has_the_mean_of_its_words_wherever_it_stands() -> None:
    encoder = tiny_encoder("bert")
    layer = encoder.encode(SENTENCES, layers=0, progress=False).layer(0)
    types = TypeEncoder(encoder, SENTENCES, progress=False)
    new = [Sentence(("cat", "the", "zebra")), Sentence(("the",)), Sentence(("The", "Zebra"))]
    vectors = types.encode(new, layers=(0,), progress=False).layer(0)
    assert [len(one) for one in vectors] == [3, 1, 2]
    np.testing.assert_allclose(vectors[0][1], (layer[0][0] + layer[0][4]) / 2, atol=1e-6)
    np.testing.assert_array_equal(vectors[0][1], vectors[1][0])
    np.testing.assert_allclose(vectors[0][0], layer[0][5], atol=1e-6)
    np.testing.assert_allclose(vectors[2][0], layer[1][0], atol=1e-6)
    known = types.encode(SENTENCES).layer(0)
    forms = [known[0][place] for place in range(4)] + [known[0][5], known[1][0], known[1][1]]
    np.testing.assert_allclose(vectors[0][2], np.mean(forms, axis=0), atol=1e-6)
    np.testing.assert_array_equal(vectors[0][2], vectors[2][1])
    assert types.hidden_size == encoder.hidden_size
    again = TypeEncoder(encoder, SENTENCES, progress=False).encode(new).origin
    assert types.encode(new).origin == again
    assert again["fingerprint"] != encoder.fingerprint
    assert len(types.encode([])) == 0

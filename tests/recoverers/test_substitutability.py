"""Substitutability against attention in one sentence at a time, and what it chooses and refuses."""

from __future__ import annotations

import numpy as np
import pytest
from support.masked_model import trained_bank, trained_encoder
from support.models import tiny_model, wordpiece

from structprobe import Encoder, Treebank, WordAttentions
from structprobe.errors import EncoderError, ProbeError
from structprobe.masking.substitutes import Substitutes
from structprobe.recoverers.substitutability import Substitutability
from structprobe.scores import score
from structprobe.treebank import Sentence

SOME = trained_bank()[:8]


def slow_closeness(encoder: Encoder, words: list[str], k: int, layer: int) -> np.ndarray:
    """The score of each pair of words, from one sentence at a time."""
    reader = WordAttentions(encoder, special="renormalise")

    def attention(some: list[str]) -> np.ndarray:
        (batch,) = reader.read([some], progress=False)
        return batch.weights[0, layer].mean(axis=0)  # (n, n)

    n, scores = len(words), np.zeros((len(words), len(words)))
    (substitutes,) = Substitutes(encoder, k).find([words], progress=False) if k else [[[]] * n]
    for i in range(n):
        variants = [words, *([*words[:i], one, *words[i + 1 :]] for one in substitutes[i])]
        scores[i] = np.mean([attention(one)[:, i] for one in variants], axis=0)
    return np.maximum(scores, scores.T)


@pytest.mark.parametrize("k", [0, 2])
def test_trees_are_those_of_attention_to_substituted_words(k: int) -> None:
    encoder = trained_encoder()
    found = Substitutability(encoder, k=k, layer=1, progress=False).predict(SOME)
    for one, words in zip(found, (list(one.words) for one in SOME), strict=True):
        closeness = slow_closeness(encoder, words, k, 0)
        others = ~np.eye(len(words), dtype=bool)
        wanted = np.where(others, closeness[others].max() - closeness, 0)
        np.testing.assert_allclose(one.distances, wanted, atol=1e-5)
        assert one.heads.argmin() == one.depths.argmin()


def test_substitutes_matter() -> None:
    encoder = trained_encoder()
    several, alone = (Substitutability(encoder, k=k, layer=1).predict(SOME) for k in (5, 0))
    assert not np.allclose(several[0].distances, alone[0].distances, atol=1e-2)


def test_the_layer_is_chosen_on_dev() -> None:
    cutter = wordpiece()
    encoder = Encoder(tiny_model("bert", cutter), tokenizer=cutter)
    bank = Treebank(SOME)
    method = Substitutability(encoder, k=0, progress=False)
    assert not method.is_fitted
    method.fit([], bank)
    assert list(method.curve_) == [1, 2, 3]
    for layer, uuas in method.curve_.items():
        trees = Substitutability(encoder, k=0, layer=layer, progress=False).predict(bank)
        assert score(bank, trees).uuas == uuas
    assert method.curve_[method.chosen_["layer"]] == max(method.curve_.values())
    assert Substitutability(encoder, k=0, progress=False).fit(bank).curve_ == method.curve_


def test_names_and_long_sentences() -> None:
    encoder = trained_encoder()
    assert Substitutability(encoder).name == "substitutability"
    method = Substitutability(encoder, k=2, layer=1, limit=6, progress=False)
    assert method.name == "substitutability[k=2,layer=1,limit=6]"
    short, long = Sentence(("the", "aunt", "smiles")), SOME[0]
    found = method.fit([]).predict([short, long])
    assert found[1].heads.tolist() == list(range(7))
    assert found[0].distances is not None
    told = "linear chain for 1 of 2 sentences, with more than 6 words"
    assert method.chosen_ == {"layer": 1, "choice": told}
    assert method.predict([]) == []
    method = Substitutability(encoder, k=2, layer=1, progress=False)
    beyond = Sentence(("the",) * 30)
    assert method.predict([beyond])[0].heads.tolist() == list(range(30))
    assert method.chosen_["choice"].endswith("1 of 1 sentences, too long for the model")


@pytest.mark.parametrize("k", [0, 1])
def test_unknown_words_are_told_once(k: int, caplog: pytest.LogCaptureFixture) -> None:
    # In as many sentences as are not read together.
    bank = [
        Sentence(("the", "aunt", "of", "zyx", "smiles", *("the",) * (i % 5))) for i in range(70)
    ]
    encoder = trained_encoder()
    Substitutability(encoder, k=k, layer=1, progress=False).predict(bank)
    (told,) = [record.getMessage() for record in caplog.records]
    assert "70 of 490 words (14.3%) are unknown to the tokenizer" in told


def test_faults() -> None:
    cutter = wordpiece()
    bare = Encoder(tiny_model("bert", cutter), tokenizer=cutter)
    with pytest.raises(EncoderError, match=r"has no head .*, which substitution needs; load a"):
        Substitutability(bare)
    with pytest.raises(ProbeError, match="k must be at least 0 substitutes, got -1"):
        Substitutability(bare, k=-1)
    with pytest.raises(ProbeError, match="limit must be at least 1 word, got 0"):
        Substitutability(bare, limit=0)
    with pytest.raises(EncoderError, match=r"layer 4 has no .*; choose one of the layers 1, 2, 3"):
        Substitutability(bare, k=0, layer=4)
    with pytest.raises(ProbeError, match="no layer can be chosen: the dev set has no edges"):
        Substitutability(bare, k=0, progress=False).fit([], [Sentence(("x",), heads=[0])])

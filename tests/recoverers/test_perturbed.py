"""Perturbed masking as a recoverer: hand-made impacts with known trees, and what it looks at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.models import gpt2_bpe, tiny_model, wordpiece
from support.tree_cases import all_trees

from structprobe.encoder import Encoder
from structprobe.errors import EncoderError, ProbeError
from structprobe.experiments.compare import settings_of
from structprobe.masking.impacts import MaskedImpacts
from structprobe.recoverers.base import MethodContext
from structprobe.recoverers.methods import Method
from structprobe.recoverers.perturbed import Perturbed
from structprobe.scores import score
from structprobe.treebank import Sentence, Treebank

SENTENCES = [
    Sentence(("the", "dog", "ran", "away", "."), heads=[2, 3, 0, 3, 3]),
    Sentence(("x",), heads=[0]),
    Sentence(("she", "saw", "him", "."), heads=[2, 0, 2, 2]),
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    cutter = wordpiece()
    return Encoder(tiny_model("bert", cutter), tokenizer=cutter)


def made(encoder: Encoder, name: str, **more: Any) -> Perturbed:
    return Perturbed.for_model(
        MethodContext(encoder, progress=False), **Perturbed.variants[name], **more
    )


def plant(monkeypatch: pytest.MonkeyPatch, impacts: list[Any]) -> None:
    """Let the model have these impacts."""
    matrices = [None if one is None else np.array(one, dtype=np.float32) for one in impacts]
    monkeypatch.setattr(MaskedImpacts, "recall", lambda *_: matrices)


IMPACTS = [[0, 9, 1, 8], [-1, 0, 2, 3], [5, 7, 0, 1], [2, 1, 7, 0]]


def test_every_decoder_finds_its_tree(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    # The column of word 2 sums to 17, that of word 4 to 12, of word 3 to 10 and of word 1 to 6.
    plant(monkeypatch, [IMPACTS])
    sentence = [Sentence(tuple("abcd"), heads=[3, 1, 0, 3])]
    (mst,) = made(encoder, "perturbed").predict(sentence)
    # Edges by mean impact: 1-4 (5), 2-3 (4.5), then 1-2 (4) before 3-4 (4): from word 2.
    assert mst.heads.tolist() == [2, 0, 2, 1]
    assert mst.distances.tolist() == [
        [0, 1, 2, 0], [1, 0, 0.5, 3], [2, 0.5, 0, 1], [0, 3, 1, 0]
    ]  # fmt: skip
    np.testing.assert_allclose(mst.depths, [-6 / 3, -17 / 3, -10 / 3, -12 / 3])
    # From word 2: 1 and 3 hang on it (9, 7), 4 on 3 (7); no arcs cross.
    for name in ("perturbed-cle", "perturbed-eisner"):
        (found,) = made(encoder, name).predict(sentence)
        assert found.heads.tolist() == [2, 0, 2, 3]
    # From the gold root 3: 1 on 2 (9), 4 on 3 (7), and 2 on 4 (3), which would cross the root's
    # arc, or on 3 (2).
    for name, heads in (
        ("perturbed-cle-gold-root", [2, 4, 0, 3]),
        ("perturbed-eisner-gold-root", [2, 3, 0, 3]),
    ):
        (found,) = made(encoder, name).predict(sentence)
        assert found.heads.tolist() == heads
        assert found.depths is None


def best_tree(impacts: Any, root: int) -> list[int]:
    """The tree of the greatest sum of impacts, of all there are."""
    trees = [one for one in all_trees(len(impacts)).tolist() if one[root - 1] == 0]
    sums = [
        sum(impacts[word][head - 1] for word, head in enumerate(tree) if head) for tree in trees
    ]
    return trees[int(np.argmax(sums))]


def test_decoders_find_the_best_of_all_trees(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        impacts = generator.normal(size=(4, 4))
        np.fill_diagonal(impacts, 0)
        plant(monkeypatch, [impacts])
        root = int(impacts.sum(axis=0).argmax()) + 1
        (cle,) = made(encoder, "perturbed-cle").predict([Sentence(tuple("abcd"))])
        assert cle.heads.tolist() == best_tree(impacts, root)
        (mst,) = made(encoder, "perturbed").predict([Sentence(tuple("abcd"))])
        assert mst.heads.tolist() == best_tree((impacts + impacts.T) / 2, root)


def test_eisner_lets_no_arcs_cross(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1 moves 3 most and 2 moves 4 most: arcs that cross. Word 2 moves the others most.
    impacts = [[0, 3, 0, 0], [0, 0, 0, 0], [9, 1, 0, 0], [0, 9, 2, 0]]
    plant(monkeypatch, [impacts])
    sentence = [Sentence(tuple("abcd"))]
    assert made(encoder, "perturbed-cle").predict(sentence)[0].heads.tolist() == [2, 0, 1, 2]
    assert made(encoder, "perturbed-eisner").predict(sentence)[0].heads.tolist() == [2, 0, 2, 2]


def test_words_that_do_not_count_are_left_out_before_decoding(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The comma (2) moves all; without it 1 and 3 are joined.
    impacts = [[0, 9, 1], [0, 0, 0], [2, 9, 0]]
    plant(monkeypatch, [impacts])
    gold = [Sentence(tuple("a,b"), heads=[3, 3, 0], upos=("NOUN", "PUNCT", "VERB"))]
    for name, uuas in (("perturbed", 1), ("perturbed-cle", 1), ("perturbed-eisner", 0)):
        assert score(gold, made(encoder, name).predict(gold)).uuas == uuas


def test_variants_go_by_their_names(encoder: Encoder) -> None:
    for name, told in Perturbed.variants.items():
        if told.get("measure") == "probability":
            with pytest.raises(EncoderError, match="no head"):
                made(encoder, name)
            continue
        recoverer = made(encoder, name)
        assert (recoverer.name, recoverer.uses_gold) == (name, name.endswith("gold-root"))
        assert recoverer.fit(SENTENCES) is recoverer
        assert recoverer.chosen_ == {"layer": 3}


def test_a_weight_prefers_short_arcs(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, [IMPACTS])
    sentence = [Sentence(tuple("abcd"))]
    (usual,) = made(encoder, "perturbed").predict(sentence)
    (none,) = made(encoder, "perturbed", near=0.0).predict(sentence)
    np.testing.assert_array_equal(none.distances, usual.distances)
    # The mean absolute impact is 47 / 12; lengths 2 and 3 cost its product with their logarithms.
    (some,) = made(encoder, "perturbed", near=0.5).predict(sentence)
    cost = 0.5 * 47 / 12 * np.log([1, 2, 3])
    close = np.array(
        [4 - cost[0], 3 - cost[1], 5 - cost[2], 4.5 - cost[0], 2 - cost[1], 4 - cost[0]]
    )
    np.testing.assert_allclose(
        some.distances[np.triu_indices(4, 1)], close.max() - close, rtol=1e-6
    )
    np.testing.assert_array_equal(some.depths, usual.depths)
    # 1-4 (5 before, 2.9 after) gives way to 1-2 and 3-4.
    assert usual.heads.tolist() == [2, 0, 2, 1]
    assert some.heads.tolist() == [2, 0, 2, 3]
    for name in ("perturbed", "perturbed-cle", "perturbed-eisner"):
        (chain,) = made(encoder, name, near=100.0).predict(sentence)
        assert chain.heads.tolist() == [2, 0, 2, 3]
    monkeypatch.undo()
    (one,) = made(encoder, "perturbed", near=1.0).predict([Sentence(("x",))])
    assert one.heads.tolist() == [0]


def test_what_differs_is_in_the_name(encoder: Encoder) -> None:
    given = [{}, {"near": 0.5}, {"near": 2.0}, {"layer": 1}, {"layer": 2, "limit": 9}]
    names = [Perturbed(encoder, **one).name for one in given]
    assert names == [
        "perturbed", "perturbed[near=0.5]", "perturbed[near=2.0]", "perturbed[layer=1]",
        "perturbed[layer=2,limit=9]",
    ]  # fmt: skip
    method = Perturbed(encoder, decoder="cle", unmasked=True, root="gold", near=1.0)
    assert method.name == "perturbed-cle-unmasked-gold-root[near=1.0]"
    plain = settings_of(Method("perturbed", Perturbed, given=Perturbed(encoder)))
    assert sorted(plain) == ["decoder", "encoder", "reader", "uses_gold"]  # as in earlier keys


def test_a_word_left_unmasked(encoder: Encoder) -> None:
    found = made(encoder, "perturbed-unmasked").predict(SENTENCES)
    impacts = MaskedImpacts(encoder, unmasked=True).recall(SENTENCES)
    for one, matrix in zip(found, impacts, strict=True):
        influence = matrix.sum(axis=0, dtype=np.float64) / max(1, len(matrix) - 1)
        np.testing.assert_allclose(one.depths, -influence)


def test_impacts_of_a_model_decoded(encoder: Encoder) -> None:
    predictions = made(encoder, "perturbed").predict(SENTENCES)
    impacts = MaskedImpacts(encoder).recall(SENTENCES)
    for one, matrix in zip(predictions, impacts, strict=True):
        n = len(matrix)
        close = (matrix + matrix.T) / 2
        for i in range(n):
            for j in range(n):
                wanted = 0 if i == j else close[~np.eye(n, dtype=bool)].max() - close[i, j]
                assert one.distances[i, j] == pytest.approx(wanted, abs=1e-5)
    assert predictions[1].heads.tolist() == [0]


def test_gold_is_looked_at_only_where_it_is_said(encoder: Encoder) -> None:
    other = [
        replace(one, heads=np.roll(np.arange(len(one)), 1) + 0 if len(one) > 1 else [0])
        for one in SENTENCES
    ]
    bare = list(Treebank.from_words([one.words for one in SENTENCES]))
    for name in ("perturbed", "perturbed-cle", "perturbed-eisner"):
        wanted = made(encoder, name).predict(SENTENCES)
        for changed in (bare, other):
            found = made(encoder, name).predict(changed)
            for mine, theirs in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(mine.heads, theirs.heads)
    for name in ("perturbed-cle-gold-root", "perturbed-eisner-gold-root"):
        for one, found in zip(SENTENCES, made(encoder, name).predict(SENTENCES), strict=True):
            assert found.heads.tolist().index(0) == one.heads.tolist().index(0)
        with pytest.raises(
            ProbeError, match=f"{name} uses the gold root, but the sentence has none"
        ):
            made(encoder, name).predict(bare)


def test_sentences_beyond_the_limit_get_the_chain(encoder: Encoder) -> None:
    recoverer = made(encoder, "perturbed", limit=4)
    assert recoverer.chosen_["choice"] == "linear chain for sentences with more than 4 words"
    predictions = recoverer.predict(SENTENCES)
    assert predictions[0].heads.tolist() == [0, 1, 2, 3, 4]
    told = "linear chain for 1 of 3 sentences, with more than 4 words"
    assert recoverer.chosen_ == {"layer": 3, "choice": told}
    within = made(encoder, "perturbed").predict(SENTENCES)
    np.testing.assert_array_equal(predictions[2].heads, within[2].heads)
    long = [*SENTENCES, Sentence(("x",) * 63)]
    recoverer = made(encoder, "perturbed")
    assert recoverer.predict(long)[3].heads.tolist() == list(range(63))
    told = "linear chain for 1 of 4 sentences, too long for the model"
    assert recoverer.chosen_["choice"] == told
    recoverer.predict(SENTENCES)  # all of which the model takes
    assert recoverer.chosen_ == {"layer": 3}
    assert recoverer.predict([]) == []


def test_faults(encoder: Encoder) -> None:
    with pytest.raises(ProbeError, match=r"unknown decoder 'prim'.*'mst', 'cle', 'eisner'"):
        Perturbed(encoder, decoder="prim")
    with pytest.raises(ProbeError, match=r"unknown root 'golden'.*'impact', 'gold'"):
        Perturbed(encoder, root="golden")
    for near in (-1.0, np.inf, np.nan):
        with pytest.raises(ProbeError, match=r"near must be a finite number of at least 0, got"):
            Perturbed(encoder, near=near)
    with pytest.raises(EncoderError, match="of a masked word, so it cannot be unmasked"):
        made(encoder, "perturbed-unmasked", measure="pmi")
    cutter = gpt2_bpe()
    with pytest.raises(EncoderError, match="no mask token"):
        made(Encoder(tiny_model("gpt2", cutter), tokenizer=cutter), "perturbed")

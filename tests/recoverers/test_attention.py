"""Trees from single attention heads: by hand, slowly, planted, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from support.models import TOKENIZERS, tiny_model
from support.planted_head import PLANTED, GivenAttentions, planted_bank, planted_encoder
from support.tiny_checkpoints import ARCHITECTURES, make_model, make_tokenizer
from support.tiny_trees import tiny_bank
from support.tree_cases import all_trees

from structprobe import Encoder, NotFittedError, Sentence, Treebank, score
from structprobe.attention.word_attentions import WordAttentions
from structprobe.errors import EncoderError, ProbeError, ScoreError
from structprobe.recoverers.attention_head import AttentionHead
from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.recoverers.base import MethodContext

VARIANTS = [
    pytest.param(cls, told, id=name)
    for cls in (AttentionMax, AttentionMST)
    for name, told in cls.variants.items()
]
DEV, TEST = tiny_bank(seed=1), tiny_bank(14, seed=2)
MODELS = [("bert", "wordpiece"), ("llama", "llama_bpe")]


def make_encoder(model: str, tokenizer: str, positions: int = 64) -> Encoder:
    cutter = TOKENIZERS[tokenizer]()
    return Encoder(tiny_model(model, cutter, positions=positions), tokenizer=cutter)


@pytest.fixture(scope="module", params=MODELS, ids=lambda names: names[0])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    """A model that reads both sides, and a causal one; both cut long sentences into windows."""
    return make_encoder(*request.param, positions=9)


@pytest.mark.slow
@pytest.mark.parametrize("punct", ["upos", "keep"])
@pytest.mark.parametrize(("cls", "told"), VARIANTS)
def test_every_head_has_the_score_of_its_predictions(
    cls: type[AttentionHead], told: dict[str, Any], punct: str, encoder: Encoder
) -> None:
    fitted = cls(encoder, punct=punct, progress=False, **told).fit([], DEV)
    for layer, head in product(range(1, 4), range(1, 5)):
        one = cls(encoder, layer=layer, head=head, progress=False, **told)
        scores = score(DEV, one.predict(DEV), punct=punct)
        assert scores.uuas == fitted.dev_uuas_[layer - 1, head - 1]
    assert fitted.dev_uuas_.max() == fitted.dev_uuas_[
        fitted.chosen_["layer"] - 1, fitted.chosen_["head"] - 1
    ]  # fmt: skip
    chosen = score(DEV, fitted.predict(DEV), punct=punct)
    assert chosen.uuas == fitted.dev_uuas_.max() > fitted.dev_uuas_.min()
    assert fitted.best_heads_.tolist() == (1 + fitted.dev_uuas_.argmax(axis=1)).tolist()


@pytest.mark.parametrize(("cls", "told"), VARIANTS)
def test_predictions_one_arc_at_a_time(
    cls: type[AttentionHead], told: dict[str, Any], encoder: Encoder
) -> None:
    method = cls(encoder, layer=2, head=3, progress=False, **told)
    bank = Treebank(one for one in TEST if len(one) <= 6)
    for sentence, found in zip(bank, method.predict(bank), strict=True):
        n, weights, special = len(sentence), *_attention(encoder, sentence, told)
        root = int(np.argmin(sentence.heads)) + 1 if "gold_root" in told else None
        if cls is AttentionMax:
            if told.get("direction") == "from":
                weights = weights.T
            for word in range(1, n + 1):
                best, most = (0 if word == root else word), 0.0
                for other in range(1, n + 1):
                    weight = weights[word - 1, other - 1]
                    if other != word and weight > most and word != root:
                        best, most = other, weight
                assert found.heads[word - 1] == best
        else:
            trees = all_trees(n)
            if root is not None:
                trees = trees[trees[:, root - 1] == 0]
            at_root = special if told.get("special") == "keep" else np.zeros(n)
            arcs = np.column_stack([at_root, weights])
            totals = arcs[np.arange(n), trees].sum(axis=1)
            assert arcs[np.arange(n), found.heads].sum() == pytest.approx(totals.max(), abs=1e-6)
            assert found.heads.tolist() in trees.tolist()


def _attention(
    encoder: Encoder, sentence: Sentence, told: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Layer 2, head 3 of one sentence, read by itself with all options left alone."""
    (batch,) = WordAttentions(encoder).read([sentence.words], progress=False)
    weights, special = batch.weights[0, 1, 2].astype(float), batch.special[0, 1, 2].astype(float)
    n = len(weights)
    if told.get("special") == "renormalise":
        weights = np.array([row / row.sum() for row in weights])
    if told.get("symmetrised"):
        both = [[weights[i, j] + weights[j, i] for j in range(n)] for i in range(n)]
        weights = np.array(both)
    return weights, special


@pytest.mark.parametrize(("cls", "told"), VARIANTS)
def test_gold_has_no_part_unless_told(
    cls: type[AttentionHead], told: dict[str, Any], encoder: Encoder
) -> None:
    method = cls(encoder, layer=1, head=1, progress=False, **told)
    assert method.uses_gold == ("gold_root" in told)
    generator = np.random.default_rng(0)
    turned = Treebank(
        Sentence(one.words, _renamed(one.heads, generator.permutation(len(one)))) for one in TEST
    )
    known, found = method.predict(TEST), method.predict(turned)
    same = [np.array_equal(a.heads, b.heads) for a, b in zip(known, found, strict=True)]
    assert all(same) != method.uses_gold
    if method.uses_gold:
        assert score(TEST, known, punct="keep").root_acc == 1.0
        return
    bare = method.predict(Treebank.from_words([one.words for one in TEST]))
    for a, b, c in zip(known, found, bare, strict=True):
        assert np.array_equal(a.heads, c.heads)
        assert np.array_equal(a.arc_scores, b.arc_scores)
        assert np.array_equal(a.arc_scores, c.arc_scores)


def _renamed(heads: Any, order: np.ndarray) -> np.ndarray:
    """The same tree with its words in another order."""
    place = np.append(0, np.argsort(order) + 1)
    return place[heads][order]


# `GivenAttentions` does not symmetrise.
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(
    ("cls", "told"), [one for one in VARIANTS if "symmetrised" not in one.values[1]]
)
def test_given_matrices_with_known_trees(
    cls: type[AttentionHead], told: dict[str, Any], batch_size: int
) -> None:
    bank = planted_bank()
    generator = np.random.default_rng(0)
    weights = []
    for sentence in bank:
        n = len(sentence)
        matrices = generator.random((2, 3, n, n)) * 0.1 / n
        for i, head in enumerate(sentence.heads):
            if head:
                matrices[1, 0, i, head - 1] += 0.8
        weights.append(matrices)
        if told.get("direction") == "from":
            matrices[1, 0] = matrices[1, 0].T
    method = cls(make_encoder(*MODELS[0]), progress=False, **told)
    kept = told.get("special") == "keep"
    method.attentions = GivenAttentions(weights, batch_size, special_kept=kept)
    method.fit(bank)
    scores = score(bank, method.predict(bank))
    assert method.chosen_ == {"layer": 2, "head": 1}
    assert method.dev_uuas_.shape == (2, 3)
    assert method.dev_uuas_[1, 0] == scores.uuas
    assert scores.uuas == 1.0
    if cls is AttentionMST:
        assert scores.uas == 1.0
        assert np.delete(method.dev_uuas_.ravel(), 3).max() < 0.9


# The head that is planted attends to the head of a word; from it comes nothing.
@pytest.mark.parametrize(
    ("cls", "told"),
    [
        *(one for one in VARIANTS if one.values[0] is AttentionMST),
        (AttentionMax, {}),
        (AttentionMax, {"gold_root": True}),
    ],
)
def test_a_planted_model_scores_100(cls: type[AttentionHead], told: dict[str, Any]) -> None:
    encoder, dev, test = planted_encoder(), planted_bank(), planted_bank(30, seed=5)
    method = cls.for_model(MethodContext(encoder, progress=False), **told).fit([], dev)
    assert method.chosen_ == PLANTED
    assert method.dev_uuas_[1, 1] == 1.0
    assert np.delete(method.dev_uuas_.ravel(), 3).max() < 0.9
    scores = score(test, method.predict(test))
    assert scores.uuas == 1.0
    if cls is AttentionMST and "symmetrised" not in told:
        assert (scores.uas, scores.root_acc) == (1.0, score(test, _own(test)).root_acc)
    if cls is AttentionMax and not method.uses_gold:
        assert scores.root_acc is None
    np.testing.assert_array_equal(method.score_heads(dev), method.dev_uuas_)


def _own(bank: Treebank) -> Any:
    from structprobe import Prediction

    return [Prediction(one.heads) for one in bank]


def test_by_hand() -> None:
    # Word 1 attends to 2, 2 to 3, 3 to 2: max has a cycle and no root; the tree needs a root.
    matrix = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.0, 0.65, 0.35]])
    sentence = Sentence(("a", "b", "c"), [2, 3, 0])
    encoder = make_encoder(*MODELS[0])

    def heads(cls: type[AttentionHead], **told: Any) -> list[int]:
        method = cls(encoder, layer=1, head=1, progress=False, **told)
        method.attentions = GivenAttentions([matrix[None, None]])
        return method.predict([sentence])[0].heads.tolist()

    assert heads(AttentionMax) == [2, 3, 2]
    # Of those that attend to it: 1 has 2 (0.1), 2 has 3 (0.65, and not 1: 0.3), 3 has 2 (0.7).
    assert heads(AttentionMax, direction="from") == [2, 3, 2]
    assert heads(AttentionMax, gold_root=True) == [2, 3, 0]
    # Root 1 gives 0.1 + 0.65, root 2 gives 0.3 + 0.65, root 3 gives 0.3 + 0.7.
    assert heads(AttentionMST) == [2, 3, 0]
    sentence = Sentence(("a", "b", "c"), [0, 1, 2])
    # Told root 1: 0.1 + 0.65 is more than 0.7 + 0.0.
    assert heads(AttentionMST, gold_root=True) == [0, 1, 2]
    assert heads(AttentionMax, gold_root=True) == [0, 3, 2]


def test_no_attention_is_no_head() -> None:
    method = AttentionMax(make_encoder("llama", "llama_bpe"), layer=1, head=1, progress=False)
    first, *_ = method.predict([Sentence(("a", "dog", "ran"), [2, 3, 0])])
    assert first.heads[0] == 1  # nothing in front of it
    assert set(first.heads[1:]) <= {1, 2}
    one, *_ = method.predict([Sentence(("a",), [0])])
    assert one.heads.tolist() == [1]
    scores = score([Sentence(("a",), [0])], [one])
    assert (scores.uas, scores.root_acc) == (0.0, None)


def test_special_tokens_that_are_kept_may_take_most() -> None:
    method = AttentionMax(make_encoder(*MODELS[0]), layer=1, head=1, special="keep", progress=False)
    weights = np.array([[0.1, 0.3], [0.2, 0.3]])  # 0.6 and 0.5 are left to special tokens
    method.attentions = GivenAttentions([weights[None, None]], special_kept=True)
    (found,) = method.predict([Sentence(("a", "dog"), [2, 0])])
    assert found.heads.tolist() == [0, 0]
    assert method.name == "attention-max-special-kept"


def test_a_layer_or_a_head_may_be_named() -> None:
    encoder = make_encoder(*MODELS[0])
    every = AttentionMST(encoder, progress=False).fit(DEV)  # no dev: chosen on train
    for layer in range(1, 4):
        best = AttentionMST(encoder, layer=layer, progress=False).fit(DEV)
        assert best.chosen_ == {"layer": layer, "head": every.best_heads_[layer - 1]}
        np.testing.assert_array_equal(best.dev_uuas_, every.dev_uuas_)
    assert AttentionMST(encoder, layer=2, head=4, progress=False).fit(DEV).chosen_["head"] == 4
    for bad in ({"layer": 0}, {"layer": 4}, {"head": 5}, {"head": -1}):
        ((name, value),) = bad.items()
        highest = {"layer": 3, "head": 4}[name]
        told = f"(layer|attention head) {value}.*; choose a {name} from 1 to {highest}$"
        with pytest.raises(EncoderError, match=told):
            AttentionMST(encoder, **bad)


def test_names_go_by_the_options() -> None:
    encoder = make_encoder(*MODELS[0])
    for cls in (AttentionMax, AttentionMST):
        for name, told in cls.variants.items():
            assert cls(encoder, **told).name == name
            assert cls(encoder, **told).uses_gold == name.endswith("gold-root")


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = make_encoder(*MODELS[0])
    with pytest.raises(NotFittedError, match="'attention-mst' is not fitted"):
        AttentionMST(encoder).predict(DEV)
    with pytest.raises(EncoderError, match="unknown direction 'up'; choose from 'to', 'from'"):
        AttentionMax(encoder, direction="up")
    with pytest.raises(EncoderError, match="cannot be kept with direction='from'"):
        AttentionMax(encoder, direction="from", special="keep")
    told = AttentionMST(encoder, layer=1, head=1, gold_root=True, progress=False)
    with pytest.raises(ProbeError, match="attention-mst-gold-root uses the gold root, but"):
        told.predict([Sentence(("a",))])
    with pytest.raises(ScoreError, match="no gold edges between scored words"):
        AttentionMST(encoder, progress=False).fit([Sentence(("a",), [0])])
    assert told.predict([]) == []
    monkeypatch.setitem(
        ARCHITECTURES, "mamba", {"hidden_size": 8, "num_hidden_layers": 2, "state_size": 4}
    )
    blind = Encoder(make_model("mamba"), tokenizer=make_tokenizer())
    with pytest.raises(EncoderError, match="returns no attention"):
        AttentionMax.for_model(MethodContext(blind))

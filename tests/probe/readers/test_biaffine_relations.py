"""Biaffine relations: their form against loops, what they express, and what stays as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from structprobe import NotFittedError, Sentence
from structprobe.errors import ProbeError
from structprobe.probe.data.inputs import read_words
from structprobe.probe.readers import biaffine_scorers
from structprobe.probe.readers.biaffine_probe import BiaffineProbe, relations_of
from structprobe.probe.readers.biaffine_scorers import RelationScorer, relation_log_probabilities
from structprobe.probe.readers.head_choice import HeadBlock, head_loss
from structprobe.probe.readers.incremental_probe import IncrementalProbe
from structprobe.probe.readers.relation_reader import RelationReader
from structprobe.recoverers.random_tree import random_heads

WIDTH = 4


def planted(n: int = 150, seed: int = 0) -> tuple[list[np.ndarray], list[Sentence]]:
    """Random trees over random words; a relation says whether both words have the same sign."""
    rng = np.random.default_rng(seed)
    vectors, sentences = [], []
    for _ in range(n):
        heads = random_heads(int(rng.integers(3, 10)), rng)
        words = rng.normal(size=(len(heads), WIDTH))
        words[:, 0] = rng.choice([-1.0, 1.0], len(words))
        told = ["root" if head == 0 else "ab"[int(own[0] == words[head - 1, 0])]
                for own, head in zip(words, heads, strict=True)]  # fmt: skip
        vectors.append(words.astype(np.float32))
        sentences.append(Sentence(["w"] * len(heads), heads, told))
    return vectors, sentences


TRAIN, DEV, TEST = (planted(n, seed) for seed, n in enumerate((150, 30, 30)))


def make(**settings: Any) -> BiaffineProbe:
    told = {"relation_rank": 8, "relation_dropout": 0, "max_steps": 3, "random_state": 0}
    return BiaffineProbe(device="cpu", **told | settings)


def renamed(data: Any, names: Any) -> Any:
    """The same vectors and heads, with relations from a function of relation and head."""
    vectors, sentences = data
    return vectors, [
        Sentence(one.words, one.heads, [*map(names, one.deprels, one.heads)]) for one in sentences
    ]


def read_gold_arcs(probe: BiaffineProbe, data: Any) -> list[list[str]]:
    """The relations of gold arcs."""
    vectors, sentences = data
    scorer, heads = probe.relation_scorer_, [one.heads for one in sentences]
    assert scorer is not None
    assert probe.classes_ is not None
    chosen = relations_of(scorer, read_words(vectors), probe.basis_, heads)
    return [probe.classes_[own].tolist() for own, _ in chosen]


def test_scores_loss_and_gradient_against_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(biaffine_scorers, "CHUNK", 3)
    rng = np.random.default_rng(0)
    allowed = torch.tensor([[True, True, False], [True, False, True]])
    scorer = RelationScorer(WIDTH, 2, allowed, rng, dropout=0.0).double()
    with torch.no_grad():
        for one in (scorer.between, scorer.dependent_bias, scorer.head_bias):
            one += torch.from_numpy(rng.normal(size=one.shape))
    words = torch.from_numpy(rng.normal(size=(2, 4, WIDTH)))
    heads = torch.tensor([[2, 0, 2, 3], [0, 1, -1, -1]])
    gold = torch.tensor([[1, 2, 0, -1], [0, 1, -1, -1]])  # one word has none of the relations
    sums, found = [], scorer((words, heads))
    for s, i in [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]:
        head, logits = int(heads[s, i]), []
        d = [
            max(row @ words[s, i] + bias, torch.zeros(()).double())
            for row, bias in zip(scorer.to_dependent, scorer.dependent_bias, strict=True)
        ]
        h = list(scorer.root) if head == 0 else [
            max(row @ words[s, head - 1] + bias, torch.zeros(()).double())
            for row, bias in zip(scorer.to_head, scorer.head_bias, strict=True)
        ]  # fmt: skip
        for code in range(3):
            if allowed[int(head == 0), code]:
                logits.append(sum(
                    a * scorer.between[code, p, q] * b
                    for p, a in enumerate([*d, 1]) for q, b in enumerate([*h, 1])
                ))  # fmt: skip
                assert found[s, i, code].item() == pytest.approx(logits[-1].item(), rel=1e-9)
            else:
                logits.append(torch.tensor(-math.inf).double())
                assert found[s, i, code] == -math.inf
        if gold[s, i] >= 0:
            usable = torch.stack(logits)
            sums.append(usable.exp().sum().log() - usable[gold[s, i]])
    expected = torch.stack(sums).mean()
    loss = head_loss(scorer, [HeadBlock((words, heads), gold)], relation_log_probabilities)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    parameters = [*scorer.parameters()]
    pairs = (torch.autograd.grad(one, parameters) for one in (loss, expected))
    for mine, plain in zip(*pairs, strict=True):
        assert torch.isfinite(mine).all()
        torch.testing.assert_close(mine, plain)


def test_products_of_both_words_are_read_and_no_linear_map_reads_them() -> None:
    probe = make().fit(*TRAIN, dev=DEV).set_params(max_steps=200, learning_rate=0.02)
    found = read_gold_arcs(probe.fit_relations(*TRAIN, dev=DEV), TEST)
    gold = [one.deprels for one in TEST[1]]
    pairs = [pair for own in zip(found, gold, strict=True) for pair in zip(*own, strict=True)]
    assert np.mean([a == b for a, b in pairs]) > 0.97
    linear = RelationReader(max_steps=100, random_state=0, device="cpu").fit(*TRAIN, dev=DEV)
    assert linear.score(*TEST) < 0.7


def test_the_trees_stay_and_relations_can_follow_them() -> None:
    told = {"relation_dropout": 0.2, "dropout": 0.3}
    alone, both = make(**told).fit(*TRAIN, dev=DEV), make(**told, relations=True)
    both.fit(*TRAIN, dev=DEV)
    plain, labelled = alone.predictions(TEST[0]), both.predictions(TEST[0])
    later = alone.fit_relations(*TRAIN, dev=DEV).predictions(TEST[0])
    for one, other, third in zip(plain, labelled, later, strict=True):
        assert np.array_equal(one.heads, other.heads)
        assert np.array_equal(one.arc_scores, other.arc_scores)
        assert one.deprels is None
        assert other.deprels is not None
        assert other.deprels == third.deprels
        assert [name == "root" for name in other.deprels] == (other.heads == 0).tolist()
        assert other.deprel_probabilities is not None
        assert (other.deprel_probabilities[other.heads == 0] == 1).all()  # it has no other
        assert (other.deprel_probabilities >= 0.5).all()  # the better of two
        assert (other.deprel_probabilities[other.heads > 0] < 1).all()
    assert both.classes_ is not None
    assert both.classes_.tolist() == ["a", "b", "root"]
    assert both.relation_history_ == alone.relation_history_ != both.history_
    again = clone(both)
    assert again.get_params()["relations"]
    again.set_params(relations=False).fit(*TRAIN, dev=DEV)
    both.set_params(relations=False).fit(*TRAIN, dev=DEV)
    for one in (again, both):
        assert one.predictions(TEST[0])[0].deprels is None
        assert one.classes_ is None


def test_a_sentence_has_the_same_relations_alone() -> None:
    probe = make(relations=True, max_steps=20).fit(*TRAIN)  # with held-out sentences of train
    for vectors, one in zip(TEST[0], probe.predictions(TEST[0]), strict=True):
        (alone,) = probe.predictions([vectors])
        assert alone.deprels == one.deprels
        np.testing.assert_allclose(alone.deprel_probabilities, one.deprel_probabilities, rtol=1e-4)


def test_several_relations_of_the_root_stay_its_own() -> None:
    train, dev = (
        renamed(some, lambda name, head: ["exd", "pred"][head % 2] if name == "root" else name)
        for some in (TRAIN, DEV)
    )
    train[1][0] = Sentence(train[1][0].words, train[1][0].heads, [
        "pred" if head == 0 else name
        for name, head in zip(train[1][0].deprels, train[1][0].heads, strict=True)
    ])  # fmt: skip
    probe = make(relations=True).fit(*train, dev=dev)
    assert probe.classes_ is not None
    assert probe.classes_.tolist() == ["a", "b", "exd", "pred"]
    for one in probe.predictions(TEST[0]):
        assert one.deprels is not None
        told = [name in ("exd", "pred") for name in one.deprels]
        assert told == (one.heads == 0).tolist()


def test_subtypes_are_kept_if_asked_for() -> None:
    train, dev = (renamed(some, lambda name, _: f"{name}:x") for some in (TRAIN, DEV))
    both = [make(relations=True, subtypes=told).fit(*train, dev=dev) for told in (False, True)]
    assert [probe.classes_.tolist() for probe in both if probe.classes_ is not None] == [
        ["a", "b", "root"], ["a:x", "b:x", "root:x"],
    ]  # fmt: skip


def test_four_hundred_relations() -> None:
    names = iter([f"r{i}" for i in range(400)] * 9)
    X, y = renamed(TRAIN, lambda _, head: "root" if head == 0 else next(names))
    probe = make(relations=True, relation_rank=4).fit(X, y, dev=(X[:9], y[:9]))
    scorer = probe.relation_scorer_
    assert scorer is not None
    assert probe.classes_ is not None
    assert len(probe.classes_) == 401
    assert sum(one.numel() for one in scorer.parameters()) < 401 * 5 * 5 + 100  # linear in them
    assert {*(probe.predictions(X[:2])[0].deprels or ())} <= {*probe.classes_}


def test_relations_that_training_never_had() -> None:
    new = renamed(DEV, lambda name, head: "z" if name == "a" else name)
    probe = make(relations=True).fit(*TRAIN, dev=new)
    assert np.isfinite([one["dev_loss"] for one in probe.relation_history_ or ()]).all()
    assert probe.classes_ is not None
    assert probe.classes_.tolist() == ["a", "b", "root"]
    with pytest.raises(ProbeError, match="no relation of y_dev is in the training set"):
        make(relations=True).fit(*TRAIN, dev=renamed(DEV, lambda *_: "z"))


@pytest.mark.parametrize(
    ("changes", "names", "message"),
    [
        ({}, None, r"^y: no sentence has relations \(DEPREL is _ throughout, or only heads were"),
        ({}, "_", "^y: no sentence has relations .*; use a treebank with DEPREL, or a method wit"),
        ({"relations": 1}, "a", "relations must be True or False, got 1"),
        ({"subtypes": 1}, "a", "subtypes must be True or False, got 1"),
        ({"relation_dropout": 1}, "a", "relation_dropout must be at least 0 and below 1, got 1"),
        ({"relation_rank": 0}, "a", "relation_rank must be an integer from 1 to 128, got 0"),
    ],
)
def test_bad_input_is_named_before_training(
    changes: dict[str, Any], names: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BiaffineProbe, "_fit_relations", lambda *_: pytest.fail("trained"))
    X, y = TRAIN[0], [one.heads for one in TRAIN[1]]
    if names is not None:
        X, y = renamed(TRAIN, lambda *_: names)
    probe = make(**{"relations": True, **changes})
    with pytest.raises(ProbeError, match=message):
        probe.fit(X, y, dev=(X, y))
    assert not hasattr(probe, "scorer_")


def test_relations_need_the_fitted_trees_and_their_vectors() -> None:
    with pytest.raises(NotFittedError, match="this BiaffineProbe is not fitted; call fit first"):
        make().fit_relations(*TRAIN, dev=DEV)
    probe = make().fit(*TRAIN, dev=DEV)
    with pytest.raises(ProbeError, match=r"X has width 2, but the probe was fitted on .* width 4"):
        probe.fit_relations([x[:, :2] for x in TRAIN[0]], TRAIN[1])
    with pytest.raises(ProbeError, match=r"^y: no sentence has relations"):
        probe.fit_relations(TRAIN[0], [one.heads for one in TRAIN[1]], dev=DEV)
    assert probe.predictions(TEST[0])[0].deprels is None


def test_a_probe_that_reads_from_left_to_right_has_relations_too() -> None:
    X, y = planted(40)
    told = {"max_steps": 60, "random_state": 0, "device": "cpu"}
    plain = IncrementalProbe(**told).fit(X, y, dev=(X, y)).predictions(X)
    found = IncrementalProbe(relations=True, **told).fit(X, y, dev=(X, y)).predictions(X)
    for one, two in zip(plain, found, strict=True):
        assert np.array_equal(one.heads, two.heads)
        assert one.deprels is None
        assert [name == "root" for name in two.deprels] == (two.heads == 0).tolist()

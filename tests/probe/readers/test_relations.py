"""The relation reader: what each way of reading can express, and the same by a plain script."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from structprobe import NotFittedError, Sentence
from structprobe.errors import ProbeError
from structprobe.probe.losses.relations import READS
from structprobe.probe.readers.relation_reader import RelationReader
from structprobe.recoverers.random_tree import random_heads

WIDTH = 6
# What decides the relation of an arc, given the vectors of its dependent and head.
PLANTED = {
    "dependent": lambda own, head: own[0] > 0,
    "difference": lambda own, head: own[1] > head[1],
    "pair": lambda own, head: own[2] + 0.5 * head[3] > 0,
}
CAN = {"dependent": {"dependent"}, "difference": {"difference"}, "pair": {*PLANTED}}


def planted(kind: str, n: int = 150, seed: int = 0) -> tuple[list[np.ndarray], list[Sentence]]:
    """Random trees over random words, the relation of each arc planted in one of three ways."""
    rng = np.random.default_rng(seed)
    vectors, sentences = [], []
    for _ in range(n):
        heads = random_heads(int(rng.integers(3, 10)), rng)
        words = rng.normal(size=(len(heads), WIDTH))
        told = ["root" if head == 0 else "ab"[int(PLANTED[kind](own, words[head - 1]))]
                for own, head in zip(words, heads, strict=True)]  # fmt: skip
        vectors.append(words.astype(np.float32))
        sentences.append(Sentence(["w"] * len(heads), heads, told))
    return vectors, sentences


def fit(kind: str = "pair", data: Any = None, dev: Any = None, **settings: Any) -> RelationReader:
    train, held_out = data or planted("pair"), dev or planted("pair", 30, seed=1)
    told = {"max_steps": 300, "learning_rate": 0.05, "random_state": 0, "device": "cpu"}
    return RelationReader(reads=kind, **told | settings).fit(*train, dev=held_out)


@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("kind", PLANTED)
def test_each_way_of_reading_finds_what_it_can_express(reads: str, kind: str) -> None:
    train, dev, test = (planted(kind, seed=seed) for seed in range(3))
    reader = fit(reads, train, dev)
    found = reader.score(*test)
    assert (found > 0.95) if kind in CAN[reads] else (found < 0.87)
    others = np.mean([sum(one.heads > 0) / len(one) for one in test[1]])
    assert found > others / 2  # the root's arcs are right, and half of the others by chance


def test_the_root_has_relations_of_its_own() -> None:
    (X, y), reader = planted("pair", 20, seed=2), fit()
    assert reader.classes_.tolist() == ["a", "b", "root"]
    assert reader.allowed_.tolist() == [[True, True, False], [False, False, True]]
    for labels, odds, one in zip(reader.predict(X, y), reader.predict_proba(X, y), y, strict=True):
        assert np.array_equal(labels == "root", one.heads == 0)
        assert not odds[one.heads > 0, 2].any()
        assert (odds[one.heads == 0, 2] == 1).all()
        np.testing.assert_allclose(odds.sum(1), 1, rtol=1e-5)
        assert np.array_equal(reader.classes_[odds.argmax(1)], labels)
    # Heads are taken as they are, trees or not.
    assert reader.predict(X[:1], [np.zeros(len(X[0]), int)])[0].tolist() == ["root"] * len(X[0])


def test_several_relations_of_the_root_are_told_apart() -> None:
    def renamed(data: Any) -> Any:
        vectors, sentences = data
        told = [
            [["exd", "pred"][int(row[4] > 0)] if head == 0 else name
             for row, head, name in zip(rows, one.heads, one.deprels, strict=True)]
            for rows, one in zip(vectors, sentences, strict=True)
        ]  # fmt: skip
        pairs = zip(sentences, told, strict=True)
        return vectors, [Sentence(one.words, one.heads, own) for one, own in pairs]

    train, dev, test = (renamed(planted("pair", 300, seed=seed)) for seed in range(3))
    assert fit("pair", train, dev).score(*test) > 0.95


def test_the_dependent_alone_finds_the_root_too() -> None:
    def marked(data: Any) -> Any:
        vectors, sentences = data
        for rows, one in zip(vectors, sentences, strict=True):
            rows[:, 5] = np.where(one.heads == 0, 3, -1)
        return vectors, sentences

    train, dev, (X, y) = (marked(planted("dependent", seed=seed)) for seed in range(3))
    reader = fit("dependent", train, dev)
    told = np.concatenate(reader.predict(X))
    assert (told == np.concatenate([one.deprels for one in y])).mean() > 0.95
    with pytest.raises(
        ProbeError, match=r"^reads='pair' needs the heads; pass predict\(X, heads\)"
    ):
        fit(max_steps=2).predict(X)


@pytest.mark.parametrize("reads", READS)
def test_as_a_plain_softmax_regression(reads: str) -> None:
    # The optimum of the training loss, by torch's L-BFGS over arcs written out one by one.
    rng = np.random.default_rng(3)
    X, y = planted("pair", 60)
    noisy = [
        Sentence(one.words, one.heads, [
            name if name == "root" or rng.random() < 0.7 else str(rng.choice(["a", "b"]))
            for name in one.deprels
        ])
        for one in y
    ]  # fmt: skip
    reader = fit(reads, (X, noisy), (X, noisy), max_steps=800)
    rows, gold = [], []
    for vectors, one in zip(X, noisy, strict=True):
        for own, head, name in zip(vectors, one.heads, one.deprels, strict=True):
            if reads != "dependent" and head == 0:
                continue  # its relation is certain
            read = {"dependent": [own], "difference": [own - vectors[head - 1]],
                    "pair": [own, vectors[head - 1]]}[reads]  # fmt: skip
            rows.append(np.concatenate([*read, [1.0]]))
            gold.append(reader.classes_.tolist().index(name))
    features, target = torch.tensor(np.array(rows)).double(), torch.tensor(gold)
    n_classes = 3 if reads == "dependent" else 2
    weights = torch.zeros(n_classes, features.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(features @ weights.T, target)
        loss.backward()
        return loss

    optimiser.step(closure)
    expected = (features @ weights.T).softmax(1).detach().numpy()
    heads = None if reads == "dependent" else noisy
    found = np.concatenate(reader.predict_proba(X, heads))
    if heads is not None:
        found = found[np.concatenate([one.heads for one in y]) > 0, :2]
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("reads", READS)
def test_no_linear_map_of_the_vectors_changes_it(reads: str) -> None:
    rng = np.random.default_rng(7)
    change = rng.normal(size=(WIDTH, WIDTH)) * np.geomspace(0.01, 100, WIDTH)
    shift = 10 * rng.normal(size=WIDTH)
    train, dev, test = (planted("difference", 80, seed=seed) for seed in range(3))
    plain = fit(reads, train, dev, max_steps=50).predict_proba(*test)
    moved = [([x @ change + shift for x in X], y) for X, y in (train, dev, test)]
    found = fit(reads, *moved[:2], max_steps=50).predict_proba(*moved[2])
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(plain), atol=1e-3)


def test_subtypes_are_kept_if_asked_for() -> None:
    X, y = planted("pair", 40)
    y = [Sentence(one.words, one.heads, [f"{name}:x" for name in one.deprels]) for one in y]
    both = [fit(data=(X, y), dev=(X, y), max_steps=3, subtypes=told) for told in (False, True)]
    assert [reader.classes_.tolist() for reader in both] == [
        ["a", "b", "root"], ["a:x", "b:x", "root:x"],
    ]  # fmt: skip


def test_it_has_the_manners_of_an_estimator() -> None:
    X, y = planted("pair", 40)
    reader = RelationReader(max_steps=20, random_state=3, device="cpu")
    with pytest.raises(NotFittedError, match="this RelationReader is not fitted"):
        reader.predict(X, y)
    told = [np.concatenate(one.fit(X, y).predict_proba(X, y)) for one in
            (reader, clone(reader), clone(reader).set_params(random_state=4))]  # fmt: skip
    assert np.array_equal(told[0], told[1])
    assert not np.array_equal(told[0], told[2])
    assert reader.relation_components_.shape == (3, 2 * WIDTH)
    assert (len(reader.history_), reader.n_features_in_) == (10, WIDTH)
    with pytest.raises(ProbeError, match=r"X has width 2, but the probe was fitted on .* width 6"):
        reader.predict([x[:, :2] for x in X], y)


def test_four_hundred_relations() -> None:
    rng = np.random.default_rng(0)
    X, y = planted("pair", 200)
    names = iter([f"r{i}" for i in range(400)] + [f"r{i}" for i in rng.integers(400, size=3000)])
    y = [Sentence(one.words, one.heads, [
        "root" if head == 0 else next(names) for head in one.heads]) for one in y]  # fmt: skip
    reader = fit(data=(X, y), dev=(X[:9], y[:9]), max_steps=3)
    assert len(reader.classes_) == 401
    assert len(reader.predict(X[:2], y[:2])) == 2


def test_relations_that_training_never_had_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    reader, (X, y) = fit(), planted("pair", 10, seed=5)
    new = [*y[:8], *(Sentence(one.words, one.heads, ["discourse"] * len(one)) for one in y[8:])]
    n = len(y[8]) + len(y[9])
    with caplog.at_level(logging.WARNING):
        found = reader.score(X, new)
    total = sum(map(len, y))
    right = sum((a == np.array(b.deprels)).sum()
                for a, b in zip(reader.predict(X, y)[:8], y[:8], strict=True))  # fmt: skip
    assert found == pytest.approx(right / total)
    assert caplog.messages == [
        f"1 relation of y is not in the training set and counts as wrong: 'discourse' ({n} words)"
    ]
    # As a dev set, it chooses the step by the arcs that can be right.
    assert np.isfinite(fit(dev=(X, new), max_steps=5).history_[-1]["dev_loss"])


WITHOUT = [Sentence(one.words, one.heads) for one in planted("pair", 5)[1]]
BLANK = [Sentence(one.words, one.heads, ["_"] * len(one)) for one in WITHOUT]


@pytest.mark.parametrize(
    ("changes", "y", "message"),
    [
        (
            {},
            WITHOUT,
            r"^y: no sentence has relations \(DEPREL is _ throughout, or only heads were",
        ),
        (
            {},
            BLANK,
            r"^y: no sentence has relations .*; use a treebank with DEPREL, or a method wit",
        ),
        ({}, [one.heads for one in WITHOUT], "^y: no sentence has relations"),
        ({}, [*planted("pair", 5)[1][:4], WITHOUT[4]], r"y\[4\]: the sentence has no relation;"),
        ({}, [*planted("pair", 5)[1][:4], BLANK[4]], r"y\[4\]: word 1 has no relation;"),
        ({"reads": "both"}, None, "unknown reads 'both'; choose from 'pair', 'difference', "),
        ({"subtypes": 1}, None, "subtypes must be True or False, got 1"),
        ({"batch_size": 0}, None, "batch_size must be a positive integer, got 0"),
    ],
)
def test_bad_input_is_named(changes: dict[str, Any], y: Any, message: str) -> None:
    X, good = planted("pair", 5)
    told = {"device": "cpu", "max_steps": 2, **changes}
    with pytest.raises(ProbeError, match=message):
        RelationReader(**told).fit(X, good if y is None else y, dev=(X, good))
    if y is not None:
        with pytest.raises(ProbeError, match=message.replace("y", "y_dev", 1)):
            RelationReader(**told).fit(X, good, dev=(X, y))


def test_heads_that_do_not_fit_are_named() -> None:
    reader, (X, y) = fit(max_steps=2), planted("pair", 2)
    off = [y[0].heads, y[1].heads * 0 + 40]
    n = len(y[1])
    with pytest.raises(ProbeError, match=rf"^heads\[1\]: head 40 of a word, in a sentence of {n} "):
        reader.predict(X, off)
    with pytest.raises(ProbeError, match="X has 2 sentences, heads has 1"):
        reader.predict(X, off[:1])
    other = [Sentence(one.words, one.heads, ["z"] * len(one)) for one in y]
    with pytest.raises(ProbeError, match="no relation of y_dev is in the training set"):
        fit(dev=(X, other))

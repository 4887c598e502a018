"""The polar probe and DepProbe's way of reading: which geometry each finds, what they refuse."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from structprobe import NotFittedError, Sentence, StructuralProbe, score
from structprobe.errors import ProbeError
from structprobe.probe.readers.polar_probe import PolarProbe
from structprobe.probe.readers.relation_reader import RelationReader
from structprobe.recoverers.random_tree import random_heads
from structprobe.trees import tree_depths

N = 7  # relations of arcs
WIDTH = 2 * N + 1
DepProbe = partial(StructuralProbe, relations="dependent", decoding="root")
FEW = {"max_steps": 400, "random_state": 0, "device": "cpu"}
Data = tuple[list[np.ndarray], list[Sentence]]


def planted(kind: str, n: int = 150, seed: int = 0) -> Data:
    """Random trees, hidden by a shift of the sentence.

    "direction": a dependent lies one step away from its head, along an axis of its relation, which
    no other arc of the sentence has. "dependent": arcs are steps along any axes, and each word has
    its own relation, one of two, on others.
    """
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(WIDTH, WIDTH))
    vectors, sentences = [], []
    for _ in range(n):
        heads = random_heads(int(rng.integers(2, N + 1)), rng)
        own, axes = rng.permutation(N), rng.permutation(N)
        if kind == "dependent":
            own = rng.integers(2, size=N)
        names = ["root" if head == 0 else f"r{own[i]}" for i, head in enumerate(heads)]
        words = np.zeros((len(heads), WIDTH))
        for i in np.argsort(tree_depths(heads), kind="stable"):
            if heads[i]:
                words[i, :N] = words[heads[i] - 1, :N]
                words[i, own[i] if kind == "direction" else axes[i]] += 1
            if kind == "dependent":
                words[i, N + (own[i] if heads[i] else N)] = 1
        words[:, :N] += 3 * rng.normal(size=N)
        vectors.append((words @ mixing + 0.01 * rng.normal(size=words.shape)).astype(np.float32))
        sentences.append(Sentence(["w"] * len(heads), heads, names))
    return vectors, sentences


def las(probe: Any, kind: str) -> float:
    train, dev, test = (planted(kind, seed=seed) for seed in range(3))
    return probe.fit(*train, dev=dev).evaluate(*test).las


def test_directions_are_found_by_the_polar_probe_alone() -> None:
    assert las(PolarProbe(**FEW), "direction") > 0.95
    train, dev, (X, y) = (planted("direction", seed=seed) for seed in range(3))
    labels = RelationReader(reads="dependent", **FEW).fit(*train, dev=dev)
    assert labels.score(X, y) < 0.8
    assert las(DepProbe(**FEW), "direction") < 0.6
    # Distances say nothing of the root; nor do depths, as every sentence lies elsewhere.
    found = StructuralProbe(**FEW).fit(*train, dev=dev).evaluate(X, y)
    assert found.uuas > 0.95
    assert found.uas < 0.8


def test_relations_of_words_are_found_by_dep_probe() -> None:
    assert las(DepProbe(**FEW), "dependent") > 0.95
    # The direction of an arc says only how the relations of its two words differ, if they do.
    assert las(PolarProbe(weight=0.3, **FEW), "dependent") < 0.92


def test_dep_probe_composes_what_there_is() -> None:
    train, dev, (X, y) = (planted("dependent", 30, seed) for seed in range(3))
    told = {**FEW, "max_steps": 10}
    found = DepProbe(**told).fit(*train, dev=dev)
    probe = StructuralProbe(**told).fit(*train, dev=dev)
    reader = RelationReader(reads="dependent", **told).fit(*train, dev=dev)
    root = reader.classes_.tolist().index("root")
    for tree, alone, shares in zip(
        found.predictions(X), probe.predictions(X), reader.predict_proba(X), strict=True
    ):
        assert np.array_equal(tree.distances, alone.distances)
        edges, same = (
            {frozenset((i, int(h))) for i, h in enumerate(one.heads, 1) if h}
            for one in (tree, alone)
        )
        assert edges == same
        at = np.flatnonzero(tree.heads == 0)[0]
        assert at == shares[:, root].argmax()
        others = np.delete(shares, root, axis=1)
        best = np.delete(reader.classes_, root)[others.argmax(1)]
        expected = np.where(tree.heads == 0, "root", best)
        assert tree.deprels == tuple(expected.tolist())
    assert score(y, found.predictions(X)).las is not None


def test_the_root_is_the_most_probable_one_not_that_of_the_highest_logit() -> None:
    sentence = Sentence(("a", "b"), [2, 0], ("x", "root"))
    vectors = [np.eye(2, dtype=np.float32)]
    found = DepProbe(**{**FEW, "max_steps": 2}).fit(vectors, [sentence], dev=(vectors, [sentence]))
    reader = found.relation_reader_
    reader.intercept_, reader.word_intercept_ = (
        np.zeros((2, 2), np.float32),
        np.zeros(2, np.float32),
    )
    # Logits of root and x: 5 and 9 for the first word, 2 and -2 for the second.
    assert reader.classes_.tolist() == ["root", "x"]
    logits = np.array([[5, 2], [9, -2]], np.float32)
    reader.relation_components_ = reader.word_components_ = logits
    (tree,) = found.predictions(vectors)
    assert (tree.heads.tolist(), tree.deprels) == ([2, 0], ("x", "root"))


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_no_linear_map_of_the_vectors_changes_the_polar_probe(scale: float) -> None:
    rng = np.random.default_rng(7)
    change = rng.normal(size=(WIDTH, WIDTH)) * np.geomspace(0.1, 10, WIDTH) * scale
    shift = 10 * rng.normal(size=WIDTH)
    banks = [planted("direction", 60, seed) for seed in range(3)]
    told = {**FEW, "max_steps": 40, "weight": 0.3}
    plain = PolarProbe(**told).fit(*banks[0], dev=banks[1]).predictions(banks[2][0])
    moved = [([x @ change + shift for x in X], y) for X, y in banks]
    found = PolarProbe(**told).fit(*moved[0], dev=moved[1]).predictions(moved[2][0])
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one.distances, other.distances, atol=0.02)
    same = [one.deprels == other.deprels for one, other in zip(found, plain, strict=True)]
    assert np.mean(same) > 0.95


def test_the_weight_is_chosen_by_las_on_dev() -> None:
    train, dev = (planted("direction", 40, seed) for seed in range(2))
    found = PolarProbe(**{**FEW, "max_steps": 50}).fit(*train, dev=dev)
    history = found.history_
    assert [*history["las"]] == ["weight 0.1", "weight 0.3", "weight 1"]
    best = max(history["las"], key=history["las"].__getitem__)
    assert history["chosen"] == best == f"weight {found.weight_:g}"
    assert len(history["evaluations"]) == 10
    # From then on, it is what that weight alone gives.
    alone = PolarProbe(**{**FEW, "max_steps": 50, "weight": found.weight_}).fit(*train, dev=dev)
    assert np.array_equal(alone.components_, found.components_)
    assert np.array_equal(alone.prototypes_, found.prototypes_)
    assert "chosen" not in alone.history_


def test_the_las_that_chooses_is_that_of_the_scores() -> None:
    train, dev = (planted("direction", 40, seed) for seed in range(2))
    found = PolarProbe(**{**FEW, "max_steps": 1}).fit(*train, dev=dev)  # compared when it ends
    assert found.history_["las"][found.history_["chosen"]] == pytest.approx(
        found.evaluate(*dev).las
    )


def test_what_is_fitted() -> None:
    train, dev = (planted("direction", 30, seed) for seed in range(2))
    probe = PolarProbe(rank=5, **{**FEW, "max_steps": 5})
    with pytest.raises(NotFittedError, match="this PolarProbe is not fitted"):
        probe.predict(train[0])
    probe.fit(*train)
    assert probe.components_.shape == (5, WIDTH)
    assert probe.prototypes_.shape == (N, 5)
    np.testing.assert_allclose(np.linalg.norm(probe.prototypes_, axis=1), 1, rtol=1e-5)
    assert probe.classes_.tolist() == [f"r{i}" for i in range(N)]
    assert probe.root_relation_ == "root"
    again = clone(probe).fit(*train)
    assert np.array_equal(probe.components_, again.components_)
    # Prototypes are mean directions of the arcs that were trained on, from head to dependent.
    probe.fit(*train, dev=dev)
    sums = {name: np.zeros(5) for name in probe.classes_}
    for words, one in zip(probe.transform(train[0]), train[1], strict=True):
        for i, (head, name) in enumerate(zip(one.heads, one.deprels, strict=True)):
            if head:
                step = words[i] - words[head - 1]
                sums[name] += step / np.linalg.norm(step)
    expected = np.array([one / np.linalg.norm(one) for one in sums.values()])
    np.testing.assert_allclose(probe.prototypes_, expected, atol=1e-4)


def test_the_cosines_decide_as_a_plain_loop_does() -> None:
    train, (X, _) = planted("direction", 30), planted("direction", 20, 1)
    probe = PolarProbe(**{**FEW, "max_steps": 5}).fit(*train)
    for words, tree in zip(probe.transform(X), probe.predictions(X), strict=True):
        n, best = len(words), -np.inf
        edges = [(i, h - 1) for i, h in enumerate(tree.heads.tolist()) if h]
        for root in range(n):
            heads, total, left = {root: -1}, 0.0, [*edges]
            while left:
                for pair in [*left]:
                    for own, head in (pair, pair[::-1]):
                        if head in heads and own not in heads:
                            heads[own] = head
                            left.remove(pair)
                            step = words[own] - words[head]
                            total += (probe.prototypes_ @ step).max() / np.linalg.norm(step)
            if total > best + 1e-4:
                best, found = total, heads
        assert [found[i] + 1 for i in range(n)] == tree.heads.tolist()
        for i, name in enumerate(tree.deprels):
            step = words[i] - words[found[i]]
            expected = (
                "root" if found[i] < 0 else probe.classes_[(probe.prototypes_ @ step).argmax()]
            )
            assert name == expected


@pytest.mark.parametrize("kind", [PolarProbe, DepProbe])
def test_a_treebank_without_relations_is_refused(kind: Any) -> None:
    X, y = planted("direction", 5)
    bare = [Sentence(one.words, one.heads) for one in y]
    blank = [Sentence(one.words, one.heads, ["_"] * len(one)) for one in y]
    probe = kind(**{**FEW, "max_steps": 2})
    for bad in (bare, blank):
        with pytest.raises(ProbeError, match=r"^y: no sentence has relations .*; use a treebank"):
            probe.fit(X, bad, dev=(X, y))
        with pytest.raises(ProbeError, match=r"^y_dev: no sentence has relations"):
            probe.fit(X, y, dev=(X, bad))
    strange = [Sentence(one.words, one.heads, ["z"] * len(one)) for one in y]
    with pytest.raises(ProbeError, match="no relation of y_dev is in the training set"):
        probe.fit(X, y, dev=(X, strange))
    with pytest.raises(ProbeError, match="subtypes must be True or False, got 1"):
        kind(subtypes=1, max_steps=2).fit(X, y, dev=(X, y))


def test_bad_settings_of_the_polar_probe() -> None:
    X, y = planted("direction", 5)
    with pytest.raises(ProbeError, match="weight must be a positive number, got 0"):
        PolarProbe(weight=0, max_steps=2).fit(X, y, dev=(X, y))
    with pytest.raises(ProbeError, match="the loss is no longer finite at step"):
        PolarProbe(learning_rate=1e30, **FEW).fit(X, y, dev=(X, y))


@pytest.mark.parametrize("kind", [PolarProbe, DepProbe])
def test_many_relations_and_new_ones(kind: Any) -> None:
    rng, (X, y) = np.random.default_rng(0), planted("direction", 120)
    names = iter([f"r{i}" for i in range(400)] + [f"r{i}" for i in rng.integers(400, size=900)])
    many = [
        Sentence(one.words, one.heads, ["root" if h == 0 else next(names) for h in one.heads])
        for one in y
    ]
    probe = kind(**{**FEW, "max_steps": 3}).fit(X, many, dev=(X[:9], many[:9]))
    names_of = {name for tree in probe.predictions(X) for name in tree.deprels}
    assert len(names_of) > 20
    new = [Sentence(one.words, one.heads, ["new"] * len(one)) for one in y[:3]]
    dev = X[:9], [*new, *many[3:9]]
    assert kind(**{**FEW, "max_steps": 3}).fit(X, many, dev=dev).evaluate(X[:3], new).las == 0


def test_subtypes_are_kept_if_asked_for() -> None:
    X, y = planted("direction", 20)
    y = [Sentence(one.words, one.heads, [f"{name}:x" for name in one.deprels]) for one in y]
    for kept, end in ((False, ""), (True, ":x")):
        probe = PolarProbe(subtypes=kept, **{**FEW, "max_steps": 2}).fit(X, y, dev=(X, y))
        assert probe.classes_.tolist() == [f"r{i}{end}" for i in range(N)]
        assert probe.root_relation_ == f"root{end}"


def test_vectors_that_do_not_fit_are_read_from_a_file() -> None:
    train, dev = (planted("direction", 60, seed) for seed in range(2))
    told = {**FEW, "max_steps": 10, "batch_size": 4}
    whole = PolarProbe(**told).fit(*train, dev=dev)
    streamed = PolarProbe(memory_gb=1e-4, **told).fit(*train, dev=dev)
    assert np.array_equal(whole.components_, streamed.components_)
    np.testing.assert_allclose(whole.prototypes_, streamed.prototypes_, atol=1e-6)
    assert whole.history_ == streamed.history_
    with pytest.raises(ProbeError, match="memory_gb 1e-06 is too small: the vectors of the larg"):
        PolarProbe(memory_gb=1e-6, **told).fit(*train, dev=dev)

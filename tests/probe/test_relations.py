"""A structural probe with relations: what it learns beside its trees, and that it is kept."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from structprobe import LayerSweep, Sentence, StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.estimator import fit_together
from structprobe.probe.readers.relation_decoding import (
    WEIGHTS,
    choose_weight,
    joint_trees,
    labelled,
)
from structprobe.probe.readers.relation_reader import RelationReader
from structprobe.recoverers.random_tree import random_heads
from structprobe.scores import score
from structprobe.trees.gold import tree_depths, tree_distances

WIDTH = 12
TOLD: dict[str, Any] = {"max_steps": 60, "random_state": 5, "device": "cpu"}


def planted(n: int = 40, seed: int = 0) -> tuple[list[np.ndarray], list[Sentence]]:
    """Words that say their relation, and a little of the tree."""
    rng = np.random.default_rng(seed)
    vectors, sentences = [], []
    for _ in range(n):
        heads = random_heads(int(rng.integers(2, 9)), rng)
        words = rng.normal(size=(len(heads), WIDTH))
        words[:, 0] = tree_depths(heads) + rng.normal(size=len(heads))
        words[:, 1:5] += tree_distances(heads)[:, :1]
        words[:, 6] += 4 * (heads == 0)
        told = ["root" if head == 0 else "ab"[int(own[5] > 0)]
                for own, head in zip(words, heads, strict=True)]  # fmt: skip
        vectors.append(words.astype(np.float32))
        sentences.append(Sentence(["w"] * len(heads), heads, told))
    return vectors, sentences


TRAIN, DEV, TEST = planted(), planted(20, 1), planted(20, 2)


@pytest.fixture(scope="module")
def probe() -> StructuralProbe:
    return StructuralProbe(relations=True, decoding="joint", **TOLD).fit(*TRAIN, dev=DEV)


@pytest.mark.parametrize("recipe", ["whitened", "published"])
@pytest.mark.parametrize("dev", [DEV, None])
def test_the_matrices_do_not_depend_on_it(recipe: str, dev: Any) -> None:
    told = TOLD | {"recipe": recipe, "max_steps": 8, "learning_rate": 0.01}
    plain = StructuralProbe(**told).fit(*TRAIN, dev=dev)
    other = StructuralProbe(relations="difference", **told).fit(*TRAIN, dev=dev)
    for name in ("distance_components_", "depth_components_"):
        assert np.array_equal(getattr(plain, name), getattr(other, name))
    assert {**other.history_, "relation": None} == {**plain.history_, "relation": None}
    for one, two in zip(plain.predictions(TEST[0]), other.predictions(TEST[0]), strict=True):
        assert np.array_equal(one.heads, two.heads)
        assert (one.deprels, len(two.deprels)) == (None, len(two))
    # The relations are those of a reader alone.
    told.pop("learning_rate")
    told.pop("recipe")
    reader = RelationReader(reads="difference", **told).fit(*TRAIN, dev=dev)
    assert np.array_equal(reader.relation_components_, other.relation_components_)
    assert other.history_["relation"]["evaluations"] == reader.history_
    with pytest.raises(AttributeError, match="no relations: fit it with relations=True"):
        _ = plain.relation_components_


def test_predictions_have_relations(probe: StructuralProbe) -> None:
    found, reader = probe.predictions(TEST[0]), probe.relation_reader_
    assert probe.classes_.tolist() == ["a", "b", "root"]
    assert probe.relation_components_.shape == (3, 2 * WIDTH)
    scores = score(TEST[1], found)
    assert scores.las > 0.8 * scores.uas
    odds = reader.predict_proba(TEST[0], [one.heads for one in found])
    for one, own in zip(found, odds, strict=True):
        assert one.deprels == tuple(probe.classes_[own.argmax(1)])
        np.testing.assert_allclose(one.deprel_probabilities, own.max(1), rtol=1e-6)


def test_the_weight_is_the_best_on_dev(probe: StructuralProbe) -> None:
    reader = probe.relation_reader_
    (words,) = probe._words(DEV[0]).values()
    published = probe._trees(words)
    arcs = reader.arc_log_probabilities(DEV[0])
    las = {
        weight: score(DEV[1], labelled(joint_trees(published, arcs, weight), reader, words)).las
        for weight in WEIGHTS
    }
    assert probe.relation_weight_ == max(las, key=las.__getitem__)
    assert choose_weight(published, reader, words, DEV[1]) == probe.relation_weight_
    # What was held out is the dev set if none is given.
    alone = StructuralProbe(relations=True, decoding="joint", **TOLD).fit(*TRAIN)
    part = [[some[i] for i in alone.history_["held_out"]] for some in TRAIN]
    (words,) = alone._words(part[0]).values()
    found = choose_weight(alone._trees(words), alone.relation_reader_, words, part[1])
    assert alone.relation_weight_ == found


def test_decoding_set_after_the_fit(probe: StructuralProbe, tmp_path: Path) -> None:
    joint = pickle.loads(pickle.dumps(probe))
    joint.decoding = "root"  # which needs nothing that is chosen on dev
    both = zip(joint.predict(TEST[0]), probe.predict(TEST[0]), strict=True)
    assert any(not np.array_equal(one, other) for one, other in both)
    joint.relation_weight_ = None
    plain = StructuralProbe(**TOLD).fit(*TRAIN, dev=DEV)
    for one, decoding, message in (
        (joint, "joint", "needs a weight of relations, which fit chooses on dev"),
        (joint, "best", "unknown decoding 'best'"),
        (plain, "best", "unknown decoding 'best'"),
        (plain, "root", "decoding 'root' needs relations"),
        (plain, "joint", "decoding 'joint' needs relations"),
    ):
        one.decoding = decoding
        with pytest.raises(ProbeError, match=message):
            one.predict(TEST[0])
        with pytest.raises(ProbeError, match=message):
            one.save_pretrained(tmp_path / "PROBE")


@pytest.mark.parametrize("kind", ["geometry", "reads"])
def test_what_is_set_after_the_fit_is_for_the_next(kind: str, tmp_path: Path) -> None:
    probe = StructuralProbe(geometry="signed", relations=True, **TOLD | {"recipe": "whitened"})
    probe.fit(*TRAIN, dev=DEV)
    one = probe if kind == "geometry" else probe.relation_reader_
    before = [probe.distances(TEST[0]), [found.deprels for found in probe.predictions(TEST[0])]]
    one.set_params(**{kind: {"geometry": "rbf", "reads": "difference"}[kind]})
    loaded = StructuralProbe.from_pretrained(probe.save_pretrained(tmp_path / "PROBE"))
    for other in (probe, loaded):
        assert [found.deprels for found in other.predictions(TEST[0])] == before[1]
        for own, known in zip(other.distances(TEST[0]), before[0], strict=True):
            assert np.array_equal(own, known)


@pytest.mark.parametrize("reads", ["pair", "difference", "dependent"])
def test_log_probabilities_of_all_arcs(reads: str) -> None:
    reader = RelationReader(reads=reads, **TOLD).fit(*TRAIN, dev=DEV)
    found = reader.arc_log_probabilities(TEST[0])
    for vectors, own in zip(TEST[0], found, strict=True):
        n = len(vectors)
        words = vectors.astype(float)
        alone = words @ reader.word_components_.T + reader.word_intercept_
        alone -= np.log(np.exp(alone).sum(1, keepdims=True))
        np.testing.assert_allclose(own[:, 0], alone[:, 2], rtol=1e-4, atol=1e-5)  # root
        for head in range(1, n + 1):
            heads = np.full(n, head)
            odds = reader.predict_proba([vectors], [heads])[0]
            others = np.arange(n) != head - 1
            expected = np.log(odds.max(1))
            if reads == "dependent":  # a word alone may be the root
                expected = alone[:, :2].max(1)
            np.testing.assert_allclose(own[others, head], expected[others], rtol=1e-4, atol=1e-5)
            assert own[head - 1, head] == -np.inf


def test_layers_together_and_alone(probe: StructuralProbe) -> None:
    told = {"relations": True, "decoding": "joint", **TOLD}
    X, X_dev = ({3: some, 5: [2 * one[:, ::-1] for one in some]} for some in (TRAIN[0], DEV[0]))
    sweep = LayerSweep(**told).fit(X, TRAIN[1], dev=(X_dev, DEV[1]))
    jobs = [(layer, StructuralProbe(**told, rank=rank)) for layer in X for rank in (None, 4)]
    list(fit_together(jobs, X, TRAIN[1], dev=(X_dev, DEV[1])))
    for found in (sweep.probes_[3], jobs[0][1], jobs[1][1]):
        assert np.array_equal(found.relation_components_, probe.relation_components_)
    assert (
        sweep.probes_[3].relation_weight_ == jobs[0][1].relation_weight_ == probe.relation_weight_
    )
    assert sweep.predictions({3: TEST[0], 5: TEST[0]})[0].deprels is not None


def test_it_is_saved(probe: StructuralProbe, tmp_path: Path) -> None:
    probe.save_pretrained(tmp_path / "PROBE")
    loaded = StructuralProbe.from_pretrained(tmp_path / "PROBE")
    assert loaded.get_params() == probe.get_params()
    assert loaded.relation_weight_ == probe.relation_weight_
    assert loaded.history_ == probe.history_
    for one, two in zip(loaded.predictions(TEST[0]), probe.predictions(TEST[0]), strict=True):
        assert np.array_equal(one.heads, two.heads)
        assert one.deprels == two.deprels
        assert np.array_equal(one.deprel_probabilities, two.deprel_probabilities)
    assert loaded.relation_reader_.score(*TEST) == probe.relation_reader_.score(*TEST)
    loaded.save_pretrained(tmp_path / "AGAIN")
    again, first = (
        json.loads((tmp_path / name / "config.json").read_text()) for name in ("AGAIN", "PROBE")
    )
    assert again == first
    assert (first["format_version"], first["relations"]["classes"]) == (2, ["a", "b", "root"])
    card = (tmp_path / "PROBE" / "README.md").read_text()
    assert "Each arc has one of 3 relations, which a linear map of the vectors of dependent" in card
    assert f"with the weight {probe.relation_weight_:g}." in card


def test_without_relations_older_versions_read_it(tmp_path: Path) -> None:
    StructuralProbe(**TOLD).fit(*TRAIN, dev=DEV).save_pretrained(tmp_path / "PROBE")
    config = json.loads((tmp_path / "PROBE" / "config.json").read_text())
    assert config["format_version"] == 1
    assert not {"relations", "subtypes", "decoding"} & {*config["hyperparameters"]}
    assert "relations" not in config


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reads": "both"}, "relations are not what `fit` writes; fit the probe again"),
        ({"classes": ["b", "a", "root"]}, "relations are not what `fit` writes"),
        ({"classes": ["a", "b"]}, r"has shape \(3, 24\), but the config says \(2, 24\)"),
        ({"weight": "high"}, "relations is not what `fit` writes"),
        ({"weight": None}, "relations are not what `fit` writes"),
        ("no relations", "relations are not what `fit` writes"),
        ("no history", "relations are not what `fit` writes"),
        ("missing", "matrix 'word_intercept' is missing"),
        ("infinite", "word_components contains values that are not finite"),
    ],
)
def test_foreign_relations_are_refused(
    probe: StructuralProbe, tmp_path: Path, change: Any, message: str
) -> None:
    probe.save_pretrained(tmp_path)
    path, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    config = json.loads(path.read_text())
    del config["checksum"], config["weights_checksum"]
    tensors = load_file(weights)
    if isinstance(change, dict):
        config["relations"] |= change
    elif change == "no relations":
        del config["relations"]
    elif change == "no history":
        del config["history"]["relation"]
    elif change == "missing":
        del tensors["word_intercept"]
    else:
        tensors["word_components"][0, 0] = np.inf
    save_file(tensors, weights)
    path.write_text(json.dumps(config))
    with pytest.raises(ProbeError, match=message):
        StructuralProbe.from_pretrained(tmp_path)


BARE = [Sentence(one.words, one.heads) for one in TRAIN[1]]


@pytest.mark.parametrize(
    ("changes", "y", "message"),
    [
        ({"relations": True}, BARE, "^y: no sentence has relations"),
        ({"relations": "both"}, None, "unknown relations 'both'; choose from 'pair', 'difference'"),
        ({"relations": True, "subtypes": 2}, None, "subtypes must be True or False, got 2"),
        ({"decoding": "joint"}, None, "decoding 'joint' needs relations; pass relations=True"),
        ({"relations": True, "decoding": 3}, None, "unknown decoding 3; choose from 'published'"),
    ],
)
def test_bad_input_is_named(changes: dict[str, Any], y: Any, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        StructuralProbe(**TOLD | {"max_steps": 2}, **changes).fit(TRAIN[0], y or TRAIN[1], dev=DEV)

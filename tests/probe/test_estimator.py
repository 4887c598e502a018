"""`StructuralProbe`: scikit-learn's contract point by point, and what it finds."""

from __future__ import annotations

import inspect
import json
import math
import pickle
import sys

import numpy as np
import pytest
import sklearn.exceptions
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.utils.validation import check_is_fitted
from support.planted import planted

import structprobe.probe
from structprobe.encoder.vectors import WordVectors
from structprobe.errors import ProbeError
from structprobe.probe import NotFittedError, StructuralProbe
from structprobe.probe.data.examples import hold_out
from structprobe.probe.saving import push_to_hub as saving_module
from structprobe.scores import Prediction
from structprobe.treebank import Sentence, Treebank
from structprobe.trees import tree_depths, tree_distances

X, HEADS = planted(60, seed=0)
X_TEST, HEADS_TEST = planted(30, seed=1)


def small_probe(**hyperparameters: object) -> StructuralProbe:
    """A probe that fits in no time."""
    defaults = {"max_steps": 40, "random_state": 0, "device": "cpu"}
    return StructuralProbe(**{**defaults, **hyperparameters})


def sentences(heads: list) -> list[Sentence]:
    """Sentences of made-up words with the heads given."""
    return [Sentence(words=tuple(f"w{i}" for i in range(len(row))), heads=row) for row in heads]


def word_vectors(vectors: list, **origin: object) -> WordVectors:
    """The vectors of a list as the encoder gives them."""
    offsets = np.cumsum([0, *map(len, vectors)])
    return WordVectors(np.concatenate(vectors), offsets, origin or None)


# --- scikit-learn's contract -------------------------------------------------------------------


def test_hyperparameters_are_keyword_only_and_stored_untouched() -> None:
    parameters = inspect.signature(StructuralProbe.__init__).parameters
    assert all(
        parameter.kind is parameter.KEYWORD_ONLY
        for name, parameter in parameters.items()
        if name != "self"
    )
    marker = object()
    probe = StructuralProbe(**dict.fromkeys(StructuralProbe().get_params(), marker))
    assert all(value is marker for value in probe.get_params().values())


def test_get_params_set_params_and_clone() -> None:
    probe = StructuralProbe(rank=3, recipe="published", random_state=7)
    assert probe.get_params()["rank"] == 3
    assert probe.set_params(rank=5) is probe
    copy = clone(probe)
    assert copy.get_params() == probe.get_params()
    assert repr(copy) == "StructuralProbe(random_state=7, rank=5, recipe='published')"


def test_a_clone_is_not_fitted() -> None:
    probe = small_probe().fit(X, HEADS)
    check_is_fitted(probe)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        check_is_fitted(clone(probe))


def test_fit_returns_itself_and_starts_afresh() -> None:
    probe = small_probe()
    assert probe.fit(X, HEADS) is probe
    first = probe.distance_components_
    probe.fit(*planted(20, seed=5, hidden_size=16))
    assert probe.n_features_in_ == 16
    assert np.array_equal(probe.fit(X, HEADS).distance_components_, first)


def test_fit_leaves_hyperparameters_and_data_alone() -> None:
    probe, before = small_probe(), [x.copy() for x in X]
    parameters = probe.get_params()
    probe.fit(X, HEADS)
    probe.predict(X)
    assert probe.get_params() == parameters
    assert all(np.array_equal(now, then) for now, then in zip(X, before, strict=True))


@pytest.mark.fault_class("numbers")
@pytest.mark.parametrize("recipe", ["whitened", "published"])
def test_the_same_seed_gives_the_same_matrices_and_another_seed_others(recipe: str) -> None:
    one, two, other = (
        small_probe(recipe=recipe, random_state=seed).fit(X, HEADS) for seed in (3, 3, 4)
    )
    for name in ("distance_components_", "depth_components_"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))
    assert one.history_ == two.history_


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_are_random_states_too(make: type) -> None:
    one, two = (small_probe(random_state=make(1)).fit(X, HEADS) for _ in range(2))
    assert np.array_equal(one.distance_components_, two.distance_components_)


def test_pickle_keeps_the_fit() -> None:
    probe = small_probe().fit(X, HEADS)
    copy = pickle.loads(pickle.dumps(probe))
    assert copy.history_ == probe.history_
    assert [h.tolist() for h in copy.predict(X)] == [h.tolist() for h in probe.predict(X)]


def test_grid_search_over_lists() -> None:
    search = GridSearchCV(small_probe(), {"rank": [1, 11]}, cv=3).fit(X, HEADS)
    assert search.best_params_ == {"rank": 11}
    assert search.best_estimator_.distance_components_.shape == (11, 24)


@pytest.mark.parametrize("kind", ["heads", "sentences", "treebank", "vectors"])
def test_cross_validation_over_whatever_fit_takes(kind: str) -> None:
    y = {
        "heads": HEADS,
        "sentences": sentences(HEADS),
        "treebank": Treebank(sentences(HEADS)),
        "vectors": HEADS,
    }[kind]
    vectors = word_vectors(X, model="m") if kind == "vectors" else X
    scores = cross_val_score(small_probe(), vectors, y, cv=KFold(3))
    assert scores.shape == (3,)
    assert (scores > 0.3).all()


@pytest.mark.parametrize(
    "use",
    [
        lambda probe: probe.predict(X),
        lambda probe: probe.predictions(X),
        lambda probe: probe.transform(X),
        lambda probe: probe.distances(X),
        lambda probe: probe.depths(X),
        lambda probe: probe.score(X, HEADS),
        lambda probe: probe.evaluate(X, HEADS),
        lambda probe: probe.save_pretrained("nowhere"),
        lambda probe: probe.push_to_hub("owner/name"),
    ],
)
def test_an_unfitted_probe_says_so(use: object) -> None:
    with pytest.raises(NotFittedError, match="is not fitted; call fit") as caught:
        use(StructuralProbe())
    assert isinstance(caught.value, sklearn.exceptions.NotFittedError)
    assert isinstance(caught.value, ProbeError)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), NotFittedError)


def test_the_room_exports_lazily_and_refuses_other_names() -> None:
    assert structprobe.probe.StructuralProbe is StructuralProbe
    with pytest.raises(AttributeError, match="no attribute 'Probe'"):
        structprobe.probe.Probe  # noqa: B018  # the access is the test


# --- what it takes -----------------------------------------------------------------------------


def test_all_forms_of_vectors_and_trees_give_the_same_fit() -> None:
    plain = small_probe().fit(X, HEADS)
    forms = [
        (word_vectors(X), Treebank(sentences(HEADS))),
        ([torch.from_numpy(x) for x in X], sentences(HEADS)),
        (tuple(X), [row.tolist() for row in HEADS]),
    ]
    for vectors, trees in forms:
        probe = small_probe().fit(vectors, trees)
        assert np.array_equal(probe.distance_components_, plain.distance_components_)
        assert np.array_equal(probe.depth_components_, plain.depth_components_)


def test_a_slice_of_word_vectors_is_used_where_it_lies() -> None:
    vectors = word_vectors([np.full((3, 24), np.nan, np.float32), *X])
    probe = small_probe().fit(vectors[1:], HEADS)
    assert np.array_equal(
        probe.distance_components_, small_probe().fit(X, HEADS).distance_components_
    )


def test_fit_keeps_origin_and_fingerprint() -> None:
    bank = Treebank(sentences(HEADS))
    probe = small_probe().fit(word_vectors(X, model="m", fingerprint="f", layer=3), bank)
    assert probe.origin_ == {"model": "m", "fingerprint": "f", "layer": 3}
    assert probe.treebank_fingerprint_ == bank.fingerprint
    plain = small_probe().fit(X, HEADS)
    assert plain.origin_ is None
    assert plain.treebank_fingerprint_ is None


def test_without_dev_a_tenth_is_held_out_and_with_dev_nothing() -> None:
    probe = small_probe().fit(X, HEADS)
    assert (probe.history_["n_train"], probe.history_["n_dev"]) == (54, 6)
    probe = small_probe(validation_fraction=0.5).fit(X, HEADS)
    assert (probe.history_["n_train"], probe.history_["n_dev"]) == (30, 30)
    probe = small_probe().fit(X, HEADS, dev=(X_TEST, HEADS_TEST))
    assert (probe.history_["n_train"], probe.history_["n_dev"]) == (60, 30)


def test_the_held_out_sentences_are_not_learned_from() -> None:
    probe = small_probe(validation_fraction=0.5).fit(X, HEADS)
    # The same halves by hand: the split is the first thing that the seed draws.
    lengths = np.array([len(x) for x in X])
    kept, held_out = hold_out(lengths, 0.5, np.random.default_rng(0))
    poisoned = [x if i in kept else np.zeros_like(x) for i, x in enumerate(X)]
    other = small_probe(validation_fraction=0.5).fit(poisoned, HEADS)
    assert len(kept) + len(held_out) == len(X)
    for fit in ("distance", "depth"):
        losses = [
            [entry["train_loss"] for entry in one.history_[fit]["evaluations"]]
            for one in (probe, other)
        ]
        assert losses[0] == losses[1]


# --- what it finds -----------------------------------------------------------------------------


def test_shapes_and_types() -> None:
    probe = small_probe(rank=4).fit(X, HEADS)
    for matrix in (probe.distance_components_, probe.depth_components_):
        assert matrix.shape == (4, 24)
        assert matrix.dtype == np.float32
    assert probe.n_features_in_ == 24
    assert small_probe().fit(X, HEADS).distance_components_.shape == (24, 24)
    n = len(X[1])
    assert probe.transform(X)[1].shape == (n, 4)
    assert probe.distances(X)[1].shape == (n, n)
    assert probe.depths(X)[1].shape == (n,)
    assert probe.predict(X)[1].shape == (n,)


def test_transform_distances_and_depths_agree_with_the_matrices() -> None:
    probe = small_probe().fit(X, HEADS)
    x = X_TEST[0].astype(np.float64)
    projected = x @ probe.distance_components_.T
    assert np.allclose(probe.transform(X_TEST)[0], projected, atol=1e-4)
    squares = ((projected[:, None] - projected[None]) ** 2).sum(-1)
    assert np.allclose(probe.distances(X_TEST)[0], squares, atol=1e-4)
    lengths = ((x @ probe.depth_components_.T) ** 2).sum(-1)
    assert np.allclose(probe.depths(X_TEST)[0], lengths, atol=1e-4)


@pytest.mark.parametrize("recipe", ["whitened", "published"])
def test_planted_trees_are_found(recipe: str) -> None:
    vectors, heads = planted(300, seed=2)
    probe = StructuralProbe(recipe=recipe, max_steps=400, random_state=0, device="cpu")
    probe.fit(vectors, heads, dev=(X_TEST, HEADS_TEST))
    scores = probe.evaluate(X_TEST, HEADS_TEST)
    assert scores.uuas > 0.99
    assert scores.root_acc > 0.9
    assert probe.score(X_TEST, HEADS_TEST) == scores.uuas
    distances, depths = probe.distances(X_TEST), probe.depths(X_TEST)
    errors = [
        (np.abs(d - tree_distances(row)).mean(), np.abs(s - tree_depths(row)).mean())
        for d, s, row in zip(distances, depths, HEADS_TEST, strict=True)
    ]
    assert np.mean(errors, axis=0).max() < 0.1


def test_predictions_carry_what_they_were_decoded_from() -> None:
    probe = small_probe().fit(X, HEADS)
    predictions = probe.predictions(X_TEST)
    assert all(isinstance(one, Prediction) for one in predictions)
    first = predictions[0]
    assert np.array_equal(first.distances, probe.distances(X_TEST)[0])
    assert np.array_equal(first.depths, probe.depths(X_TEST)[0])
    assert np.array_equal(first.heads, probe.predict(X_TEST)[0])
    assert np.argmin(first.depths) == np.flatnonzero(first.heads == 0)[0]


def test_history_is_plain_and_tells_the_best_step() -> None:
    probe = StructuralProbe(recipe="whitened", max_steps=600, random_state=0, device="cpu")
    probe.fit(X, HEADS)
    history = json.loads(json.dumps(probe.history_))
    assert history == probe.history_
    assert history["recipe"] == "whitened"
    for kind in ("distance", "depth"):
        course = history[kind]
        assert [entry["step"] for entry in course["evaluations"]] == [*range(60, 601, 60)]
        best = min(course["evaluations"], key=lambda entry: entry["dev_loss"])
        assert course["best_step"] == best["step"]
        assert course["best_dev_loss"] == best["dev_loss"]
        assert course["best_epoch"] == best["step"] / course["steps_per_epoch"]
        assert course["steps"] == 600


def test_the_published_recipe_evaluates_once_an_epoch() -> None:
    probe = StructuralProbe(recipe="published", max_steps=7, random_state=0, device="cpu")
    probe.fit(X, HEADS, dev=(X_TEST, HEADS_TEST))
    course = probe.history_["distance"]
    assert course["steps_per_epoch"] == 3
    assert [entry["step"] for entry in course["evaluations"]] == [3, 6, 7]


@pytest.mark.parametrize("recipe", ["whitened", "published"])
def test_settings_reach_the_training(recipe: str) -> None:
    probe = small_probe(recipe=recipe, batch_size=9, learning_rate=1e-9).fit(X, HEADS)
    course = probe.history_["distance"]
    assert course["steps_per_epoch"] in (6, 5)  # 54 sentences, or those of two or more words
    assert course["evaluations"][0]["learning_rate"] <= 1e-9


@pytest.mark.slow
def test_no_linear_map_of_the_vectors_decides_the_result() -> None:
    vectors, heads = planted(1500, seed=3, noise=0.3)
    vectors_test, heads_test = planted(1000, seed=4, noise=0.3)
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.normal(size=(24, 24)))[0] for _ in range(2))
    matrix, offset = left * np.logspace(2, -2, 24) @ right, 300 * rng.normal(size=24)

    def mapped(arrays: list) -> list:
        return [(x @ matrix + offset).astype(np.float32) for x in arrays]

    plain = StructuralProbe(random_state=0, device="cpu").fit(vectors, heads)
    other = StructuralProbe(random_state=0, device="cpu").fit(mapped(vectors), heads)
    before = plain.score(vectors_test, heads_test)
    after = other.score(mapped(vectors_test), heads_test)
    assert 0.4 < before < 0.8
    assert abs(after - before) < 0.005


def test_nothing_scored_is_nan() -> None:
    probe = small_probe().fit(X, HEADS)
    one_word = [np.zeros((1, 24), np.float32)]
    assert math.isnan(probe.score(one_word, [np.array([0])]))


def test_one_word_sentences_are_predicted() -> None:
    probe = small_probe().fit(X, HEADS)
    prediction = probe.predictions([np.ones((1, 24), np.float32)])[0]
    assert prediction.heads.tolist() == [0]
    assert prediction.distances.tolist() == [[0]]


# --- saving and the terminal -------------------------------------------------------------------


def test_saving_goes_through_the_room_s_saving(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = small_probe().fit(X, HEADS)
    folder = probe.save_pretrained(tmp_path / "probe", fitted_on={"train": "planted"})
    copy = StructuralProbe.from_pretrained(folder)
    assert np.array_equal(copy.distance_components_, probe.distance_components_)
    assert [h.tolist() for h in copy.predict(X)] == [h.tolist() for h in probe.predict(X)]
    calls = []
    monkeypatch.setattr(saving_module, "push", lambda *a, **k: calls.append((a, k)) or "address")
    assert probe.push_to_hub("owner/name", dev_scores={"uuas": 0.5}, private=True) == "address"
    (((saved, repo_id), options),) = calls
    assert saved.matrices["distance_components"] is probe.distance_components_
    assert saved.notes == {"dev_scores": {"uuas": 0.5}}
    assert (repo_id, options) == ("owner/name", {"private": True})


@pytest.mark.parametrize(("verbose", "terminal"), [(True, True), (True, False), (False, True)])
def test_progress_only_where_asked_for_and_on_a_terminal(
    verbose: bool,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    small_probe(verbose=verbose).fit(X, HEADS)
    captured = capsys.readouterr()
    assert captured.out == ""
    shown = verbose and terminal
    assert ("probe: " in captured.err and "80/80" in captured.err) is shown
    assert bool(captured.err) is shown

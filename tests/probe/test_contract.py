"""One contract of all estimators: what they take, give, refuse, and by which words."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import sklearn.exceptions
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted
from support.planted import planted

from structprobe import LayerSweep, NotFittedError, StructuralProbe, score
from structprobe.encoder.vectors import EncodedBank, WordVectors
from structprobe.errors import ProbeError, TreeError
from structprobe.probe.orthogonal_probe import OrthogonalProbe
from structprobe.probe.readers.biaffine_mix import BiaffineMix
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.probe.readers.incremental_probe import IncrementalProbe
from structprobe.probe.readers.kernel_probe import KernelProbe
from structprobe.probe.readers.layer_mix import LayerMix

ONE_LAYER = [StructuralProbe, BiaffineProbe, IncrementalProbe, KernelProbe, OrthogonalProbe]
LAYERS = [LayerSweep, LayerMix, BiaffineMix]
EVERY = ONE_LAYER + LAYERS
HAVE_BATCH_SIZE = [StructuralProbe, LayerSweep, BiaffineProbe, IncrementalProbe, KernelProbe,
                   OrthogonalProbe]  # fmt: skip
HAVE_NO_RANK = [OrthogonalProbe]  # Its axes are as many as there are dimensions

VECTORS, HEADS = planted(40, seed=0)
DEV_VECTORS, DEV_HEADS = planted(12, seed=1)
ORIGIN = {"model": "m", "fingerprint": "f", "pooling": "mean", "spacing": "words", "bos": False}


def make(kind: Any, **settings: Any) -> Any:
    """An estimator that is fitted in no time."""
    return kind(**{"max_steps": 4, "random_state": 0, "device": "cpu", **settings})


def given(kind: Any, vectors: Any) -> Any:
    """Vectors as the estimator takes them: of one layer, or of two."""
    return vectors if kind in ONE_LAYER else {0: vectors, 3: vectors}


def encoded(vectors: list[Any], **changes: Any) -> EncodedBank:
    """The vectors as the encoder gives them, in two layers."""
    values, offsets = np.concatenate(vectors), np.cumsum([0, *map(len, vectors)])
    return EncodedBank({0: values, 3: values}, offsets, {**ORIGIN, **changes})


def of_encoder(kind: Any, vectors: list[Any], **changes: Any) -> Any:
    """Vectors with an origin, as the estimator takes them."""
    bank = encoded(vectors, **changes)
    return bank.layer(3) if kind in ONE_LAYER else bank


def fit(kind: Any, vectors: Any = VECTORS, heads: Any = HEADS, **settings: Any) -> Any:
    return make(kind, **settings).fit(
        given(kind, vectors), heads, dev=(given(kind, DEV_VECTORS), DEV_HEADS)
    )


def scores_of(estimator: Any, X: Any) -> list[Any]:
    """What the trees came from."""
    if isinstance(estimator, IncrementalProbe):
        return estimator.predict_log_proba(X)
    found = estimator.predictions(X)
    return [one.distances if one.arc_scores is None else one.arc_scores for one in found]


def line(error: Exception) -> str:
    """Its message, without the name of a layer, which those of one layer do not have."""
    return re.sub(r" of layer \d", "", str(error))


USES: Mapping[str, Callable[[Any, Any], Any]] = {
    "predict": lambda one, X: one.predict(X),
    "predictions": lambda one, X: one.predictions(X),
    "score": lambda one, X: one.score(X, HEADS),
    "evaluate": lambda one, X: one.evaluate(X, HEADS),
}


@pytest.mark.parametrize("kind", EVERY)
class TestAll:
    """What holds of all of them."""

    def test_it_is_an_estimator_of_scikit_learn(self, kind: Any) -> None:
        size = "batch_size" if kind in HAVE_NO_RANK else "rank"
        one = kind(**{size: 3, "random_state": np.int64(7)})
        assert isinstance(one, BaseEstimator)
        assert one.get_params()[size] == 3
        assert one.set_params(**{size: 5}) is one
        copy = clone(one)
        assert copy.get_params() == one.get_params()
        assert repr(copy).startswith(f"{kind.__name__}(")
        assert f"{size}=5" in repr(copy)
        assert kind.__name__ in copy._repr_html_()
        assert kind().random_state is None
        marker = object()
        every = kind(**dict.fromkeys(kind().get_params(), marker))
        assert all(value is marker for value in every.get_params().values())

    def test_fit_gives_itself_and_predicts(self, kind: Any) -> None:
        one = make(kind)
        X = given(kind, VECTORS)
        assert one.fit(X, HEADS, dev=(given(kind, DEV_VECTORS), DEV_HEADS)) is one
        check_is_fitted(one)
        assert one.n_features_in_ == 24
        heads, predictions = one.predict(X), one.predictions(X)
        for row, prediction, gold in zip(heads, predictions, HEADS, strict=True):
            assert np.array_equal(row, prediction.heads)
            assert row.shape == gold.shape
            assert (row == 0).sum() == 1
        scores = one.evaluate(X, HEADS)
        assert scores.to_dict() == score(HEADS, predictions).to_dict()
        assert one.score(X, HEADS) == scores.uuas
        again = pickle.loads(pickle.dumps(one))
        for a, b in zip(scores_of(one, X), scores_of(again, X), strict=True):
            assert np.array_equal(a, b)

    def test_without_a_dev_set_sentences_are_held_out(self, kind: Any) -> None:
        X = given(kind, VECTORS)
        one, again, other = (
            make(kind, validation_fraction=share).fit(X, HEADS) for share in (0.3, 0.3, 0.6)
        )
        found = [np.concatenate([table.ravel() for table in scores_of(own, X)])
                 for own in (one, again, other)]  # fmt: skip
        assert np.array_equal(found[0], found[1])
        assert not np.array_equal(found[0], found[2])

    @pytest.mark.parametrize("use", USES)
    def test_unfitted_use(self, kind: Any, use: str) -> None:
        with pytest.raises(NotFittedError, match=f"this {kind.__name__} is not fitted; call fit"):
            USES[use](make(kind), given(kind, VECTORS))
        fitted = fit(kind)
        with pytest.raises(sklearn.exceptions.NotFittedError):
            USES[use](clone(fitted), given(kind, VECTORS))

    @pytest.mark.parametrize("use", USES)
    def test_vectors_unlike_those_of_the_fit(self, kind: Any, use: str) -> None:
        fitted = make(kind).fit(of_encoder(kind, VECTORS), HEADS)
        narrow = given(kind, [x[:, :5] for x in VECTORS])
        with pytest.raises(ProbeError) as told:
            USES[use](fitted, narrow)
        assert line(told.value) == "X has width 5, but the probe was fitted on vectors of width 24"
        with pytest.raises(ProbeError) as told:
            USES[use](fitted, of_encoder(kind, VECTORS, pooling="last"))
        assert line(told.value) == (
            "X comes from model 'm' (pooling 'last'), but the probe was fitted on model 'm'"
            " (pooling 'mean'); encode with the model and settings that were used for fit"
        )
        broken = [x.copy() for x in VECTORS]
        broken[4][1, 2] = np.nan
        with pytest.raises(ProbeError) as told:
            USES[use](fitted, given(kind, broken))
        assert line(told.value) == (
            "X[4], word 2: the vector contains NaN or infinity;"
            " encode the treebank again, in float32"
        )
        USES[use](fitted, of_encoder(kind, VECTORS))
        USES[use](fitted, given(kind, VECTORS))

    def test_faults_of_the_data(self, kind: Any) -> None:
        dev = given(kind, DEV_VECTORS), DEV_HEADS
        one_word = given(kind, [x[:1] for x in VECTORS]), [np.array([0])] * len(HEADS)
        broken = [x.copy() for x in VECTORS]
        broken[0][0, 0] = np.inf
        cases: list[tuple[Callable[[], Any], str]] = [
            (lambda: make(kind).fit(*one_word, dev=dev), "no sentence of X has two or more words;"),
            (lambda: make(kind).fit(*one_word), "no sentence of X has two or more words;"),
            (
                lambda: make(kind).fit(given(kind, VECTORS), HEADS, dev=one_word),
                "no sentence of X_dev has two or more words;",
            ),
            (
                lambda: make(kind).fit(given(kind, VECTORS[:1]), HEADS[:1]),
                "too few sentences to hold out some for validation: "
                f"{int(len(HEADS[0]) > 1)} of 1 have",
            ),
            (lambda: fit(kind, broken), "X[0], word 1: the vector contains NaN or infinity;"),
            (
                lambda: make(kind).fit(*dev, dev=(given(kind, broken), HEADS)),
                "X_dev[0], word 1: the vector contains NaN or infinity;",
            ),
            (
                lambda: make(kind).fit(*dev, dev=(given(kind, [x[:, :5] for x in VECTORS]), HEADS)),
                "X_dev has width 5, but the probe was fitted on vectors of width 24",
            ),
            (
                lambda: make(kind).fit(
                    of_encoder(kind, VECTORS), HEADS,
                    dev=(of_encoder(kind, DEV_VECTORS, spacing="original"), DEV_HEADS),
                ),
                "X_dev comes from model 'm' (spacing 'original'), but the probe was fitted on"
                " model 'm'",
            ),
            (lambda: make(kind).fit(*dev, dev=dev[0]), "dev is"),
            (lambda: fit(kind, VECTORS[:3]), "X has 3 sentences, y has 40;"),
            (lambda: fit(kind, heads=HEADS[:3]), "X has 40 sentences, y has 3;"),
            (lambda: fit(kind, heads=[None, *HEADS[1:]]), "y[0]: the sentence has no heads;"),
            (lambda: fit(kind, [], []), "X is empty;"),
        ]  # fmt: skip
        for call, message in cases:
            with pytest.raises(ProbeError) as told:
                call()
            assert line(told.value).startswith(message)
        loop = [np.full(len(row), 1) for row in HEADS]
        with pytest.raises(TreeError, match="word 1 is its own head"):
            fit(kind, heads=loop)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"device": "meta"}, "device 'meta' is not available; "),
            ({"device": "no"}, "unknown device 'no'; choose from 'auto', 'cpu', "),
            ({"rank": 129}, "rank must be an integer from 1 to "),
            ({"rank": 0}, "rank must be an integer from 1 to "),
            ({"max_steps": 0}, "max_steps must be a positive integer, got 0"),
            ({"random_state": "x"}, "random_state 'x' is not a valid seed; "),
            ({"validation_fraction": 1}, "validation_fraction must be between 0 and 1, got 1"),
        ],
    )
    def test_settings_out_of_range(self, kind: Any, settings: dict[str, Any], message: str) -> None:
        if "rank" in settings and kind in HAVE_NO_RANK:
            settings, message = {"batch_size": 0}, "batch_size must be a positive integer, got 0"
        for dev in (None, (given(kind, DEV_VECTORS), DEV_HEADS)):
            with pytest.raises(ProbeError) as told:
                make(kind, **settings).fit(given(kind, VECTORS), HEADS, dev=dev)
            assert str(told.value).startswith(message)

    def test_small_and_odd_data(self, kind: Any) -> None:
        large = {"batch_size": 1000} if kind in HAVE_BATCH_SIZE else {}
        fit(kind, VECTORS, HEADS, **large)  # a batch larger than the data
        index = next(i for i, row in enumerate(HEADS) if len(row) > 2)
        lone = fit(kind, VECTORS[index : index + 1], HEADS[index : index + 1])
        assert len(lone.predict(given(kind, VECTORS))) == len(HEADS)
        thin, dev = ([x[:, :1] for x in vectors] for vectors in (VECTORS, DEV_VECTORS))
        narrow = make(kind).fit(given(kind, thin), HEADS, dev=(given(kind, dev), DEV_HEADS))
        assert narrow.n_features_in_ == 1
        assert narrow.score(given(kind, thin), HEADS) >= 0
        one_word = given(kind, [x[:1] for x in VECTORS[:3]])
        assert [row.tolist() for row in narrow.predict(given(kind, [x[:1] for x in thin]))] == (
            [[0]] * len(HEADS)
        )
        assert math.isnan(lone.score(one_word, [np.array([0])] * 3))
        if kind in (StructuralProbe, LayerSweep, LayerMix):
            with pytest.raises(ProbeError, match=r"rank must be an integer from 1 to 24, got 25"):
                fit(kind, rank=25)

    @pytest.mark.parametrize("number", [np.int64, np.uint8, np.int16])
    def test_numbers_of_numpy_are_numbers(self, kind: Any, number: Any) -> None:
        whole = {"rank": 3, "max_steps": 5, "random_state": 2}
        if kind in HAVE_BATCH_SIZE:
            whole["batch_size"] = 4
        if kind in HAVE_NO_RANK:
            del whole["rank"]
        plain, other = (
            fit(kind, **{name: make(value) for name, value in whole.items()})
            for make in (int, number)
        )
        X = given(kind, VECTORS)
        for a, b in zip(scores_of(plain, X), scores_of(other, X), strict=True):
            assert np.array_equal(a, b)

    def test_only_what_can_be_saved_has_methods_for_it(self, kind: Any) -> None:
        for name in ("save_pretrained", "from_pretrained", "push_to_hub"):
            assert hasattr(kind, name) is (kind is StructuralProbe)


@pytest.mark.parametrize("kind", ONE_LAYER)
def test_the_vectors_of_all_layers_ask_for_a_choice(kind: Any) -> None:
    with pytest.raises(ProbeError) as told:
        make(kind).fit(encoded(VECTORS), HEADS)
    assert str(told.value) == (
        "X holds the vectors of several layers (0, 3); choose one: X.layer(n)"
    )
    with pytest.raises(ProbeError, match=r"X_dev holds .* choose one: X.layer\(n\)"):
        make(kind).fit(VECTORS, HEADS, dev=(encoded(VECTORS), HEADS))
    fitted = fit(kind)
    with pytest.raises(ProbeError, match=r"choose one: X.layer\(n\)"):
        fitted.predict(encoded(VECTORS))


@pytest.mark.parametrize("kind", LAYERS)
class TestLayers:
    """What holds of those that read several layers."""

    def test_faults(self, kind: Any) -> None:
        fitted = fit(kind)
        for use in (lambda: make(kind).fit(VECTORS, HEADS), lambda: fitted.predict(VECTORS)):
            with pytest.raises(ProbeError, match="X is list, not the vectors of several layers"):
                use()
        with pytest.raises(ProbeError, match="X has no layers"):
            make(kind).fit({}, HEADS)
        with pytest.raises(ProbeError, match="X has no vectors for layer 0; it has: 7"):
            fitted.predict({7: VECTORS})
        with pytest.raises(ProbeError, match="X_dev has no vectors for layer 3; it has: 0"):
            make(kind).fit(given(kind, VECTORS), HEADS, dev=({0: DEV_VECTORS}, DEV_HEADS))

    def test_a_bank_of_the_encoder_is_taken(self, kind: Any) -> None:
        bank = encoded(VECTORS)
        plain, other = (
            make(kind).fit(X, HEADS) for X in ({0: bank.layer(0), 3: bank.layer(3)}, bank)
        )
        for a, b in zip(scores_of(plain, bank), scores_of(other, bank), strict=True):
            assert np.array_equal(a, b)
        assert all(origin["layer"] == layer for layer, origin in other.origins_.items())


@pytest.mark.parametrize("kind", [LayerMix, BiaffineMix])
def test_layers_of_different_sentences_are_not_mixed(kind: Any) -> None:
    turned = [*VECTORS[1:], VECTORS[0]]
    assert [len(x) for x in turned] != [len(x) for x in VECTORS]
    with pytest.raises(ProbeError, match="X of layer 3 and X of layer 0 have different sent"):
        fit(kind).predict({0: VECTORS, 3: turned})


def test_a_sweep_predicts_by_the_layer_that_is_best_on_dev() -> None:
    rng = np.random.default_rng(0)
    X, dev = (
        {0: [rng.normal(size=x.shape) for x in some], 4: some, 5: some}
        for some in (VECTORS, DEV_VECTORS)
    )
    sweep = make(LayerSweep, max_steps=60).fit(X, HEADS, dev=(dev, DEV_HEADS))
    assert sweep.dev_scores_ == {
        layer: probe.score(dev[layer], DEV_HEADS) for layer, probe in sweep.probes_.items()
    }
    assert sweep.best_layer_ == 4  # the first of two that are alike
    assert sweep.best_probe_ is sweep.probes_[4]
    assert sweep.score(dev, DEV_HEADS) == max(sweep.dev_scores_.values())
    assert sweep.score({4: dev[4]}, DEV_HEADS) == sweep.score(dev, DEV_HEADS)
    held_out = make(LayerSweep, max_steps=60).fit(X, HEADS)
    assert held_out.best_layer_ == 4
    assert held_out.dev_scores_[0] < held_out.dev_scores_[4]


def test_vectors_given_as_word_vectors_are_read_as_those_of_a_list() -> None:
    values, offsets = np.concatenate(VECTORS), np.cumsum([0, *map(len, VECTORS)])
    one = fit(BiaffineProbe, WordVectors(values, offsets))
    for a, b in zip(one.predictions(VECTORS), fit(BiaffineProbe).predictions(VECTORS), strict=True):
        assert np.array_equal(a.arc_scores, b.arc_scores)

"""Estimators work in scikit-learn's own tools, although sentences differ in length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from support.planted import planted

from structprobe import StructuralProbe, score
from structprobe.encoder.vectors import WordVectors
from structprobe.errors import ProbeError
from structprobe.treebank import Sentence, Treebank

pandas = pytest.importorskip("pandas")

VECTORS, HEADS = planted(24, seed=0)
BANK = Treebank(Sentence(("x",) * len(heads), heads=heads) for heads in HEADS)
FOLDS = KFold(3)


def new_probe() -> StructuralProbe:
    return StructuralProbe(max_steps=30, random_state=0, device="cpu")


def series(values: Any) -> Any:
    """A column of arrays under labels that are no positions."""
    return pandas.Series(list(values), index=range(100, 100 + len(values)))


def flat(vectors: list[Any]) -> WordVectors:
    return WordVectors(np.concatenate(vectors), np.cumsum([0, *map(len, vectors)]))


@pytest.mark.parametrize(
    ("X", "y"),
    [(VECTORS, HEADS), (VECTORS, BANK), (series(VECTORS), series(HEADS)), (flat(VECTORS), BANK)],
    ids=["lists", "treebank", "pandas", "word vectors"],
)
def test_cross_validation(X: Any, y: Any) -> None:
    trees = cross_val_predict(new_probe(), X, y, cv=FOLDS)
    assert trees.shape == (24,)
    scores = cross_val_score(new_probe(), X, y, cv=FOLDS)
    for (train, test), found in zip(FOLDS.split(VECTORS), scores, strict=True):
        fitted = new_probe().fit([VECTORS[i] for i in train], [HEADS[i] for i in train])
        expected = fitted.predict([VECTORS[i] for i in test])
        for i, heads in zip(test, expected, strict=True):
            assert np.array_equal(trees[i], heads)
        predicted = fitted.predictions([VECTORS[i] for i in test])
        assert found == score([HEADS[i] for i in test], predicted).uuas


def test_sentences_of_one_length_are_no_exception() -> None:
    X = [one[:3] for one in VECTORS if len(one) >= 3]
    found = cross_val_predict(new_probe(), X, [np.array([2, 0, 2])] * len(X), cv=FOLDS)
    assert (found.shape, found[0].shape) == ((len(X),), (3,))


def test_predictions_are_a_list_that_numpy_takes_as_objects() -> None:
    trees = new_probe().fit(VECTORS, HEADS).predict(VECTORS)
    assert isinstance(trees, list)
    column = np.asarray(trees)
    assert (column.dtype, column.shape) == (np.dtype(object), (24,))
    assert np.array_equal(np.concatenate(trees), np.concatenate(list(trees)))
    with pytest.raises(ValueError, match="sequence"):
        np.asarray(trees, dtype=float)


def test_a_pipeline_with_a_search() -> None:
    halved = FunctionTransformer(lambda X: [words / 2 for words in X])
    search = GridSearchCV(
        make_pipeline(halved, new_probe()), {"structuralprobe__rank": [1, 4]}, cv=FOLDS
    )
    for X, y in ((VECTORS, HEADS), (series(VECTORS), series(HEADS))):
        search.fit(X, y)
        assert search.best_params_ == {"structuralprobe__rank": 4}
        assert len(search.predict(X)) == 24


def test_a_table_is_no_column() -> None:
    table = pandas.DataFrame({"vectors": VECTORS})
    with pytest.raises(ProbeError, match=r"X is a DataFrame; pass one of its columns, as X\["):
        new_probe().fit(table, HEADS)
    with pytest.raises(ProbeError, match=r"y is a DataFrame; pass one of its columns, as y\["):
        new_probe().fit(VECTORS, pandas.DataFrame({"heads": HEADS}))
    trees = new_probe().fit(table["vectors"], HEADS).predict(table["vectors"])
    assert len(trees) == 24
    with pytest.raises(ValueError, match="set_output"):
        make_pipeline(new_probe()).set_output(transform="pandas")

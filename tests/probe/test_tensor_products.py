"""The regression on filler-role products, against lstsq on the products themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from structprobe.probe.tensor_products import PENALTIES, WEIGHTS, Bindings, RoleRegression

N_TRAIN, N_DEV, N_TEST, WIDTH, N_FORMS, N_ROLES = 40, 15, 12, 3, 7, 5


@pytest.fixture(scope="module", params=[True, False], ids=["averaged", "summed"])
def bindings(request: pytest.FixtureRequest) -> Bindings:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 6, size=N_TRAIN + N_DEV + N_TEST)
    vectors = torch.from_numpy(generator.normal(size=(N_FORMS, WIDTH)))
    forms = generator.integers(N_FORMS, size=lengths.sum())
    return Bindings(vectors, forms, lengths, N_TRAIN, average=request.param)


def outer_products(bindings: Bindings, roles: np.ndarray, n_roles: int) -> np.ndarray:
    """Sum or average the products of fillers and one-hot roles, word by word."""
    rows = []
    for end, n in zip(np.cumsum(bindings.lengths), bindings.lengths, strict=True):
        total = np.zeros((WIDTH, n_roles))
        for word in range(end - n, end):
            if roles[word] >= 0:
                filler = bindings.vectors[bindings.forms[word]].numpy()
                total += np.outer(filler, np.eye(n_roles)[roles[word]])
        rows.append(total.ravel() / (n if bindings.average else 1))
    features = np.array(rows)
    features -= features[:N_TRAIN].mean(0)
    return features / np.sqrt(np.square(features[:N_TRAIN]).sum(1).mean())


def test_products_and_errors_are_those_of_explicit_products(bindings: Bindings) -> None:
    generator = np.random.default_rng(1)
    roles = generator.integers(-1, N_ROLES, size=len(bindings.forms))  # some words have no role
    shared = outer_products(bindings, np.zeros_like(roles), 1)
    own = outer_products(bindings, roles, N_ROLES)
    for features, found in (
        (shared, bindings.shared()),
        (own, bindings.products(roles)),
    ):
        np.testing.assert_allclose(found, features @ features[:N_TRAIN].T, atol=1e-12)
    # The truth has both parts, and noise, so that neither weight nor penalty is at an end.
    truth = shared @ generator.normal(size=(WIDTH, 4)) + own @ generator.normal(
        size=(WIDTH * N_ROLES, 4)
    )
    truth += 0.3 * generator.normal(size=truth.shape)
    truth -= truth[:N_TRAIN].mean(0)
    targets = {0: torch.from_numpy(truth), 3: torch.from_numpy(shared[:, :1].copy())}
    found = RoleRegression(bindings, targets, N_DEV, 0).fit(bindings.products(roles))
    assert (found[3].weight, found[3].penalty) == (0, min(PENALTIES))
    assert found[0].weight in WEIGHTS
    for layer, fitted in found.items():
        features = np.hstack([shared, fitted.weight**0.5 * own])
        y = targets[layer].numpy()
        ridge = np.sqrt(fitted.penalty) * np.eye(features.shape[1])
        rows = np.vstack([features[:N_TRAIN], ridge])
        values = np.vstack([y[:N_TRAIN], np.zeros((len(ridge), y.shape[1]))])
        maps, *_ = np.linalg.lstsq(rows, values, rcond=None)
        test = slice(N_TRAIN + N_DEV, None)
        slow = np.square(y[test] - features[test] @ maps).sum(1)
        np.testing.assert_allclose(fitted.errors, slow, atol=1e-6)


def test_no_role_and_equal_fillers_predict_the_mean() -> None:
    lengths = np.array([2] * 20)
    vectors = torch.ones((1, WIDTH), dtype=torch.float64)
    bindings = Bindings(vectors, np.zeros(40, np.int64), lengths, 10, average=True)
    assert not bindings.shared().any()
    assert not bindings.products(np.full(40, -1)).any()
    target = torch.randn(20, 2, dtype=torch.float64)
    (fitted,) = RoleRegression(bindings, {1: target}, 5, 0).fit().values()
    np.testing.assert_allclose(fitted.errors, target[15:].square().sum(1))

"""Planted tasks on known axes: an orthogonal probe finds which axes they have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.planted import planted as noisy
from support.planted_encoder import distinct_bank, tree_steps

from structprobe import NotFittedError, Sentence, Treebank
from structprobe.errors import ProbeError
from structprobe.probe.orthogonal_probe import OrthogonalProbe, SharedAxes
from structprobe.treebank.controls import by_form, with_controls

LONGEST = 7
BOTH = ("syntax-distance", "syntax-depth")
QUIET = {"random_state": 0, "device": "cpu"}


def planted(
    bank: Treebank, structures: tuple[str, ...], seed: int, hidden: Any = None
) -> list[np.ndarray]:
    """Each structure has axes of its own, along which an arc is one step; a map may hide them."""
    generator, found = np.random.default_rng(seed), []
    trees = with_controls(bank)
    for sentences in zip(*(trees[name] for name in structures), strict=True):
        own = np.concatenate([tree_steps(one.heads, LONGEST) for one in sentences], axis=1)
        # Signs, which change no distance and no depth, so that axes are not correlated.
        found.append(own * generator.choice([-1.0, 1.0], own.shape[1]))
    return found if hidden is None else [own @ hidden for own in found]


def mapped(width: int, *, orthogonal: bool = False, seed: int = 5) -> np.ndarray:
    """An invertible linear map."""
    generator = np.random.default_rng(seed)
    turned = [np.linalg.qr(generator.normal(size=(width, width)))[0] for _ in range(2)]
    return turned[0] if orthogonal else turned[0] * np.geomspace(0.3, 3, width) @ turned[1]


TRAIN, DEV = (distinct_bank(n, seed, longest=LONGEST) for seed, n in enumerate((300, 60)))


def fit(
    structures: tuple[str, ...], train: Treebank, dev: Treebank, hidden: Any, **how: Any
) -> Any:
    X, D = (planted(bank, structures, seed, hidden) for seed, bank in enumerate((train, dev)))
    probe = OrthogonalProbe(**{**QUIET, **how})
    return probe.fit(X, with_controls(train), dev=(D, with_controls(dev))), D


def pairs_of(probe: OrthogonalProbe) -> dict[tuple[str, str], SharedAxes]:
    return {(one.a, one.b): one for one in probe.shared_axes()}


@pytest.mark.parametrize("coordinates", ["whitened", "raw"])
def test_tasks_on_other_axes_share_none(coordinates: str) -> None:
    tasks = [*BOTH, "form-distance", "form-depth"]
    hidden = mapped(2 * LONGEST, orthogonal=coordinates == "raw")
    told = {"tasks": tasks, "coordinates": coordinates, "max_steps": 500}
    probe, D = fit(("syntax", "form"), TRAIN, DEV, hidden, **told)
    assert probe.score(D, DEV) > 0.95
    pairs = pairs_of(probe)
    assert len(pairs) == 6
    for name in ("syntax", "form"):
        both = pairs[f"{name}-distance", f"{name}-depth"]
        assert both.share > 0.8
        assert both.overlap > 0.8
    for a in tasks[:2]:
        for b in tasks[2:]:
            assert pairs[a, b].share < 0.2, (a, b)
            assert pairs[a, b].overlap < 0.05
            assert pairs[a, b].share < pairs[a, b].chance
    assert max(probe.dev_losses_.values()) < 0.25


def test_tasks_on_the_same_axes_share_all() -> None:
    # The gold trees are those of the control task, whose axes are then those of syntax.
    train, dev = (by_form(bank) for bank in (TRAIN, DEV))
    tasks = ["syntax-distance", "form-distance", "form-depth"]
    hidden = mapped(2 * LONGEST)
    probe, _ = fit(("syntax", "random"), train, dev, hidden, tasks=tasks, max_steps=500)
    for pair in probe.shared_axes():
        assert pair.share > 0.8
        assert pair.overlap > 0.8
        assert LONGEST - 2 <= min(pair.n_a, pair.n_b) <= LONGEST
        assert pair.n_shared == round(pair.share * min(pair.n_a, pair.n_b))
        assert pair.chance == max(pair.n_a, pair.n_b) / len(probe.rotation_)


@pytest.mark.parametrize("coordinates", ["whitened", "raw"])
def test_the_axes_stay_orthogonal(coordinates: str) -> None:
    probe, D = fit(("syntax", "form"), TRAIN, DEV, None, coordinates=coordinates, max_steps=100)
    V, eye = probe.rotation_, np.eye(2 * LONGEST)
    assert np.abs(V @ V.T - eye).max() < 1e-6
    assert np.abs(V - eye).max() > 0.1
    if coordinates == "raw":
        assert np.array_equal(probe.coordinates_, eye)
    else:
        rows = np.concatenate(planted(TRAIN, ("syntax", "form"), 0)) @ probe.coordinates_.T
        assert np.abs(rows.T @ rows / len(rows) - np.eye(len(probe.coordinates_))).max() < 1e-4
    # By the formula, with all differences written out.
    axes = probe.rotation_ @ probe.coordinates_
    words, scaling = D[0] @ axes.T, probe.scalings_["syntax-distance"]
    plain = np.square(scaling * (words[:, None] - words)).sum(-1)
    np.testing.assert_allclose(probe.distances(D)[0], plain, rtol=1e-3, atol=1e-4)
    plain = np.square(probe.scalings_["syntax-depth"] * words).sum(-1)
    np.testing.assert_allclose(probe.depths(D)[0], plain, rtol=1e-3, atol=1e-4)
    for weights, scaling in zip(probe.weights_.values(), probe.scalings_.values(), strict=True):
        assert weights.sum() == pytest.approx(1, abs=1e-5)
        assert np.array_equal(weights > 0, scaling != 0)


def test_which_linear_maps_of_the_vectors_change_nothing() -> None:
    structures, told = ("syntax", "form"), {"max_steps": 15, "threshold": 0.0}
    width = 2 * LONGEST
    found = {}
    for coordinates in ("whitened", "raw"):
        for name, hidden in (("as they are", np.eye(width)), ("mapped", mapped(width)),
                             ("turned", mapped(width, orthogonal=True))):  # fmt: skip
            probe, D = fit(structures, TRAIN, DEV, hidden, coordinates=coordinates, **told)
            found[coordinates, name] = np.concatenate([one.ravel() for one in probe.distances(D)])
    for coordinates, name, same in (("whitened", "mapped", True), ("whitened", "turned", True),
                                    ("raw", "turned", True), ("raw", "mapped", False)):  # fmt: skip
        distance = np.abs(found[coordinates, name] - found[coordinates, "as they are"]).max()
        assert bool(distance < 1e-3) is same, (coordinates, name, distance)


def test_a_higher_penalty_leaves_fewer_axes() -> None:
    counts = []
    X, heads = noisy(200, seed=0, hidden_size=24, noise=0.4)
    for l1 in (0.0, 1.0):
        probe = OrthogonalProbe(l1=l1, max_steps=200, **QUIET).fit(X, heads)
        counts.append([np.count_nonzero(probe.scalings_[task]) for task in BOTH])
    assert counts[1] < [n - 3 for n in counts[0]]


def test_a_threshold_drops_the_weakest_axes_and_little_else() -> None:
    told = {"max_steps": 60, "l1": 0.0}
    every, D = fit(("syntax", "form"), TRAIN, DEV, None, threshold=0.0, **told)
    some, _ = fit(("syntax", "form"), TRAIN, DEV, None, threshold=0.1, **told)
    for task in BOTH:
        kept = some.scalings_[task] != 0
        assert 0 < kept.sum() < np.count_nonzero(every.scalings_[task])
        assert np.array_equal(some.scalings_[task][kept], every.scalings_[task][kept])
        assert every.weights_[task][~kept].sum() <= 0.1
    means = [np.mean([own.mean() for own in one.distances(D)]) for one in (every, some)]
    assert 0.85 < means[1] / means[0] < 1


def test_tasks_by_name() -> None:
    probe = OrthogonalProbe(tasks="syntax-distance, linear-depth", max_steps=2, **QUIET)
    X = planted(TRAIN[:20], ("syntax",), 0)
    probe.fit(X, TRAIN[:20])  # without a dev set, sentences are held out
    assert [*probe.scalings_] == ["syntax-distance", "linear-depth"]
    assert probe.distances(X)[0].shape == (len(TRAIN[0]),) * 2
    assert probe.depths(X, "linear-depth")[0].shape == (len(TRAIN[0]),)
    (pair,) = probe.shared_axes()
    assert {*pair.values()} == {
        "a", "b", "n_a", "n_b", "n_shared", "share", "chance", "overlap"
    }  # fmt: skip
    for use, wanted in (
        (
            lambda: probe.predict(X),
            "the probe was not fitted for the task 'syntax-depth'; it has: ",
        ),
        (
            lambda: probe.distances(X, "form-distance"),
            "not fitted for the task 'form-distance'; it",
        ),
        (lambda: probe.distances(X, "linear-depth"), "not fitted for the task 'linear-depth'"),
        (
            lambda: probe.depths(X),
            "not fitted for the task 'syntax-depth'; it has: syntax-distance",
        ),
    ):
        with pytest.raises(ProbeError, match=wanted):
            use()
    for unfitted in (lambda: OrthogonalProbe().shared_axes(), lambda: OrthogonalProbe().depths(X)):
        with pytest.raises(NotFittedError):
            unfitted()


def test_the_trees_of_any_structure_are_passed_by_name() -> None:
    X, trees = planted(TRAIN[:20], ("syntax",), 0), with_controls(TRAIN[:20], "form")
    assert [*trees] == ["syntax", "form"]
    assert trees["syntax"] is TRAIN[:20] or [*trees["syntax"]] == [*TRAIN[:20]]
    told = {"max_steps": 2, **QUIET}
    by_name = OrthogonalProbe(**told).fit(X, trees)
    alone = OrthogonalProbe(**told).fit(X, [one.heads for one in TRAIN[:20]])
    assert np.array_equal(by_name.rotation_, alone.rotation_)
    # Names may contain dashes, and need not include the gold trees.
    other = OrthogonalProbe(tasks="sud-2-depth", **told).fit(X, {"sud-2": trees["form"]})
    assert [*other.scalings_] == ["sud-2-depth"]
    form = OrthogonalProbe(tasks="form-depth", **told)
    for call, told_then in (
        (lambda: form.fit(X, TRAIN[:20]), "unknown task 'form-depth'"),
        (lambda: form.fit(X, {}), "y has no trees; pass the trees of at least one structure"),
        (
            lambda: form.fit(X, trees, dev=(X, TRAIN[:20])),
            "y_dev has no trees 'form', but y has; it has: 'syntax'",
        ),
        (
            lambda: form.fit(X, {**trees, "form": trees["form"][:3]}),
            r"X has 20 sentences, y\['form'\] has 3;",
        ),
    ):
        with pytest.raises(ProbeError, match=told_then):
            call()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"tasks": ["syntax-distances"]},
            "unknown task 'syntax-distances' .*; choose from 'syntax",
        ),
        (
            {"tasks": []},
            "no task was given; choose from syntax-distance, syntax-depth, linear-distance, linear",
        ),
        ({"tasks": 3}, "tasks is 3, not a list of names"),
        ({"coordinates": "white"}, "unknown coordinates 'white'"),
        ({"l1": -1}, "l1 must be at least 0 and finite, got -1"),
        ({"l1": float("nan")}, "l1 must be at least 0 and finite, got nan"),
        ({"threshold": 1}, "threshold must be at least 0 and below 1, got 1"),
        (
            {"learning_rate": 1e30},
            "the loss is no longer finite at step 2; use a smaller learning_rate$",
        ),
    ],
)
def test_bad_settings_are_one_line(settings: dict[str, Any], told: str) -> None:
    X = planted(TRAIN[:20], ("syntax",), 0)
    with pytest.raises(ProbeError, match=told) as error:
        OrthogonalProbe(**{**QUIET, "max_steps": 20, **settings}).fit(X, TRAIN[:20])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("coordinates", ["whitened", "raw"])
def test_equal_vectors_throughout_a_sentence_are_refused(coordinates: str) -> None:
    bank = Treebank(Sentence(("a", "b"), np.array([0, 1], dtype=np.int32)) for _ in range(4))
    X = [np.ones((2, 3)) * number for number in range(1, 5)]
    with pytest.raises(ProbeError, match="all words of a sentence have the same vector"):
        OrthogonalProbe(coordinates=coordinates, **QUIET).fit(X, bank)

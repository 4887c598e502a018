"""Candidates compete on dev: the worse half leaves, the best is chosen and scaled."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.planted import planted

from structprobe import LayerSweep, StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.data.batches import Batch, Pool, WordBatch
from structprobe.probe.losses.geometries import EUCLIDEAN
from structprobe.probe.losses.geometry import depth_loss
from structprobe.probe.training import joint_fit as together
from structprobe.probe.training.candidates import (
    Candidates,
    Contest,
    DevScore,
    best_factor,
    dev_score,
    from_the_best,
)
from structprobe.probe.training.loop import Cosine, Problem, Stack, mean_loss, train
from structprobe.probe.training.recipes import RECIPES, TreeAxes, Whitened, chooses
from structprobe.trees import spanning_tree, tree_distances

X, HEADS = planted(150, seed=0, noise=0.3)
DEV = planted(80, seed=1, noise=0.3)
AUTO = RECIPES["auto"]
assert isinstance(AUTO, TreeAxes)
NAMES = [axes.name for axes in AUTO.candidates]


def small_probe(**settings: Any) -> StructuralProbe:
    return StructuralProbe(
        **{"recipe": "auto", "max_steps": 60, "random_state": 0, "device": "cpu", **settings}
    )


@cache
def fitted(recipe: str = "auto", select: str = "uuas") -> StructuralProbe:
    """A small probe that several tests look at."""
    return small_probe(recipe=recipe, select=select).fit(X, HEADS, dev=DEV)


def axes_problem(start: float, decay: float = 0.0) -> Problem:
    schedule = Cosine(Whitened(), 0.1, 100)
    return Problem(torch.full((1, 1), start), schedule, torch.ones(1), decay)


# --- the factor and the scores ---


@pytest.mark.parametrize("seed", range(5))
def test_no_other_factor_has_a_lower_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted, gold, weights = (torch.tensor(rng.gamma(1.0, size=30)) for _ in range(3))
    weights[::4] = 0
    found = best_factor(predicted, gold, weights)

    def error(factor: float) -> float:
        return float((weights * (factor * predicted - gold).abs()).sum())

    assert error(found) <= min(map(error, np.linspace(0.01, 5, 2000))) + 1e-9


def test_a_factor_of_nothing_is_one() -> None:
    nothing = torch.zeros(4)
    assert best_factor(nothing, torch.ones(4), torch.ones(4)) == 1.0
    assert best_factor(torch.ones(4), torch.zeros(4), torch.ones(4)) == 1.0


def test_dev_scores_are_those_of_one_sentence_after_the_other() -> None:
    vectors, heads = planted(40, seed=3, noise=0.5)
    lengths = np.array([*map(len, vectors)])
    gold = [tree_distances(one) for one in heads]
    flat = torch.from_numpy(np.concatenate([one.ravel() for one in gold]))
    pool = Pool(lengths, flat, pairs=True)
    dev = [pool.batch(np.arange(first, first + 13)) for first in range(0, 39, 13)]
    rows = torch.from_numpy(np.concatenate([*vectors, np.zeros((1, 24), np.float32)]))
    components = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 24))).float() / 3

    def rows_of(batch: Batch) -> torch.Tensor:
        return rows[batch.rows]

    found = dev_score(components, rows_of, dev, EUCLIDEAN)
    right = total = loss = 0.0
    for own, tree, distances in zip(vectors[:39], heads, gold, strict=False):
        projected = own @ components.numpy().T
        predicted = ((projected[:, None] - projected[None]) ** 2).sum(-1)
        n = len(own)
        loss += np.abs(found.factor * predicted - distances).sum() / n**2 / 39
        pairs = {frozenset((i, h - 1)) for i, h in enumerate(spanning_tree(predicted)) if h}
        right += len(pairs & {frozenset((i, h - 1)) for i, h in enumerate(tree) if h})
        total += n - 1
    assert found.uuas == pytest.approx(right / total)
    assert found.loss == pytest.approx(loss, rel=1e-4)


def test_depths_are_scored_without_trees() -> None:
    batch = WordBatch(slice(0, 3), torch.tensor([0.0, 1, 2]), torch.full((3,), 1 / 3), 1)
    rows = torch.tensor([[0.0], [1], [2]])
    found = dev_score(torch.full((1, 1), 0.5), lambda one: rows[one.rows], [batch], EUCLIDEAN)
    assert found.uuas is None
    # Predicted are 0, 1/4 and 1: the median ratio by their weights is that of the last.
    assert (found.factor, found.loss) == (2.0, pytest.approx(0.5 / 3))


# --- halving ---


def test_the_worse_half_leaves_and_the_best_stays() -> None:
    group = Candidates({name: axes_problem(1.0) for name in "abcde"})
    scores = dict(zip("abcde", (0.1, 0.5, 0.4, 0.5, 0.3), strict=True))
    losses = dict.fromkeys("abcde", 1.0) | {"d": 0.9}
    told = {id(p): DevScore(1, scores[n], losses[n]) for n, p in group.problems.items()}
    group.compare(told, "uuas", 0.0, last=False)
    assert [n for n, p in group.problems.items() if p.ended] == ["a", "e"]
    assert group.chosen == "d"  # as good as b, with a lower loss
    group.compare(told, "loss", 0.0, last=True)
    assert group.chosen == "d"
    unknown = {place: replace(one, uuas=None, loss=1.0) for place, one in told.items()}
    group.compare(unknown, "uuas", 0.0, last=True)
    assert group.chosen == "a"  # all alike: the first


def test_of_those_that_are_as_good_the_loss_decides() -> None:
    scores = {
        name: DevScore(1, uuas, loss)
        for name, uuas, loss in [("a", 0.5, 1.0), ("b", 0.498, 0.8), ("c", 0.49, 0.5), ("d", 0, 0)]
    }
    assert from_the_best(scores, "uuas", 0.003) == ["b", "a", "c", "d"]
    assert from_the_best(scores, "uuas", 0.0) == ["a", "b", "c", "d"]
    assert from_the_best(scores, "loss", 0.003) == ["d", "c", "b", "a"]


def test_the_winner_takes_the_same_steps_as_alone() -> None:
    names = {name: fitted(name) for name in NAMES}
    probe = fitted()
    chosen = probe.history_["chosen"]
    assert chosen == probe.history_["distance"]["chosen"]
    assert np.array_equal(probe.distance_components_, names[chosen].distance_components_)
    assert np.array_equal(probe.depth_components_, names[chosen].depth_components_)
    others = {name: one.history_["distance"]["candidates"][name] for name, one in names.items()}
    told = probe.history_["distance"]["candidates"]
    assert told[chosen] == others[chosen]
    assert sorted(one["step"] for one in told.values())[:2] == [6, 6]  # after 1 of 10 evaluations
    assert "chosen" not in names[chosen].history_


@pytest.mark.parametrize("select", ["uuas", "loss"])
def test_what_is_chosen_is_the_best_of_the_last(select: str) -> None:
    course = fitted(select=select).history_["distance"]
    last = max(one["step"] for one in course["candidates"].values())
    best = course["candidates"][course["chosen"]]
    assert best["step"] == last or best["step"] == course["best_step"]
    first = [one for one in course["candidates"].values() if one["step"] == 6]
    if select == "loss":
        assert all(best["loss"] <= one["loss"] for one in first)
    else:
        assert all(best["uuas"] >= one["uuas"] - AUTO.margin for one in first)
    assert course["best_dev_loss"] == best["loss"]


def test_the_factor_is_part_of_the_matrix() -> None:
    probe = fitted()
    distances = probe.distances(DEV[0])
    errors = [
        np.abs(found - tree_distances(tree)).sum() / len(tree) ** 2
        for found, tree in zip(distances, DEV[1], strict=True)
    ]
    assert np.mean(errors) == pytest.approx(probe.history_["distance"]["best_dev_loss"], rel=1e-4)
    again = small_probe(loss="tree").fit(X, HEADS, dev=DEV).history_["distance"]
    assert {one["factor"] for one in again["candidates"].values()} == {1.0}
    assert again["best_dev_loss"] == min(one["dev_loss"] for one in again["evaluations"])


def test_a_decay_shrinks_and_a_rate_of_a_column_slows() -> None:
    """One word at (1, 1), whose depth is already right: nothing pulls but the decay."""
    batch = WordBatch(slice(0, 1), torch.tensor([1.0]), torch.zeros(1), 1)
    vectors = torch.ones(1, 2)
    schedule = Cosine(Whitened(evaluations=5, warm_up=0.01), 0.1, 5)
    problem = Problem(torch.ones(1, 2), schedule, torch.tensor([1.0, 0.5]), decay=2.0)
    stack = Stack(depth_loss, [problem], vectors, vectors)
    stack.step(batch, 1)
    assert stack.components.tolist() == [[pytest.approx(0.8), pytest.approx(0.8)]]
    pulled = replace(batch, gold=torch.tensor([9.0]), weights=torch.ones(1))
    before = stack.components.clone()
    stack.step(pulled, 2)
    change = (stack.components - before * (1 - 2 * schedule.learning_rate(2)))[0]
    assert float(change[0]) == pytest.approx(2 * float(change[1]), rel=1e-4)


def test_candidates_of_stacked_problems_take_their_own_rates() -> None:
    batches = [WordBatch(slice(0, 2), torch.tensor([1.0, 4.0]), torch.full((2,), 0.5), 2)]
    rates = [torch.tensor([1.0, 0.3]), torch.tensor([0.2, 1.0])]

    def problems() -> list[Problem]:
        schedule = Cosine(Whitened(), 0.05, 40)
        given = zip(rates, (0.0, 1.0), strict=True)
        return [Problem(torch.full((1, 2), 0.3), schedule, *one) for one in given]

    vectors = torch.randn(2, 2, 2, generator=torch.Generator().manual_seed(0))
    both = problems()
    train([Stack(depth_loss, both, vectors, vectors)], lambda: batches, batches)
    for index, alone in enumerate(problems()):
        train(
            [Stack(depth_loss, [alone], vectors[index], vectors[index])], lambda: batches, batches
        )
        torch.testing.assert_close(both[index].components, alone.components)


def test_who_leaves_a_stack_of_several_leaves_the_others_as_they_were() -> None:
    batches = [WordBatch(slice(0, 2), torch.tensor([1.0, 4.0]), torch.full((2,), 0.5), 2)]
    vectors = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(0))

    def problems() -> list[Problem]:
        return [Problem(torch.full((1, 2), 0.3), Cosine(Whitened(), 0.05, 40)) for _ in range(3)]

    ones, alone = problems(), problems()
    groups = [Candidates({"a": ones[0], "b": ones[1]}), Candidates({"a": ones[2]})]
    contest = Contest(groups, batches, (2,), "loss", 0.0, scaled=True, geometry=EUCLIDEAN)
    stack = Stack(depth_loss, ones, vectors, vectors)
    train([stack], lambda: batches, batches, None, contest)
    assert [len(one.history) for one in ones[:2]].count(2) == 1
    for index, one in enumerate(alone):
        own = vectors[index]
        train([Stack(depth_loss, [one], own, own)], lambda: batches, batches)
        if len(ones[index].history) == 10:
            torch.testing.assert_close(ones[index].components, one.components)
            found = groups[index == 2].scores["ab"[index % 2]]
            scaled = one.components * found.factor**0.5
            mean = mean_loss(lambda b: depth_loss(scaled, own[b.rows], b), batches)  # noqa: B023
            assert found.loss == pytest.approx(float(mean), rel=1e-4)


# --- the recipe ---


def test_planted_trees_are_found() -> None:
    vectors, heads = planted(300, seed=2)
    probe = small_probe(max_steps=400).fit(vectors, heads, dev=planted(80, seed=5))
    scores = probe.evaluate(*planted(80, seed=5))
    assert (scores.uuas or 0) > 0.99


def test_few_sentences_with_noise_are_where_it_gains() -> None:
    train_set, test = planted(60, seed=7, noise=0.4), planted(200, seed=8, noise=0.4)
    found = {
        recipe: small_probe(recipe=recipe, max_steps=300).fit(*train_set).score(*test)
        for recipe in ("auto", "whitened")
    }
    assert found["auto"] > found["whitened"] + 0.02


@pytest.mark.parametrize("recipe", NAMES)
def test_a_linear_map_changes_no_candidate(recipe: str) -> None:
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.normal(size=(24, 24)))[0] for _ in range(2))
    matrix, offset = left * np.logspace(2, -2, 24) @ right, 300 * rng.normal(size=24)
    plain = fitted(recipe)
    mapped, mapped_dev = ([x @ matrix + offset for x in some] for some in (X, DEV[0]))
    other = small_probe(recipe=recipe).fit(mapped, HEADS, dev=(mapped_dev, DEV[1]))
    # The vectors are rounded, and a step follows signs: as much as one edge in a hundred.
    scores = plain.score(*DEV), other.score(mapped_dev, DEV[1])
    assert scores[0] == pytest.approx(scores[1], abs=0.015)
    losses = [one.history_["distance"]["best_dev_loss"] for one in (plain, other)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


@pytest.mark.parametrize("n_sentences", [6, 12])
def test_a_handful_of_sentences(n_sentences: int) -> None:
    vectors, heads = planted(n_sentences, seed=11, longest=6)
    probe = small_probe().fit(vectors, heads)
    assert probe.history_["chosen"] in NAMES
    assert all(np.isfinite(one).all() for one in probe.distances(vectors))


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ProbeError, match=r"unknown select 'las'; choose from 'uuas', 'loss'"):
        small_probe(select="las").fit(X, HEADS)


def test_it_is_saved_with_what_was_chosen(tmp_path: Path) -> None:
    probe = fitted(select="loss")
    probe.save_pretrained(tmp_path / "probe")
    again = StructuralProbe.from_pretrained(tmp_path / "probe")
    assert again.history_ == json.loads(json.dumps(probe.history_))
    assert again.get_params()["select"] == "loss"
    assert f"`{probe.history_['chosen']}`" in (tmp_path / "probe" / "README.md").read_text()


def test_each_layer_chooses_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=x.shape).astype(np.float32) for x in X]
    layers = {0: X, 1: [0.2 * x + n for x, n in zip(X, noise, strict=True)]}
    dev = {0: DEV[0], 1: [0.2 * x + rng.normal(size=x.shape) for x in DEV[0]]}
    told: dict[str, Any] = {"recipe": "auto", "max_steps": 60, "random_state": 0, "device": "cpu"}
    alone = LayerSweep(**told).fit(layers, HEADS, dev=(dev, DEV[1])).probes_
    for layer, one in alone.items():
        other = small_probe().fit(layers[layer], HEADS, dev=(dev[layer], DEV[1]))
        assert np.array_equal(one.distance_components_, other.distance_components_)
        assert one.history_ == other.history_
    monkeypatch.setattr(together, "stacks_layers", lambda _: True)
    stacked = LayerSweep(**told).fit(layers, HEADS, dev=(dev, DEV[1])).probes_
    for layer, one in stacked.items():
        assert one.history_["chosen"] == alone[layer].history_["chosen"]
        losses = [some.history_["distance"]["best_dev_loss"] for some in (one, alone[layer])]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_which_recipes_choose() -> None:
    assert [name for name in RECIPES if chooses(name)] == ["auto"]

"""Layers, ranks and seeds in one run give what each gives alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.planted import planted

from structprobe import LayerSweep, StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.data.examples import Examples
from structprobe.probe.data.ragged_vectors import Words
from structprobe.probe.estimator import fit_together
from structprobe.probe.training import joint_fit as together
from structprobe.probe.training.joint_fit import layer_groups
from structprobe.probe.training.settings import read_settings

N_TRAIN = 90
TREES = planted(120, seed=0, noise=0.3)
HEADS, DEV_HEADS = TREES[1][:N_TRAIN], TREES[1][N_TRAIN:]


def bank(part: slice) -> dict[int, list[Any]]:
    """Three layers: the planted one, one of other scales, and one without its last direction."""
    rng = np.random.default_rng(1)
    scales = rng.uniform(0.1, 3, 24)
    flat = np.eye(24) - 1 / 24  # the vectors sum to zero, as layer norm leaves them
    maps = {0: np.eye(24), 3: np.diag(scales), 7: flat}
    return {layer: [x @ change for x in TREES[0][part]] for layer, change in maps.items()}


X, DEV_X = bank(slice(N_TRAIN)), bank(slice(N_TRAIN, None))
DEV = (DEV_X, DEV_HEADS)
RECIPES = [
    {"recipe": "whitened", "max_steps": 60},
    {"recipe": "auto", "max_steps": 30},
    {"recipe": "published", "max_steps": 40, "learning_rate": 0.05},
]


# Room for the vectors of one layer, with and without dev, but not for those of two.
ONE_LAYER = 1.1 * sum(map(len, TREES[1])) * 24 * 4 / 1e9


def same(a: StructuralProbe, b: StructuralProbe) -> bool:
    """Whether two probes learned the same, bit for bit."""
    return (
        np.array_equal(a.distance_components_, b.distance_components_)
        and np.array_equal(a.depth_components_, b.depth_components_)
        and a.history_ == b.history_
    )


@pytest.mark.fault_class("numbers")
@pytest.mark.parametrize("recipe", RECIPES, ids=["whitened", "auto", "published"])
@pytest.mark.parametrize("given_dev", [True, False], ids=["dev", "held out"])
@pytest.mark.parametrize("memory_gb", [4.0, ONE_LAYER], ids=["together", "one by one"])
def test_each_layer_is_found_as_if_alone(
    recipe: dict[str, Any], given_dev: bool, memory_gb: float
) -> None:
    sweep = LayerSweep(rank=12, random_state=3, device="cpu", memory_gb=memory_gb, **recipe)
    found = sweep.fit(X, HEADS, dev=DEV if given_dev else None).probes_
    assert list(found) == [0, 3, 7]
    for layer, probe in found.items():
        alone = StructuralProbe(rank=12, random_state=3, device="cpu", **recipe)
        alone.fit(X[layer], HEADS, dev=(DEV_X[layer], DEV_HEADS) if given_dev else None)
        # One by one, a fit has both cores, and its sums may be taken in another order.
        assert same(probe, alone) or memory_gb < 1
        for kind in ("distance", "depth"):
            losses = [one.history_[kind]["best_dev_loss"] for one in (probe, alone)]
            assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@pytest.mark.fault_class("numbers")
@pytest.mark.parametrize("recipe", RECIPES, ids=["whitened", "auto", "published"])
def test_layers_in_one_product_score_as_if_alone(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = LayerSweep(random_state=0, device="cpu", **recipe)
    alone = sweep.fit(X, HEADS, dev=DEV).probes_
    monkeypatch.setattr(together, "stacks_layers", lambda _: True)
    for layer, probe in sweep.fit(X, HEADS, dev=DEV).probes_.items():
        scores = [one.score(DEV_X[layer], DEV_HEADS) for one in (probe, alone[layer])]
        assert scores[0] == pytest.approx(scores[1], abs=0.01)
        for kind in ("distance", "depth"):
            losses = [one.history_[kind]["best_dev_loss"] for one in (probe, alone[layer])]
            assert losses[0] == pytest.approx(losses[1], abs=1e-3)


@pytest.mark.fault_class("numbers")
@pytest.mark.parametrize("stacked", [True, False])
def test_ranks_and_seeds_share_a_run(stacked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "stacks_layers", lambda _: stacked)
    settings = [(0, 24, 0), (3, 24, 0), (3, 5, 0), (3, 5, 1), (7, 24, 1), (3, 5, None)]
    jobs = [
        (layer, StructuralProbe(rank=rank, random_state=seed, max_steps=30, device="cpu"))
        for layer, rank, seed in settings
    ]
    done = [job for some in fit_together(jobs, X, HEADS, dev=DEV) for job in some]
    assert sorted(map(id, done)) == sorted(map(id, jobs))
    monkeypatch.setattr(together, "stacks_layers", lambda _: False)
    for layer, probe in jobs[:-1]:
        alone = StructuralProbe(**probe.get_params()).fit(
            X[layer], HEADS, dev=(DEV_X[layer], DEV_HEADS)
        )
        assert same(probe, alone) or stacked
        loss, expected = (one.history_["distance"]["best_dev_loss"] for one in (probe, alone))
        assert loss == pytest.approx(expected, abs=1e-3)
    assert not np.array_equal(jobs[-1][1].distance_components_, jobs[3][1].distance_components_)


def test_groups_hold_layers_of_one_width_that_fit() -> None:
    # 10 words of 8 and 20 numbers in float32, and 5 dev words: 480 and 1,200 bytes a layer.
    lengths = np.array([4, 6])

    def words(width: int, lengths: Any) -> Words:
        return Words(np.zeros((lengths.sum(), width)), np.cumsum(lengths) - lengths, lengths)

    widths = {"a": 8, "b": 8, "c": 8, "d": 20, "e": 20}
    whole = Examples({layer: words(width, lengths) for layer, width in widths.items()}, {})
    dev = Examples({layer: words(width, np.array([5])) for layer, width in widths.items()}, {})
    for room, expected in [
        (960, [["a", "b"], ["c"], ["d"], ["e"]]),
        (2400, [["a", "b", "c"], ["d", "e"]]),
        (1, [["a"], ["b"], ["c"], ["d"], ["e"]]),
    ]:
        probe = StructuralProbe(device="cpu", memory_gb=(room + 0.5) / 1e9)
        settings = read_settings(probe.get_params(), 8)
        assert layer_groups([*widths, "a"], whole, dev, settings) == expected


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(3)])
def test_a_seed_of_numpy_is_the_number_that_it_is(seed: Any) -> None:
    """As of ``for seed in np.arange(3)``."""
    found = LayerSweep(rank=4, max_steps=5, random_state=seed, device="cpu").fit(X, HEADS, dev=DEV)
    found = found.probes_
    alone = StructuralProbe(rank=4, max_steps=5, random_state=seed, device="cpu")
    assert same(found[3], alone.fit(X[3], HEADS, dev=(DEV_X[3], DEV_HEADS)))


def test_a_bank_of_layers_and_a_generator_will_do() -> None:
    encoded = SimpleNamespace(layers=(0, 3), layer=X.__getitem__)
    found = (
        LayerSweep(max_steps=5, random_state=np.random.default_rng(0)).fit(encoded, HEADS).probes_
    )
    again = (
        LayerSweep(max_steps=5, random_state=np.random.default_rng(0)).fit(encoded, HEADS).probes_
    )
    assert list(found) == [0, 3]
    assert same(found[3], again[3])


def test_products_are_of_the_type_that_the_processor_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def products(name: str) -> torch.dtype:
        settings = StructuralProbe(device="cpu", products=name).get_params()
        return read_settings(settings, 24).products

    for found, expected in [
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx2": True}, torch.float32),
    ]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert products("auto") == expected
        assert products("float32") == torch.float32
        assert products("bfloat16") == torch.bfloat16
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert products("auto") == torch.float32


def test_a_layer_may_have_no_rank_asked_of_it_twice() -> None:
    jobs = [(0, StructuralProbe(rank=3, random_state=1, max_steps=5)) for _ in range(2)]
    list(fit_together(jobs, X, HEADS, dev=DEV))
    assert same(jobs[0][1], jobs[1][1])


def test_bfloat16_products_stay_close() -> None:
    # By one recipe: rounding may decide between candidates that are about as good.
    told = {"recipe": "whitened", "max_steps": 300, "random_state": 0, "device": "cpu"}
    exact, rounded = (
        StructuralProbe(products=products, **told).fit(X[0], HEADS, dev=(DEV_X[0], DEV_HEADS))
        for products in ("float32", "bfloat16")
    )
    for kind in ("distance", "depth"):
        losses = [one.history_[kind]["best_dev_loss"] for one in (exact, rounded)]
        assert losses[0] == pytest.approx(losses[1], abs=0.01)
        assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LayerSweep(rnk=3), "rnk"),
        (lambda: LayerSweep().fit(X[0], HEADS), "X is list, not the vectors of several layers"),
        (lambda: LayerSweep().fit({}, HEADS), "X has no layers"),
        (lambda: LayerSweep().fit(X, HEADS, dev=3), "dev is int, not a pair"),
        (
            lambda: LayerSweep().fit(X, HEADS, dev=({0: DEV_X[0]}, DEV_HEADS)),
            "X_dev has no vectors for layer 3",
        ),
        (lambda: LayerSweep(rank=25).fit(X, HEADS), "rank must be .*, got 25"),
        (lambda: LayerSweep().fit({0: X[0], 1: X[0][1:]}, HEADS), "X of layer 1 has 89 sentences"),
        (lambda: list(fit_together([], X, HEADS)), "no probes to fit"),
        (lambda: list(fit_together([(5, StructuralProbe())], X, HEADS)), "no vectors for layer 5"),
        (
            lambda: list(
                fit_together([(0, StructuralProbe()), (3, StructuralProbe(max_steps=3))], X, HEADS)
            ),
            "must have the same max_steps",
        ),
        (lambda: StructuralProbe(products="float16").fit(X[0], HEADS), "unknown products"),
        (
            lambda: StructuralProbe(memory_gb=0).fit(X[0], HEADS),
            "memory_gb must be .*, got 0",
        ),
        (lambda: LayerSweep(memory_gb="4").fit(X, HEADS), "memory_gb must be .* number, got '4'"),
        (
            lambda: LayerSweep(memory_gb=np.inf).fit(X, HEADS),
            "memory_gb must be .*, got inf",
        ),
    ],
)
def test_faults_are_named(call: Any, message: str) -> None:
    with pytest.raises((ProbeError, TypeError), match=message):
        call()

"""Probes of other geometries, and on kernel features, as methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, ProbeRecoverer, StructuralProbe
from structprobe.errors import MethodError, ProbeError
from structprobe.probe.losses.geometries import GEOMETRIES
from structprobe.probe.readers.kernel_probe import KernelProbe
from structprobe.recoverers.geometry_probe import GeometryProbe
from structprobe.recoverers.landmark_probe import LandmarkProbe
from structprobe.recoverers.methods import choose_methods, find_methods
from structprobe.recoverers.probe import NAMES

TRAIN, DEV, TEST = (tiny_bank(seed=seed) for seed in range(3))
TOLD: dict[str, Any] = {"rank": 3, "max_steps": 10, "random_state": 5, "device": "cpu"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny"), "bert"))


def test_every_geometry_has_a_method() -> None:
    assert [*NAMES] == [*GEOMETRIES]
    known = find_methods()
    assert {name: known[name].told for name in NAMES.values()} == {
        name: {} if geometry == "euclidean" else {"geometry": geometry}
        for geometry, name in NAMES.items()
    }


@pytest.mark.parametrize("geometry", [name for name in GEOMETRIES if name != "euclidean"])
def test_it_is_the_probe_in_another_geometry(geometry: str, encoder: Encoder) -> None:
    method = GeometryProbe(encoder, geometry=geometry, progress=False, **TOLD).fit(TRAIN, DEV)
    layer = method.chosen_["layer"]
    train, dev, test = (
        encoder.encode(bank, layers=layer, progress=False).layer(layer)
        for bank in (TRAIN, DEV, TEST)
    )
    alone = StructuralProbe(geometry=geometry, recipe="whitened", **TOLD)
    alone.fit(train, TRAIN, dev=(dev, DEV))
    assert method.curve_[layer] == alone.evaluate(dev, DEV).uuas == max(method.curve_.values())
    for mine, its in zip(method.predict(TEST), alone.predictions(test), strict=True):
        assert np.array_equal(mine.distances, its.distances)
        assert mine.heads.tolist() == its.heads.tolist()
    told = method.describe() | method.recoverer_.describe()
    assert (told["method"], told["rank"]) == (NAMES[geometry], 3)


def test_a_saved_probe_says_its_geometry(encoder: Encoder, tmp_path: Path) -> None:
    method = GeometryProbe(encoder, geometry="hyperbolic", progress=False, **TOLD).fit(TRAIN, DEV)
    method.recoverer_.save_pretrained(tmp_path / "probe")
    loaded = ProbeRecoverer.from_pretrained(tmp_path / "probe", model=encoder)
    assert loaded.name == loaded.describe()["method"] == "probe-hyperbolic"
    for mine, its in zip(loaded.predict(TEST), method.predict(TEST), strict=True):
        assert np.array_equal(mine.distances, its.distances)
    assert ProbeRecoverer(encoder, 0, StructuralProbe()).name == "probe"


def test_what_would_make_a_name_false_is_refused(encoder: Encoder) -> None:
    for geometry in ("spherical", "euclidean"):
        with pytest.raises(MethodError, match=f"unknown geometry '{geometry}'; choose from 'hyp"):
            GeometryProbe(encoder, geometry=geometry)
    with pytest.raises(ProbeError, match="geometry='signed' divides the rows in two"):
        GeometryProbe(encoder, geometry="signed", rank=1, progress=False).fit(TRAIN, DEV)


def test_landmarks_as_a_method(encoder: Encoder) -> None:
    (chosen,) = choose_methods("probe-landmarks[kernel=polynomial,n_landmarks=12]")
    assert chosen.told == {"kernel": "polynomial", "n_landmarks": 12}
    told = {**TOLD, **chosen.told}
    method = LandmarkProbe(encoder, progress=False, **told).fit(TRAIN, DEV)
    assert list(method.curve_) == [0, 1, 2]
    layer = method.chosen_["layer"]
    train, dev, test = (
        encoder.encode(bank, layers=layer, progress=False).layer(layer)
        for bank in (TRAIN, DEV, TEST)
    )
    alone = KernelProbe(**told).fit(train, TRAIN, dev=(dev, DEV))
    assert method.curve_[layer] == alone.evaluate(dev, DEV).uuas
    for mine, its in zip(method.predict(TEST), alone.predictions(test), strict=True):
        assert np.array_equal(mine.distances, its.distances)

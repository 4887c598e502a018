"""The orthogonal probe as a method: layer on dev, trees on test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.planted_encoder import PlantedEncoder, distinct_bank
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, Treebank, score
from structprobe.errors import MethodError, ProbeError
from structprobe.probe.orthogonal_probe import OrthogonalProbe
from structprobe.recoverers.base import MethodContext
from structprobe.recoverers.methods import choose_methods, find_methods
from structprobe.recoverers.orthogonal import Orthogonal

TRAIN, DEV, TEST = (tiny_bank(seed=seed) for seed in range(3))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny"), "bert"))


def test_the_layer_that_holds_the_trees_is_found() -> None:
    train, dev, test = (distinct_bank(200, seed, longest=7) for seed in range(3))
    encoder = PlantedEncoder(Treebank([*train, *dev, *test]))
    method = Orthogonal(encoder, max_steps=200, progress=False, device="cpu").fit(train, dev)
    assert method.chosen_ == {"layer": 1}
    scores = score(test, method.predict(test))
    assert scores.uuas is not None
    assert scores.uuas > 0.95
    assert scores.root_acc is not None
    assert scores.root_acc > 0.95


def test_it_is_the_best_of_lone_fits(encoder: Encoder) -> None:
    told = {"max_steps": 15, "random_state": 5, "device": "cpu"}
    method = Orthogonal(encoder, progress=False, **told).fit(TRAIN, DEV)
    layer = method.chosen_["layer"]
    assert method.curve_[layer] == max(method.curve_.values())
    assert list(method.curve_) == [0, 1, 2]
    train, dev, test = (
        encoder.encode(bank, layers=layer).layer(layer) for bank in (TRAIN, DEV, TEST)
    )
    alone = OrthogonalProbe(**told).fit(train, TRAIN, dev=(dev, DEV))
    assert method.curve_[layer] == score(DEV, alone.predictions(dev)).uuas
    for mine, its in zip(method.predict(TEST), alone.predictions(test), strict=True):
        np.testing.assert_array_equal(mine.distances, its.distances)
        np.testing.assert_array_equal(mine.depths, its.depths)
    assert not method.predict([])


def test_made_for_a_setting(encoder: Encoder, tmp_path: Path) -> None:
    context = MethodContext(
        encoder, seed=3, punct="keep", cache=tmp_path, device="cpu", progress=False
    )
    (method,) = choose_methods("probe-orthogonal[max_steps=7,l1=0.5,coordinates=raw]")
    made = method.make(context)
    told = (made.encoder, made.random_state, made.punct, made.cache, made.device, made.progress)
    assert told == (encoder, 3, "keep", tmp_path, "cpu", False)
    assert made.settings == {"max_steps": 7, "l1": 0.5, "coordinates": "raw"}
    assert find_methods()["probe-orthogonal"].cls is Orthogonal


def test_what_cannot_be_done_is_said(encoder: Encoder) -> None:
    with pytest.raises(ProbeError, match="choosing a layer needs a dev set"):
        Orthogonal(encoder).fit(TRAIN)
    with pytest.raises(ProbeError, match="unknown coordinates 'white'"):
        Orthogonal(encoder, coordinates="white", progress=False).fit(TRAIN, DEV)
    with pytest.raises(MethodError, match="rank"):
        choose_methods("probe-orthogonal[rank=3]")

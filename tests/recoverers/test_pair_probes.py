"""The biaffine selector and the tree-trained probe as methods: layer on dev, trees on test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.planted_encoder import PlantedEncoder, distinct_bank
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, Prediction, StructuralProbe, Treebank, score
from structprobe.errors import EncoderError, ProbeError
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.recoverers.base import MethodContext
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.biaffine import Biaffine
from structprobe.recoverers.methods import find_methods
from structprobe.recoverers.tree_probe import TreeProbe

TRAIN, DEV, TEST = (tiny_bank(seed=seed) for seed in range(3))
PAIR_PROBES = [Biaffine, TreeProbe]


@pytest.fixture(scope="module", params=["bert", "llama"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny"), request.param))


def heads_of(predictions: list[Prediction]) -> list[list[int]]:
    return [prediction.heads.tolist() for prediction in predictions]


@pytest.mark.slow
@pytest.mark.parametrize("cls", PAIR_PROBES)
def test_the_layer_that_holds_the_trees_is_found(cls: type[BestLayer]) -> None:
    train, dev, test = (distinct_bank(400, seed) for seed in range(3))
    encoder = PlantedEncoder(Treebank([*train, *dev, *test]))
    # No number of these vectors is there twice, and none can be left out.
    told = {"dropout": 0} if cls is Biaffine else {}
    method = cls(encoder, max_steps=600, progress=False, **told).fit(train, dev)
    assert method.chosen_ == {"layer": 1}
    scores = score(test, method.predict(test))
    assert scores.uuas is not None
    assert scores.uuas > 0.97


def test_tree_probe_is_the_probe_with_another_loss(encoder: Encoder) -> None:
    told = {"rank": 3, "max_steps": 15, "random_state": 5, "device": "cpu", "progress": False}
    method = TreeProbe(encoder, **told).fit(TRAIN, DEV)
    layer = method.chosen_["layer"]
    train, dev, test = (
        encoder.encode(bank, layers=layer).layer(layer) for bank in (TRAIN, DEV, TEST)
    )
    told = {"recipe": TreeProbe.recipe, "rank": 3, "max_steps": 15, "random_state": 5}
    alone = StructuralProbe(loss="tree", device="cpu", **told)
    alone.fit(train, TRAIN, dev=(dev, DEV))
    assert method.curve_[layer] == alone.evaluate(dev, DEV).uuas == max(method.curve_.values())
    assert heads_of(method.predict(TEST)) == heads_of(alone.predictions(test))
    assert method.predict(TEST)[0].distances is not None


def test_biaffine_is_the_best_of_lone_fits(encoder: Encoder) -> None:
    told = {"rank": 3, "max_steps": 15, "random_state": 5, "device": "cpu"}
    method = Biaffine(encoder, progress=False, **told).fit(TRAIN, DEV)
    layer = method.chosen_["layer"]
    assert method.curve_[layer] == max(method.curve_.values())
    assert list(method.curve_) == [0, 1, 2]
    train, dev, test = (
        encoder.encode(bank, layers=layer).layer(layer) for bank in (TRAIN, DEV, TEST)
    )
    alone = BiaffineProbe(**told).fit(train, TRAIN, dev=(dev, DEV))
    assert method.curve_[layer] == score(DEV, alone.predictions(dev)).uuas
    for mine, its in zip(method.predict(TEST), alone.predictions(test), strict=True):
        np.testing.assert_array_equal(mine.arc_scores, its.arc_scores)
    assert not method.predict([])


@pytest.mark.parametrize("cls", PAIR_PROBES)
def test_made_for_a_setting(cls: type[BestLayer], encoder: Encoder, tmp_path: Path) -> None:
    context = MethodContext(
        encoder, seed=3, punct="keep", cache=tmp_path, device="cpu", progress=False
    )
    made = cls.for_model(context, max_steps=7)
    told = (made.encoder, made.random_state, made.punct, made.cache, made.device, made.progress)
    assert told == (encoder, 3, "keep", tmp_path, "cpu", False)
    assert made.settings["max_steps"] == 7
    assert find_methods()[cls.name].cls is cls
    assert not cls.uses_gold


@pytest.mark.parametrize("cls", PAIR_PROBES)
def test_what_cannot_be_done_is_said(cls: type[BestLayer], encoder: Encoder) -> None:
    with pytest.raises(EncoderError, match="layer 9"):
        cls(encoder, layers=(9,), progress=False).fit(TRAIN, DEV)
    with pytest.raises(ProbeError, match="choosing a layer needs a dev set"):
        cls(encoder).fit(TRAIN)
    with pytest.raises(ProbeError, match=r"rank must be .*, got 999"):
        cls(encoder, rank=999, progress=False).fit(TRAIN, DEV)

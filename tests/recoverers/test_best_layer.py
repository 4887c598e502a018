"""The layer is chosen on dev and nowhere else; the probe on it is what a lone fit gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.planted_encoder import PlantedEncoder, distinct_bank
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, NotFittedError, Sentence, StructuralProbe, Treebank, score
from structprobe.errors import MethodError, ProbeError
from structprobe.recoverers.base import MethodContext
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.recoverers.probe_baselines import (
    DecayProbe,
    LayerZero,
    ProjProbe,
    TypeProbe,
    UntrainedProbe,
)

TRAIN, DEV, TEST = (tiny_bank(seed=seed) for seed in range(3))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def heads_of(predictions: list) -> list[list[int]]:
    return [prediction.heads.tolist() for prediction in predictions]


def test_it_is_the_best_of_lone_fits(encoder: Encoder, tmp_path: Path) -> None:
    best = BestLayer(encoder, rank=3, max_steps=20, random_state=5, cache=tmp_path, progress=False)
    best.fit(TRAIN, DEV)
    alone = {}
    for layer in range(3):
        train, dev = (encoder.encode(bank, layers=layer).layer(layer) for bank in (TRAIN, DEV))
        probe = StructuralProbe(rank=3, max_steps=20, random_state=5)
        alone[layer] = probe.fit(train, TRAIN, dev=(dev, DEV)), probe.evaluate(dev, DEV).uuas
    assert best.curve_ == {layer: uuas for layer, (_, uuas) in alone.items()}
    layer = max(alone, key=lambda layer: alone[layer][1])
    assert best.chosen_ == {"layer": layer}
    vectors = encoder.encode(TEST, layers=layer).layer(layer)
    assert heads_of(best.predict(TEST)) == heads_of(alone[layer][0].predictions(vectors))
    assert best.recoverer_.layer == layer


def test_the_layer_that_holds_the_trees_is_found() -> None:
    train, dev, test = (distinct_bank(60, seed) for seed in range(3))
    encoder = PlantedEncoder(Treebank([*train, *dev, *test]))
    best = BestLayer(encoder, max_steps=400, progress=False).fit(train, dev)
    assert best.chosen_ == {"layer": 1}
    assert score(test, best.predict(test)).uuas == 1.0


def test_of_equals_the_lowest_is_taken() -> None:
    train, dev = (distinct_bank(60, seed) for seed in range(2))
    encoder = PlantedEncoder(Treebank([*train, *dev]), planted=(1, 2))
    best = BestLayer(encoder, layers=(2, 1, 0), max_steps=400, progress=False).fit(train, dev)
    assert best.curve_[1] == best.curve_[2] == 1.0
    assert best.chosen_ == {"layer": 1}


def test_the_choice_is_made_by_the_protocol(encoder: Encoder) -> None:
    """With all words kept, other edges count than without full stops."""
    curves = [
        BestLayer(encoder, max_steps=5, punct=punct).fit(TRAIN, DEV).curve_
        for punct in ("keep", "upos", None)
    ]
    assert curves[1] == curves[2] != curves[0]


def test_nothing_to_choose_by(encoder: Encoder) -> None:
    with pytest.raises(ProbeError, match="choosing a layer needs a dev set; pass one to fit"):
        BestLayer(encoder).fit(TRAIN)
    stop = Sentence(("ran", "."), np.array([0, 1]), upos=("VERB", "PUNCT"))
    with pytest.raises(ProbeError, match="the dev set has no edges to score"):
        BestLayer(encoder, max_steps=2).fit(TRAIN, [stop])
    with pytest.raises(NotFittedError, match="'probe' is not fitted; call fit first"):
        BestLayer(encoder).predict(TEST)


def test_made_for_a_setting(encoder: Encoder, tmp_path: Path) -> None:
    context = MethodContext(
        encoder, seed=3, punct="keep", cache=tmp_path, device="cpu", progress=False
    )
    made = BestLayer.for_model(context, max_steps=7)
    told = (made.encoder, made.random_state, made.punct, made.cache, made.device, made.progress)
    assert told == (encoder, 3, "keep", tmp_path, "cpu", False)
    assert (made.layers, made.settings) == ((0, 1, 2), {"max_steps": 7})


def test_what_it_is_held_against(encoder: Encoder) -> None:
    context = MethodContext(encoder, seed=4, progress=False)
    zero = LayerZero.for_model(context, max_steps=5).fit(TRAIN, DEV)
    assert (zero.chosen_, list(zero.curve_)) == ({"layer": 0}, [0])
    untrained = UntrainedProbe.for_model(context, max_steps=5).fit(TRAIN, DEV)
    by_hand = BestLayer(encoder.untrained(4), random_state=4, max_steps=5).fit(TRAIN, DEV)
    assert untrained.curve_ == by_hand.curve_
    assert heads_of(untrained.predict(TEST)) == heads_of(by_hand.predict(TEST))
    trained = BestLayer(encoder, random_state=4, max_steps=5).fit(TRAIN, DEV)
    assert not np.array_equal([*trained.curve_.values()], [*untrained.curve_.values()])
    assert [one.name for one in (zero, untrained)] == ["probe-layer-0", "probe-untrained"]
    assert zero.recoverer_.name == "probe-layer-0"


def test_a_probe_on_types_sees_forms_alone(encoder: Encoder, tmp_path: Path) -> None:
    context = MethodContext(encoder, seed=4, progress=False)
    types = TypeProbe.for_model(context, max_steps=5).fit(TRAIN, DEV)
    assert (types.name, types.chosen_) == ("probe-types", {"layer": 0})
    assert types.recoverer_.name == "probe-types"
    assert types.describe()["fingerprint"] == encoder.fingerprint  # it is that model's floor
    forth = Sentence(TEST[0].words)
    back = types.predict([forth, Sentence(forth.words[::-1])])
    np.testing.assert_allclose(back[0].distances, back[1].distances[::-1, ::-1], atol=1e-4)
    np.testing.assert_allclose(back[0].depths, back[1].depths[::-1], atol=1e-4)
    assert types.parse(["the", "the"]).prediction.distances[0, 1] == pytest.approx(0, abs=1e-4)
    # Its vectors are not those that the encoder gives: a saved probe is not loaded with it.
    types.recoverer_.save_pretrained(tmp_path / "probe")
    with pytest.raises(ProbeError, match=r"the probe was fitted on .*type vectors"):
        ProbeRecoverer.from_pretrained(tmp_path / "probe", model=encoder)


@pytest.mark.parametrize(("kind", "name"), [(DecayProbe, "decay0"), (ProjProbe, "proj0")])
def test_a_probe_on_words_mixed_without_training(
    encoder: Encoder, tmp_path: Path, kind: type[LayerZero], name: str
) -> None:
    context = MethodContext(encoder, seed=4, progress=False)
    mixed = kind.for_model(context, max_steps=5).fit(TRAIN, DEV)
    assert (mixed.name, mixed.chosen_) == (f"probe-{name}", {"layer": 0})
    assert mixed.describe()["fingerprint"] == encoder.fingerprint  # it is that model's floor
    zero = LayerZero.for_model(context, max_steps=5).fit(TRAIN, DEV)
    found, plain = (one.predict(TEST[:1])[0].distances for one in (mixed, zero))
    assert np.abs(found - plain).max() > 1e-3
    with pytest.raises(MethodError, match="uses only layer 0"):
        kind(encoder, layers=(1,))
    mixed.recoverer_.save_pretrained(tmp_path / "probe")
    with pytest.raises(ProbeError, match=rf"the probe was fitted on .*{name}"):
        ProbeRecoverer.from_pretrained(tmp_path / "probe", model=encoder)

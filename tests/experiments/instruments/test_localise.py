"""Where in a model the syntax is: three ways on a tiny model, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import localise
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder, LayerSweep, Prediction, Scores, score
from structprobe.cli.main import main
from structprobe.errors import MethodError, ScoreError
from structprobe.experiments.instruments.localise import METRICS, expected_of, gain_of
from structprobe.probe.readers.biaffine_mix import BiaffineMix
from structprobe.probe.readers.layer_mix import LayerMix, centre_of_gravity, expected_layer
from structprobe.recoverers.biaffine import Biaffine
from structprobe.recoverers.tree_probe import TreeProbe
from structprobe.show.localise_table import format_localised


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert")


def test_each_way_is_what_it_is_by_itself(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = Encoder(model)
    train, dev, test = tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2)
    told = {"rank": 3, "max_steps": 15}
    with caplog.at_level("INFO", logger="structprobe"):
        found = localise(encoder, train, dev, test, **told, progress=False)
    for n in (1, 2, 3):  # in per cent with one decimal, as everywhere
        uuas = 100 * (found.cumulative[n - 1].uuas or 0)
        assert f"mix of the layers {[0, 1, 2][:n]}: UUAS {uuas:.1f}\n" in caplog.text
    assert (found.layers, found.part, found.n_sentences) == ((0, 1, 2), "test", len(test))
    X, X_dev, X_test = (encoder.encode(bank, progress=False) for bank in (train, dev, test))
    probes = LayerSweep(**told, random_state=0).fit(X, train, dev=(X_dev, dev)).probes_
    for layer, probe in probes.items():
        alone = probe.evaluate(X_test.layer(layer), test)
        assert found.curve[layer].to_dict() == alone.to_dict()
    for n in (1, 2, 3):
        own = {layer: X.layer(layer) for layer in range(n)}
        mix = LayerMix(**told, random_state=0).fit(own, train, dev=(X_dev, dev))
        mixed = score(test, mix.predictions(X_test))
        assert found.cumulative[n - 1].to_dict() == mixed.to_dict()
    assert list(found.weights["depth"].values()) == mix.depth_weights_.tolist()
    assert found.gravity["distance"] == centre_of_gravity((0, 1, 2), mix.distance_weights_)
    gained = expected_layer({layer: one.uuas for layer, one in found.cumulative.items()})
    assert np.isnan(gained)  # after 15 steps nothing is gained
    assert (found.expected["distance"], found.gains["distance"].low) == (None, 0)
    whole = found.groups[0]
    assert whole.cumulative_uuas == tuple(one.uuas for one in found.cumulative.values())
    assert (whole.by, whole.gain["low"], whole.expected_layer) == ("tree", 0, None)
    assert whole.n_edges == sum(one.n_edges for one in found.groups if one.by == "length")
    best = max(found.curve[layer].uuas for layer in found.layers)
    assert found.curve[found.best_layer].uuas == best


@pytest.mark.parametrize(
    ("probe", "recoverer", "new_mix"),
    [
        ("probe-tree", TreeProbe, lambda **told: LayerMix(**told, loss="tree")),
        ("biaffine", Biaffine, BiaffineMix),
    ],
)
def test_other_probes(model: Path, probe: str, recoverer: Any, new_mix: Any) -> None:
    encoder = Encoder(model)
    train, dev, test = tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2)
    told = {"rank": 3, "max_steps": 15}
    found = localise(encoder, train, dev, test, probe=probe, **told, progress=False)
    X, X_dev, X_test = (encoder.encode(bank, progress=False) for bank in (train, dev, test))
    best = recoverer(encoder, **told)
    probes = best.fit_layers(X, train, (X_dev, dev))
    for layer, fitted in probes.items():
        alone = score(test, fitted.predictions(X_test.layer(layer)))
        assert found.curve[layer].to_dict() == alone.to_dict()
    for n in (1, 3):
        own = {layer: X.layer(layer) for layer in range(n)}
        mix = new_mix(**told, random_state=0).fit(own, train, dev=(X_dev, dev))
        mixed = score(test, mix.predictions(X_test))
        assert found.cumulative[n - 1].to_dict() == mixed.to_dict()
    kind = next(iter(METRICS[probe]))
    assert list(found.weights[kind].values()) == getattr(mix, f"{kind}_weights_").tolist()
    printed = format_localised(found.values())
    assert printed.splitlines()[-3].startswith(f"Method {probe}; scores in per cent on test")
    assert printed.splitlines()[-2:] == [
        "Warning: 1 of 12 sentences of test (8.3%) is also in dev, such as '.'.",
        "Warning: test has only 12 sentences: the scores are very uncertain.",
    ]
    assert ("(depths)" in printed, "(heads)" in printed) == (
        probe != "biaffine", probe == "biaffine",
    )  # fmt: skip


def test_a_probe_without_layers_is_refused(model: Path) -> None:
    with pytest.raises(MethodError, match="unknown probe 'linear'; choose from 'probe', "):
        localise(Encoder(model), tiny_bank(), tiny_bank(), probe="linear")


def test_the_command_prints_a_table_or_json(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, part in enumerate(("train", "dev")):
        tiny_file(tmp_path / f"{part}.conllu", seed=seed)
    command = [
        *("localise", "--model", str(model), "--train", f"{tmp_path}/train.conllu"),
        *("--dev", f"{tmp_path}/dev.conllu", "--layers", "0,2", "--max-steps", "5", "-q"),
    ]
    assert main([*command, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [layer["layer"] for layer in values["layers"]] == [0, 2]
    assert sum(layer["distance_weight"] for layer in values["layers"]) == pytest.approx(1)
    assert (values["part"], values["punct"]) == ("dev", "upos")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed == format_localised(values) + "\n"
    assert f"Best layer by UUAS: {values['best_layer']}." in printed
    assert main([*command, "--groups"]) == 0
    assert capsys.readouterr().out == format_localised(values, groups=True) + "\n"
    by = [one["by"] for one in values["groups"]]
    assert list(dict.fromkeys(by)) == ["tree", "relation", "length", "phrase"]


def test_the_table_lays_out_scores_and_what_they_say() -> None:
    layer = {
        "layer": 0, "uuas": 0.5, "root_acc": None, "distance_weight": 0.25, "depth_weight": 1.0,
        "cumulative_uuas": 0.5, "cumulative_root_acc": 0.125,
    }  # fmt: skip
    values = {
        "probe": "probe", "part": "dev", "n_sentences": 1234, "punct": "upos", "best_layer": 0,
        "centre_of_gravity": {"distance": 1.5, "depth": 2.0},
        "expected_layer": {"distance": None, "depth": 1.0}, "layers": [layer],
        "gain": {"distance": {"value": 0.02, "low": -0.01, "high": 0.05}, "depth": None},
        "warnings": ["beware"],
    }  # fmt: skip
    heading, row, best, gravity, expected, gain, scored, beware = format_localised(
        values
    ).splitlines()
    assert heading.split("  ")[0] == "layer"
    assert row.split() == ["0", "50.0", "25.0", "50.0", "–", "100.0", "12.5"]
    assert best == "Best layer by UUAS: 0."
    assert "1.50 (distances), 2.00 (depths)" in gravity
    assert "– (UUAS), 1.00 (root)" in expected
    assert "2.0 [-1.0, 5.0] (UUAS), – (root)" in gain
    assert scored.startswith("Method probe; scores in per cent on dev, 1,234 sentences")
    assert beware == "Warning: beware."


def scores_of(*shares: float) -> dict[int, Scores]:
    """Scores with this UUAS each, in sentences of one edge."""
    gold, right, wrong = [2, 0, 2], Prediction(np.array([2, 0, 2])), Prediction(np.array([3, 0, 2]))
    return {
        layer: score(
            [gold] * 1000,
            [right if n < round(1000 * (2 * share - 1)) else wrong for n in range(1000)],
        )
        for layer, share in enumerate(shares)
    }


@pytest.mark.parametrize(
    ("shares", "clear", "expected"),
    [
        ((0.55, 0.6, 0.551), False, None),  # -48 by the formula
        ((0.6, 0.55, 0.5), False, None),  # nothing is gained
        ((0.6, 0.55, 0.64), True, None),  # 3.25 by the formula
        ((0.5, 0.6, 0.7), True, 1.5),
        ((0.5, 0.7, 0.7), True, 1.0),
    ],
)
def test_a_layer_is_expected_only_where_the_gain_is_clear(
    shares: tuple[float, ...], clear: bool, expected: float | None
) -> None:
    cumulative = scores_of(*shares)
    assert [one.uuas for one in cumulative.values()] == pytest.approx(shares)
    gain = gain_of(cumulative, "uuas")
    assert gain is not None
    assert gain.difference == pytest.approx(shares[-1] - shares[0])
    assert (gain.low > 0) == clear
    found = expected_of(cumulative, gain)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_no_layer_is_expected_where_nothing_was_scored() -> None:
    gold = [[0]]
    cumulative = {layer: score(gold, [Prediction(np.array([0]))]) for layer in range(2)}
    assert gain_of(cumulative, "uuas") is None
    assert expected_of(cumulative, None) is None


def test_one_layer_is_no_place_to_look(model: Path) -> None:
    with pytest.raises(ScoreError, match="only one layer was given: 1; give at least two"):
        localise(Encoder(model), tiny_bank(), tiny_bank(), layers=[1])

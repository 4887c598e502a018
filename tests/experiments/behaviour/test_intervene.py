"""What a model loses if what a probe reads is removed, beside controls."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.planted_agreement import planted_model, planted_pairs, planted_sentences

from structprobe import Encoder, LanguageModel, Sentence, StructuralProbe, Treebank
from structprobe.behaviour.interventions.mask_heads import MaskHeads
from structprobe.behaviour.interventions.remove import Remove
from structprobe.behaviour.measures import Counts, Key, Pairs, Surprisal
from structprobe.errors import ProbeError, StructprobeError
from structprobe.experiments.behaviour.intervene import pairs_of, read_interventions
from structprobe.experiments.behaviour.measuring import Planned, measure_interventions
from structprobe.experiments.behaviour.saved_interventions import _values
from structprobe.experiments.config import InterveneConfig
from structprobe.stimuli.bias import Resampling, ratio
from structprobe.stimuli.suites.formulas import Formula
from structprobe.stimuli.suites.reading import SuiteGroup
from structprobe.stimuli.suites.syntaxgym import Item, Suite

CONFIG: dict[str, Any] = {"attachment": 0, "max_steps": 400, "progress": False}


@cache
def rows_of(reads: str) -> list[dict[str, Any]]:
    config = InterveneConfig(**CONFIG, sentences=20)
    return read_interventions(
        planted_model(reads),
        planted_sentences(150),
        planted_sentences(40, seed=3),
        pairs=planted_pairs(100, reads),
        layer=1,
        rank=4,
        config=config,
    )


def chosen(rows: list[dict[str, Any]], measure: str, phenomenon: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        if (row["measure"], row["phenomenon"]) == (measure, phenomenon):
            found.setdefault(row["intervention"], []).append(row)
    return found


def test_agreement_that_is_read_where_the_tree_is_falls_to_chance() -> None:
    rows = chosen(rows_of("tree"), "accuracy", "agreement")
    (own,) = rows.pop("probe")
    assert own["untouched"] == 1
    assert 0.35 < own["value"] < 0.65
    assert own["high"] < -0.3
    assert own["beyond_random_high"] < -0.2
    assert len(rows["random"]) == 5
    assert set(rows) == {
        "random", "top axes", "bottom axes", "untrained probe", "control: form", "control: position"
    }  # fmt: skip
    for name in ("random", "top axes", "bottom axes"):
        for row in rows[name]:
            assert row["value"] > 0.85, name
            assert row["control_of"] == "probe"
            assert row["rank"] == own["rank"] == 4


def test_its_twin_that_reads_elsewhere_loses_nothing() -> None:
    rows = chosen(rows_of("elsewhere"), "accuracy", "agreement")
    (own,) = rows.pop("probe")
    assert own["untouched"] == 1
    assert own["value"] > 0.97


def test_the_trees_of_later_layers_are_gone_in_both() -> None:
    for reads in ("tree", "elsewhere"):
        rows = chosen(rows_of(reads), "UUAS", "layer 2")
        (own,) = rows["probe"]
        assert own["untouched"] > 0.9
        assert own["value"] < 0.75
        assert own["high"] < 0
        assert min(row["value"] for row in rows["random"]) > own["value"]


def test_rows_are_those_of_a_plain_loop() -> None:
    encoder = planted_model("tree")
    model = LanguageModel(encoder)
    pairs = planted_pairs(24, "tree")
    heads = MaskHeads([(1, 1)])
    sentences = planted_sentences(9)
    bank = encoder.encode(planted_sentences(60), layers=1).layer(1)
    from structprobe.behaviour.control_subspaces import random_subspace
    from structprobe.behaviour.interventions.coordinates import Coordinates

    removal = Remove(random_subspace(Coordinates.fit(bank), 6))
    how = Resampling(200, 0.9, 5)
    planned = [Planned(heads, "heads"), Planned(removal, "mine", None, 7, 6, 0.25)]
    rows = measure_interventions(model, planned, [Pairs(pairs), Surprisal(sentences)], how=how)
    margins, bits = [], []
    for block in (None, heads, removal):
        if block is None:
            margins.append(
                [_log_prob(model, one.good) - _log_prob(model, one.bad) for one in pairs]
            )
            bits.append([-_log_prob(model, one) / np.log(2) for one in sentences])
        else:
            with block.on(model):
                margins.append(
                    [_log_prob(model, one.good) - _log_prob(model, one.bad) for one in pairs]
                )
                bits.append([-_log_prob(model, one) / np.log(2) for one in sentences])
    for k, name in ((1, "heads"), (2, "mine")):
        own = {row["measure"]: row for row in rows if row["intervention"] == name}
        change = np.array(margins[k]) - margins[0]
        wanted = ratio(change, np.ones(24), np.arange(24), how)
        assert wanted is not None
        np.testing.assert_allclose(own["margin"]["difference"], wanted.value, atol=1e-6)
        np.testing.assert_allclose(own["margin"]["low"], wanted.low, atol=1e-6)
        np.testing.assert_allclose(own["margin"]["untouched"], np.mean(margins[0]), rtol=1e-5)
        np.testing.assert_allclose(own["accuracy"]["value"], np.mean(np.array(margins[k]) > 0))
        n_scored = sum(map(len, sentences))  # there is a token in front
        got = own["bits per word"]
        np.testing.assert_allclose(got["value"], np.sum(bits[k]) / n_scored, rtol=1e-5)
        assert got["n"] == 9
    assert own["margin"]["seed"] == 7
    assert own["margin"]["variance"] == 0.25
    assert own["margin"]["n_changed"] > 0


def _log_prob(model: LanguageModel, text: Any) -> float:
    return float(model.log_probs([text], progress=False)[0])


def test_a_phenomenon_of_three_pairs_has_a_row_that_says_why_and_others_go_on() -> None:
    pairs = planted_pairs(20, "tree")
    few = [replace(one, paradigm="p", phenomenon="rare") for one in pairs[:3]]
    model = LanguageModel(planted_model("tree"))
    rows = measure_interventions(
        model, [Planned(MaskHeads([(1, 1)]), "heads")], [Pairs([*pairs, *few])]
    )
    by_name = {(row["measure"], row["phenomenon"]): row for row in rows}
    for measure in ("accuracy", "margin"):
        empty = by_name[measure, "rare"]
        assert empty["why_empty"] == "3 are too few to tell a difference: give at least 5"
        assert empty["value"] is empty["difference"] is None
        assert empty["n"] == 3
        assert by_name[measure, "agreement"]["value"] is not None
        assert by_name[measure, "all"]["n"] == 23


def test_a_model_without_a_head_keeps_the_measures_that_need_none() -> None:
    whole = planted_model("tree")
    bare = Encoder(whole.model.transformer, tokenizer=whole.tokenizer)
    rows = read_interventions(
        bare, planted_sentences(80), planted_sentences(20, seed=2),
        pairs=planted_pairs(8, "tree"), layer=1, rank=4,
        config=InterveneConfig(**CONFIG, controls=()),
    )  # fmt: skip
    of_probe = {row["measure"]: row for row in rows if row["intervention"] == "probe"}
    assert of_probe["UUAS"]["value"] is not None
    for name in ("accuracy", "margin", "bits per word"):
        assert of_probe[name]["value"] is None
        assert "head" in of_probe[name]["why_empty"]


def test_concepts_are_removed_beside_controls_of_their_own() -> None:
    rows = read_interventions(
        planted_model("tree"), planted_sentences(80), pairs=planted_pairs(12, "tree"),
        config=InterveneConfig(**CONFIG, remove=("relation", "depth", "probe"), part="both"),
        layer=1, rank=3,
    )  # fmt: skip
    own = chosen(rows, "accuracy", "agreement")
    assert own["depth"][0]["rank"] == 1
    assert own["relation"][0]["rank"] <= 4
    assert {row["control_of"] for row in own["random"]} == {"relation", "depth", "probe"}
    assert {row["control_of"] for row in own["control: form"]} == {"probe"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layer": 3}, "layer 3"),
        ({"rank": 40}, "rank 40 of vectors that are 40 wide"),
        ({"rank": None}, "no rank was given"),
        ({"layer": None}, "no layer was given"),
        ({"dev": None, "pairs": []}, "there is nothing to measure"),
        ({"train": [Sentence(("thea", "nac1"))]}, "a sentence of train has no tree"),
    ],
)
def test_bad_choices_are_refused(change: dict[str, Any], told: str) -> None:
    given: dict[str, Any] = {
        "train": planted_sentences(20),
        "dev": planted_sentences(6),
        "pairs": planted_pairs(6, "tree"),
        "layer": 1,
        "rank": 4,
        **change,
    }
    train, dev = given.pop("train"), given.pop("dev")
    with pytest.raises(StructprobeError, match=told):
        read_interventions(
            planted_model("tree"), train, dev, **given, config=InterveneConfig(**CONFIG)
        )


def test_bad_options_are_refused() -> None:
    for given, told in (
        ({"remove": ("probes",)}, "unknown remove 'probes'"),
        ({"controls": "fom"}, "unknown controls 'fom'"),
        ({"part": "x"}, "unknown part 'x'"),
        ({"n_random": 1}, "1 random subspaces are too few"),
    ):
        with pytest.raises(ProbeError, match=told):
            InterveneConfig(**given)


class Broken(Surprisal):
    """Cannot be measured."""

    def read(self, model: LanguageModel, *, share: bool = False) -> dict[Any, Any]:
        raise StructprobeError("no words")


def test_a_measure_that_fails_leaves_the_others() -> None:
    model = LanguageModel(planted_model("tree"))
    measures = [Broken([]), Pairs(planted_pairs(8, "tree"))]
    rows = measure_interventions(model, [Planned(MaskHeads([(1, 1)]), "heads")], measures)
    told = {row["measure"]: row["why_empty"] for row in rows}
    assert told == {"bits per word": "no words", "accuracy": None, "margin": None}


class FailingUnderIntervention(Surprisal):
    """Can be read of the untouched model alone."""

    n_readings = 0

    def read(self, model: LanguageModel, *, share: bool = False) -> dict[Key, Counts]:
        self.n_readings += 1
        if self.n_readings > 1:
            raise StructprobeError("a text takes a different path")
        return super().read(model, share=share)


def test_what_fails_under_an_intervention_is_an_empty_row_and_the_rest_goes_on() -> None:
    model = LanguageModel(planted_model("tree"))
    failing, pairs = (
        FailingUnderIntervention(planted_sentences(12)),
        Pairs(planted_pairs(8, "tree")),
    )
    planned = [
        Planned(MaskHeads([(9, 1)]), "no such layer"),
        Planned(MaskHeads([(1, 1)], words=[()] * 20), "no words"),
        Planned(MaskHeads([(1, 1)]), "head"),
    ]
    rows = measure_interventions(model, planned, [failing, pairs], progress=False)
    why = {(row["intervention"], row["measure"]): row["why_empty"] for row in rows}
    assert "no layer 9" in why["no such layer", "accuracy"]
    assert "no layer 9" in why["no such layer", "bits per word"]
    assert why["no words", "bits per word"] == "a text takes a different path"
    assert "nothing was changed" in why["no words", "margin"]
    assert why["head", "bits per word"] == "a text takes a different path"
    assert why["head", "accuracy"] is None
    assert all((row["value"] is None) == (row["why_empty"] is not None) for row in rows)
    with pytest.raises(StructprobeError, match="no layer 9"):
        measure_interventions(model, planned[:1], [pairs], progress=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("remove", ()), ("sentences", 0), ("sentences", -8), ("attachment", -3), ("bound", -1.0),
     ("n_random", 5.5)],
)  # fmt: skip
def test_options_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ProbeError):
        InterveneConfig(**{name: value})


def test_layers_are_read_once() -> None:
    assert InterveneConfig(later=iter([2, 3])).later == (2, 3)


def test_what_is_not_measured_is_said(caplog: pytest.LogCaptureFixture) -> None:
    pairs = planted_pairs(3, "tree")
    formula = Formula.parse("(1;%a%) > (1;%b%)")
    item = Item(1, {"a": {1: "x"}, "b": {1: "y"}})
    gym = Suite("npi", (formula,), (item,), ("a", "b"), "npi.json")
    groups = [
        SuiteGroup("mine", tuple(pairs), (), {"bad": "bad.jsonl: an empty file"}),
        SuiteGroup("gym", (), (gym,), {}),
    ]
    assert pairs_of(groups) == pairs
    assert "mine, bad is left out: bad.jsonl: an empty file" in caplog.text
    assert "gym is left out: SyntaxGym suites are not measured here" in caplog.text


def test_a_probe_of_words_that_were_read_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    encoder, train = planted_model("tree"), planted_sentences(40)
    plain = encoder.encode(train, layers=1, progress=False).layer(1)
    probe = StructuralProbe(rank=3, max_steps=10).fit(plain, train)
    config = InterveneConfig(attachment=0, controls=(), later=(), sentences=6, progress=False)
    test = planted_sentences(6, seed=3)
    read_interventions(encoder, train, test, probe=probe, config=config)
    assert "the probe was fitted on" not in caplog.text
    probe.origin_ = {**probe.origin_, "bos": True}
    read_interventions(encoder, train, test, probe=probe, config=config)
    assert "but the probe was fitted on" in caplog.text


def test_another_probe_or_kind_is_another_run() -> None:
    encoder, train = planted_model("tree"), Treebank(planted_sentences(40))
    vectors = encoder.encode(train, layers=1, progress=False).layer(1)
    probe = StructuralProbe(rank=3, max_steps=10).fit(vectors, train)
    other = copy.deepcopy(probe)
    other.depth_components_ = probe.depth_components_[::-1] * 2
    parts, model = (train, train, None), LanguageModel(encoder)

    def key(probe: StructuralProbe, part: str, model: LanguageModel = model) -> str:
        config = InterveneConfig(part=part)
        return str(_values(model, parts, (), 1, None, probe, config)["key"])

    assert key(probe, "distance") == key(other, "distance")
    assert key(probe, "depth") != key(other, "depth")
    assert key(probe, "both") != key(other, "both")
    masked = copy.copy(model)
    masked.kind = "masked"
    assert key(probe, "distance") != key(probe, "distance", masked)

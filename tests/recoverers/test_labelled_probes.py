"""DepProbe and the polar probe as methods: the layer is chosen by LAS, and rows have one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import compare, fit_probe, sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import labelled, tiny_bank

from structprobe import Encoder, StructuralProbe
from structprobe.errors import MethodError, ProbeError
from structprobe.experiments.evaluate import evaluate
from structprobe.probe.readers.polar_probe import PolarProbe
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.dep_probe import DepProbe
from structprobe.recoverers.polar import Polar
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.recoverers.with_relations import WithRelations
from structprobe.treebank import Treebank

FEW = {"max_steps": 5, "random_state": 3, "device": "cpu"}
DEP_PROBE = partial(StructuralProbe, relations="dependent", decoding="root")
BOTH = [(DepProbe, DEP_PROBE), (Polar, PolarProbe)]


TRAIN, DEV, TEST = (labelled(tiny_bank(seed=seed)) for seed in range(3))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


@pytest.mark.parametrize(("method", "kind"), BOTH)
def test_it_is_the_best_of_lone_fits_by_las(encoder: Encoder, method: Any, kind: Any) -> None:
    best = method(encoder, progress=False, **FEW).fit(TRAIN, DEV)
    alone, scores = {}, {}
    for layer in encoder.layers:
        train, dev, test = (
            encoder.encode(bank, layers=layer).layer(layer) for bank in (TRAIN, DEV, TEST)
        )
        probe = kind(**FEW).fit(train, TRAIN, dev=(dev, DEV))
        alone[layer], scores[layer] = probe.predictions(test), probe.evaluate(dev, DEV).las
    assert best.curve_ == scores
    layer = max(scores, key=scores.__getitem__)
    assert best.chosen_ == {"layer": layer}
    for found, expected in zip(best.predict(TEST), alone[layer], strict=True):
        assert np.array_equal(found.heads, expected.heads)
        assert found.deprels == expected.deprels
        assert [name == "root" for name in found.deprels] == (found.heads == 0).tolist()
    parsed = best.parse(TEST[0])
    (written,) = Treebank.from_text(parsed.to_conllu())
    assert written.deprels == best.predict(TEST[:1])[0].deprels


def test_rows_have_las_beside_the_score_they_are_chosen_by(
    encoder: Encoder, tmp_path: Path
) -> None:
    names = "depprobe[max_steps=5]", "polar[max_steps=5,weight=0.3]"
    for punct in ("keep", "polar"):
        told = {"methods": ",".join(names), "punct": punct, "folder": tmp_path / punct}
        rows = compare(encoder, TRAIN, DEV, TEST, **told)
        assert [row["method"] for row in rows] == [*names]
        for row in rows:
            assert row["why_empty"] is None
            assert 0 <= row["las"] <= row["uas"]
            assert (row["punct"], row["nspr"]) == (punct, None)
        assert rows[0]["choice"].startswith("axes-")
        assert rows[1]["choice"] is None


@pytest.mark.parametrize(("method", "kind"), BOTH)
def test_relations_are_asked_for_before_anything_is_encoded(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Any, kind: Any
) -> None:
    monkeypatch.setattr(BestLayer, "_encoder_for", lambda *_: pytest.fail("encoded"))
    bare = Treebank(replace(one, deprels=None) for one in TRAIN)
    for banks, name in (((bare, DEV), "train"), ((TRAIN, bare), "dev")):
        with pytest.raises(ProbeError, match=f"^{name}: no sentence has relations .*; use a tree"):
            method(encoder, **FEW).fit(*banks)
    (row,) = compare(encoder, bare, DEV, TEST, methods=method.name, folder=tmp_path)
    assert row["why_empty"].startswith("train: no sentence has relations (DEPREL is _ throughout")


def test_relations_that_training_never_had_are_in_the_row(encoder: Encoder, tmp_path: Path) -> None:
    test = Treebank(replace(one, deprels=("c", *one.deprels[1:])) for one in TEST)
    rows = compare(
        encoder, TRAIN, DEV, test, methods="depprobe[max_steps=5],polar[max_steps=5]",
        folder=tmp_path,
    )  # fmt: skip
    told = "1 relation of test is not in the training set and counts as wrong: 'c' "
    assert all(any(told in one for one in row["warnings"]) for row in rows)
    # A fitted probe knows too what it never saw, and no more.
    for method in (DepProbe, Polar):
        fitted = method(encoder, layers=[1], progress=False, **FEW).fit(TRAIN, DEV).recoverer_
        (row,), (seen,) = evaluate([fitted], test), evaluate([fitted], TEST)
        assert [one for one in row["warnings"] if told in one]
        assert not [one for one in seen["warnings"] if "relation" in one]


@pytest.mark.parametrize("part", ["train", "dev"])
def test_relations_of_probes_are_asked_for_before_anything_is_encoded(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(Encoder, "encode", lambda *_, **__: pytest.fail("encoded"))
    bare = Treebank(replace(one, deprels=None) for one in TRAIN)
    train, dev = (bare, DEV) if part == "train" else (TRAIN, bare)
    told = {"relations": True, "max_steps": 5}
    with pytest.raises(ProbeError, match=f"^{part}: no sentence has relations"):
        fit_probe(encoder, train, dev, layer=1, **told)
    with pytest.raises(ProbeError, match=f"^{part}: no sentence has relations"):
        sweep(encoder, train, dev, TEST, folder=tmp_path, layers="1", **told)


def test_what_would_make_the_name_false_is_refused(encoder: Encoder) -> None:
    made = DepProbe(encoder, relations="dependent")
    assert made.settings == {"relations": "dependent", "decoding": "root"}
    with pytest.raises(MethodError, match="depprobe has relations='dependent', not 'pair'; leave"):
        DepProbe(encoder, relations="pair")


def test_rows_say_how_probes_with_relations_decode(encoder: Encoder) -> None:
    told = {"reads": "difference", "decoding": "joint"}
    probe = StructuralProbe(relations=told["reads"], decoding=told["decoding"], **FEW)
    alone = ProbeRecoverer(encoder, 1, probe, progress=False).fit(TRAIN, DEV)
    best = BestLayer(
        encoder, layers=[1], relations=told["reads"], decoding=told["decoding"], progress=False,
        **FEW,
    ).fit(TRAIN, DEV)  # fmt: skip
    plain = ProbeRecoverer(encoder, 1, StructuralProbe(**FEW), progress=False).fit(TRAIN, DEV)
    *rows, other = evaluate([alone, best, plain], TEST)
    for row in rows:
        assert {key: row[key] for key in told} == told
    assert (other["reads"], other["decoding"]) == (None, None)
    # Two methods whose trees differ never share a name.
    names = [WithRelations(alone, decoding=one).name for one in ("published", "root", "joint")]
    assert names == ["probe-relations", "probe-relations-root", "probe-relations-joint"]

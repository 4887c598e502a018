"""Relations for the trees of other methods: the trees stay, the labels come from vectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import compare
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import labelled, tiny_bank

from structprobe import (
    AttentionMST,
    Encoder,
    LinearChain,
    ProbeRecoverer,
    RightBranching,
    StructuralProbe,
)
from structprobe.cli.main import main
from structprobe.errors import MethodError, ProbeError
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.probe.readers.relation_decoding import WEIGHTS
from structprobe.probe.readers.relation_reader import RelationReader
from structprobe.recoverers.base import MethodContext
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.biaffine import Biaffine, BiaffineRelations
from structprobe.recoverers.methods import choose_methods
from structprobe.recoverers.with_relations import ProbeRelations, WithRelations
from structprobe.results.folder import read_rows
from structprobe.treebank import Treebank
from structprobe.trees.arborescences import arborescence
from structprobe.trees.spanning import spanning_tree

FEW = {"max_steps": 5, "random_state": 3, "device": "cpu", "progress": False}


TRAIN, DEV, TEST = (labelled(tiny_bank(seed=seed)) for seed in range(3))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def test_the_trees_are_those_of_the_probe(encoder: Encoder) -> None:
    method = ProbeRelations(encoder, **FEW).fit(TRAIN, DEV)
    alone = BestLayer(encoder, **FEW).fit(TRAIN, DEV)
    layer = alone.chosen_["layer"]
    assert (method.chosen_, method.layer_) == ({"layer": layer}, layer)
    X, dev, test = (encoder.encode(bank, layers=layer).layer(layer) for bank in (TRAIN, DEV, TEST))
    reader = RelationReader(max_steps=5, random_state=3, device="cpu")
    reader.fit(X, TRAIN, dev=(dev, DEV))
    trees = alone.predict(TEST)
    relations = reader.predict(test, [one.heads for one in trees])
    for found, tree, labels in zip(method.predict(TEST), trees, relations, strict=True):
        assert np.array_equal(found.heads, tree.heads)
        assert np.array_equal(found.distances, tree.distances)
        assert np.array_equal(found.depths, tree.depths)
        assert found.deprels == tuple(labels)
        assert [name == "root" for name in found.deprels] == (tree.heads == 0).tolist()
    assert method.predict([]) == []
    parsed = method.parse(TEST[0])
    (written,) = Treebank.from_text(parsed.to_conllu())
    assert (written.heads.tolist(), written.deprels) == (
        trees[0].heads.tolist(), tuple(relations[0]),
    )  # fmt: skip
    told = method.describe()
    assert (told["method"], told["seed"]) == ("probe-relations", 3)
    more = {"method": "probe", "n_parameters": told["n_parameters"] - reader.n_parameters_}
    assert {**told, **more} == alone.describe()
    # A map of both words and of one, for three relations, with intercepts.
    assert reader.n_parameters_ == 3 * (3 * encoder.hidden_size + 2 + 1)


def test_a_fitted_probe_gives_its_layer(encoder: Encoder) -> None:
    told = {"max_steps": 2, "random_state": 0, "device": "cpu"}
    method = WithRelations(ProbeRecoverer(encoder, 1, StructuralProbe(**told)), max_steps=2)
    assert (method.fit(TRAIN, DEV).layer_, method.chosen_) == (1, {})
    assert method.name == "probe-relations"


def test_other_methods_read_the_layer_with_the_lowest_loss(encoder: Encoder) -> None:
    heads = AttentionMST(encoder, layer=1, head=2, progress=False)
    method = WithRelations(heads, **FEW).fit(TRAIN, DEV)
    losses = {}
    for layer in encoder.layers:
        X, dev = (encoder.encode(bank, layers=layer).layer(layer) for bank in (TRAIN, DEV))
        reader = RelationReader(max_steps=5, random_state=3, device="cpu")
        history = reader.fit(X, TRAIN, dev=(dev, DEV)).history_
        losses[layer] = min(one["dev_loss"] for one in history)
    assert method.layer_ == min(losses, key=losses.__getitem__)
    assert method.chosen_["choice"] == f"relations from layer {method.layer_}"
    told, plain = method.predict(TEST), heads.predict(TEST)
    assert [one.heads.tolist() for one in told] == [one.heads.tolist() for one in plain]
    chosen = WithRelations(LinearChain(), encoder=encoder, layer=2, **FEW).fit(TRAIN, DEV)
    assert (chosen.layer_, chosen.describe()["method"]) == (2, "linear-relations")
    with pytest.raises(
        MethodError, match="the method 'linear' reads no word vectors; pass encoder"
    ):
        WithRelations(LinearChain())


def test_a_row_has_las(encoder: Encoder, tmp_path: Path) -> None:
    methods = "probe[max_steps=5],probe-relations[max_steps=5,reads=dependent]"
    plain, row = compare(encoder, TRAIN, DEV, TEST, methods=methods, folder=tmp_path)
    assert (plain["las"], row["las"] is None) == (None, False)
    for name in ("layer", "uuas", "uas", "root_acc", "dspr", "nspr"):
        assert row[name] == plain[name]
    assert row["las"] <= row["uas"]
    assert [one["las"] for one in read_rows(tmp_path)] == [None, row["las"]]


def test_relations_that_training_never_had_are_in_the_row(encoder: Encoder, tmp_path: Path) -> None:
    methods = "probe[max_steps=5],probe-relations[max_steps=5]"
    test = labelled(TEST, "ac")
    plain, row = compare(encoder, TRAIN, DEV, test, methods=methods, folder=tmp_path)
    n = sum(name == "c" for one in test for name in one.deprels)
    told = f"1 relation of test is not in the training set and counts as wrong: 'c' ({n} words)"
    assert told in row["warnings"]
    assert told not in plain["warnings"]


def test_methods_that_others_build_on_are_part_of_the_run(encoder: Encoder, tmp_path: Path) -> None:
    def rows_of(rank: int) -> Any:
        method = WithRelations(BestLayer(encoder, rank=rank, **FEW), **FEW)
        return compare(encoder, TRAIN, DEV, TEST, methods=method, folder=tmp_path)

    keys = [rows_of(rank)[0]["key"] for rank in (1, 2, 1)]
    assert keys[0] == keys[2] != keys[1]
    assert len(read_rows(tmp_path)) == 2


def test_a_treebank_without_relations_is_refused_before_training(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Treebank(replace(one, deprels=None) for one in TRAIN)
    monkeypatch.setattr(BestLayer, "fit_layers", lambda *_: pytest.fail("trained"))
    with pytest.raises(ProbeError, match="unknown reads 'both'; choose from 'pair', "):
        ProbeRelations(encoder, reads="both", **FEW).fit(TRAIN, DEV)
    for banks, name in (((bare, DEV), "train"), ((TRAIN, bare), "dev")):
        with pytest.raises(ProbeError, match=f"^{name}: no sentence has relations .*; use a tree"):
            ProbeRelations(encoder, **FEW).fit(*banks)
    (row,) = compare(encoder, bare, DEV, TEST, methods="probe-relations", folder=tmp_path)
    assert row["why_empty"].startswith("train: no sentence has relations (DEPREL is _ throughout")


def test_the_command_line_makes_the_row(
    encoder: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name, bank in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        bank.write(tmp_path / f"{name}.conllu")
        files += [f"--{name}", str(tmp_path / f"{name}.conllu")]
    told = ["--methods", "probe-relations[max_steps=3,subtypes=True]", "-o", str(tmp_path / "OUT")]
    assert not main(["compare", "--model", str(encoder.loaded.name), *files, *told])
    (row,) = read_rows(tmp_path / "OUT")
    assert (row["method"], row["why_empty"]) == (told[1], None)
    assert row["las"] is not None
    assert "LAS" in capsys.readouterr().out


def test_it_is_found_by_name() -> None:
    (method,) = choose_methods("probe-relations[reads=difference]")
    assert (method.cls, dict(method.told)) == (
        ProbeRelations, {"decoding": "published", "reads": "difference"},
    )  # fmt: skip


def test_the_biaffine_parser_with_relations_has_the_trees_of_the_one_without(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = BiaffineRelations(encoder, rank=3, **FEW).fit(TRAIN, DEV)
    alone = Biaffine(encoder, rank=3, **FEW).fit(TRAIN, DEV)
    assert (method.chosen_, method.curve_) == (alone.chosen_, alone.curve_)
    X, dev, test = (
        encoder.encode(bank, layers=alone.chosen_["layer"]).layer(alone.chosen_["layer"])
        for bank in (TRAIN, DEV, TEST)
    )
    told = {"rank": 3, "max_steps": 5, "random_state": 3, "device": "cpu"}
    probe = BiaffineProbe(relations=True, **told).fit(X, TRAIN, dev=(dev, DEV))
    found = zip(method.predict(TEST), alone.predict(TEST), probe.predictions(test), strict=True)
    for mine, tree, its in found:
        assert np.array_equal(mine.heads, tree.heads)
        assert np.array_equal(mine.arc_scores, tree.arc_scores)
        assert mine.deprels == its.deprels
        assert tree.deprels is None
    told = method.describe()
    n_relations = sum(one.numel() for one in method.recoverer_.probe.relation_scorer_.parameters())
    more = {"method": "biaffine", "n_parameters": told["n_parameters"] - n_relations}
    assert {**told, **more} == alone.describe()
    monkeypatch.setattr(Biaffine, "fit_layers", lambda *_: pytest.fail("trained"))
    bare = Treebank(replace(one, deprels=None) for one in TRAIN)
    for banks, name in (((bare, DEV), "train"), ((TRAIN, bare), "dev")):
        with pytest.raises(ProbeError, match=f"^{name}: no sentence has relations .*; use a tree"):
            BiaffineRelations(encoder, **FEW).fit(*banks)


def test_the_biaffine_parser_with_relations_has_a_row(encoder: Encoder, tmp_path: Path) -> None:
    methods = "biaffine[max_steps=3],biaffine-relations[max_steps=3,subtypes=True]"
    test = labelled(TEST, "ac")
    plain, row = compare(encoder, TRAIN, DEV, test, methods=methods, folder=tmp_path)
    assert (plain["las"], row["why_empty"], row["las"] is None) == (None, None, False)
    for name in ("layer", "uuas", "uas", "root_acc"):
        assert row[name] == plain[name]
    n = sum(name == "c" for one in test for name in one.deprels)
    told = f"1 relation of test is not in the training set and counts as wrong: 'c' ({n} words)"
    assert told in row["warnings"]


def test_probes_are_fitted_once_for_all_methods(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits, fit_layers = [], BestLayer.fit_layers
    parsers, fit_parsers = [], Biaffine.fit_layers

    def counted(self: BestLayer, *args: Any) -> Any:
        fits.append(type(self))
        return fit_layers(self, *args)

    def parsed(self: Biaffine, *args: Any) -> Any:
        parsers.append(type(self))
        return fit_parsers(self, *args)

    monkeypatch.setattr(BestLayer, "fit_layers", counted)
    monkeypatch.setattr(Biaffine, "fit_layers", parsed)
    context = MethodContext(encoder, cache=None, device="cpu", progress=False)
    names = "probe[max_steps=3],probe-relations[max_steps=3],probe-relations-joint[max_steps=3]"
    made = [method.make(context).fit(TRAIN, DEV) for method in choose_methods(names)]
    assert fits == [BestLayer]
    heads = [np.concatenate([one.heads for one in method.predict(TEST)]) for method in made[:2]]
    assert np.array_equal(*heads)
    choose_methods("probe[max_steps=4]")[0].make(context).fit(TRAIN, DEV)
    made[0].fit(DEV, DEV)
    assert len(fits) == 3
    names = "biaffine[max_steps=3],biaffine-relations[max_steps=3]"
    plain, labels = (one.make(context).fit(TRAIN, DEV) for one in choose_methods(names))
    assert parsers == [Biaffine]
    assert (plain.predict(TEST)[0].deprels, len(labels.predict(TEST)[0].deprels)) == (
        None,
        len(TEST[0]),
    )
    # Alone, each fit is a new one.
    alone = BestLayer(encoder, **FEW)
    assert alone.fit(TRAIN, DEV).recoverer_ is not alone.fit(TRAIN, DEV).recoverer_


def test_relations_help_to_decode_trees(encoder: Encoder) -> None:
    told = {**FEW, "layers": [1]}
    plain, root, joint = (
        ProbeRelations(encoder, decoding=how, **told).fit(TRAIN, DEV)
        for how in ("published", "root", "joint")
    )
    assert [one.name for one in (root, joint)] == ["probe-relations-root", "probe-relations-joint"]
    assert plain.weight_ is None
    assert joint.weight_ in WEIGHTS
    assert joint.chosen_["choice"] == f"decoding joint, weight {joint.weight_:g}"
    (words,) = plain.reader_._words(encoder.encode(TEST, layers=1).layer(1)).values()
    arcs = [*plain.reader_._arcs(words)]
    for one, turned, both, own in zip(
        *(method.predict(TEST) for method in (plain, root, joint)), arcs, strict=True
    ):
        assert np.array_equal(turned.heads, spanning_tree(one.distances, int(own[:, 0].argmax())))
        assert (turned.depths, both.depths, both.distances) == (None, None, None)
        sums = joint.weight_ * own + np.pad(-one.distances, ((0, 0), (1, 0)))
        np.testing.assert_allclose(both.arc_scores, sums, rtol=1e-5)
        assert np.array_equal(both.heads, arborescence(sums))
        for found in (one, turned, both):
            assert [name == "root" for name in found.deprels] == (found.heads == 0).tolist()
            assert ((found.deprel_probabilities > 0) & (found.deprel_probabilities <= 1)).all()


def test_decoding_that_a_method_does_not_allow(encoder: Encoder) -> None:
    told = {"encoder": encoder, "layer": 1, "max_steps": 2, "device": "cpu", "progress": False}
    with pytest.raises(ProbeError, match="decoding='root' needs trees without direction"):
        WithRelations(RightBranching(), decoding="root", **told).fit(TRAIN, DEV).predict(TEST)
    with pytest.raises(ProbeError, match="decoding='joint' needs distances or arc scores, and"):
        WithRelations(RightBranching(), decoding="joint", **told).fit(TRAIN, DEV)
    with pytest.raises(ProbeError, match="choosing the weight of relations needs a dev set"):
        WithRelations(LinearChain(), decoding="joint", **told).fit(TRAIN)
    with pytest.raises(ProbeError, match="unknown decoding 'best'; choose from 'published', 'ro"):
        WithRelations(RightBranching(), decoding="best", **told).fit(TRAIN, DEV)

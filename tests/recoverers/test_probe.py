"""The probe joined with its encoder, on a tiny random model and on the small pretrained one."""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pytest
from support.conllu_text import cut
from support.tiny_checkpoints import make_model, make_tokenizer, save_checkpoint
from support.tiny_trees import tiny_bank as bank

from structprobe import Encoder, ProbeRecoverer, StructuralProbe, Treebank
from structprobe.errors import EncoderError, ProbeError
from structprobe.probe import NotFittedError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert")


@pytest.fixture(scope="module")
def encoder(model: str) -> Encoder:
    return Encoder(model, pooling="last")


@pytest.fixture
def recoverer(encoder: Encoder) -> ProbeRecoverer:
    probe = StructuralProbe(rank=3, max_steps=20, random_state=0)
    return ProbeRecoverer(encoder, 1, probe, progress=False).fit(bank(), bank())


def test_predicts_what_the_probe_predicts(recoverer: ProbeRecoverer, encoder: Encoder) -> None:
    vectors = encoder.encode(bank(), layers=(1,)).layer(1)
    wanted = recoverer.probe.predictions(vectors)
    for mine, theirs in zip(recoverer.predict(bank()), wanted, strict=True):
        np.testing.assert_array_equal(mine.heads, theirs.heads)
        np.testing.assert_array_equal(mine.distances, theirs.distances)
        np.testing.assert_array_equal(mine.depths, theirs.depths)
    assert recoverer.predict([]) == []
    assert recoverer.probe.origin_ == encoder.origin(1)
    assert recoverer.probe.treebank_fingerprint_ == bank().fingerprint


def test_gold_is_not_looked_at(recoverer: ProbeRecoverer) -> None:
    bare = Treebank.from_words([sentence.words for sentence in bank()])
    for mine, theirs in zip(recoverer.predict(bare), recoverer.predict(bank()), strict=True):
        np.testing.assert_array_equal(mine.heads, theirs.heads)


def test_without_dev_a_part_of_train_is_held_out(encoder: Encoder) -> None:
    probe = StructuralProbe(max_steps=2, random_state=0)
    fitted = ProbeRecoverer(encoder, 0, probe, name="probe-layer-0").fit(bank())
    assert fitted is not None
    assert probe.history_["n_train"] + probe.history_["n_dev"] == len(bank())
    assert fitted.name == "probe-layer-0"
    assert ProbeRecoverer.uses_gold is False


def test_default_probe_is_not_fitted(encoder: Encoder) -> None:
    fresh = ProbeRecoverer(encoder, 0)
    assert fresh.name == "probe"
    with pytest.raises(NotFittedError):
        fresh.parse("the dog ran")
    with pytest.raises(NotFittedError):
        fresh.save_pretrained("never")
    assert not Path("never").exists()


@pytest.mark.parametrize("layer", [-1, 3])
def test_layer_out_of_range(encoder: Encoder, layer: int) -> None:
    with pytest.raises(ProbeError, match=f"layer {layer} is out of range; .* layers 0 to 2"):
        ProbeRecoverer(encoder, layer)


def test_parses_text_and_words(recoverer: ProbeRecoverer) -> None:
    from_text = recoverer.parse("  the dog\tthat\nran ")
    from_words = recoverer.parse(["the", "dog", "that", "ran"])
    assert from_text.words == from_words.words == ("the", "dog", "that", "ran")
    np.testing.assert_array_equal(from_text.heads, from_words.heads)
    np.testing.assert_array_equal(from_text.heads, recoverer.predict([from_text.sentence])[0].heads)
    assert recoverer.parse(["New York", "ran"]).words == ("New York", "ran")
    one = recoverer.parse("ran")
    assert (one.heads.tolist(), len(one)) == ([0], 1)


@pytest.mark.parametrize("nothing", ["", "  \n", []])
def test_no_word_to_parse(recoverer: ProbeRecoverer, nothing: object) -> None:
    with pytest.raises(ProbeError, match="there are no words to parse in"):
        recoverer.parse(nothing)


def test_cache_is_used(encoder: Encoder, tmp_path: Path) -> None:
    probe = StructuralProbe(max_steps=2, random_state=0)
    kept = ProbeRecoverer(encoder, 1, probe, cache=tmp_path / "cache").fit(bank())
    assert any((tmp_path / "cache").iterdir())
    np.testing.assert_array_equal(
        np.concatenate([p.heads for p in kept.predict(bank())]),
        np.concatenate([p.heads for p in ProbeRecoverer(encoder, 1, probe).predict(bank())]),
    )


def test_comes_back_with_its_model(recoverer: ProbeRecoverer, tmp_path: Path) -> None:
    recoverer.save_pretrained(tmp_path / "PROBE", dev_scores={"uuas": 0.5})
    loaded = ProbeRecoverer.from_pretrained(tmp_path / "PROBE", device="cpu")
    assert (loaded.layer, loaded.encoder.pooling) == (1, "last")
    wanted = recoverer.parse("the dog that ran")
    np.testing.assert_array_equal(loaded.parse("the dog that ran").heads, wanted.heads)


def test_model_that_has_moved(
    recoverer: ProbeRecoverer, model: str, encoder: Encoder, tmp_path: Path
) -> None:
    recoverer.probe.origin_ = {**encoder.origin(1), "model": str(tmp_path / "gone")}
    recoverer.save_pretrained(tmp_path / "PROBE")
    with pytest.raises(
        ProbeError, match=r"cannot be loaded: .*gone.*; if it has moved, pass model="
    ):
        ProbeRecoverer.from_pretrained(tmp_path / "PROBE")
    with pytest.raises(EncoderError, match="nowhere"):
        ProbeRecoverer.from_pretrained(tmp_path / "PROBE", model=str(tmp_path / "nowhere"))
    wanted = recoverer.predict(bank())
    for given in (model, encoder):
        moved = ProbeRecoverer.from_pretrained(tmp_path / "PROBE", model=given)
        for mine, theirs in zip(moved.predict(bank()), wanted, strict=True):
            np.testing.assert_array_equal(mine.heads, theirs.heads)


def test_another_model_is_refused(recoverer: ProbeRecoverer, model: str, tmp_path: Path) -> None:
    recoverer.save_pretrained(tmp_path / "PROBE")
    other = save_checkpoint(tmp_path / "other", "bert", seed=1)
    with pytest.raises(ProbeError, match=r"the probe was fitted on .* but this is") as caught:
        ProbeRecoverer.from_pretrained(tmp_path / "PROBE", model=other)
    for named in (model, other, "PROBE", str(recoverer.encoder.fingerprint)):
        assert named in str(caught.value)


def test_a_probe_without_origin_has_no_model(tmp_path: Path) -> None:
    arrays = [np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)]
    StructuralProbe(max_steps=1).fit(arrays, [[2, 0], [0, 1]]).save_pretrained(tmp_path)
    with pytest.raises(ProbeError, match="fitted on plain arrays, so its model is unknown"):
        ProbeRecoverer.from_pretrained(tmp_path)


def test_a_probe_of_a_model_object_wants_the_object(tmp_path: Path) -> None:
    objects = {"model": make_model("bert"), "tokenizer": make_tokenizer()}
    probe = StructuralProbe(max_steps=2, random_state=0)
    ProbeRecoverer(Encoder(**objects), 1, probe).fit(bank()).save_pretrained(tmp_path)
    loaded = ProbeRecoverer.from_pretrained(tmp_path, **objects)
    assert loaded.parse("the dog ran").words == ("the", "dog", "ran")


def test_untrained_copy_is_another_method(encoder: Encoder) -> None:
    probe = StructuralProbe(rank=3, max_steps=5, random_state=0)
    baseline = ProbeRecoverer(encoder.untrained(0), 1, probe, name="probe-untrained")
    baseline.fit(bank())
    assert baseline.name == "probe-untrained"
    assert baseline.probe.origin_["fingerprint"] != encoder.fingerprint


@pytest.mark.slow
def test_from_text_to_tree_with_the_pretrained_model(
    minilm: str, treebanks: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first.conllu"
    cut(treebanks / "UD_English-EWT" / "en_ewt-ud-train.conllu", first, slice(600))
    english = Treebank.read(first)
    probe = StructuralProbe(rank=64, max_steps=150, random_state=0)
    ProbeRecoverer(Encoder(minilm), 4, probe, progress=False).fit(
        english[:500], english[500:]
    ).save_pretrained(tmp_path / "PROBE")
    parsed = ProbeRecoverer.from_pretrained(tmp_path / "PROBE").parse(
        "the dog that chased the cat ran"
    )
    assert networkx.is_arborescence(parsed.to_networkx())
    assert "chased" in str(parsed)
    assert "\tchased\t" in parsed.to_conllu()

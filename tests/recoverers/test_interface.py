"""What all recoverers share: made by hand or by name, fitted or not, shown, and asked to parse."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from support.few_steps import with_few_steps
from support.models import tiny_model, wordpiece
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank
from transformers import BertForMaskedLM

from structprobe import (
    AttentionMax,
    AttentionMST,
    Encoder,
    LinearChain,
    NotFittedError,
    ProbeRecoverer,
    RandomTree,
    StructuralProbe,
    Treebank,
)
from structprobe.errors import MethodError, ProbeError
from structprobe.recoverers.base import MethodContext
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.methods import choose_methods, find_methods
from structprobe.recoverers.probe_baselines import LayerZero, UntrainedProbe
from structprobe.recoverers.tree_probe import TreeProbe

TRAIN, DEV = (tiny_bank(seed=seed) for seed in range(2))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert")


@pytest.fixture(scope="module")
def encoder(checkpoint: str) -> Encoder:
    return Encoder(checkpoint)


@pytest.fixture(scope="module")
def masked() -> Encoder:
    """A model with all that any method asks for."""
    tokenizer = wordpiece()
    tiny = tiny_model("bert", tokenizer)
    model = BertForMaskedLM(tiny.config)
    model.bert.load_state_dict(tiny.state_dict(), strict=False)
    return Encoder(model, tokenizer=tokenizer)


def decisive(value: Any) -> Any:
    """What of an attribute decides a method: a model by its weights, all else as it is."""
    if isinstance(value, Encoder):
        return value.fingerprint
    return value if isinstance(value, str | int | float | bool | tuple | dict | None) else None


ways = {
    "by hand": lambda cls, encoder: cls(encoder, random_state=4, max_steps=5, progress=False),
    "for a model": lambda cls, encoder: cls.for_model(
        MethodContext(encoder, seed=4, progress=False), max_steps=5
    ),
    "copied": lambda cls, encoder: copy.deepcopy(ways["by hand"](cls, encoder)),
    # A model that was looked at when it was loaded holds hooks that cannot be pickled.
    "pickled": lambda cls, encoder: pickle.loads(
        pickle.dumps(ways["by hand"](cls, encoder.untrained(9)))
    ),
}


@pytest.mark.parametrize("way", ways)
def test_an_untrained_probe_reads_random_weights_however_it_is_made(
    way: str, encoder: Encoder
) -> None:
    made = ways[way](UntrainedProbe, encoder)
    assert made.encoder.fingerprint == encoder.untrained(4).fingerprint != encoder.fingerprint
    sentences = DEV[:3]
    found = made.encoder.encode(sentences, progress=False).layer(1).values
    random = encoder.untrained(4).encode(sentences, progress=False).layer(1).values
    trained = encoder.encode(sentences, progress=False).layer(1).values
    np.testing.assert_array_equal(found, random)
    assert not np.allclose(found, trained)
    assert made.fit(TRAIN, DEV).recoverer_.encoder is made.encoder


@pytest.mark.parametrize("way", ways)
def test_layer_zero_reads_layer_zero_however_it_is_made(way: str, encoder: Encoder) -> None:
    made = ways[way](LayerZero, encoder).fit(TRAIN, DEV)
    assert (made.layers, list(made.curve_), made.chosen_) == ((0,), [0], {"layer": 0})
    assert made.recoverer_.layer == 0


@pytest.mark.parametrize("way", ways)
def test_a_tree_probe_has_the_loss_of_trees_however_it_is_made(way: str, encoder: Encoder) -> None:
    assert ways[way](TreeProbe, encoder).settings["loss"] == "tree"


def test_what_would_make_a_name_false_is_refused(encoder: Encoder) -> None:
    assert LayerZero(encoder, layers=(0,)).layers == (0,)
    with pytest.raises(MethodError, match=r"probe-layer-0 uses only layer 0, not \(0, 1\)"):
        LayerZero(encoder, layers=(0, 1))
    with pytest.raises(MethodError, match="probe-tree is trained with loss='tree', not"):
        TreeProbe(encoder, loss="distance")


@pytest.mark.parametrize("name", find_methods())
def test_the_constructor_gives_the_method_that_its_name_does(name: str, masked: Encoder) -> None:
    method = find_methods()[name]
    context = MethodContext(masked, seed=3, punct="keep", device="cpu", progress=False)
    made = method.make(context)
    shared = {"random_state": 3, "punct": "keep", "device": "cpu", "progress": False}
    known = {key: value for key, value in shared.items() if hasattr(made, key)}
    if "fitted" in method.cls.from_context:
        known["fitted"] = context.fitted
    by_hand = method.cls(*[masked] * method.cls.reads_model, **known, **method.told)
    assert made.name == by_hand.name == name
    assert {key: decisive(value) for key, value in vars(by_hand).items()} == {
        key: decisive(value) for key, value in vars(made).items()
    }


@pytest.mark.parametrize("name", find_methods())
def test_every_recoverer_can_be_pickled_and_copied_after_use(name: str, masked: Encoder) -> None:
    (method,) = choose_methods(with_few_steps(name))
    used = method.make(MethodContext(masked, seed=3, progress=False))
    used.fit(TRAIN, DEV)
    wanted = used.predict(DEV)
    for again in (pickle.loads(pickle.dumps(used)), copy.deepcopy(used)):
        assert repr(again) == repr(used)
        for mine, theirs in zip(again.predict(DEV), wanted, strict=True):
            assert mine.heads.tolist() == theirs.heads.tolist()


@pytest.mark.parametrize("name", find_methods())
def test_one_error_for_all_that_need_fitting(name: str, masked: Encoder) -> None:
    made = find_methods()[name].make(MethodContext(masked, progress=False))
    learns = made.fitted_attribute is not None
    assert made.is_fitted is not learns
    assert ("not fitted" in repr(made)) is learns
    if learns:
        for ask in (made.predict, lambda some: made.parse(some[0])):
            with pytest.raises(NotFittedError, match=f"^the method '{name}' is not fitted; call"):
                ask(DEV[:1])


def test_recoverers_show_what_they_are(encoder: Encoder) -> None:
    model = encoder.loaded.name
    assert repr(RandomTree()) == "<RandomTree 'random'>"
    unfitted = ProbeRecoverer(encoder, 1)
    assert repr(unfitted) == f"<ProbeRecoverer 'probe' of {model}: layer 1, not fitted>"
    given = repr(AttentionMax(encoder, layer=1, head=2))
    assert given == f"<AttentionMax 'attention-max' of {model}: layer 1, head 2>"
    fitted = BestLayer(encoder, layers=(1,), max_steps=2, progress=False).fit(TRAIN, DEV)
    assert repr(fitted) == f"<BestLayer 'probe' of {model}: layer 1>"
    assert repr(fitted.recoverer_) == f"<ProbeRecoverer 'probe' of {model}: layer 1>"


WORDS = ("the", "dog", "ran")


@pytest.mark.parametrize(
    "given",
    ["the dog ran", [*WORDS], WORDS, Treebank.from_words([WORDS])[0]],
    ids=["text", "list", "tuple", "Sentence"],
)
def test_every_recoverer_parses_a_sentence(given: Any, encoder: Encoder) -> None:
    for recoverer in (LinearChain(), AttentionMST(encoder, layer=1, head=1, progress=False)):
        parsed = recoverer.parse(given)
        assert parsed.words == ("the", "dog", "ran")
        assert parsed.heads.tolist() == recoverer.predict([parsed.sentence])[0].heads.tolist()


def test_texts_that_are_taken_as_words_are_told(caplog: pytest.LogCaptureFixture) -> None:
    assert LinearChain().parse(["a sentence", "another"]).words == ("a sentence", "another")
    (told,) = caplog.messages
    assert told == (
        "parse takes one sentence: each item of the list is taken as one word, also 'a sentence'; "
        "to parse several texts, call parse for each"
    )
    caplog.clear()
    LinearChain().parse("a sentence another")
    LinearChain().parse(Treebank.from_words([["a sentence", "another"]])[0])
    assert not caplog.messages


def test_a_sentence_keeps_its_gold_tree() -> None:
    assert LinearChain().parse(DEV[0]).gold_heads.tolist() == DEV[0].heads.tolist()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (DEV, r"Treebank\(\d+ sentences, \d+ words\)"),
        (list(DEV), "a list of Sentence"),
        ([["the", "dog"], ["it", "ran"]], "a list of list"),
        (b"the dog ran", "bytes"),
        (3, "int"),
        (None, "NoneType"),
    ],
)
def test_what_is_not_one_sentence_is_refused_in_one_line(given: Any, found: str) -> None:
    told = f"^parse takes one sentence, not {found}; pass a text, a list of words or a"
    with pytest.raises(ProbeError, match=told):
        LinearChain().parse(given)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (lambda encoder, probe: (probe, encoder), "encoder is a StructuralProbe, not an Encoder"),
        (lambda encoder, probe: (probe, 1, encoder), "encoder is a StructuralProbe, not an Enc"),
        (lambda encoder, probe: (encoder, probe), "layer is a StructuralProbe, not an integer"),
        (lambda encoder, probe: (encoder, probe, 1), "layer is a StructuralProbe, not an integer"),
        (lambda encoder, probe: ("bert", 1, probe), "encoder is 'bert', not an Encoder"),
        (lambda encoder, probe: (encoder, "1", probe), "layer is '1', not an integer"),
        (lambda encoder, probe: (encoder, 1.0), "layer is 1.0, not an integer"),
        (lambda encoder, probe: (encoder, True), "layer is a bool, not an integer"),
        (lambda encoder, probe: (encoder, 1, encoder), "probe is a Encoder, not a StructuralProbe"),
    ],
)
def test_arguments_in_another_order_are_named(arguments: Any, told: str, encoder: Encoder) -> None:
    hint = r"; use ProbeRecoverer\(encoder, layer, probe\)$"
    with pytest.raises(ProbeError, match=f"^{told}.*{hint}"):
        ProbeRecoverer(*arguments(encoder, StructuralProbe()))


def test_a_fitted_probe_knows_its_layer(encoder: Encoder) -> None:
    probe = StructuralProbe(max_steps=2)
    with pytest.raises(ProbeError, match=r"^no layer was given; choose from 0 to 2$"):
        ProbeRecoverer(encoder, probe=probe)
    ProbeRecoverer(encoder, 1, probe, progress=False).fit(TRAIN, DEV)
    assert ProbeRecoverer(encoder, probe=probe).layer == 1
    assert ProbeRecoverer(encoder, np.int64(1), probe).layer == 1
    with pytest.raises(ProbeError, match="the probe was fitted on layer 1, but layer 2 was given"):
        ProbeRecoverer(encoder, 2, probe)

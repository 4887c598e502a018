"""No method that does not say so looks at gold: all that are found, and all that will be."""

from __future__ import annotations

import numpy as np
import pytest
from support.few_steps import with_few_steps
from support.models import tiny_model, wordpiece
from support.tiny_trees import tiny_bank
from transformers import BertForMaskedLM

from structprobe import Encoder, Prediction, Sentence, Treebank
from structprobe.recoverers.base import MethodContext, Recoverer
from structprobe.recoverers.methods import choose_methods, find_methods
from structprobe.recoverers.random_tree import random_heads

TRAIN, DEV, TEST = (tiny_bank(seed=seed) for seed in range(3))


def other_gold(bank: Treebank) -> Treebank:
    """The same words with the trees and tags of another grammar."""
    generator = np.random.default_rng(9)
    return Treebank(
        Sentence(
            one.words,
            random_heads(len(one), generator),
            deprels=tuple(generator.permutation([f"r{i}" for i in range(len(one))])),
            upos=tuple(generator.choice(["NOUN", "VERB", "PUNCT"], size=len(one))),
            xpos=tuple(generator.choice(["NN", "VB", "."], size=len(one))),
        )
        for one in bank
    )


@pytest.fixture(scope="module")
def fitted() -> dict[str, Recoverer]:
    """Every method that there is, made and fitted as a comparison does."""
    tokenizer = wordpiece()
    tiny = tiny_model("bert", tokenizer)
    model = BertForMaskedLM(tiny.config)  # with the head that probabilities need
    model.bert.load_state_dict(tiny.state_dict(), strict=False)
    context = MethodContext(Encoder(model, tokenizer=tokenizer), progress=False)
    names = {name: with_few_steps(name) for name in find_methods()}
    methods = choose_methods(names.values())
    return {
        name: method.make(context).fit(TRAIN, DEV)
        for name, method in zip(names, methods, strict=True)
    }


@pytest.mark.parametrize("name", find_methods())
def test_predictions_do_not_move_with_gold(name: str, fitted: dict[str, Recoverer]) -> None:
    recoverer = fitted[name]
    if recoverer.uses_gold:
        pytest.skip(f"{name} says that it uses gold")
    gold = other_gold(TEST)
    assert any(
        mine.heads.tolist() != its.heads.tolist() for mine, its in zip(gold, TEST, strict=True)
    )
    bare = Treebank.from_words([one.words for one in TEST])
    wanted = recoverer.predict(TEST)
    for bank in (gold, bare):
        for found, known in zip(recoverer.predict(bank), wanted, strict=True):
            assert_same(found, known)


def assert_same(found: Prediction, known: Prediction) -> None:
    for part in ("heads", "distances", "depths", "arc_scores"):
        values = getattr(found, part), getattr(known, part)
        assert (values[0] is None) == (values[1] is None)
        if values[0] is not None:
            np.testing.assert_array_equal(*values)
    assert found.deprels == known.deprels


def test_the_test_itself_sees_a_leak() -> None:
    class Leak(Recoverer):
        name = "leak"

        def predict(self, sentences: Treebank) -> list[Prediction]:
            return [Prediction(np.array(one.heads)) for one in sentences]

    with pytest.raises(AssertionError):
        test_predictions_do_not_move_with_gold("leak", {"leak": Leak()})

"""No method that does not say so looks at gold: all that are found, and all that will be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from support.models import tiny_model, wordpiece
from support.tiny_trees import tiny_bank

from structprobe import Encoder, Prediction, Sentence, Treebank
from structprobe.errors import StructprobeError
from structprobe.recoverers.base import Recoverer, Setting
from structprobe.recoverers.methods import Method, find_methods
from structprobe.recoverers.random_tree import random_heads

TRAIN, DEV, TEST = (tiny_bank(seed=seed) for seed in range(3))

# Methods that a tiny BERT cannot do: it has a mask token, and no head that predicts words.
UNFIT = {"perturbed-probability"}


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
    setting = Setting(Encoder(tiny_model("bert", tokenizer), tokenizer=tokenizer), progress=False)
    return dict(_fit(find_methods().values(), setting))


def _fit(methods: Iterator[Method], setting: Setting) -> Iterator[tuple[str, Recoverer]]:
    for method in methods:
        try:
            yield method.name, method.make(setting).fit(TRAIN, DEV)
        except StructprobeError:
            continue


def test_only_those_that_are_named_are_unfit(fitted: dict[str, Recoverer]) -> None:
    assert set(find_methods()) - set(fitted) == UNFIT


@pytest.mark.parametrize("name", find_methods())
def test_predictions_do_not_move_with_gold(name: str, fitted: dict[str, Recoverer]) -> None:
    if name in UNFIT:
        pytest.skip(f"{name} cannot be done with the tiny model")
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

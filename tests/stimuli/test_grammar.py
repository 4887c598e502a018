"""Inflection, verb groups and writing, by examples from English."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from structprobe.stimuli.grammar.conllu_text import block, finish, text_of
from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.morphology import article, plural, verb_form
from structprobe.stimuli.grammar.verb_groups import verb_group
from structprobe.stimuli.grammar.verbs import choose
from structprobe.stimuli.grammar.words import bare_noun, comma, hang, leaf, mark, point
from structprobe.treebank import Treebank


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (("see", "past"), {}, "saw"),
        (("see", "pres"), {}, "sees"),
        (("see", "pres", "Plur"), {}, "see"),
        (("see", "perf"), {"passive": True}, "has been seen"),
        (("see", "pastprog", "Plur"), {}, "were seeing"),
        (("see", "past"), {"negation": "n't"}, "didn't see"),
        (("see", "past"), {"negation": "not"}, "did not see"),
        (("see", "fut"), {"negation": "n't"}, "won't see"),
        (("see", "modal"), {"negation": "n't", "modal": "can"}, "can't see"),
        (("see", "modal"), {"negation": "n't", "modal": "may"}, "may not see"),
        (("see", "pres"), {"question": True}, "does see"),
        (("see", "imp"), {}, "see"),
        (("be", "pres", "Sing", "1"), {"negation": "n't"}, "am not"),
        (("be", "past", "Plur"), {"negation": "n't"}, "weren't"),
        (("be", "past"), {}, "was"),
        (("be", "inf"), {}, "be"),
        (("be", "ger"), {}, "being"),
    ],
)
def test_verb_groups_are_english(
    arguments: tuple[str, ...], options: dict[str, Any], said: str
) -> None:
    group = verb_group(*arguments, **options)
    words = [*group.finite, *group.rest]
    words += [] if group.verb in words else [group.verb]
    assert text_of(words) == said


def test_words_are_inflected() -> None:
    plurals = {"city": "cities", "boy": "boys", "woman": "women", "box": "boxes", "knife": "knives"}
    assert {lemma: plural(lemma) for lemma in plurals} == plurals
    forms = {
        ("carry", "VBZ"): "carries", ("go", "VBZ"): "goes", ("watch", "VBZ"): "watches",
        ("have", "VBZ"): "has", ("lie", "VBG"): "lying", ("write", "VBG"): "writing",
        ("stop", "VBG"): "stopping", ("agree", "VBG"): "agreeing", ("carry", "VBD"): "carried",
        ("stop", "VBD"): "stopped", ("hope", "VBD"): "hoped", ("write", "VBN"): "written",
    }  # fmt: skip
    assert {pair: verb_form(*pair) for pair in forms} == forms
    articles = {"apple": "an", "hour": "an", "university": "a", "dog": "a", "one": "a"}
    assert {word: article(word) for word in articles} == articles


def test_contractions_are_written_as_tokens_of_two_words() -> None:
    group = verb_group("bark", "past", negation="n't")
    noun = bare_noun("owl", "animal", "Sing")
    words = [leaf(noun.head, "det", "a", "DET", "DT"), *hang(noun, group.verb, "nsubj")]
    words += [*group.finite, group.verb, comma(group.verb), point(group.verb, ".")]
    bank = Treebank.from_text(block(finish(words), "one"))
    assert bank[0].words == ("An", "owl", "did", "n't", "bark", ".")
    assert "3-4\tdidn't\t" in bank.to_conllu()
    assert "# text = An owl didn't bark.\n" in bank.to_conllu()


def test_subordinators_have_their_relations() -> None:
    head = bare_noun("dog", "animal", "Sing").head
    found = {
        form: (mark(head, form).deprel, mark(head, form).upos) for form in ("to", "when", "if")
    }
    assert found == {"to": ("mark", "PART"), "when": ("advmod", "ADV"), "if": ("mark", "SCONJ")}


def test_draws_are_as_likely_as_their_weights() -> None:
    dice = Dice(0)
    drawn = Counter(dice.weighted({"a": 3, "b": 1}) for _ in range(2000))
    assert 1400 < drawn["a"] < 1600
    assert 400 < sum(dice.chance(0.25) for _ in range(2000)) < 600


def test_verbs_are_chosen_by_what_they_take() -> None:
    assert {verb.lemma for verb in choose("transitive", subject="animal", obj="food")} >= {"eat"}
    assert all(verb.passive for verb in choose("transitive", passive=True))
    assert [verb.lemma for verb in choose("clausal", among=("say",))] == ["say"]

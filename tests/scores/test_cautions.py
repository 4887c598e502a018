"""Scores that may mislead are told: each check in a case that it tells and one that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from structprobe.scores import cautions
from structprobe.scores.protocol import Protocol
from structprobe.treebank import Sentence

TAGS = ("DET", "NOUN", "VERB", "PUNCT")


def bank(*texts: str, upos: tuple[str, ...] = TAGS, xpos: tuple[str, ...] | None = None) -> list:
    """Sentences of four words."""
    return [Sentence(tuple(text.split()), heads=[2, 3, 0, 3], upos=upos, xpos=xpos)
            for text in texts]  # fmt: skip


def many(first: int, last: int, **tags: Any) -> list[Sentence]:
    """Sentences that all differ."""
    return bank(*(f"the dog barks{n} ." for n in range(first, last)), **tags)


def test_nothing_is_told_of_a_sound_treebank() -> None:
    parts = {"train": many(0, 50), "dev": many(50, 80), "test": many(80, 110)}
    assert cautions.cautions_of(parts, "test", Protocol("upos")) == []
    assert cautions.cautions_of({"train": parts["train"]}, "train", Protocol("keep")) == []


def test_sentences_of_test_that_are_in_train_or_dev() -> None:
    parts = {"train": many(0, 50), "dev": many(50, 90), "test": many(48, 51) + many(100, 137)}
    assert cautions.cautions_of(parts, "test", Protocol("upos")) == [
        "2 of 40 sentences of test (5.0%) are also in train, such as 'the dog barks48 .'",
        "1 of 40 sentences of test (2.5%) is also in dev, such as 'the dog barks50 .'",
    ]


def test_dev_that_is_test() -> None:
    test = many(80, 120)
    (told,) = cautions.cautions_of(
        {"train": many(0, 50), "dev": test[::-1], "test": test}, "test", Protocol("upos")
    )
    assert told.startswith("dev and test are the same sentences")
    assert cautions.same_as_dev({"dev": test[1:], "test": test}) is None
    assert cautions.same_as_dev({"test": test}) is None


@pytest.mark.parametrize(
    ("punct", "upos", "told"),
    [
        ("upos", ("DET", "NOUN", "VERB", "SYM"),
         'punct="upos" ignores none of 160 words of dev: no word has UPOS PUNCT'),
        ("xpos", TAGS, 'punct="xpos" ignores none of 160 words of dev: no word has a Penn '
         "punctuation tag as XPOS"),
        ("upos", ("PUNCT", "PUNCT", "VERB", "PUNCT"),
         'punct="upos" ignores 120 of 160 words of dev (75.0%)'),
        ("upos", ("PUNCT", "NOUN", "VERB", "PUNCT"), None),  # half of the words
        ("keep", ("DET", "NOUN", "VERB", "SYM"), None),
    ],
)  # fmt: skip
def test_punctuation_that_is_nothing_or_most(
    punct: str, upos: tuple[str, ...], told: str | None
) -> None:
    sentences = many(0, 40, upos=upos, xpos=("DT", "NN", "VBZ", "SENT"))
    assert cautions.punctuation(sentences, "dev", Protocol(punct)) == told


def test_penn_tags_in_the_column_of_upos() -> None:
    told = cautions.penn_tags(many(0, 40, upos=("DT", "NN", "VBZ", ".")), "test")
    assert told is not None
    assert told.startswith("the UPOS of 100.0% of the words of test are Penn tags (DT, NN, VBZ)")
    some = many(0, 30) + many(30, 40, upos=("DT", "NOUN", "VERB", "PUNCT"))
    told = cautions.penn_tags(some, "test")
    assert told is not None
    assert told.startswith("the UPOS of 6.2% of the words of test are Penn tags (DT)")
    slip = many(0, 100)[1:] + many(0, 1, upos=("DT", "NOUN", "VERB", "PUNCT"))
    assert cautions.penn_tags(slip, "test") is None
    assert cautions.penn_tags([Sentence(("a",), heads=[0])], "test") is None


@pytest.mark.parametrize(
    ("count", "told"), [(29, "test has only 29 sentences: the scores are very uncertain"),
                        (1, "test has only 1 sentence: the scores are very uncertain"), (30, None)],
)  # fmt: skip
def test_few_sentences(count: int, told: str | None) -> None:
    assert cautions.few(many(0, count), "test") == told


def history(*losses: float, every: int = 2) -> list[dict[str, float]]:
    """The evaluations of a training run."""
    return [{"step": every * n, "dev_loss": loss} for n, loss in enumerate(losses, start=1)]


def test_a_budget_that_ended_while_the_loss_was_falling() -> None:
    told = cautions.still_falling(history(5, 4, 3, 2))
    assert told is not None
    assert told.startswith("training ended after 8 steps while the dev loss was still falling")
    assert cautions.still_falling(history(5)) is not None  # looked at once
    assert cautions.still_falling(history(5, 2, 1.94, 1.9401)) is not None  # all but the lowest
    assert cautions.still_falling(history(5, 2, 1.97, 1.96)) is None  # hardly
    assert cautions.still_falling(history(5, 4, 2, 3)) is None  # it rose
    assert cautions.still_falling([]) is None


def test_more_memory_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    there = cautions.machine_bytes()
    assert there is not None
    assert there > 1e8
    monkeypatch.setattr(cautions, "machine_bytes", lambda: 8 * 10**9)
    assert cautions.too_much_memory(None) is None
    assert cautions.too_much_memory(8) is None
    assert cautions.too_much_memory(8.5) == (
        "memory_gb is 8.5, but this machine has 8.0 GB: training may run out of memory"
    )
    monkeypatch.setattr(cautions, "machine_bytes", lambda: None)
    assert cautions.too_much_memory(1e6) is None


@pytest.mark.parametrize("length", [39, 40, 41])
def test_a_long_sentence_is_shown_by_its_beginning(length: int) -> None:
    words = ("a" * (length - 2), "b")
    same = [Sentence(words, heads=[0, 1])]
    shown = " ".join(words) if length <= 40 else "a" * 39 + "…"
    told = cautions.cautions_of({"train": same, "dev": same}, "dev", Protocol("keep"))
    assert any(one.endswith(f"such as {shown!r}") for one in told)
    assert repr(same[0]) == f"Sentence(2 words: {shown!r})"

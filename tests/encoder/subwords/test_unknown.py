"""Words that the tokenizer does not know are counted, told and refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import TOKENIZERS, SlowMarks, bare_bpe, tiny_model, unigram, wordpiece

from structprobe import Encoder
from structprobe.encoder.form_vectors import form_vectors
from structprobe.encoder.subwords.sentences import SpacedWords, space_sentences
from structprobe.encoder.subwords.tokenizing import make_reader
from structprobe.encoder.subwords.unknown import find_unknown
from structprobe.errors import EncoderError
from structprobe.treebank import Sentence

pytestmark = pytest.mark.fault_class("words")

KNOWN = ["the", "dog", "ran", "away"] * 10


def make(tokenizer: str = "wordpiece", **options: Any) -> Encoder:
    cutter = TOKENIZERS[tokenizer]()
    return Encoder(tiny_model("bert", cutter), tokenizer=cutter, **options)


def count(tokenizer: Any, words: list[str], gaps: list[str] | None = None) -> dict[str, int]:
    spaced = SpacedWords(tuple(words), tuple(gaps or [" "] * len(words)), "here")
    found = find_unknown(make_reader(tokenizer), [spaced, spaced])
    assert found.n_words == 2 * len(words)
    return dict(found.counts)


@pytest.mark.parametrize("name", ["wordpiece", "unigram", "slow_words"])
def test_words_are_counted_as_often_as_they_stand(name: str) -> None:
    words = ["the", "犬", "dog", "犬", "\u200b", "the犬"]
    found = count(TOKENIZERS[name](), words)
    assert found["犬"] == 4
    assert found["\u200b"] == 2
    assert "the" not in found


def test_a_word_in_part_unknown_is_not_unknown() -> None:
    assert count(unigram(), ["a犬a", "犬"]) == {"犬": 2}


def test_without_an_unknown_token_it_is_what_is_written_instead() -> None:
    assert count(bare_bpe(), ["the", "犬", "\u3000", "\ufffd"]) == {"\u3000": 2}
    assert count(SlowMarks(), ["the", "犬", "\ufffd"]) == {"犬": 2}


def test_words_without_a_space_between_are_read_together() -> None:
    assert count(wordpiece(), ["the", "ж"], ["", " "]) == {"the": 2, "ж": 2}  # one word to BERT
    assert count(wordpiece(), ["the", "ж"], [" ", " "]) == {"ж": 2}


def test_what_nothing_can_stand_for_is_told_elsewhere() -> None:
    tokenizer = SlowMarks()
    tokenizer._numbers = {key: at for key, at in tokenizer._numbers.items() if key != "\ufffd"}
    tokenizer._numbers.pop("▁")
    assert find_unknown(make_reader(tokenizer), space_sentences([["é"]], "words")).n == 0


def test_up_to_one_in_a_hundred_is_normal_and_more_is_told_once_in_one_line(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    encoder = make()
    rare = [["the"] * 99 + ["犬"]]
    odd = [[*KNOWN, "犬", "猫", "犬"]]
    plain = make().encode(rare, cache=tmp_path).layer(3)
    assert not caplog.records
    for _ in range(2):
        encoder.encode(odd, cache=tmp_path)
        list(encoder.batches(odd))
        encoder.untrained(0).encode(odd)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "BertModel: 3 of 43 words (6.98%) are unknown to the tokenizer, which writes all of them "
        "as the same token (most frequent: '犬', '猫')"
    )
    assert encoder.encode(rare, cache=tmp_path).layer(3).origin == plain.origin


def test_more_than_one_in_five_is_an_error_unless_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = [["the", "dog"], ["犬", "が", "走", "る"]]
    patient = make(max_unknown=1)
    vectors = patient.encode(bank, cache=tmp_path).layer(3)
    assert len(caplog.records) == 1
    strict = make()
    assert strict.fingerprint == patient.fingerprint
    assert strict.origin(3) == vectors.origin
    monkeypatch.setattr("structprobe.encoder.encoder.word_vectors", None)  # before any pass
    for use in (
        lambda: strict.encode(bank),
        lambda: strict.encode(bank, cache=tmp_path),  # where the vectors are
        lambda: list(strict.batches(bank)),
    ):
        with pytest.raises(EncoderError, match=r"4 of 6 words \(66.7%\).*'犬'") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "max_unknown=1" in str(caught.value)
        assert "--max-unknown 1" in caught.value.for_shell()
    again = make(max_unknown=0.7).encode(bank, cache=tmp_path).layer(3)
    assert np.array_equal(again.values, vectors.values)


def test_a_single_unknown_form_is_never_too_many_unless_none_are_allowed() -> None:
    sentence = [["犬", "犬", "it"]]
    assert make().encode(sentence).layer(0)[0].shape[0] == 3
    with pytest.raises(EncoderError, match="2 of 3 words"):
        make(max_unknown=0).encode(sentence)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_what_is_no_share(share: float) -> None:
    with pytest.raises(EncoderError, match="max_unknown must be a share from 0 to 1"):
        make(max_unknown=share)


def test_vectors_of_forms_count_each_form_once_and_are_not_watched(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bank = [Sentence(words=tuple(["the"] * 97 + ["犬", "猫", "鳥"]))]
    assert len(form_vectors(make(), bank).values) == 4
    assert not caplog.records

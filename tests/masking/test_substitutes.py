"""Substitutes against those of one masked sentence at a time, and in little memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.masked_model import trained, trained_bank, trained_encoder
from support.models import roberta_bpe, tiny_model, wordpiece
from transformers import RobertaConfig, RobertaForMaskedLM

from structprobe import Encoder
from structprobe.errors import EncoderError
from structprobe.masking.impacts import MaskedImpacts
from structprobe.masking.substitutes import Substitutes

SOME = [list(one.words) for one in trained_bank()[:5]]


def slow_substitutes(words: list[str], place: int, k: int) -> list[str]:
    model, tokenizer = trained()
    text = " ".join([*words[:place], tokenizer.mask_token, *words[place + 1 :]])
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        (scores,) = model(input_ids=ids).logits[ids == tokenizer.mask_token_id]
    order = [tokenizer.convert_ids_to_tokens(i) for i in scores.argsort(descending=True).tolist()]
    return [one for one in order if one.isalpha() and one != words[place].lower()][:k]


@pytest.mark.parametrize("batch_tokens", [1, 30, 1000])
def test_substitutes_are_those_of_one_sentence_at_a_time(batch_tokens: int) -> None:
    encoder = trained_encoder(batch_tokens=batch_tokens)
    found = Substitutes(encoder, 4).find([*SOME, ["x"]], progress=False)
    for words, of_words in zip(SOME, found[:-1], strict=True):
        assert of_words[-1] == []  # of the full stop
        for place in range(len(words) - 1):
            assert of_words[place] == slow_substitutes(words, place, 4)


def test_a_word_of_many_subwords_is_masked_by_one_token() -> None:
    cutter = roberta_bpe()
    torch.manual_seed(3)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"intermediate_size": 64, "max_position_embeddings": 22, "initializer_range": 0.3}
    model = RobertaForMaskedLM(RobertaConfig(vocab_size=len(cutter), **sizes, **more)).eval()
    words = ["the", "newspapers", "she", "saw"]
    ids = cutter("the<mask> she saw", return_tensors="pt").input_ids
    assert (ids == cutter.mask_token_id).sum() == 1
    with torch.no_grad():
        (scores,) = model(input_ids=ids).logits[ids == cutter.mask_token_id]
    found, too_long = Substitutes(Encoder(model, tokenizer=cutter), 3).find([words, ["x"] * 30])
    assert too_long is None
    strings = [cutter.decode([i]).strip() for i in scores.argsort(descending=True).tolist()]
    # Letters that are tokens at the start of a text or behind a space; never parts of words.
    seen = {one for word in found for one in word}
    assert all(one.isalpha() for one in seen)
    for one in seen:
        forms = [cutter(text, add_special_tokens=False).input_ids for text in (one, f" {one}")]
        assert min(map(len, forms)) == 1
    known = [one for one in dict.fromkeys(strings) if one in found[1]]
    assert found[1] == known


def test_faults() -> None:
    with pytest.raises(EncoderError, match=r"has no head .*, which substitution needs; load a"):
        Substitutes(Encoder(tiny_model("bert", wordpiece()), tokenizer=wordpiece()), 3)
    encoder = trained_encoder()
    substitutes = Substitutes(encoder, 3)
    with torch.no_grad():
        bias = encoder.model.cls.predictions.bias
        before = bias.clone()
        bias.fill_(np.nan)
        try:
            with pytest.raises(EncoderError, match="sentence 0: the score of a substitute is not"):
                substitutes.find(SOME[:1])
        finally:
            bias.copy_(before)


READINGS: dict[str, Callable[[Encoder], Any]] = {
    "pmi": lambda encoder: dict(MaskedImpacts(encoder, measure="pmi").read(SOME)),
    "unmasked": lambda encoder: dict(MaskedImpacts(encoder, unmasked=True).read(SOME)),
    "substitutes": lambda encoder: dict(enumerate(Substitutes(encoder, 3).find(SOME))),
}


@pytest.mark.fault_class("memory")
@pytest.mark.parametrize("name", READINGS)
def test_smaller_batches_where_memory_does_not_suffice(name: str) -> None:
    failed: list[int] = []
    most = 10_000

    def fail(_: Any, given: Any, named: Any) -> None:
        if named["input_ids"].numel() > most:
            failed.append(named["input_ids"].numel())
            raise RuntimeError("CUDA out of memory")

    hook = trained()[0].bert.embeddings.register_forward_pre_hook(fail, with_kwargs=True)
    try:
        encoder = trained_encoder()
        wanted = READINGS[name](encoder)
        assert not failed
        most = 30
        found = READINGS[name](encoder)
    finally:
        hook.remove()
    assert failed
    for number in wanted:
        if name == "substitutes":
            assert found[number] == wanted[number]
        else:
            np.testing.assert_allclose(found[number], wanted[number], atol=1e-5)

"""Whether vectors depend on the words that follow: found by running a model, whatever it is."""

from __future__ import annotations

import pytest
import torch
from support.models import gpt2_bpe, tiny_model, wordpiece
from support.tiny_checkpoints import make_model, make_tokenizer
from support.tiny_trees import tiny_bank

from structprobe import Encoder, Sentence
from structprobe.encoder.causality import find_later_words

BANK = tiny_bank(n=8)


def encoder_of(kind: str, **changes: object) -> Encoder:
    return Encoder(
        make_model(kind, **changes), tokenizer=make_tokenizer(), max_unknown=1, device="cpu"
    )


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mpt"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_causal_model_sees_no_later_words(kind: str, dtype: str) -> None:
    model = make_model(kind).to(getattr(torch, dtype))
    encoder = Encoder(model, tokenizer=make_tokenizer(), max_unknown=1, device="cpu", dtype=dtype)
    assert find_later_words(encoder, BANK) is None


def test_a_model_that_reads_both_ways_is_found() -> None:
    told = find_later_words(encoder_of("bert"), BANK)
    assert told is not None
    assert told.startswith("layer ")
    assert "changes by " in told
    assert "sent_id 'tiny-" in told
    assert find_later_words(encoder_of("bert"), BANK, layers=0) is None  # no context yet


def test_the_decoder_of_an_encoder_decoder_has_seen_the_whole_sentence() -> None:
    tokenizer = wordpiece()
    model = tiny_model("t5", tokenizer)
    model.config.decoder_start_token_id = 0
    encoder = Encoder(model, tokenizer=tokenizer, part="decoder", device="cpu", max_unknown=1)
    assert find_later_words(encoder, BANK) is not None


def test_a_causal_model_that_ignores_its_mask_counts_as_causal() -> None:
    model = make_model("llama")
    forward = model.forward

    def without_mask(*args: object, attention_mask: object = None, **more: object) -> object:
        return forward(*args, **more)

    model.forward = without_mask
    encoder = Encoder(model, tokenizer=make_tokenizer(), max_unknown=1, device="cpu")
    assert find_later_words(encoder, BANK) is None


def test_words_that_share_subwords_with_the_next_are_found() -> None:
    tokenizer = gpt2_bpe()
    model = tiny_model("gpt2", tokenizer)
    sentence = Sentence(("the", "d", "og", "ran"), gaps=(" ", "", " ", " "))
    for spacing, found in (("words", False), ("original", True)):
        encoder = Encoder(model, tokenizer=tokenizer, spacing=spacing, device="cpu")
        told = find_later_words(encoder, [sentence])
        assert (told is not None) is found
        assert not found or "word 2, 'd'" in str(told)


def test_a_sentence_that_is_read_in_windows_is_found() -> None:
    encoder = encoder_of("gpt2")
    long = Sentence(("dog", "saw", "cat", "the") * 10)
    assert find_later_words(encoder, [*BANK]) is None
    told = find_later_words(encoder, [*BANK, long])
    assert told is not None
    assert "the sentence dog saw cat" in told.replace("'", " ").replace("  ", " ")


def test_single_words_say_nothing() -> None:
    assert find_later_words(encoder_of("bert"), [Sentence(("dog",))]) is None


def test_looking_does_not_change_the_model() -> None:
    model = make_model("llama").train()
    encoder = Encoder(model, tokenizer=make_tokenizer(), max_unknown=1, device="cpu")
    before = encoder.fingerprint
    state = torch.random.get_rng_state()
    find_later_words(encoder, BANK)
    assert model.training
    assert encoder.fingerprint == before
    assert torch.equal(torch.random.get_rng_state(), state)

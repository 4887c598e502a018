"""Any word, whatever the tokenizer: as many vectors as words, in order, the same in company."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.closeness import assert_same_vectors
from support.models import TOKENIZERS, tiny_model
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers import models as algorithms
from transformers import ByT5Tokenizer, PerceiverTokenizer, PreTrainedTokenizerFast

from structprobe import Encoder

pytestmark = pytest.mark.fault_class("words")


def fast_characters() -> Any:
    """One token per character, those of ASCII; another is unknown."""
    known = ["<unk>", "<pad>", "<s>", *map(chr, range(33, 127))]
    backend = Tokenizer(algorithms.WordLevel({c: i for i, c in enumerate(known)}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s*\S"), "isolated")
    backend.decoder = decoders.Fuse()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 2)]
    )
    names = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


KINDS: dict[str, Callable[[], Any]] = {
    **TOKENIZERS,  # WordPiece, byte BPE, Unigram, BPE with bytes to fall back on; two slow ones
    "characters": fast_characters,
    "slow_bytes": ByT5Tokenizer,
    "slow_bytes_replaced": PerceiverTokenizer,
}


@cache
def encoder_of(kind: str) -> Encoder:
    tokenizer = KINDS[kind]()
    model = tiny_model("t5" if kind.startswith("slow_bytes") else "bert", tokenizer)
    return Encoder(model, tokenizer=tokenizer, max_unknown=1)


def check(encoder: Encoder, sentences: list[list[str]], alone: list[int]) -> None:
    """Encode sentences together, and some of them alone."""
    bank = encoder.encode(sentences, layers=(0, 3))
    for layer in bank.layers:
        vectors = bank.layer(layer)
        assert [len(one) for one in vectors] == [len(sentence) for sentence in sentences]
        assert np.isfinite(vectors.values).all()
    for i in alone:
        other = encoder.encode([sentences[i]], layers=(0, 3))
        for layer in bank.layers:
            assert_same_vectors(bank.layer(layer)[i], other.layer(layer)[0])


ODD = ["", " ", "\xa0", "\u3000", "\x85", "\u200b", "\u00ad", "\ufeff", "\x00", "\x1f", "\u0301",
       "\u202e", "\ufffd", "\ufdd0", "\U000e0001", "\U0010fffd", "▁", "▁▁", "Ġ", "##", "##a", "@@",
       "</w>", "<0x20>", "<0xA0>", "2 0", " a", "a ", "a\tb", "ﷺ",
       "\U0001f468\u200d\U0001f469", "e\u0301", "ß", "İ"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_words_that_may_have_no_piece(kind: str) -> None:
    sentences = [["the", word, "dog"] for word in ODD]
    sentences += [[word] for word in ODD] + [ODD, ["the", "dog"] * 8]
    check(encoder_of(kind), sentences, [*range(0, 2 * len(ODD), 7), 2 * len(ODD)])


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_as_words(kind: str) -> None:
    encoder = encoder_of(kind)
    names = [str(token) for token in encoder.loaded.tokenizer.all_special_tokens][:8]
    names += ["[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<unk>", "<pad>", "<|endoftext|>"]
    sentences = [["the", name, "dog"] for name in names] + [names, [f"x{names[0]}y"]]
    check(encoder, sentences, [0, 3, len(names)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_of_two_thousand_pieces_stands_among_others(kind: str) -> None:
    encoder = encoder_of(kind)
    endless = "xq7z-" * 400
    sentences = [["the", endless, "dog"], ["the", "dog"], [endless], ["a", "cat"] * 5]
    (pieces,) = (one for batch in encoder.batches([[endless]]) for one in batch.pieces)
    if kind not in ("wordpiece",):  # which gives up on a word of over 100 letters
        assert len(pieces.ids) >= 1000
    check(encoder, sentences, [0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_stand_in_the_order_of_the_words(kind: str) -> None:
    tokenizer = KINDS[kind]()
    encoder = Encoder(tiny_model("t5", tokenizer), tokenizer=tokenizer, max_unknown=1)
    words = ["собака", "dog", "犬", "the", "<s>", "naïve", "xq7z-" * 400, "it's", "😀"]
    one, other = encoder.encode([["a", *words], ["a", *words[::-1]]]).layer(0)
    assert_same_vectors(one[1:], other[:0:-1])  # T5 puts no position into layer 0
    assert not np.allclose(one[1:], other[1:])


def samples() -> list[str]:
    """One character of each run of 64 code points that has any: all Unicode blocks are in it."""
    found = []
    for start in (*range(0x80, 0x1FC00, 64), *range(0x20000, 0x110000, 4096)):
        run = (chr(code) for code in range(start, start + 64))
        kept = next((c for c in run if unicodedata.category(c) not in ("Cn", "Cs")), None)
        found += [kept] if kept else []
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_block_of_unicode(kind: str) -> None:
    chars = samples()
    assert len(chars) > 900
    words = [char if i % 2 else f"{char}{chars[-i]}a" for i, char in enumerate(chars)]
    sentences = [words[at : at + 12] for at in range(0, len(words), 12)]
    check(encoder_of(kind), sentences, [0, 40, len(sentences) - 1])

"""Tokenizers that work in bytes or characters: a word is what its own bytes are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import TOKENIZERS, SlowMarks, gpt2_bpe, llama_bpe, roberta_bpe
from transformers import (
    ByT5Tokenizer,
    CanineConfig,
    CanineModel,
    CanineTokenizer,
    MyT5Tokenizer,
    PerceiverTokenizer,
    T5Config,
    T5EncoderModel,
)

from structprobe import Encoder
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.encoder.subwords.tokenizing import make_reader
from structprobe.errors import EncoderError

pytestmark = pytest.mark.fault_class("words")

# Of two, three and four bytes; with bytes 0xA0 and 0x85, which alone would be spaces (р, х, 'à').
WORDS = ["the", "собака", "бежит", "рх", "à", "שלום", "ἄνθρωπος", "犬が", "😀", "naïve", "Å…"]


def myt5(folder: Path) -> MyT5Tokenizer:
    """A MyT5 that rewrites two sequences of bytes."""
    rules = {"decompose_map": {"c3 a9": "65 cc 81"}, "merge_map": {"d1 81 d0 be": "b1 b2"}}
    (folder / "byte_maps.json").write_text(json.dumps(rules))
    return MyT5Tokenizer(str(folder / "byte_maps.json"))


def read(tokenizer: Any, words: list[str], gaps: list[str] | None = None) -> Pieces:
    spaced = SpacedWords(tuple(words), tuple(gaps or [" "] * len(words)), "here")
    (pieces,) = make_reader(tokenizer).read([spaced])
    return pieces


def ids_of(pieces: Pieces) -> list[list[int]]:
    """Give the token ids of each word."""
    found: list[list[int]] = [[] for _ in range(pieces.n_words)]
    for piece, word in pieces.links.tolist():
        found[word].append(int(pieces.ids[piece]))
    return found


@pytest.mark.parametrize(("make", "offset"), [(ByT5Tokenizer, 3), (PerceiverTokenizer, 6)])
def test_every_byte_of_a_word_is_its_own_and_no_other(make: Any, offset: int) -> None:
    pieces = read(make(), WORDS)
    assert ids_of(pieces) == [[byte + offset for byte in word.encode()] for word in WORDS]
    text = " ".join(WORDS).encode()
    assert pieces.ids.tolist() == [byte + offset for byte in text]  # as the model would read it


def test_rewritten_bytes_are_all_of_their_word(tmp_path: Path) -> None:
    tokenizer = myt5(tmp_path)
    words = ["the", "соро", "é", "犬"]
    pieces = read(tokenizer, words)
    assert pieces.ids.tolist() == tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    expected = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    assert ids_of(pieces) == expected


@pytest.mark.parametrize("make", [ByT5Tokenizer, PerceiverTokenizer])
@pytest.mark.parametrize("space", [" ", "\xa0", "\u3000", "\u2028", "\x85"])
def test_the_bytes_of_a_space_are_of_no_word(make: Any, space: str) -> None:
    tokenizer = make()
    plain = ids_of(read(tokenizer, ["犬", "20", "à"]))
    assert ids_of(read(tokenizer, ["犬", f"2{space}0", "à"])) == plain
    assert ids_of(read(tokenizer, ["犬", "20", "à"], [space, space, ""])) == plain


def test_the_mean_of_the_bytes_is_the_vector_of_the_word() -> None:
    tokenizer = ByT5Tokenizer()
    torch.manual_seed(0)
    sizes: Any = {"d_model": 32, "d_ff": 48, "d_kv": 8, "num_layers": 2, "num_heads": 4}
    model = T5EncoderModel(T5Config(vocab_size=384, **sizes)).eval()
    vectors = Encoder(model, tokenizer=tokenizer).encode([WORDS]).layer(0)[0]
    table = model.get_input_embeddings().weight.detach().numpy()
    for word, vector in zip(WORDS, vectors, strict=True):
        own = table[[byte + 3 for byte in word.encode()]].mean(axis=0)
        assert np.allclose(vector, own, atol=1e-5), word


def test_characters_are_their_code_points() -> None:
    found = ids_of(read(CanineTokenizer(), ["犬が", "a\xa0b", "▁", "😀"]))
    assert found == [[ord(char) for char in word] for word in ("犬が", "ab", "▁", "😀")]


@pytest.mark.parametrize("make", [roberta_bpe, gpt2_bpe, llama_bpe])
@pytest.mark.parametrize("word", ["собака", "рх", "à", "犬", "😀", "▁x"])
def test_partial_bytes_of_a_fast_tokenizer_are_of_their_word(make: Any, word: str) -> None:
    tokenizer = make()
    found = ids_of(read(tokenizer, ["the", word, "dog"]))
    read_as_space = "▁" if make is llama_bpe else ""
    assert tokenizer.decode(found[1]).strip() == word.strip(read_as_space)


def test_a_letter_like_the_mark_of_a_space_is_a_letter_in_bytes() -> None:
    tokenizer = gpt2_bpe()
    assert tokenizer.decode(ids_of(read(tokenizer, ["a", "▁", "b"]))[1]).strip() == "▁"


def test_a_stripped_mark_of_a_space_is_of_no_word() -> None:
    tokenizer = SlowMarks()
    assert tokenizer.decode([1]) == ""
    assert ids_of(read(tokenizer, ["2 0", "x"]))[0] == [
        tokenizer.convert_tokens_to_ids(char) for char in "20"
    ]
    assert TOKENIZERS["slow_marks"] is SlowMarks


def test_a_model_without_a_vocabulary_is_refused_for_what_it_does() -> None:
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                  "intermediate_size": 16, "num_hash_buckets": 16}  # fmt: skip
    model = CanineModel(CanineConfig(max_position_embeddings=64, **sizes)).eval()
    with pytest.raises(EncoderError, match=r"layer \d+ has shape \(1, 1, 16\) for 4 tokens"):
        Encoder(model, tokenizer=CanineTokenizer())

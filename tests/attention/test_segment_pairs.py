"""Two sentences as two segments, against one row of tokens at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.models import TOKENIZERS, paired_wordpiece, tiny_model
from support.slow_attention import join_plainly

from structprobe import Encoder
from structprobe.attention import word_attentions as attention
from structprobe.attention.segment_pairs import PairFrame, find_pair_frame
from structprobe.attention.word_attentions import WordAttentions
from structprobe.errors import EncoderError

SENTENCES = [
    ["the", "unbelievable", "dog", "barks"],
    ["a"],
    ["whoever", "reads", "newspapers", ",", "understands", "Anna's", "telescope"],
    ["I", "do", "n't", "know"],
    ["the", "cat"],
    ["ran", "away", "."],
    ["alone"],
]


def make_encoder(model: str, **options: Any) -> Encoder:
    tokenizer = paired_wordpiece() if model == "bert" else TOKENIZERS["roberta_bpe"]()
    positions = options.pop("positions", 64)
    return Encoder(
        tiny_model(model, tokenizer, positions=positions), tokenizer=tokenizer, **options
    )


def slowly(encoder: Encoder, one: list[str], other: list[str]) -> tuple[np.ndarray, ...]:
    """Give weights, special and first of one pair, from the tokenizer's own row for it."""
    tokenizer, model = encoder.loaded.tokenizer, encoder.loaded.model
    row = tokenizer(" ".join(one), " ".join(other), return_tensors="pt", padding=False)
    (first, second) = (
        next(iter(encoder.batches([words]))).pieces[0] for words in (one, other)
    )  # fmt: skip
    ids = row["input_ids"][0].tolist()
    starts = []
    for pieces, after in ((first, 0), (second, len(first.ids) + 1)):
        own = pieces.ids.tolist()
        starts.append(next(i for i in range(after, len(ids)) if ids[i : i + len(own)] == own))
    members = [
        [start + p for p, w in pieces.links.tolist() if w == word]
        for start, pieces in zip(starts, (first, second), strict=True)
        for word in range(pieces.n_words)
    ]
    inside = {
        start + p
        for start, pieces in zip(starts, (first, second), strict=True)
        for p in range(len(pieces.ids))
    }
    model.set_attn_implementation("eager")
    with torch.no_grad():
        output = model(**row, output_attentions=True)
    attentions = np.stack([layer[0].numpy() for layer in output.attentions])
    special = [p for p in range(len(ids)) if p not in inside]
    return join_plainly(attentions, members, members, special)


@pytest.mark.parametrize("model", ["bert", "roberta"])
@pytest.mark.parametrize("at_once", [2, 1024])
def test_each_pair_is_what_its_row_gives(
    model: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_AT_ONCE", at_once)
    encoder = make_encoder(model, batch_tokens=60)
    found = []
    for batch, segments in WordAttentions(encoder).read_pairs(SENTENCES, progress=False):
        for row, (number, n) in enumerate(zip(batch.sentences, batch.lengths, strict=True)):
            one, other = SENTENCES[number], SENTENCES[number + 1]
            assert segments[row, :n].tolist() == [0] * len(one) + [1] * len(other)
            weights, special, first = slowly(encoder, one, other)
            assert batch.weights[row][..., :n, :n] == pytest.approx(weights, abs=1e-5)
            assert batch.special[row][..., :n] == pytest.approx(special, abs=1e-5)
            assert batch.first[row][..., :n] == pytest.approx(first, abs=1e-5)
            assert not batch.weights[row][..., n:].any()
            found.append(int(number))
    assert sorted(found) == [0, 2, 4]  # the last sentence has no other


def test_token_types_are_given() -> None:
    assert find_pair_frame(paired_wordpiece()) == PairFrame((2,), (3,), (3,), (0, 0, 0, 1, 1))
    roberta = find_pair_frame(TOKENIZERS["roberta_bpe"]())
    assert (roberta.before, roberta.between, roberta.after) == ((0,), (2, 2), (2,))


def test_a_pair_that_is_too_long_is_left_out() -> None:
    cut, texts = paired_wordpiece(), [" ".join(words) for words in SENTENCES]
    widths = {n: len(cut(texts[n], texts[n + 1])["input_ids"]) for n in (0, 2, 4)}
    assert max(widths, key=widths.__getitem__) == 2
    limit = max(widths[0], widths[4])
    attentions = WordAttentions(make_encoder("bert", positions=limit))
    found = [n for batch, _ in attentions.read_pairs(SENTENCES) for n in batch.sentences.tolist()]
    assert sorted(found) == [0, 4]
    assert not list(attentions.read_pairs(SENTENCES[:1]))
    attentions = WordAttentions(make_encoder("bert", positions=widths[0] - 1))
    assert not list(attentions.read_pairs(SENTENCES[:2]))


@pytest.mark.parametrize(("model", "tokenizer"), [("gpt2", "gpt2_bpe"), ("bert", "wordpiece")])
def test_a_tokenizer_without_segments_is_refused(model: str, tokenizer: str) -> None:
    cutter = TOKENIZERS[tokenizer]()
    encoder = Encoder(tiny_model(model, cutter), tokenizer=cutter)
    with pytest.raises(EncoderError, match="no special token between two segments; read"):
        next(WordAttentions(encoder).read_pairs(SENTENCES))

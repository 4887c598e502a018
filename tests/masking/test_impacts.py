"""Perturbed masking against masking by hand, one sentence and one pair of words at a time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import TOKENIZERS, roberta_bpe, tiny_model, wordpiece
from support.slow_encoding import counts, spans_of
from transformers import BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

from structprobe.encoder import Encoder
from structprobe.errors import EncoderError
from structprobe.masking.impacts import MaskedImpacts
from structprobe.masking.masked_copies import LEFT_TO_RIGHT, OTHERS, MaskedCopies
from structprobe.models.reading import EQUAL
from structprobe.treebank import Sentence

SENTENCES = [
    ["the", "dog", "that", "chased", "the", "cat", "ran"],
    ["unbelievable"],
    ["x", "newspapers"],
    ["20 000", "newspapers", ",", "7", "men", "and", "Anna", "'s", "house", "!"],
    ["she", "saw", "him"],
]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
}


def members_of(tokenizer: Any, words: list[str], gaps: list[str]) -> tuple[list[int], list]:
    """The ids of a text, special tokens included, and the positions of each word in them."""
    text, spans = spans_of(words, gaps)
    encoded = tokenizer(text, return_offsets_mapping=True, truncation=False, padding=False)
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    members = [
        [p for p, at in enumerate(offsets) if counts(tokenizer, text, span, ids[p], at)]
        for span in spans
    ]
    assert all(members)
    return ids, members


def slow_impacts(tokenizer: Any, words: list[str], gaps: list[str], look: Any) -> np.ndarray:
    """``look(ids, true ids, positions)`` after masking i, and after masking i and j."""
    ids, members = members_of(tokenizer, words, gaps)
    n = len(words)
    impacts = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            one, both = list(ids), list(ids)
            for place in members[i]:
                one[place] = both[place] = tokenizer.mask_token_id
            for place in members[j]:
                both[place] = tokenizer.mask_token_id
            impacts[i, j] = look(one, both, ids, members[i])
    return impacts


def distance_look(model: Any, layer: int, pooling: str) -> Any:
    choose = {"mean": lambda m: m, "first": lambda m: m[:1], "last": lambda m: m[-1:]}[pooling]

    def vector(ids: list[int], places: list[int]) -> np.ndarray:
        with torch.no_grad():
            output = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        return output.hidden_states[layer][0, choose(places)].numpy().mean(axis=0)

    def look(one: list[int], both: list[int], truth: list[int], places: list[int]) -> float:
        del truth
        return float(np.linalg.norm(vector(one, places) - vector(both, places)))

    return look


def read(reader: MaskedImpacts, sentences: Any) -> dict[int, np.ndarray]:
    return dict(reader.read(sentences, progress=False))


@pytest.mark.parametrize("batch_tokens", [1, 30, 1000])
@pytest.mark.parametrize(
    ("model", "tokenizer", "pooling", "layer"),
    [
        ("bert", "wordpiece", "mean", None),
        ("bert", "wordpiece", "first", 1),
        ("roberta", "roberta_bpe", "last", 0),
        ("roberta", "roberta_bpe", "mean", 2),
    ],
)
def test_distances_are_those_of_masking_by_hand(
    model: str, tokenizer: str, pooling: str, layer: int | None, batch_tokens: int
) -> None:
    cutter = TOKENIZERS[tokenizer]()
    net = tiny_model(model, cutter)
    encoder = Encoder(net, tokenizer=cutter, pooling=pooling, batch_tokens=batch_tokens)
    found = read(MaskedImpacts(encoder, layer=layer), SENTENCES)
    assert sorted(found) == list(range(len(SENTENCES)))
    look = distance_look(net, 3 if layer is None else layer, pooling)
    for number, words in enumerate(SENTENCES):
        expected = slow_impacts(cutter, words, [" "] * len(words), look)
        np.testing.assert_allclose(found[number], expected, rtol=1e-4, atol=1e-4)
        assert (np.diag(found[number]) == 0).all()


def test_a_piece_of_two_words_is_masked_with_either() -> None:
    # "know" and "!" are a piece each, "do" + "n't" are cut as "don", "'", "t" or the like.
    words, gaps = ["I", "do", "n't", "know", "!"], [" ", "", " ", "", " "]
    cutter = wordpiece()
    net = tiny_model("bert", cutter)
    _, members = members_of(cutter, words, gaps)
    assert set(members[1]) & set(members[2])
    reader = MaskedImpacts(Encoder(net, tokenizer=cutter, spacing="original"))
    found = read(reader, [Sentence(tuple(words), gaps=tuple(gaps))])[0]
    expected = slow_impacts(cutter, words, gaps, distance_look(net, 3, "mean"))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def with_head(kind: str, tokenizer: Any) -> Any:
    torch.manual_seed(3)
    config, whole = {
        "bert": (BertConfig, BertForMaskedLM),
        "roberta": (RobertaConfig, RobertaForMaskedLM),
    }[kind]
    model = whole(config(vocab_size=len(tokenizer), **SIZES))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "cutter"), [("bert", wordpiece()), ("roberta", roberta_bpe())], ids=["bert", "roberta"]
)
@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_probabilities_are_those_of_masking_by_hand(
    kind: str, cutter: Any, pooling: str, tmp_path: Path
) -> None:
    whole = with_head(kind, cutter)
    whole.save_pretrained(tmp_path)
    cutter.save_pretrained(tmp_path)
    choose = {"mean": lambda m: m, "first": lambda m: m[:1]}[pooling]

    def chance(ids: list[int], truth: list[int], places: list[int]) -> float:
        with torch.no_grad():
            chances = whole(input_ids=torch.tensor([ids])).logits[0].softmax(-1)
        return float(np.mean([chances[place, truth[place]] for place in choose(places)]))

    def look(one: list[int], both: list[int], truth: list[int], places: list[int]) -> float:
        return chance(one, truth, places) - chance(both, truth, places)

    for model, options in ((whole, {"tokenizer": cutter}), (str(tmp_path), {})):
        encoder = Encoder(model, pooling=pooling, batch_tokens=40, device="cpu", **options)
        found = read(MaskedImpacts(encoder, measure="probability"), SENTENCES)
        signs = set()
        for number, words in enumerate(SENTENCES):
            expected = slow_impacts(cutter, words, [" "] * len(words), look)
            np.testing.assert_allclose(found[number], expected, rtol=1e-3, atol=1e-5)
            signs |= set(np.sign(expected.round(4)).flatten())
        assert signs == {-1, 0, 1}  # masking helps some words and harms others


def log_chance(whole: Any, ids: list[int], place: int, token: int) -> float:
    with torch.no_grad():
        return float(whole(input_ids=torch.tensor([ids])).logits[0, place].log_softmax(-1)[token])


def slow_pmi(whole: Any, tokenizer: Any, words: list[str], gaps: list[str]) -> np.ndarray:
    """Log-probabilities of words, subword by subword, in one sentence at a time."""
    ids, members = members_of(tokenizer, words, gaps)

    def score(word: int, other: int) -> float:
        masked = list(ids)
        for place in {*members[word], *members[other]}:
            masked[place] = tokenizer.mask_token_id
        total = 0.0
        for place in sorted(members[word]):
            total += log_chance(whole, masked, place, ids[place])
            masked[place] = ids[place]
        return total

    n = len(words)
    return np.array([[score(i, i) - score(i, j) for j in range(n)] for i in range(n)])


@pytest.mark.parametrize("batch_tokens", [1, 50, 1000])
@pytest.mark.parametrize(
    ("kind", "cutter"), [("bert", wordpiece()), ("roberta", roberta_bpe())], ids=["bert", "roberta"]
)
def test_pmi_is_that_of_scoring_by_hand(kind: str, cutter: Any, batch_tokens: int) -> None:
    whole = with_head(kind, cutter)
    some = [["unbelievable"], ["x", "newspapers"], ["20 000", "newspapers", ",", "Anna", "'s"]]
    encoder = Encoder(whole, tokenizer=cutter, batch_tokens=batch_tokens, pooling="first")
    found = read(MaskedImpacts(encoder, measure="pmi"), some)
    for number, words in enumerate(some):
        _, members = members_of(cutter, words, [" "] * len(words))
        assert max(map(len, members)) > 2
        expected = slow_pmi(whole, cutter, words, [" "] * len(words))
        np.testing.assert_allclose(found[number], expected, rtol=1e-3, atol=1e-4)


def test_pmi_of_words_that_share_a_subword() -> None:
    words, gaps = ["I", "do", "n't", "know"], [" ", "", " ", ""]
    cutter = wordpiece()
    whole = with_head("bert", cutter)
    _, members = members_of(cutter, words, gaps)
    assert set(members[1]) & set(members[2])
    encoder = Encoder(whole, tokenizer=cutter, spacing="original")
    found = read(MaskedImpacts(encoder, measure="pmi"), [Sentence(tuple(words), gaps=tuple(gaps))])
    expected = slow_pmi(whole, cutter, words, gaps)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("measure", ["distance", "probability"])
@pytest.mark.parametrize("batch_tokens", [1, 60, 1000])
def test_a_word_may_be_left_unmasked(measure: str, batch_tokens: int) -> None:
    cutter = wordpiece()
    whole = with_head("bert", cutter)
    encoder = Encoder(whole, tokenizer=cutter, batch_tokens=batch_tokens)
    found = read(MaskedImpacts(encoder, measure=measure, unmasked=True), SENTENCES)

    def look(ids: list[int], truth: list[int], places: list[int]) -> np.ndarray:
        with torch.no_grad():
            output = whole(input_ids=torch.tensor([ids]), output_hidden_states=True)
        if measure == "distance":
            return output.hidden_states[-1][0, places].mean(dim=0).numpy()
        return output.logits[0].softmax(-1)[places, [truth[p] for p in places]].mean().numpy()

    for number, words in enumerate(SENTENCES):
        ids, members = members_of(cutter, words, [" "] * len(words))
        for j in range(len(words)):
            masked = list(ids)
            for place in members[j]:
                masked[place] = cutter.mask_token_id
            for i in range(len(words)):
                change = look(ids, ids, members[i]) - look(masked, ids, members[i])
                wanted = np.linalg.norm(change) if measure == "distance" else float(change)
                assert found[number][i, j] == pytest.approx(wanted * (i != j), abs=1e-4)


class ReadsPadding(BertForMaskedLM):
    """Reads padding as if it were text, with and without its head."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        read = self.bert.forward
        self.bert.forward = lambda *given, **more: read(*given, **more | {"attention_mask": None})


@pytest.mark.parametrize("measure", ["probability", "pmi"])
def test_a_head_reads_texts_of_equal_length_where_padding_is_read(measure: str) -> None:
    cutter = wordpiece()
    torch.manual_seed(3)
    whole = ReadsPadding(BertConfig(vocab_size=len(cutter), initializer_range=0.3, **SIZES)).eval()
    encoder = Encoder(whole, tokenizer=cutter)
    assert encoder.loaded.batching == EQUAL
    reader = MaskedImpacts(encoder, measure=measure)
    together = read(reader, SENTENCES)
    for number, words in enumerate(SENTENCES):
        np.testing.assert_allclose(read(reader, [words])[0], together[number], atol=1e-5)


def test_a_model_without_its_head_has_no_probabilities(tmp_path: Path) -> None:
    cutter = wordpiece()
    bare = tiny_model("bert", cutter)
    bare.save_pretrained(tmp_path)
    cutter.save_pretrained(tmp_path)
    whole = with_head("bert", cutter)
    for encoder in (
        Encoder(bare, tokenizer=cutter),
        Encoder(str(tmp_path), device="cpu"),
        Encoder(str(tmp_path), device="cpu").untrained(0),
        Encoder(whole, tokenizer=cutter).untrained(0),
    ):
        with pytest.raises(EncoderError, match=r"has no head .* use measure='distance'"):
            MaskedImpacts(encoder, measure="probability")
        with pytest.raises(EncoderError, match=r"has no head .*, which CPMI needs; load a check"):
            MaskedImpacts(encoder, measure="pmi")


@pytest.mark.parametrize(("model", "tokenizer"), [("gpt2", "gpt2_bpe"), ("llama", "llama_bpe")])
def test_no_mask_token(model: str, tokenizer: str) -> None:
    cutter = TOKENIZERS[tokenizer]()
    encoder = Encoder(tiny_model(model, cutter), tokenizer=cutter)
    with pytest.raises(EncoderError, match=r"no mask token, .*; choose a masked language model"):
        MaskedImpacts(encoder)


def bert(positions: int = 20, **options: Any) -> Encoder:
    cutter = wordpiece()
    return Encoder(tiny_model("bert", cutter, positions=positions), tokenizer=cutter, **options)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"measure": "distanc"}, "did you mean 'distance'.*'probability'"),
        ({"layer": 4}, "no layer 4, only 0 to 3"),
        ({"limit": 0}, "limit must be .*, got 0"),
        ({"measure": "pmi", "unmasked": True}, "of a masked word, so it cannot be unmasked; leave"),
    ],
)
def test_faults(told: dict[str, Any], message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        MaskedImpacts(bert(), **told)


def test_what_is_too_long_is_passed_over() -> None:
    sentences = [["x"] * 18, ["x"] * 19, ["the", "dog"], ["the", "cat", "ran"]]
    assert list(read(MaskedImpacts(bert()), sentences)) == [0, 3, 2]
    assert list(read(MaskedImpacts(bert(), limit=2), sentences)) == [2]
    recalled = MaskedImpacts(bert(), limit=1).recall(sentences)
    assert recalled == [None] * 4


@pytest.mark.fault_class("non-finite")
def test_an_impact_that_is_not_finite_is_refused() -> None:
    encoder = bert()
    with torch.no_grad():
        encoder.model.encoder.layer[-1].output.LayerNorm.bias.fill_(np.inf)
    with pytest.raises(EncoderError, match=r"sentence 0: the impact of word .* is not finite"):
        read(MaskedImpacts(encoder), [["the", "dog"]])


def test_passes_and_time_are_told_first(caplog: pytest.LogCaptureFixture) -> None:
    reader = MaskedImpacts(bert(positions=64))
    with caplog.at_level(logging.INFO, logger="structprobe"):
        next(reader.read(SENTENCES, progress=False))
    # 7 * 8 / 2 + 1 + 2 * 3 / 2 + 10 * 11 / 2 + 3 * 4 / 2
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("perturbed masking: 93 passes for 5 sentences, about ")
    assert line.endswith(" seconds")


def test_what_was_read_is_recalled_while_the_model_is_the_same() -> None:
    encoder = bert()
    first = MaskedImpacts(encoder).recall(SENTENCES)
    assert MaskedImpacts(encoder).recall(SENTENCES) is first
    assert MaskedImpacts(encoder, layer=1).recall(SENTENCES) is not first
    assert MaskedImpacts(encoder, unmasked=True).recall(SENTENCES) is not first
    with torch.no_grad():
        encoder.model.encoder.layer[0].output.dense.weight.mul_(0.5)
    again = MaskedImpacts(encoder).recall(SENTENCES)
    assert not np.allclose(first[0], again[0])


@pytest.mark.parametrize("batch_tokens", [1, 17, 64])
def test_copies_are_batched_within_the_budget(batch_tokens: int) -> None:
    encoder = bert(batch_tokens=batch_tokens)
    lengths = [1, 5, 2, 5, 9]
    texts = {}
    for batch in encoder.batches([["x"] * n for n in lengths]):
        texts |= dict(zip(batch.numbers.tolist(), batch.pieces, strict=True))
    copies = MaskedCopies([texts[i] for i in range(5)], batch.layout, mask_token=4)
    assert copies.n_rows == sum(n * (n + 1) // 2 for n in lengths)
    assert copies.batches[0][0] == 0
    assert copies.batches[-1][1] == copies.n_rows
    ends = [stop for _, stop in copies.batches]
    assert [start for start, _ in copies.batches[1:]] == ends[:-1]
    masked: dict[int, list[tuple[int, ...]]] = {}
    for start, stop in copies.batches:
        rows = copies.rows(start, stop)
        assert rows.ids.size <= batch_tokens or len(rows.ids) == 1
        assert (rows.mask == (rows.unmasked != 0)).all()
        for part in rows.parts:
            found = masked.setdefault(part.sentence, [])
            assert part.begins == (not found)
            for row in rows.ids[part.first : part.last]:
                found.append(tuple(np.flatnonzero(row == 4) - 1))
            n = lengths[part.sentence]
            assert part.ends == (len(found) == n * (n + 1) // 2)
    for number, n in enumerate(lengths):
        pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
        assert masked[number] == [*((i,) for i in range(n)), *pairs]


@pytest.mark.parametrize("batch_tokens", [1, 40, 1000])
def test_copies_of_other_schemes(batch_tokens: int) -> None:
    encoder = bert(positions=64, batch_tokens=batch_tokens)
    (batch,) = encoder.batches([["unbelievable", "x"]])
    (pieces,) = batch.pieces
    long = len(pieces.ids) - 1  # subwords of the first word
    assert long > 2

    def masked(scheme: str) -> list[tuple[int, ...]]:
        copies = MaskedCopies([pieces], batch.layout, 4, scheme)
        rows = [copies.rows(*one).ids for one in copies.batches]
        found = [tuple(np.flatnonzero(row == 4) - 1) for some in rows for row in some]
        assert copies.n_rows == len(found)
        return found

    first, whole = tuple(range(long)), tuple(range(long + 1))
    assert masked(OTHERS) == [(), first, (long,)]
    # The further subwords of the first word, alone and with the other masked too.
    further = [part for i in range(1, long) for part in (first[i:], whole[i:])]
    assert masked(LEFT_TO_RIGHT) == [first, (long,), whole, *further]

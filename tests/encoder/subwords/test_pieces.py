from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import (
    FAST,
    SLOW,
    TOKENIZERS,
    bare_bpe,
    gpt2_bpe,
    llama_bpe,
    roberta_bpe,
    unigram,
    wordpiece,
)
from support.slow_encoding import counts, spans_of

from structprobe.encoder.subwords.pieces import Pieces, link_pieces
from structprobe.encoder.subwords.sentences import SpacedWords, space_sentences
from structprobe.encoder.subwords.special_tokens import Surroundings, find_surroundings
from structprobe.encoder.subwords.tokenizing import make_reader
from structprobe.errors import EncoderError

pytestmark = pytest.mark.fault_class("words")

SHY = "\u00ad"  # a soft hyphen: BERT's normaliser drops it


def read(tokenizer: Any, words: list[str], gaps: list[str] | None = None) -> Pieces:
    spaced = SpacedWords(tuple(words), tuple(gaps or [" "] * len(words)), "here")
    (pieces,) = make_reader(tokenizer).read([spaced])
    return pieces


def tokens_of(tokenizer: Any, pieces: Pieces) -> list[list[str]]:
    """Give the pieces of each word as the vocabulary writes them."""
    tokens = tokenizer.convert_ids_to_tokens(pieces.ids.tolist())
    found: list[list[str]] = [[] for _ in range(pieces.n_words)]
    for piece, word in pieces.links.tolist():
        found[word].append(tokens[piece])
    return found


@pytest.mark.parametrize(
    ("text", "spans", "offsets", "expected"),
    [
        ("don't", [[0, 2], [2, 5]], [[0, 3], [3, 5]], [[0, 0], [0, 1], [1, 1]]),
        ("a b", [[0, 1], [2, 3]], [[0, 1], [1, 3]], [[0, 0], [1, 1]]),  # ' b' with its space
        ("a b", [[0, 1], [2, 3]], [[0, 1], [1, 2], [2, 3]], [[0, 0], [2, 1]]),  # a space alone
        ("20 0", [[0, 4]], [[0, 2], [2, 4]], [[0, 0], [1, 0]]),  # a word with a space inside
        ("20 0", [[0, 4]], [[0, 2], [2, 3], [3, 4]], [[0, 0], [2, 0]]),
        ("é", [[0, 1]], [[0, 1], [0, 1]], [[0, 0], [1, 0]]),  # two bytes of one character
        ("a b", [[0, 1], [2, 3]], [[0, 3]], [[0, 0], [0, 1]]),  # a piece over both words
        ("a\u3000b", [[0, 1], [2, 3]], [[0, 2], [2, 3]], [[0, 0], [1, 1]]),
        ("ab", [[0, 1], [1, 2]], [[0, 0], [0, 1]], [[1, 0]]),  # a piece of no character
        ("a", [[0, 1]], [], []),
    ],
)
def test_links_by_shared_characters(text: str, spans: Any, offsets: Any, expected: Any) -> None:
    assert link_pieces(text, np.array(spans), offsets).tolist() == expected


def test_a_blank_piece_counts_for_none_whatever_its_offsets() -> None:
    links = link_pieces("7", np.array([[0, 1]]), [[0, 1], [0, 1]], np.array([True, False]))
    assert links.tolist() == [[1, 0]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(FAST)),
    words=st.lists(
        st.text("abXé'7 .\u3000😀ßﬁ-漢", min_size=1, max_size=5).filter(lambda w: bool(w.strip())),
        min_size=1,
        max_size=6,
    ),
    data=st.data(),
)
def test_any_words_link_as_the_plain_way_has_it(name: str, words: list[str], data: Any) -> None:
    gaps = data.draw(st.lists(st.sampled_from(["", " "]), min_size=len(words), max_size=len(words)))
    tokenizer = TOKENIZERS[name]()
    text, spans = spans_of(words, gaps)
    encoded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, padding=False
    )
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    expected = [
        [piece, word]
        for word, span in enumerate(spans)
        for piece in range(len(ids))
        if counts(tokenizer, text, span, ids[piece], offsets[piece])
    ]
    pieces = read(tokenizer, words, gaps)
    if {word for _, word in expected} == set(range(len(words))):
        assert pieces.ids.tolist() == ids
        assert pieces.links.tolist() == expected
    assert set(pieces.links[:, 1].tolist()) == set(range(len(words)))


def test_many_sentences_are_cut_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("structprobe.encoder.subwords.tokenizing._AT_ONCE", 2)
    reader = make_reader(wordpiece())
    sentences = space_sentences([["the", "dog"], ["x"], ["don't", SHY], ["y", "z"], ["a"]], "words")
    together = reader.read(sentences)
    for pieces, sentence in zip(together, sentences, strict=True):
        (alone,) = reader.read([sentence])
        assert pieces.ids.tolist() == alone.ids.tolist()
        assert pieces.links.tolist() == alone.links.tolist()


@pytest.mark.parametrize("silent", [SHY, "\u200b", "", " ", "\u3000", "\x1f"])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_word_without_pieces_gets_its_own_and_shifts_no_neighbour(name: str, silent: str) -> None:
    tokenizer = TOKENIZERS[name]()
    found = tokens_of(tokenizer, read(tokenizer, ["the", silent, "dog", "ran"]))
    other = tokens_of(tokenizer, read(tokenizer, ["the", "cat", "dog", "ran"]))
    assert found[1]
    if name == "llama_bpe" and found[1] == ["<unk>"]:  # it puts a space behind any such token
        assert "".join(found.pop(2)).strip("▁") == "".join(other.pop(2)).strip("▁") == "dog"
    assert [found[0], found[2:]] == [other[0], other[2:]]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (wordpiece, ["[UNK]"]),
        (unigram, ["<unk>"]),
        (llama_bpe, ["<unk>"]),
        (roberta_bpe, ["<unk>"]),
        (gpt2_bpe, ["<|endoftext|>"]),
    ],
)
def test_a_silent_word_is_written_as_the_unknown_token(make: Any, expected: list[str]) -> None:
    tokenizer = make()
    assert tokens_of(tokenizer, read(tokenizer, ["the", " ", "dog"]))[1] == expected


def test_a_silent_word_is_u_fffd_where_there_is_no_unknown_token() -> None:
    tokenizer = bare_bpe()
    found = tokens_of(tokenizer, read(tokenizer, ["the", "", "dog"]))
    assert tokenizer.convert_tokens_to_string(found[1]).strip() == "\ufffd"
    found = tokens_of(TOKENIZERS["slow_marks"](), read(TOKENIZERS["slow_marks"](), ["a", SHY, "b"]))
    assert found == [["▁a"], ["\ufffd"], ["▁b"]]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_silent_words_close_to_others_still_have_their_own_piece(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    found = tokens_of(tokenizer, read(tokenizer, ["x", SHY, "y", ""], ["", "", "", ""]))
    assert all(found)
    text = [tokenizer.convert_tokens_to_string(found[word]).strip("# ▁") for word in (0, 2)]
    assert text == ["x", "y"]


def test_a_silent_word_that_nothing_can_stand_for_is_an_error() -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(vocab={"a": 0, "b": 1}, merges=[]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    with pytest.raises(EncoderError, match=r"^here: word 'é': it has no subword"):
        read(tokenizer, ["a", "é"])


def test_a_word_that_falls_silent_beside_a_stand_in_gets_one_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer = wordpiece()
    reader = make_reader(tokenizer)
    cut, n_cuts = reader._cut, 0

    def lose_the_first_link_once(sentences: Any) -> list[Pieces]:
        nonlocal n_cuts
        n_cuts += 1
        (pieces,) = cut(sentences)
        kept = pieces.links[pieces.links[:, 1] > 0] if n_cuts == 2 else pieces.links
        return [Pieces(pieces.ids, kept, pieces.n_words)]

    monkeypatch.setattr(reader, "_cut", lose_the_first_link_once)
    (pieces,) = reader.read(space_sentences([["x", SHY, "y"]], "words"))
    assert tokens_of(tokenizer, pieces) == [["[UNK]"], ["[UNK]"], ["y"]]


def test_a_slow_silent_word_that_nothing_can_stand_for_is_an_error() -> None:
    tokenizer = TOKENIZERS["slow_marks"]()
    tokenizer._numbers = {key: at for key, at in tokenizer._numbers.items() if key != "\ufffd"}
    tokenizer._numbers.pop("▁")
    with pytest.raises(EncoderError, match=r"^here: word 'é': it has no subword"):
        read(tokenizer, ["a", "é"])


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_word_that_spells_a_special_token_is_text(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    for special in tokenizer.all_special_tokens:
        for words in (["a", special, "b"], [special], [f"x{special}y"], [special * 2]):
            pieces = read(tokenizer, words)
            named = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
            assert named.isdisjoint(pieces.ids.tolist())
            assert len(pieces.links) > len(words)  # spelt in several pieces
    if name == "slow_words":
        assert tokens_of(tokenizer, read(tokenizer, ["<unk>", "é"])) == [list("<unk>"), ["<unk>"]]


def test_text_and_token_may_stand_in_one_sentence() -> None:
    tokenizer = wordpiece()
    found = tokens_of(tokenizer, read(tokenizer, ["[UNK]", SHY, "[SEP]"]))
    assert found[0][0] == "["
    assert found[0][-1] == "]"
    assert found[1] == ["[UNK]"]
    assert found[2][0] == "["
    unknown = unigram()
    found = tokens_of(unknown, read(unknown, ["</s>", " ", "<unk>", "漢"]))
    assert found == [["<", "/", "s", ">"], ["<unk>"], ["<", "u", "n", "k", ">"], ["<unk>"]]


def test_a_space_put_in_front_counts_for_no_word() -> None:
    for make in (unigram, llama_bpe, bare_bpe):
        tokenizer = make()
        pieces = read(tokenizer, ["😀", "x"])
        blank = {"▁", "Ġ"}
        assert blank & set(tokenizer.convert_ids_to_tokens(pieces.ids.tolist()))
        assert not blank & {token for word in tokens_of(tokenizer, pieces) for token in word}


def test_byte_pieces_that_cross_words_count_for_both() -> None:
    tokenizer = wordpiece()
    found = tokens_of(tokenizer, read(tokenizer, ["do", "n't"], ["", ""]))
    joined = tokenizer.tokenize("don")
    shared = [token for token in found[0] if token in found[1]]
    assert len(shared) == (0 if len(joined) > 1 and joined[0] == "do" else 1)


def test_the_slow_path_sees_the_gap_in_front_of_a_word() -> None:
    words, marks = TOKENIZERS["slow_words"](), TOKENIZERS["slow_marks"]()
    assert tokens_of(words, read(words, ["ab", "cd", "."], [" ", "", ""])) == [
        ["a", "##b"],
        ["c", "##d"],
        ["##."],
    ]
    assert tokens_of(marks, read(marks, ["ab", "cd", "e"], [" ", "", ""])) == [
        ["▁a", "b"],
        ["▁c", "d"],
        ["e"],
    ]


def test_the_slow_path_reads_spaces_inside_a_word_but_does_not_count_them() -> None:
    marks = TOKENIZERS["slow_marks"]()
    pieces = read(marks, ["2 0", "x"])
    assert marks.convert_ids_to_tokens(pieces.ids.tolist()) == ["▁", "2", "▁", "0", "▁x"]
    assert tokens_of(marks, pieces) == [["2", "0"], ["▁x"]]


class _Merging:
    """A slow tokenizer that merges whatever stands close together, with no mark of position."""

    all_special_ids: tuple[int, ...] = ()
    all_special_tokens: tuple[str, ...] = ()
    unk_token_id = None

    def tokenize(self, text: str, **kwargs: Any) -> list[str]:
        return text.split()

    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
        return [sum(map(ord, token)) for token in tokens]

    def convert_ids_to_tokens(self, token: int) -> str:
        return str(token)

    def decode(self, ids: list[int], **kwargs: Any) -> str:
        return str(ids)


def test_the_slow_path_falls_back_to_the_word_alone() -> None:
    assert read(_Merging(), ["a", "b"], ["", ""]).ids.tolist() == [97, 98]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wordpiece", ((2,), (3,))),
        ("roberta_bpe", ((0,), (2,))),
        ("gpt2_bpe", ((), ())),
        ("bare_bpe", ((), ())),
        ("unigram", ((), (1,))),
        ("llama_bpe", ((1,), ())),
        ("slow_words", ((2,), ())),
    ],
)
def test_what_stands_around_a_text(name: str, expected: Any) -> None:
    around = find_surroundings(TOKENIZERS[name]())
    assert around == Surroundings(*expected)
    assert len(around) == len(expected[0]) + len(expected[1])


def test_bos_is_put_in_front() -> None:
    assert find_surroundings(gpt2_bpe(), bos=True) == Surroundings((0,), ())
    assert find_surroundings(roberta_bpe(), bos=True) == Surroundings((0,), (2,))
    for name in ("bare_bpe", *SLOW):
        with pytest.raises(EncoderError, match="has no beginning-of-sequence token"):
            find_surroundings(TOKENIZERS[name](), bos=True)


def test_a_tokenizer_that_makes_no_pieces_is_refused() -> None:
    with pytest.raises(EncoderError, match="gives no subwords for plain text"):
        find_surroundings(lambda text, **kwargs: {"input_ids": []})

"""Words: any characters, whatever the tokenizer; pieces belong to the words that they carry."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest
from encoder.test_words import KINDS, check, encoder_of
from support.scorecard import Tally
from transformers import CanineTokenizer

from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SpacedWords, space_sentences
from structprobe.encoder.subwords.tokenizing import make_reader
from structprobe.errors import EncoderError, TreebankError
from structprobe.treebank import Sentence, Treebank

pytestmark = pytest.mark.fault_class("words")

READERS = {**KINDS, "code_points": CanineTokenizer}
PLAIN = ["the", "dog", "Anna's", "7", "n't", "it", ",", "newspapers", "x"]
SEQUENCES = [
    "e\u0301", "\u0301", "\u0301\u0302\u0303", "q\u0323\u0307", "\u1100\u1161\u11a8",
    "\u05e9\u05c1\u05b8", "\u0627\u0644\u0633\u0651\u064e", "\u202eabc\u202c", "\u2067ab\u2069",
    "\u200f", "\u0644\u0627", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f44d\U0001f3fd", "\U0001f1eb\U0001f1f7",
    "\u2764\ufe0f", "\u200d", "\ufe0f", "\U000e0061\U000e007f", "\ue000", "\uf8ff", "\U000f0000",
    "\U0010fffd", "\ufffe", "\uffff", "\ufdd0", "\ufdd1", "\U0001ffff", "\u0378", "\U0003fffd",
    "\U000e1000", "\x00", "\x07", "\x1b[0m", "\x7f", "\x85", "\xad", "\u2028", "\ufb01", "\u00df",
    "\u0130", "\u01c5", "\ufdfa", "\u33a5", "\u0f73", "\u0344", "\u212b", "\uac00",
    "\u0e01\u0e33", "\u0915\u094d\u0937", "\u1ee4\u0323", "\u3099", "\uff9e", "\u17d2", "\u2581",
    "\u0120", "\u010a", "##", "@@", "</w>", "<0x0A>", "\u00c2\u00a0", "a\u00a0b", "2 0", " x",
    "x\u3000", "\u2003y",
]  # fmt: skip
NAMES = [
    "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "<s>", "</s>", "<unk>", "<pad>", "<mask>",
    "<cls>", "<|endoftext|>", "<|im_start|>", "<extra_id_0>", "<eos>", "<bos>", "[BOS]", "<0x41>",
    "<S>", "[cls]",
]  # fmt: skip


def every_run(step: int) -> Iterator[str]:
    """One character of each run of code points, assigned or not."""
    for start in range(0, 0x110000, step):
        if not 0xD800 <= start + 1 < 0xE000:
            yield chr(start + 1)


def drawn(seed: int, n: int) -> list[str]:
    """Words of one to five parts: characters of any block, sequences, plain words."""
    source = random.Random(seed)
    known = [c for c in every_run(16) if unicodedata.category(c) not in ("Cn", "Co")]

    def part() -> str:
        kind = source.random()
        if kind < 0.5:
            return source.choice(known)
        return source.choice(SEQUENCES if kind < 0.8 else PLAIN)

    return ["".join(part() for _ in range(source.randint(1, 5))) for _ in range(n)]


def words_for(whole: bool) -> list[str]:
    """The words that are tried with every tokenizer."""
    runs = list(every_run(64))
    return SEQUENCES + drawn(0, 3000 if whole else 90) + (runs if whole else runs[::97])


def sentences_of(
    words: list[str], gaps: tuple[str, ...] = (" ",), size: int = 6
) -> list[tuple[SpacedWords]]:
    """Put words among others; the gaps between them take turns."""
    found = []
    for at in range(0, len(words), size):
        some = ["the", *words[at : at + size], "dog"]
        between = tuple(gaps[(at + i) % len(gaps)] for i in range(len(some)))
        found.append((SpacedWords(tuple(some), between, f"word {at}"),))
    return found


def members(pieces: Pieces) -> list[list[int]]:
    """The places of the pieces of each word."""
    found: list[list[int]] = [[] for _ in range(pieces.n_words)]
    for piece, word in pieces.links.tolist():
        found[word].append(piece)
    return found


def visible(char: str) -> bool:
    return not char.isspace()


# What bytes, or characters, each piece carries: worked out here from the vocabulary alone.
def byte_alphabet() -> dict[str, int]:
    """How byte BPE writes bytes: as themselves if they can be seen, else from U+0100 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + i): byte for i, byte in enumerate(rest)}


ALPHABET = byte_alphabet()
CARRIED: dict[str, Callable[[Any, int], bytes]] = {
    **dict.fromkeys(
        ("gpt2_bpe", "roberta_bpe", "bare_bpe"),
        lambda tokenizer, token: bytes(
            ALPHABET[char] for char in tokenizer.convert_ids_to_tokens(token)
        ),
    ),
    "slow_bytes": lambda tokenizer, token: bytes([token - 3]),
    "slow_bytes_replaced": lambda tokenizer, token: bytes([token - 6]),
    "code_points": lambda tokenizer, token: chr(token).encode(),
}


@pytest.mark.parametrize("gaps", [(" ",), ("", " ", "\u3000")], ids=["spaced", "as written"])
@pytest.mark.parametrize("kind", CARRIED)
def test_pieces_belong_to_the_words_whose_bytes_they_carry(
    kind: str, gaps: tuple[str, ...], tally: Tally, whole: bool
) -> None:
    tokenizer = READERS[kind]()
    reader = make_reader(tokenizer)

    def look(sentence: SpacedWords) -> None:
        (pieces,) = reader.read([sentence])
        carried = [CARRIED[kind](tokenizer, token) for token in pieces.ids.tolist()]
        owner: list[int] = []  # of each byte; -1 for spaces
        text = ""
        for i, (word, gap) in enumerate(zip(sentence.words, sentence.gaps, strict=True)):
            for char in word + gap * (i + 1 < len(sentence.words)):
                own = i if visible(char) else -1
                owner += [own] * len(char.encode())
                text += char
        # Older versions put no space in front.
        front = kind == "bare_bpe" and carried[0][:1] == b" " and not text[:1].isspace()
        owner = [-1] * front + owner
        assert b"".join(carried) == b" " * front + text.encode()
        ends = np.cumsum([0, *map(len, carried)])
        expected = [[] for _ in sentence.words]
        for piece, (start, end) in enumerate(pairwise(ends)):
            for word in sorted({*owner[start:end]} - {-1}):
                expected[word].append(piece)
        assert members(pieces) == expected

    words = [word for word in words_for(whole) if any(map(visible, word))]
    tally.each(look, sentences_of(words, gaps))


@pytest.mark.parametrize("kind", [kind for kind in READERS if kind not in CARRIED])
def test_a_word_has_the_pieces_that_it_has_alone(kind: str, tally: Tally, whole: bool) -> None:
    """Where a tokenizer reads words one by one, which most of these sentences must show."""
    tokenizer = READERS[kind]()
    reader = make_reader(tokenizer)

    def ids(text: str) -> list[int]:
        settings = {"add_special_tokens": False, "split_special_tokens": True}
        return list(tokenizer(text, truncation=False, padding=False, **settings)["input_ids"])

    def seen(ids: list[int]) -> list[int]:
        """Leave out what stands for a space."""
        return [one for one in ids if tokenizer.convert_ids_to_tokens(one).strip("\u2581 ")]

    compared = []

    def look(sentence: SpacedWords) -> None:
        (pieces,) = reader.read([sentence])
        own = [pieces.ids[places].tolist() for places in members(pieces)]
        assert all(own)
        before = len(ids("the"))
        alone = [
            ids(sentence.words[0]),
            *(ids(f"the {one}")[before:] for one in sentence.words[1:]),
        ]
        together = ids(" ".join(sentence.words))
        compared.append([*chain(*alone)] == together and all(map(seen, alone)))
        if compared[-1]:  # else a word has no piece, or pieces reach from word to word
            assert pieces.ids.tolist() == together
            assert list(map(seen, own)) == list(map(seen, alone))

    words = [one for one in words_for(whole) if one.isprintable() and "\u2581" not in one]
    tally.each(look, sentences_of(words, size=1))
    assert sum(compared) > 30  # the least: a tokenizer that knows ASCII alone


@pytest.mark.parametrize("kind", KINDS)
def test_any_characters_have_vectors(kind: str, tally: Tally, whole: bool) -> None:
    """As many as words, finite, the same alone and in a batch."""
    words = SEQUENCES + drawn(1, 1200 if whole else 40)
    groups = [words[at : at + 20] for at in range(0, len(words), 20)]

    def look(*some: str) -> None:
        sentences = [["the", *some[at : at + 7]] for at in range(0, len(some), 7)]
        check(encoder_of(kind), sentences, [0, len(sentences) - 1])

    tally.each(look, [tuple(group) for group in groups])


@pytest.mark.parametrize("kind", READERS)
def test_names_of_special_tokens_are_text(kind: str, tally: Tally) -> None:
    tokenizer = READERS[kind]()
    reader = make_reader(tokenizer)
    special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    if kind == "gpt2_bpe":  # its one special token is also the unknown one
        special = {*tokenizer.all_special_ids}

    def look(*words: str) -> None:
        (spaced,) = space_sentences([words], "words")
        (pieces,) = reader.read([spaced])
        assert all(members(pieces))
        assert not special & {*pieces.ids.tolist()}

    names = {*NAMES, *map(str, tokenizer.all_special_tokens[:40])}
    names = {name for name in names if len(name) > 1}  # a character of CANINE has but one number
    shapes = ("{}", "x{}", "{}x", "{0}{0}", "({})")
    tally.each(look, [("the", shape.format(name), "dog") for name in names for shape in shapes])


LONG = {
    "letters and digits": "xq7z-" * 400,
    "one character": "犬" * 2000,
    "marks over one letter": "a" + "\u0301" * 2000,
    "families": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 400,
    "right to left": "שלום" * 500,
    "spaces inside": "a b\u00a0" * 500,
    "nothing to be seen": "\u200b" * 2000,
}


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_two_thousand_pieces(kind: str, tally: Tally, whole: bool) -> None:
    def look(word: str) -> None:
        check(encoder_of(kind), [["the", word, "dog"], ["the", "dog"], [word]], [0, 2])

    cases = [*LONG.values()] if whole else random.Random(kind).sample([*LONG.values()], 1)
    if "bytes" in kind:  # as many bytes: its model reads them in one window
        cases = [word.encode()[:2000].decode(errors="ignore") for word in cases]
    tally.each(look, [(word,) for word in cases])


def test_halves_of_characters_are_refused(tally: Tally) -> None:
    """A surrogate is no character: neither as a word nor in a file."""

    def look(word: str) -> None:
        for kind in ("wordpiece", "slow_bytes"):
            with pytest.raises(EncoderError, match=r"word 2 is .* not valid Unicode"):
                encoder_of(kind).encode([["the", word]])
        line = f"1\t{word}\t_\t_\t_\t_\t0\troot\t_\t_\n\n"
        with pytest.raises(TreebankError, match="invalid UTF-8"):
            Treebank.from_text(line.encode("utf-8", "surrogatepass"))
        with pytest.raises(TreebankError):
            Treebank((Sentence((word,), heads=[0]),)).to_conllu().encode()

    halves = ["\ud800", "\udfff", "a\udc80", "\ude00\ud83d", "\ud83d\ud83d", "x" * 99 + "\udbff"]
    tally.each(look, [(word,) for word in halves])

"""`Sentence` and `Treebank` as values: frozen, sequences, equal, hashable, pickled, printed."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from support.conllu_text import block, dog, line

from structprobe.errors import TreebankError
from structprobe.treebank import Sentence, Treebank


def three() -> Treebank:
    return Treebank.from_text(dog("one") + dog("two") + dog("three"), path="folder/dogs.conllu")


def test_sequence():
    bank = three()
    assert len(bank) == 3
    assert [sentence.sent_id for sentence in bank] == ["one", "two", "three"]
    assert bank[-1].sent_id == bank[np.int64(2)].sent_id == "three"
    assert bank[0] in bank
    assert bank.index(bank[1]) == 1
    assert [sentence.sent_id for sentence in reversed(bank)] == ["three", "two", "one"]
    with pytest.raises(IndexError):
        bank[3]


def test_slices_and_filters_are_treebanks():
    bank = three()
    assert isinstance(bank[::2], Treebank)
    assert [sentence.sent_id for sentence in bank[::2]] == ["one", "three"]
    kept = bank.filter(lambda sentence: "o" in sentence.sent_id)
    assert isinstance(kept, Treebank)
    assert kept == bank[:2]
    assert len(bank[:0]) == 0
    assert bank[:0].n_words == 0


def test_equality_and_hash_are_of_what_is_said():
    bank = three()
    again = Treebank.from_text(bank.to_conllu().replace("\n", "\r\n"))
    assert bank == again
    assert hash(bank) == hash(again)
    assert bank != bank[:2]
    assert bank != list(bank)
    assert bank[0] != "the dog barks"
    assert bank[0] != bank[1]
    assert dataclasses.replace(bank[0], sent_id="two") == bank[1]
    other = {
        "words": ("the", "cat", "barks"),
        "heads": [3, 3, 0],
        "deprels": ("a", "b", "c"),
        "upos": ("a", "b", "c"),
        "xpos": ("a", "b", "c"),
        "gaps": (" ", "", " "),
    }
    for name, value in other.items():
        assert dataclasses.replace(bank[0], **{name: value}) != bank[0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_whole_and_frozen(copied):
    bank = three()
    bank = Treebank(bank, skipped=[TreebankError("odd", path="x", line=3)])
    again = copied(bank)
    assert again == bank
    assert again.paths == bank.paths
    assert str(again.skipped[0]) == "x:3: odd"
    assert again[1].raw_lines == bank[1].raw_lines
    assert again[1].line == bank[1].line == 6
    with pytest.raises(ValueError, match="read-only"):
        again[0].heads[0] = 1


def test_sentence_is_frozen():
    heads = np.array([2, 0])
    sentence = Sentence(["a", "b"], heads=heads)
    heads[0] = 7
    assert sentence.heads.tolist() == [2, 0]
    assert sentence.heads.dtype == np.int32
    assert sentence.words == ("a", "b")
    assert sentence.gaps == (" ", " ")
    with pytest.raises(dataclasses.FrozenInstanceError):
        sentence.words = ("c",)
    with pytest.raises(ValueError, match="read-only"):
        sentence.heads[0] = 1


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"words": ("a", "b"), "heads": [0]}, "1 heads for 2 words"),
        ({"words": ("a",), "upos": ("X", "Y")}, "2 upos for 1 word"),
        ({"words": ("a",), "gaps": (" ", " ")}, "2 gaps for 1 word"),
        ({"words": ()}, "a sentence without words"),
        ({"words": ("a",), "heads": [0.0]}, "heads of shape (1,) and type float64"),
        ({"words": ("a",), "heads": [[0]]}, "heads of shape (1, 1) and type int64"),
        ({"words": ("a", "")}, "words[1] is ''"),
        ({"words": ("a\tb",)}, "words[0] is 'a\\tb', which cannot be written to CoNLL-U"),
        ({"words": ("a",), "deprels": ("x\n",)}, "deprels[0] is 'x\\n'"),
        ({"words": ("\ud800",)}, "words[0] is '\\ud800'"),
        ({"words": "ab"}, "words is a single string: 'ab'; give a list"),
        ({"words": ("a",), "sent_id": "x\ny"}, "sent_id 'x\\ny' is not one line of text"),
    ],
)
def test_sentence_that_could_not_be_written_is_refused(columns, what):
    with pytest.raises(TreebankError) as caught:
        Sentence(**columns)
    assert what in str(caught.value)


def test_prints_itself_shortly():
    assert repr(three()) == "Treebank(dogs.conllu, 3 sentences, 9 words)"
    assert repr(three()[0]) == "Sentence(3 words: 'the dog barks')"
    long = Sentence(["word"] * 100)
    assert repr(long) == "Sentence(100 words: 'word word word word word word word word…')"
    two = Treebank([*three(), *Treebank.from_text(dog(), path="cats.conllu")])
    assert repr(two) == "Treebank(dogs.conllu and 1 more, 4 sentences, 12 words)"
    assert two.paths == ("folder/dogs.conllu", "cats.conllu")


def test_where():
    assert three()[1].where == "folder/dogs.conllu:6: sent_id 'two'"
    assert Treebank.from_text(dog("x"))[0].where == "sent_id 'x'"
    assert Sentence(["a", "b"]).where == "the sentence 'a b'"
    assert Sentence(["a"], path="p").where == "p"


@pytest.mark.fault_class("stale")
def test_fingerprint():
    bank = three()
    assert len(bank.fingerprint) == 64
    assert bank.fingerprint == Treebank.from_text(dog() * 3).fingerprint
    tagged = block(line(1, "a", 0, upos="X"), line(2, "b", 1, upos="Y"))
    base = Treebank.from_text(tagged).fingerprint
    changed = [
        tagged.replace("X", "Z"),
        tagged.replace("\ta\t", "\tc\t"),
        tagged.replace("X\t_", "X\tZ"),
        tagged.replace("\t0\t_", "\t0\troot"),
        block(line(1, "a", 2, upos="X"), line(2, "b", 0, upos="Y")),
        block(line(1, "a", upos="X"), line(2, "b", upos="Y")),
        tagged * 2,
    ]
    assert len({base, *(Treebank.from_text(text).fingerprint for text in changed)}) == 8
    # Where a sentence ends counts.
    assert (
        Treebank.from_words([["a"], ["b"]]).fingerprint
        != Treebank.from_words([["a", "b"]]).fingerprint
    )


def test_from_words():
    bank = Treebank.from_words([["a", "b c"], iter(["d"])])
    assert [sentence.words for sentence in bank] == [("a", "b c"), ("d",)]
    assert bank[0].heads is None
    assert bank.n_words == 3
    assert bank.paths == ()
    assert len(Treebank.from_words([])) == 0


@pytest.mark.parametrize(
    ("sentences", "what"),
    [
        (["the dog"], "sentence 0 is a single string: 'the dog'; give a list of words"),
        ([["a"], []], "sentence 1: a sentence without words; add a word or leave the sentence out"),
        ([["b"], ["a", ""]], "sentence 1: words[1] is ''"),
        ([["a\nb"]], "sentence 0: words[0] is 'a\\nb'"),
    ],
)
def test_from_words_refuses(sentences, what):
    with pytest.raises(TreebankError) as caught:
        Treebank.from_words(sentences)
    assert what in str(caught.value)


def test_treebank_of_something_else_is_refused():
    with pytest.raises(
        TreebankError, match=r"item 0 .* is a str, not a Sentence; .*Treebank\.read"
    ):
        Treebank("file.conllu")


def test_a_notebook_shows_the_first_five_sentences():
    bank = Treebank.from_words([["word", str(i)] for i in range(12)])
    shown = bank._repr_html_()
    assert ">sentence 1</th>" in shown
    assert ">word 0</td>" in shown
    assert ">word 4</td>" in shown
    assert ">word 5</td>" not in shown
    assert ">and 7 more</td>" in shown
    assert "more" not in Treebank(bank[:5])._repr_html_()

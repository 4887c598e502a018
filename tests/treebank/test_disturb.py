"""Disturbed treebanks: what is moved, what stays, and that every tree is a tree."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import networkx
import numpy as np
import pytest
from support.tiny_trees import tiny_bank

from structprobe.errors import TreebankError
from structprobe.recoverers.random_tree import random_heads
from structprobe.tree_faults import tree_fault
from structprobe.treebank import Sentence, Treebank
from structprobe.treebank.disturb import (
    CONTENT,
    DISTURBANCES,
    shuffle_words,
    swap_content_words,
    truncate,
)

TEXT = """\
# sent_id = one
1\tthe\t_\tDET\tDT\t_\t2\tdet\t_\t_
2\tdog\t_\tNOUN\tNN\t_\t3\tnsubj\t_\t_
3\tsaw\t_\tVERB\tVBD\t_\t0\troot\t_\t_
4\tcats\t_\tNOUN\tNNS\t_\t3\tobj\t_\tSpaceAfter=No
5\t.\t_\tPUNCT\t.\t_\t3\tpunct\t_\t_

"""
(SENTENCE,) = Treebank.from_text(TEXT, path="one.conllu")


def arcs(sentence: Sentence) -> set[tuple[object, ...]]:
    """Each word with all that is its own, and the word that is its head."""
    return {
        (word, upos, xpos, deprel, sentence.words[head - 1] if head else None)
        for word, upos, xpos, deprel, head in zip(
            sentence.words, sentence.upos, sentence.xpos, sentence.deprels, sentence.heads.tolist(),
            strict=True,
        )
    }  # fmt: skip


def test_all_that_is_a_words_own_goes_with_it() -> None:
    orders = set()
    for seed in range(30):
        (shuffled,) = shuffle_words([SENTENCE], seed)
        assert arcs(shuffled) == arcs(SENTENCE)
        assert shuffled.gaps == (" ",) * 5
        orders.add(shuffled.words)
    assert len(orders) > 20


def test_a_shuffle_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    class Turned:
        permutation = staticmethod(lambda n: np.arange(n)[::-1])

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Turned)
    (shuffled,) = shuffle_words([SENTENCE])
    assert shuffled.words == (".", "cats", "saw", "dog", "the")
    assert shuffled.heads.tolist() == [3, 3, 0, 3, 4]
    assert shuffled.deprels == ("punct", "obj", "root", "nsubj", "det")


def test_every_order_is_as_likely() -> None:
    bank = Treebank.from_words([["a", "b", "c"]] * 6000)
    counts = Counter(sentence.words for sentence in shuffle_words(bank, 1))
    assert len(counts) == 6
    assert all(abs(count - 1000) < 150 for count in counts.values())


def test_content_words_are_swapped_within_their_part_of_speech() -> None:
    bank = Treebank.from_text(TEXT * 40)
    swapped = swap_content_words(bank, 3)
    assert [s.words for s in swapped] != [s.words for s in bank]
    for before, after in zip(bank, swapped, strict=True):
        assert after.heads.tolist() == before.heads.tolist()
        for column in ("upos", "xpos", "deprels", "gaps", "sent_id"):
            assert getattr(after, column) == getattr(before, column)
        assert (after.words[0], after.words[4]) == ("the", ".")
    for tag in CONTENT:
        before, after = (
            Counter(w for s in one for w, upos in zip(s.words, s.upos, strict=True) if upos == tag)
            for one in (bank, swapped)
        )
        assert before == after
    # Half of the subjects are now what was an object.
    assert 5 < sum(sentence.words[1] == "cats" for sentence in swapped) < 35


@pytest.mark.parametrize(
    ("heads", "share", "wanted"),
    [
        ([2, 3, 0, 3, 3], 0.6, [2, 3, 0]),  # the root is kept, nothing hangs anew
        ([2, 3, 0, 3, 3], 0.4, [2, 0]),  # the root is cut off, its child takes its place
        ([2, 3, 0, 3, 3], 0.2, [0]),
        ([2, 3, 0, 3, 3], 1.0, [2, 3, 0, 3, 3]),
        ([0, 4, 1, 1], 0.75, [0, 1, 1]),  # word 2 hung on 4 and hangs on 4's head
        ([3, 3, 4, 0], 0.5, [0, 1]),  # both hung on 3: the first is the root
        ([4, 3, 4, 0], 0.5, [0, 1]),  # word 1 was less deep than word 2
        ([3, 4, 4, 0], 0.5, [2, 0]),  # and here word 2
        ([5, 4, 5, 1, 0], 0.6, [0, 1, 1]),  # 2's path up is 4, 1: it hangs on 1
    ],
)
def test_a_truncation_by_hand(heads: list[int], share: float, wanted: list[int]) -> None:
    words = tuple("abcde"[: len(heads)])
    (short,) = truncate([Sentence(words, np.array(heads))], share)
    assert short.heads.tolist() == wanted
    assert short.words == words[: len(wanted)]


def test_what_hangs_anew_is_said() -> None:
    (short,) = truncate([SENTENCE], 0.4)
    assert (short.deprels, short.upos, short.gaps) == (("det", "root"), ("DET", "NOUN"), (" ",) * 2)
    sentence = Sentence(("a", "b", "c"), np.array([3, 3, 0]), deprels=("x", "y", "root"))
    (short,) = truncate([sentence], 0.5)
    assert (short.heads.tolist(), short.deprels) == ([0, 1], ("root", "dep"))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.99, 1])
def test_truncated_trees_are_trees_that_keep_ancestors(share: float) -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        n = int(generator.integers(1, 15))
        heads = random_heads(n, generator)
        (short,) = truncate([Sentence(("w",) * n, heads)], share)
        new = short.heads.tolist()
        assert len(new) == math.ceil(share * n)
        assert tree_fault(new) is None
        whole = networkx.DiGraph((int(head), word) for word, head in enumerate(heads, start=1))
        kept = set(range(1, len(new) + 1))
        for word, head in enumerate(new, start=1):
            above = networkx.ancestors(whole, word) & kept
            if above:
                assert head == max(above, key=lambda w: networkx.shortest_path_length(whole, 0, w))
        root = heads.tolist().index(0)
        assert (new.index(0) == root) == (root < len(new))


def test_a_seed_gives_the_same_and_another_another() -> None:
    bank = Treebank.from_text(TEXT * 5)
    for name, disturb in DISTURBANCES.items():
        first, again, other = (disturb(bank, seed) for seed in (0, 0, 1))
        assert first == again
        assert (first == other) == (name == "truncated")
        assert first != bank


def test_what_the_sentence_was_in_its_file_is_left_behind() -> None:
    for disturb in DISTURBANCES.values():
        (disturbed,) = disturb(Treebank([SENTENCE]), 0)
        assert (disturbed.raw_lines, disturbed.rows) == ((), ())
        assert disturbed.where == SENTENCE.where == "one.conllu:1: sent_id 'one'"
        (again,) = Treebank.from_text(Treebank([disturbed]).to_conllu())
        assert (again.words, again.heads.tolist()) == (disturbed.words, disturbed.heads.tolist())


def test_without_trees() -> None:
    bank = Treebank.from_words([["a", "b", "c"]])
    for disturbed in (shuffle_words(bank), truncate(bank)):
        assert disturbed[0].heads is None


def test_faults() -> None:
    with pytest.raises(TreebankError, match="no UPOS tags to swap words by; use a treebank"):
        swap_content_words(Treebank.from_words([["a"]]))
    for share in (0, -0.5, 1.5, math.nan):
        with pytest.raises(TreebankError, match=r"share=.* is out of range; choose 0 < share <= 1"):
            truncate(tiny_bank(), share)
    for heads in ([2, 1], [3, 0], [-1, 0]):
        sentence = Sentence(("a", "b"), np.array(heads))
        for disturb in (shuffle_words, truncate):
            with pytest.raises(
                TreebankError, match=r"the sentence .a b.: the heads are not a tree: "
            ):
                disturb([sentence])


def test_real_sentences_stay_trees(treebanks: Path) -> None:
    bank = Treebank.read(treebanks / "UD_English-EWT" / "en_ewt-ud-test.conllu")
    for name, disturb in DISTURBANCES.items():
        disturbed = disturb(bank, 0)
        assert len(disturbed) == len(bank)
        assert all(tree_fault(sentence.heads.tolist()) is None for sentence in disturbed)
        assert disturbed.paths == bank.paths
        assert (disturbed.n_words == bank.n_words) == (name != "truncated")

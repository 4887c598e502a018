"""Control tasks: what their trees depend on, and that nothing else of a sentence changes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.tiny_trees import tiny_bank

from structprobe.errors import TreebankError
from structprobe.tree_faults import tree_fault
from structprobe.treebank import Sentence, Treebank
from structprobe.treebank.controls import (
    CONTROLS,
    by_form,
    by_position,
    choose_controls,
    permute_trees,
)
from structprobe.trees import gold_distances


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_has_the_same_words_and_other_trees(name: str) -> None:
    bank = tiny_bank(30)
    control = CONTROLS[name](bank, 0)
    for real, other in zip(bank, control, strict=True):
        assert other.heads is not None
        assert tree_fault(other.heads.tolist()) is None
        assert (other.words, other.upos, other.xpos, other.gaps) == (
            *(real.words, real.upos, real.xpos, real.gaps),
        )
        assert [head == 0 for head in other.heads] == [rel == "root" for rel in other.deprels or ()]
    assert Treebank.from_text(control.to_conllu())[0].heads.tolist() == control[0].heads.tolist()
    assert control == CONTROLS[name](bank, 0)
    assert control.fingerprint not in (bank.fingerprint, CONTROLS[name](bank, 1).fingerprint)


def test_the_tree_by_form_depends_on_the_forms_alone() -> None:
    words = ("the", "dog", "saw", "a", "cat")
    heads = by_form([Sentence(words)], 3)[0].heads
    head_of = {word: 0 if not h else words[h - 1] for word, h in zip(words, heads, strict=True)}
    for order in ((4, 3, 2, 1, 0), (2, 0, 4, 1, 3)):
        moved = tuple(words[i] for i in order)
        other = by_form([Sentence(("other",)), Sentence(moved)], 3)[1].heads
        for word, head in zip(moved, other, strict=True):
            assert head_of[word] == (0 if not head else moved[head - 1])


def test_ranks_hang_on_half_their_rank() -> None:
    (sentence,) = by_position([Sentence(("a",) * 7)], 0)
    children = Counter(sentence.heads.tolist())
    assert sorted(children.values()) == [1, 2, 2, 2]  # a full binary tree under one root
    assert max(gold_distances([sentence.heads])[0].ravel()) == 4


def test_equal_forms_follow_each_other() -> None:
    (sentence,) = by_form([Sentence(("a", "a", "a", "a"))], 0)
    assert sentence.heads.tolist() == [0, 1, 1, 2]


def test_the_tree_by_position_depends_on_the_positions_alone() -> None:
    first, second = by_position([Sentence(("a", "b", "c", "d")), Sentence(("d", "c", "x", "y"))], 0)
    assert first.heads.tolist() == second.heads.tolist()


def test_a_permuted_tree_has_the_same_shape_with_words_anywhere() -> None:
    real = Sentence(("a", "b", "c", "d"), np.array([2, 0, 2, 3], dtype=np.int32),
                    deprels=("x", "root", "y", "z"))  # fmt: skip
    copies = permute_trees([real] * 600, 0)
    for one in copies:
        named = {
            rel: None if not head else one.deprels[head - 1]
            for rel, head in zip(one.deprels, one.heads, strict=True)
        }
        assert named == {"root": None, "x": "root", "y": "root", "z": "y"}
    roots = Counter(int(np.flatnonzero(one.heads == 0)[0]) for one in copies)
    assert all(110 <= roots[word] <= 190 for word in range(4))
    assert len({tuple(one.heads) for one in copies}) == 24


def test_what_cannot_be_controlled_is_refused() -> None:
    with pytest.raises(TreebankError, match="no heads to permute"):
        permute_trees([Sentence(("a", "b"))])
    circle = Sentence(("a", "b"), np.array([2, 1], dtype=np.int32))
    with pytest.raises(TreebankError, match="the heads are not a tree"):
        permute_trees([circle])
    with pytest.raises(TreebankError, match=r"unknown control task 'forms'.*'form', 'position'"):
        choose_controls("forms")


def test_controls_are_chosen_by_name() -> None:
    assert choose_controls("all") == ("form", "position", "random")
    assert choose_controls(()) == ()
    assert choose_controls("random, form") == choose_controls(["random", "form", "random"])
    assert choose_controls("form") == ("form",)
    for several in ("form,all", ["all", "random"]):
        assert choose_controls(several) == choose_controls("all")
    for wrong in (None, 3):
        with pytest.raises(TreebankError, match=f"controls is {wrong}, not a name or a list"):
            choose_controls(wrong)

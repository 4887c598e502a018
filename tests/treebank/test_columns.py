"""CoNLL-U Plus beyond the table of files, and the formats before CoNLL-U made CoNLL-U."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.conllu_text import block, dog, line
from support.tree_cases import trees
from treebank.test_fuzz import BANKS

from structprobe.errors import TreebankError
from structprobe.treebank import Treebank, join_blocks, rewrite
from structprobe.treebank.writing import check_writable

PLUS = "# global.columns = ID HEAD FORM A:B\n1\t2\ta\tx\n2\t0\tb\ty\n\n1\t0\tc\tz\n\n"


def test_id_need_not_come_first():
    text = "# global.columns = FORM HEAD ID\n# c\na\t2\t1\n1\t0\t2\n\n"
    bank = Treebank.from_text(text)
    assert (bank[0].words, bank[0].heads.tolist()) == (("a", "1"), [2, 0])
    assert bank.to_conllu() == text
    assert rewrite(bank[0], [0, 1]) == text.replace("a\t2", "a\t0").replace("1\t0", "1\t1")


def test_a_word_that_looks_like_a_comment_is_not_lost():
    text = "# global.columns = FORM HEAD ID\na\t0\t1\n#\t1\t2\n\n"
    with pytest.raises(TreebankError, match=r":3: .*a comment or a word: '#.*; put ID first"):
        Treebank.from_text(text)


def test_heads_at_the_end_of_a_line_keep_its_ending():
    text = "# global.columns = ID FORM HEAD\r\n1\ta\t2\r\n2\tb\t0\r\n\r\n"
    (sentence,) = Treebank.from_text(text)
    assert rewrite(sentence, [0, 1]) == text.replace("a\t2", "a\t0").replace("b\t0", "b\t1")


def test_skipping_the_sentence_that_declares_the_columns_keeps_them():
    text = PLUS.replace("1\t2\ta", "1\t9\ta")
    bank = Treebank.from_text(text, on_error="skip")
    assert [one.words for one in bank] == [("c",)]
    assert bank.to_conllu() == "# global.columns = ID HEAD FORM A:B\n1\t0\tc\tz\n\n"


def test_columns_that_change_are_not_read_on():
    """With as many columns as before, what stands behind could be misread."""
    changed = PLUS + PLUS.replace("ID HEAD FORM A:B", "ID A:B FORM HEAD") + "1\t0\te\t7\n\n"
    bank = Treebank.from_text(changed, on_error="skip")
    assert [one.words for one in bank] == [("a", "b"), ("c",)]
    (fault,) = bank.skipped
    assert fault.line == 7
    other = PLUS + "# global.columns = ID FORM\n1\td\n\n" + "1\t0\te\tz\n\n"
    bank = Treebank.from_text(other, on_error="skip")
    assert [one.words for one in bank] == [("a", "b"), ("c",), ("e",)]


def test_other_columns_are_not_joined():
    other = "# global.columns = ID FORM HEAD\n1\ta\t0\n\n"
    both = [*Treebank.from_text(PLUS), *Treebank.from_text(other)]
    told = "different columns in one file: 'ID HEAD FORM A:B' and 'ID FORM HEAD'"
    with pytest.raises(TreebankError, match=told):
        Treebank(both).to_conllu()
    with pytest.raises(TreebankError, match=told):
        check_writable(both)
    with pytest.raises(TreebankError, match="'ID HEAD FORM A:B' and 'ID FORM LEMMA"):
        join_blocks([rewrite(both[0], [2, 0]), rewrite(Treebank.from_text(dog())[0], [2, 3, 0])])


def test_columns_without_head_cannot_be_rewritten():
    (sentence,) = Treebank.from_text("# global.columns = ID FORM\n1\ta\n\n", path="x")
    with pytest.raises(TreebankError, match=r"x:1: no column HEAD to write to: ID FORM; add HEAD"):
        rewrite(sentence, [0])


def test_a_copy_of_plus_is_plain_if_changed():
    (_, sentence) = Treebank.from_text(PLUS)
    assert replace(sentence).columns == pickle.loads(pickle.dumps(sentence)).columns != ()
    changed = replace(sentence, words=("d",))
    assert (changed.columns, changed.raw_lines, changed.rows) == ((), (), ())
    assert Treebank([changed]).to_conllu() == block("# text = d", line(1, "d", 0))


def test_lines_are_kept_while_they_say_the_same():
    (sentence,) = Treebank.from_text(dog("one"))
    assert replace(sentence, heads=[2, 3, 0], path="elsewhere").raw_lines == sentence.raw_lines
    other = replace(sentence, heads=[0, 1, 1])
    assert other.raw_lines == ()
    assert replace(other, heads=sentence.heads).raw_lines == ()  # they are gone
    assert "\t0\t" not in Treebank([replace(sentence, heads=None)]).to_conllu()


X = block(
    line(1, "a", 2, "SBJ", upos="N", xpos="NN", deps="2", deprel="SBJ"),
    line(2, "b", 0, "ROOT", upos="V", xpos="VB", deps="0", deprel="ROOT"),
)
Y2009 = (
    "1\ta\tA\ta\tNN\tNN\t_\t_\t2\t2\tSBJ\tSBJ\t_\t_\tA0\n"
    "2\tb\tB\tb\tVB\tVB\t_\t_\t0\t0\tROOT\tROOT\tY\tb.01\t_\n\n"
)


@pytest.mark.skipif(shutil.which("awk") is None, reason="there is no awk")
@pytest.mark.parametrize(("text", "name"), [(X, "CoNLL-X"), (Y2009, "CoNLL-2009")])
def test_the_conversion_that_is_told_helps(text, name):
    with pytest.raises(TreebankError, match=f"^<text>:1: this is {name}, not CoNLL-U") as caught:
        Treebank.from_text(text * 2)
    command = str(caught.value).partition("convert it with: ")[2]
    done = subprocess.run(["sh", "-c", command], input=text * 2, capture_output=True, text=True)
    for sentence in Treebank.from_text(done.stdout):
        assert (sentence.words, sentence.heads.tolist()) == (("a", "b"), [2, 0])
        assert (sentence.xpos, sentence.deprels) == (("NN", "VB"), ("SBJ", "ROOT"))


def test_deps_of_conllu_are_not_taken_for_conllx():
    for deps in ("2:nsubj", "_", "2:nsubj|3:conj", "x"):
        assert len(Treebank.from_text(block(line(1, "a", 2, deps=deps), line(2, "b", 0)))) == 1


def test_text_given_for_a_path_is_pointed_to_from_text(tmp_path):
    with pytest.raises(TreebankError, match=r"is not a path; .*Treebank\.from_text reads text"):
        Treebank.read(dog())
    with pytest.raises(TreebankError, match=r"is not text; .*Treebank\.read takes paths"):
        Treebank.from_text(["x.conllu"])
    (tmp_path / "x.conllu").write_text(dog())
    with pytest.raises(TreebankError, match=r"is a path, not text; read it with Treebank\.read"):
        Treebank.from_text(str(tmp_path / "x.conllu"))


def test_unknown_ways_to_read_heads_list_the_choices():
    told = "unknown heads 'none' .*; choose from 'tree', 'any', 'ignore'"
    with pytest.raises(TreebankError, match=told):
        Treebank.from_text(dog(), heads="none")


@given(BANKS, st.permutations(["ID", "FORM", "UPOS", "HEAD", "DEPREL", "DEPS"]), st.data())
def test_any_order_of_columns_says_the_same(plain, names, data):
    told = "# global.columns = " + " ".join([*names, "A:B"]) + "\n"
    for sentence in plain:
        columns = sentence.words, sentence.upos, sentence.heads.tolist(), sentence.deprels
        for i, (form, upos, head, deprel) in enumerate(zip(*columns, strict=True), start=1):
            cells = {"ID": i, "FORM": form, "UPOS": upos, "HEAD": head, "DEPREL": deprel}
            told += "\t".join(str(cells.get(name, "*")) for name in [*names, "A:B"]) + "\n"
        told += "\n"
    assume("\n#" not in told and "\n\ufeff" not in told)  # a word may, if ID does not come first
    bank = Treebank.from_text(told)
    for one, other in zip(bank, plain, strict=True):
        assert (one.words, one.upos, one.deprels) == (other.words, other.upos, other.deprels)
        assert one.heads.tolist() == other.heads.tolist()
    assert bank.to_conllu() == told
    new = [data.draw(trees(min_size=len(s), max_size=len(s))) for s in bank]
    again = Treebank.from_text(join_blocks(map(rewrite, bank, new)))
    assert [one.heads.tolist() for one in again] == new
    assert [one.words for one in again] == [one.words for one in bank]

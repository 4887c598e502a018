"""Writing back, rewriting heads, joining blocks, and files that are whole or not there."""

from __future__ import annotations

import gzip
import os
import re
import resource

import numpy as np
import pytest
from support.conllu_text import block, dog, line

from structprobe.errors import TreebankError
from structprobe.treebank import Sentence, Treebank, join_blocks, rewrite

ANNOTATED = block(
    "# text = du pain",
    line("0.1", "x", deps="1:dep", feats="A=B", lemma="l"),
    line("1-2", "du", misc="SpaceAfter=No", deps="gold"),
    line(1, "de", 3, deprel="case", deps="3:case", upos="ADP", xpos="P", feats="C=D", lemma="de"),
    line(2, "le", 3, deprel="det", deps="3:det|0.1:x", upos="DET", misc="_"),
    line("2.1", "y", deprel="gold", deps="2:dep", misc="Copy=1"),
    line(3, "pain", 0, deprel="root", deps="0:root", upos="NOUN", misc="Gloss=bread"),
    sent_id="one",
)


def test_rewrite_by_hand():
    (sentence,) = Treebank.from_text(ANNOTATED)
    assert rewrite(sentence, [0, 3, 1]) == block(
        "# text = du pain",
        line("1-2", "du", misc="SpaceAfter=No"),
        line(1, "de", 0, deprel="root", upos="ADP", xpos="P", feats="C=D", lemma="de"),
        line(2, "le", 3, deprel="dep", upos="DET"),
        line(3, "pain", 1, deprel="dep", upos="NOUN", misc="Gloss=bread"),
        sent_id="one",
    )


def is_empty_node(line: str) -> bool:
    return "." in line.removeprefix("\ufeff").partition("\t")[0] and line.count("\t") == 9


@pytest.mark.parametrize(
    "frame",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "\ufeff" + text.partition("\n")[2].partition("\n")[2],  # BOM before 0.1
        lambda text: text.rstrip("\n"),
        lambda text: "# licence\n\n" + text + "\n\n# 1\tend\n",
    ],
)
def test_rewrite_keeps_all_around(frame):
    old = frame(ANNOTATED)
    new = "".join(rewrite(s, [0, 3, 1]) for s in Treebank.from_text(old))
    assert new.startswith("\ufeff") == old.startswith("\ufeff")
    left = [one for one in old.split("\n") if not is_empty_node(one)]
    for before, after in zip(left, new.removeprefix("\ufeff").split("\n"), strict=True):
        before = before.removeprefix("\ufeff")
        if before.count("\t") == 9:
            before, after = before.split("\t"), after.split("\t")
            assert after[:6] == before[:6]
            assert after[9:] == before[9:]
        else:
            assert after == before


def test_rewrite_with_relations() -> None:
    (sentence,) = Treebank.from_text(ANNOTATED)
    text = rewrite(sentence, [0, 3, 1], ["root", "det:x", "obj"])
    (again,) = Treebank.from_text(text)
    assert (again.heads.tolist(), again.deprels) == ([0, 3, 1], ("root", "det:x", "obj"))
    dep = text.replace("det:x", "dep").replace("\tobj\t", "\tdep\t")
    assert dep == rewrite(sentence, [0, 3, 1])
    for wrong in (["root"], ["root", "a\tb", "obj"], ["root", 3, "obj"], "abc"):
        with pytest.raises(TreebankError, match="deprel"):
            rewrite(sentence, [0, 3, 1], wrong)


def test_rewrite_of_a_sentence_without_heads():
    text = block(line(1, "a"), line(2, "b"))
    (sentence,) = Treebank.from_text(text)
    heads = np.array([2, 0], dtype=np.int64)
    assert rewrite(sentence, heads) == block(
        line(1, "a", 2, deprel="dep"), line(2, "b", 0, deprel="root")
    )


def test_rewrite_of_words():
    (sentence,) = Treebank.from_words([["the", "dog  !"]])
    assert rewrite(sentence, [2, 0]) == block(
        "# text = the dog  !",
        line(1, "the", 2, deprel="dep"),
        line(2, "dog  !", 0, deprel="root"),
    )


@pytest.mark.parametrize(
    ("heads", "what"),
    [
        ([2, 0], "heads of shape (2,) and type int64 for 3 words; give one integer per word"),
        ([2.0, 3.0, 0.0], "heads of shape (3,) and type float64 for 3 words"),
        ([[2, 3, 0]], "heads of shape (1, 3)"),
        ([2, 4, 0], "head 4 of word 2 is out of range; choose from 0 to 3"),
        ([2, -1, 0], "head -1 of word 2 is out of range"),
        ([1, 3, 0], "word 1 is its own head"),
        ([2, 1, 0], "the heads form a cycle: 1 → 2 → 1"),
        ([0, 3, 0], "2 roots: words 1, 3"),
    ],
)
def test_rewrite_refuses_what_could_not_be_read(heads, what):
    (sentence,) = Treebank.from_text(dog("one"), path="x.conllu")
    with pytest.raises(TreebankError) as caught:
        rewrite(sentence, heads)
    assert str(caught.value).startswith("x.conllu:1: sent_id 'one': ")
    assert what in str(caught.value)


def test_a_sentence_of_our_own_is_written_plainly():
    sentence = Sentence(
        ["do", "n't", "go"],
        heads=[3, 3, 0],
        deprels=["aux", "advmod", "root"],
        upos=["AUX", "PART", "VERB"],
        xpos=["VB", "RB", "VB"],
        gaps=["", " ", ""],
        sent_id="s 1",
    )
    text = Treebank([sentence]).to_conllu()
    assert text == block(
        "# text = don't go",
        line(1, "do", 3, "SpaceAfter=No", deprel="aux", upos="AUX", xpos="VB"),
        line(2, "n't", 3, deprel="advmod", upos="PART", xpos="RB"),
        line(3, "go", 0, "SpaceAfter=No", deprel="root", upos="VERB", xpos="VB"),
        sent_id="s 1",
    )
    assert Treebank.from_text(text) == Treebank([sentence])


def test_blocks_of_several_files_stay_apart():
    ends = ["\n\n", "\n", "", "\n\n\n", "\n\n# end\n", "\n\n# end"]
    banks = [
        Treebank.from_text("\ufeff" + dog(f"{i}").rstrip("\n") + end) for i, end in enumerate(ends)
    ]
    text = Treebank(sentence for bank in banks for sentence in bank).to_conllu()
    assert text.startswith("\ufeff")
    assert "\ufeff" not in text[1:]
    again = Treebank.from_text(text)
    assert [sentence.sent_id for sentence in again] == ["0", "1", "2", "3", "4", "5"]


def test_missing_ends_are_in_the_kind_of_the_block():
    one, two = "1\r\n2", "3\n"
    assert join_blocks([one, two, two]) == "1\r\n2\r\n\r\n3\n\n3\n"
    assert join_blocks(["1\r\n", "2\r\n\r\n", "3"]) == "1\r\n\r\n2\r\n\r\n3"
    assert join_blocks([]) == ""


def test_reordered_sentences_stay_apart():
    bank = Treebank.from_text((dog("one") + dog("two")).rstrip("\n"))
    text = Treebank(reversed(bank)).to_conllu()
    assert text == dog("two") + dog("one")


def test_write_is_byte_for_byte_and_packs(tmp_path):
    text = "\ufeff" + dog("ä").replace("\n", "\r\n")
    bank = Treebank.from_text(text)
    bank.write(tmp_path / "x.conllu")
    assert (tmp_path / "x.conllu").read_bytes() == text.encode()
    bank.write(str(tmp_path / "x.conllu.gz"))
    assert gzip.decompress((tmp_path / "x.conllu.gz").read_bytes()) == text.encode()
    assert Treebank.read(tmp_path / "x.conllu.gz") == bank
    assert sorted(os.listdir(tmp_path)) == ["x.conllu", "x.conllu.gz"]


def test_write_replaces_and_follows_links(tmp_path):
    (tmp_path / "real.conllu").write_text("old")
    (tmp_path / "link.conllu").symlink_to("real.conllu")
    Treebank.from_text(dog()).write(tmp_path / "link.conllu")
    assert (tmp_path / "real.conllu").read_text() == dog()
    assert (tmp_path / "link.conllu").is_symlink()


def test_write_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Treebank.from_text(dog()).write("x.conllu")
    assert os.listdir() == ["x.conllu"]
    assert os.stat("x.conllu").st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.fault_class("full disk")
def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.conllu"
    path.write_text("old")
    bank = Treebank.from_text(dog() * 1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a real write that stops in the middle
    try:
        with pytest.raises(TreebankError, match=r"x\.conllu: cannot be written: .*too large"):
            bank.write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.conllu"]


@pytest.mark.fault_class("interrupts")
def test_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Treebank.from_text(dog()).write(tmp_path / "x.conllu")
    assert os.listdir(tmp_path) == []


def test_write_to_what_is_no_file(tmp_path):
    bank = Treebank.from_text(dog())
    with pytest.raises(TreebankError, match=f"{re.escape(str(tmp_path))}: is not a regular file"):
        bank.write(tmp_path)
    with pytest.raises(TreebankError, match="/dev/null: is not a regular file"):
        bank.write("/dev/null")
    with pytest.raises(TreebankError, match="cannot be written: No such file or directory"):
        bank.write(tmp_path / "nowhere" / "x.conllu")


def test_packed_files_are_the_same_whenever_they_are_written(tmp_path):
    Treebank.from_text(ANNOTATED).write(tmp_path / "x.gz")
    assert (tmp_path / "x.gz").read_bytes()[4:8] == bytes(4)  # the time, in the header of gzip

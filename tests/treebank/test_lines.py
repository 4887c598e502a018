"""Lines, endings, comments and odd white space: read right, and kept byte for byte."""

from __future__ import annotations

import pytest
from support.conllu_text import block, dog, line

from structprobe.treebank import Treebank, join_words

TWO = dog("one") + dog("two")
ACCEPTED = {
    "plain": TWO,
    "CRLF": TWO.replace("\n", "\r\n"),
    "doubled CR": TWO.replace("\n", "\r\r\n"),
    "mixed endings": dog("one") + dog("two").replace("\n", "\r\n"),
    "BOM": "\ufeff" + TWO,
    "BOM before an ID": "\ufeff" + dog() + dog(),
    "BOM before comments alone": "\ufeff# licence\n\n" + TWO,
    "no last empty line": TWO[:-1],
    "no last newline": TWO[:-2],
    "CRLF, no last newline": TWO.replace("\n", "\r\n")[:-4],
    "blank lines in front": "\n\n" + TWO,
    "blank lines between": dog("one") + "\n\n\n" + dog("two"),
    "blank lines behind": TWO + "\n\n",
    "comments alone in front": "# licence\n# more\n\n\n" + TWO,
    "comments alone between": dog("one") + "# newpar\n\n\n# more\n\n" + dog("two"),
    "comments alone behind": TWO + "# end\n\n# really\n",
    "comments without =": "# newdoc\n#\n##\n# free text\n" + TWO,
    "comments inside": TWO.replace("2\tdog", "# why\n2\tdog"),
    "global columns": "# global.columns = ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC\n"
    + TWO,
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_all_of_it_is_kept(name):
    text = ACCEPTED[name]
    bank = Treebank.from_text(text.encode())
    assert [sentence.words for sentence in bank] == [("the", "dog", "barks")] * 2
    assert all(sentence.heads.tolist() == [2, 3, 0] for sentence in bank)
    assert "".join(line for sentence in bank for line in sentence.raw_lines) == text
    assert bank.to_conllu() == text


@pytest.mark.parametrize("name", ACCEPTED)
def test_each_word_knows_its_line(name):
    lines = ACCEPTED[name].split("\n")
    for sentence in Treebank.from_text(ACCEPTED[name]):
        for word, row in zip(sentence.words, sentence.rows, strict=True):
            assert sentence.raw_lines[row].split("\t")[1] == word
            assert lines[sentence.line - 1 + row].split("\t")[1] == word


def test_comments_alone_go_with_the_next_sentence_or_the_last():
    bank = Treebank.from_text("# a\n\n" + dog("one") + "# b\n\n" + dog("two") + "# c\n")
    assert [sentence.raw_lines[0] for sentence in bank] == ["# a\n", "# b\n"]
    assert bank[1].raw_lines[-1] == "# c\n"
    assert [sentence.line for sentence in bank] == [1, 8]
    assert [sentence.sent_id for sentence in bank] == ["one", "two"]


def test_comments_alone_do_not_name_the_sentence():
    bank = Treebank.from_text("# sent_id = stray\n\n" + dog() + "# sent_id = late\n")
    assert bank[0].sent_id is None


@pytest.mark.parametrize(
    "comment", ["# sent_id = one", "#sent_id=one", "#  sent_id  =  one ", "# sent_id =one\r"]
)
def test_sent_id_however_spaced(comment):
    assert Treebank.from_text(f"{comment}\n" + dog())[0].sent_id == "one"


@pytest.mark.parametrize(
    "form",
    [
        "a b",  # as Vietnamese has
        "a  b",  # two spaces, at which conllu would split
        "a     b",
        " a",
        "a ",
        " ",
        "   ",
        "\u3000",  # ideographic space, a word of Japanese treebanks
        "\xa0",
        "\xa0a\xa0",
        "a\u2028b",  # what str.splitlines would split at
        "a\x0bb\x0cc\x1cd\x85e",
        "\ufeff",
        "#",
        "# sent_id = x",
        "_",
        "a\rb",
        "-",
        "1.1",
        "\U0001f600",
    ],
)
def test_words_of_odd_white_space_stay_whole(form):
    columns = {"upos": form, "xpos": form, "deprel": form}
    text = block(line(1, form, 2, **columns), line(2, "b", 0, misc=form))
    bank = Treebank.from_text(text.encode())
    assert bank[0].words == (form, "b")
    if form != "_":
        assert bank[0].upos == bank[0].xpos == bank[0].deprels == (form, "_")
    assert bank.to_conllu() == text


@pytest.mark.parametrize("misc", ["\u3000", " ", "SpaceAfter=No\xa0", "_ "])
def test_last_column_of_white_space_is_no_lost_column(misc):
    text = block(line(1, "a", 0, misc))
    bank = Treebank.from_text(text)
    assert bank[0].gaps == (" ",)
    assert bank.to_conllu() == text


def test_ranges_and_empty_nodes_are_no_words():
    rows = [
        line("0.1", "nothing"),
        line("1-2", "ab"),
        line(1, "a", 3),
        line("1.1", "x"),
        line("1.2", "y"),
        line(2, "b", 3),
        line(3, "c", 0),
        line("3.1", "z"),
    ]
    bank = Treebank.from_text(block(*rows))
    assert bank[0].words == ("a", "b", "c")
    assert bank[0].heads.tolist() == [3, 3, 0]
    assert bank[0].rows == (2, 5, 6)
    assert bank.to_conllu() == block(*rows)


def test_a_column_is_none_where_the_whole_file_lacks_it():
    full = block(line(1, "a", 0, upos="X", xpos="Y", deprel="root"))
    part = block(line(1, "b", 0, upos="X"))
    bank = Treebank.from_text(part + part)
    assert (bank[1].upos, bank[1].xpos, bank[1].deprels) == (("X",), None, None)
    bank = Treebank.from_text(full + part)
    assert (bank[1].upos, bank[1].xpos, bank[1].deprels) == (("X",), ("_",), ("_",))


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([line(1, "a", 0), line(2, "b", 1)], "a b"),
        ([line(1, "a", 0, "SpaceAfter=No"), line(2, "b", 1)], "ab"),
        ([line(1, "a", 0, "Lang=x|SpaceAfter=No"), line(2, "b", 1)], "ab"),
        ([line(1, "a", 0, "SpaceAfter=Nope"), line(2, "b", 1)], "a b"),
        ([line(1, "a", 0, "SpacesAfter=\\s\\s"), line(2, "b", 1)], "a b"),
        # a range that is its words joined
        ([line("1-2", "don't"), line(1, "do", 0), line(2, "n't", 1), line(3, "go", 1)], "don't go"),
        # a range that is not: French "du"
        ([line("1-2", "du"), line(1, "de", 0), line(2, "le", 1), line(3, "lac", 1)], "de le lac"),
        # the range's own SpaceAfter counts, its words' do not
        (
            [
                line("1-2", "du", misc="SpaceAfter=No"),
                line(1, "de", 0, "SpaceAfter=No"),
                line(2, "le", 1),
                line(3, ".", 1),
            ],
            "de le.",
        ),
        # empty nodes leave no trace
        (
            [line("1-2", "ab"), line(1, "a", 0), line("1.1", "x"), line(2, "b", 1)],
            "ab",
        ),
        # a range of one word, and one range behind another
        (
            [
                line("1-1", "x"),
                line(1, "x", 0),
                line("2-3", "yz"),
                line(2, "y", 1),
                line(3, "z", 1),
            ],
            "x yz",
        ),
    ],
)
def test_original_text(rows, text):
    (sentence,) = Treebank.from_text(block(*rows))
    assert join_words(sentence.words, sentence.gaps)[0] == text

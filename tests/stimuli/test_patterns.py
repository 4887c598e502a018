"""Patterns on treebanks: what they mean, against a slow reading, and what is refused."""

from __future__ import annotations

from itertools import permutations

import pytest

from structprobe.data import SAMPLE
from structprobe.errors import StructprobeError
from structprobe.recoverers import LinearChain
from structprobe.stimuli import find_matches, score_stimuli
from structprobe.stimuli.patterns import Edge, Feature, Order, parse_pattern
from structprobe.treebank import Treebank

TEXT = """# sent_id = a
1	The	the	DET	DT	_	2	det	_	_
2	key	key	NOUN	NN	Number=Sing	7	nsubj	_	_
3	to	to	ADP	IN	_	5	case	_	_
4	the	the	DET	DT	_	5	det	_	_
5	doors	door	NOUN	NNS	Number=Plur	2	nmod	_	_
6	was	be	AUX	VBD	Number=Sing	7	aux:pass	_	_
7	lost	lose	VERB	VBN	Voice=Pass	0	root	_	_
8	(	(	PUNCT	-LRB-	_	7	punct	_	_

# sent_id = b
1	Dogs	dog	NOUN	NNS	Number=Plur	2	nsubj:pass	_	_
2	bark	bark	VERB	VBP	Number=Plur	0	root	_	_

"""
BANK = Treebank.from_text(TEXT)


def words(pattern: str, bank: Treebank = BANK) -> list[dict[str, int]]:
    return [dict(one.words) for one in find_matches(bank, pattern)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("N [upos=NOUN]", [{"N": 2}, {"N": 5}, {"N": 1}]),
        ("N [upos=NOUN, Number=Plur]", [{"N": 5}, {"N": 1}]),
        ("N [ upos = AUX|ADP ]", [{"N": 3}, {"N": 6}]),
        ("N [upos<>NOUN, Number]", [{"N": 6}, {"N": 2}]),
        ("N [upos=VERB, !Number]", [{"N": 7}]),
        ("N [Number<>Sing]", [{"N": 5}, {"N": 1}, {"N": 2}]),
        ('N [form="("]', [{"N": 8}]),
        ("N [lemma=be]", [{"N": 6}]),
        ("N [xpos=NN]", [{"N": 2}]),
        ("V -[nsubj]-> N", [{"V": 7, "N": 2}]),
        ("V -[1=nsubj]-> N", [{"V": 7, "N": 2}, {"V": 2, "N": 1}]),
        ("V -[nsubj|nsubj:pass]-> N", [{"V": 7, "N": 2}, {"V": 2, "N": 1}]),
        ("V -> N; N [upos=NOUN]; N << V", [{"V": 7, "N": 2}, {"V": 2, "N": 1}]),
        ("N [upos=NOUN]; N < V; V [upos=VERB]", [{"N": 1, "V": 2}]),
        ("V [upos=VERB]; V > N", [{"V": 7, "N": 6}, {"V": 2, "N": 1}]),
        ("D [upos=DET]; A [upos=AUX]; A >> D", [{"D": 1, "A": 6}, {"D": 4, "A": 6}]),
        # a subject with another noun between it and its verb
        (
            "pattern { V -[nsubj]-> S; A [upos=NOUN]; S << A; A << V }",
            [{"V": 7, "S": 2, "A": 5}],
        ),
        # different nodes are different words
        ("A [upos=NOUN]; B [upos=NOUN]; A << B", [{"A": 2, "B": 5}]),
        ("A [upos=DET]; B [upos=DET]", [{"A": 1, "B": 4}, {"A": 4, "B": 1}]),
    ],
)
def test_patterns_match_these_words(pattern: str, found: list[dict[str, int]]) -> None:
    assert words(pattern) == found


def test_a_pattern_is_parsed_into_its_parts() -> None:
    pattern = parse_pattern(' V -[nsubj|csubj]-> N ;\n N [form="a;b,c", !Case]; N << V;')
    assert pattern.text == 'V -[nsubj|csubj]-> N ; N [form="a;b,c", !Case]; N << V;'
    assert list(pattern.nodes) == ["V", "N"]
    assert pattern.nodes["N"] == [
        Feature("form", frozenset({"a;b,c"})), Feature("Case", None, negated=True),
    ]  # fmt: skip
    assert pattern.edges == [Edge("V", "N", frozenset({"nsubj", "csubj"}))]
    assert pattern.orders == [Order("N", "V", adjacent=False)]


def test_matches_are_those_of_a_slow_reading() -> None:
    bank = Treebank.read(SAMPLE / "dev.conllu")[:40]
    pattern = "V [upos=VERB]; V -[nsubj]-> S; A [upos=NOUN]; S << A; A << V"
    slow = []
    for sentence in bank:
        assert sentence.heads is not None
        for v, s, a in permutations(range(len(sentence)), 3):
            right = sentence.upos[v] == "VERB" and sentence.upos[a] == "NOUN" and s < a < v
            if right and sentence.heads[s] == v + 1 and sentence.deprels[s] == "nsubj":
                slow.append((sentence.sent_id, {"V": v + 1, "S": s + 1, "A": a + 1}))
    found = find_matches(bank, pattern)
    assert [(one.sentence.sent_id, dict(one.words)) for one in found] == slow
    assert len(slow) > 3
    assert {one.pair for one in found} == {("V", "S")}
    (row,) = score_stimuli(LinearChain(), found, n=100)
    assert row["edge"] == 0
    assert row["condition"] == pattern
    assert row["tree_distance"] == 1
    assert row["linear_distance"] >= 2


def test_the_scored_pair_can_be_chosen() -> None:
    assert find_matches(BANK, "A [upos=DET]; B [upos=NOUN]; A < B")[0].pair == ("A", "B")
    assert find_matches(BANK, "A [upos=AUX]")[0].pair is None
    found = find_matches(BANK, "V -[nsubj]-> S; A [upos=NOUN]; S << A", pair=("A", "V"))
    assert found[0].pair == ("A", "V")
    with pytest.raises(StructprobeError, match="unknown word 'X'"):
        find_matches(BANK, "A [upos=AUX]", pair=("A", "X"))


@pytest.mark.parametrize(
    ("pattern", "place", "part"),
    [
        ("N [upos=NOUN", 1, "N [upos=NOUN"),
        ("N [upos=NOUN]; V -[nsubj-> N", 16, "V -[nsubj-> N"),
        ("N [upos=NOUN]; e: V -[nsubj]-> N", 16, "e: V -[nsubj]-> N"),
        ("V -[^nsubj]-> N", 5, "^nsubj"),
        ("V -[]-> N", 5, ""),
        ("N [upos=]", 4, "upos="),
        ("N [upos=NOUN,, Number=Plur]", 14, ""),
        ("N [Number=Plur, UPOS=NOUN]", 17, "UPOS=NOUN"),
        ('N [form=re".*ing"]', 4, 'form=re".*ing"'),
        ("N [form=/a/]", 4, "form=/a/"),
        ("N [upos=*]", 4, "upos=*"),
        ("N [upos==NOUN]", 4, "upos==NOUN"),
        ("N [upos=<>NOUN]", 4, "upos=<>NOUN"),
        ("N [upos=!NOUN]", 4, "upos=!NOUN"),
        ("N [!upos=NOUN]", 4, "!upos=NOUN"),
        ("N [upos=NOUN|]", 4, "upos=NOUN|"),
        ('N [form="a]', 9, 'N [form="a]'),
        ("N << N", 1, "N << N"),
        ("N <<< V", 1, "N <<< V"),
        ("pattern { N [] } without { N -> V }", 1, "pattern { N [] } without { N -> V }"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(pattern: str, place: int, part: str) -> None:
    with pytest.raises(StructprobeError) as caught:
        find_matches(BANK, pattern)
    message = str(caught.value)
    assert f"character {place}: cannot read {part!r}; " in message
    assert "\n" not in message


@pytest.mark.parametrize("pattern", ["", " ; ", "pattern { }"])
def test_an_empty_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(StructprobeError, match="is empty; write 'N "):
        find_matches(BANK, pattern)


def test_what_matches_nothing_is_refused() -> None:
    told = r"the pattern 'N \[upos=X\]' matches nothing in 2 sentences; check"
    with pytest.raises(StructprobeError, match=told):
        find_matches(BANK, "N [upos=X]")


def test_what_a_sentence_lacks_is_told() -> None:
    plain = Treebank.from_words([["a", "b"]])
    with pytest.raises(StructprobeError, match="no tree"):
        find_matches(plain, "N []")
    bare = Treebank.from_text("1\ta\t_\t_\t_\t_\t0\t_\t_\t_\n\n")
    for pattern, column in (
        ("N [upos=X]", "UPOS"),
        ("N [xpos=X]", "XPOS"),
        ("N -[a]-> M", "DEPREL"),
    ):
        with pytest.raises(StructprobeError, match=f"asks for {column}, which the sentence lacks"):
            find_matches(bare, pattern)
    from dataclasses import replace

    changed = Treebank(replace(one, sent_id=None) for one in BANK)  # not as its lines say
    for pattern, column in (("N [Number=Sing]", "FEATS"), ("N [lemma=be]", "LEMMA")):
        with pytest.raises(StructprobeError, match=f"asks for {column}"):
            find_matches(changed, pattern)
    with pytest.raises(StructprobeError, match="not a Sentence"):
        find_matches(["a"], "N []")
    with pytest.raises(StructprobeError, match="the pattern is 3, not a string"):
        find_matches(BANK, 3)


def test_columns_of_conllu_plus_are_found() -> None:
    text = "# global.columns = ID FORM HEAD FEATS\n1\ta\t0\tNumber=Sing\n\n"
    assert words("N [Number=Sing]", Treebank.from_text(text)) == [{"N": 1}]
    with pytest.raises(StructprobeError, match="asks for LEMMA"):
        words("N [lemma=a]", Treebank.from_text(text))

"""The treebanks in data/: valid, as described, and made again by the grammar byte for byte."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from support.ud_tools import ud_tool

from structprobe.treebank import Sentence, Treebank

DATA = Path(__file__).resolve().parents[2] / "data"
PARTS = ("train", "dev", "test")
NAMES = (*(f"sample/{part}.conllu" for part in PARTS), "handmade.conllu")
SIZES = {"sample/train.conllu": 2000, "sample/dev.conllu": 300, "sample/test.conllu": 300}


@cache
def bank(name: str) -> Treebank:
    return Treebank.read(DATA / name)


def arcs(sentence: Sentence) -> list[tuple[int, int]]:
    """The edges (i < j) of a sentence, 1-based."""
    pairs = enumerate(sentence.heads.tolist(), start=1)
    return [(min(word, head), max(word, head)) for word, head in pairs if head]


def crossing(sentence: Sentence) -> bool:
    """Whether two edges cross, by the definition."""
    edges = arcs(sentence)
    return any(a < c < b < d for a, b in edges for c, d in edges)


def chain_uuas(sentences: Treebank) -> float:
    """UUAS in per cent of joining neighbours, punctuation out, counted the obvious way."""
    hits = total = 0
    for sentence in sentences:
        kept = [place for place, tag in enumerate(sentence.upos, start=1) if tag != "PUNCT"]
        gold = {edge for edge in arcs(sentence) if edge[0] in kept and edge[1] in kept}
        hits += len(gold & set(pairwise(kept)))
        total += len(gold)
    return 100 * hits / total


def figures(name: str) -> tuple[str, ...]:
    """What the table in the README says of a file."""
    sentences = bank(name)
    crossed = sum(map(crossing, sentences))
    mean = sentences.n_words / len(sentences)
    forms = len({word.lower() for sentence in sentences for word in sentence.words})
    return (
        str(len(sentences)), str(sentences.n_words), f"{mean:.1f}", str(forms), str(crossed),
        f"{chain_uuas(sentences):.1f}",
    )  # fmt: skip


def readme_table() -> dict[str, tuple[str, ...]]:
    """The rows of the README's table by file."""
    rows = re.findall(r"^\| `(\S+\.conllu)` \|(.*)\|$", (DATA / "README.md").read_text(), re.M)
    return {name: tuple(cell.strip() for cell in cells.split("|")) for name, cells in rows}


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_tells_the_right_figures(name: str) -> None:
    assert readme_table()[name] == figures(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_official_validator_finds_no_fault(name: str) -> None:
    tool = ud_tool("udvalidate")
    # level 2 is what is promised; 3 tests the contents of the annotation as well
    for level in ("2", "3"):
        command = [tool, "--lang", "en", "--level", level, "--no-warnings", str(DATA / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "PASSED" in done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_alone_do_not_find_the_trees(name: str) -> None:
    assert chain_uuas(bank(name)) < 50


@pytest.mark.parametrize("name", NAMES)
def test_every_column_that_a_study_needs_is_filled(name: str) -> None:
    for sentence in bank(name):
        assert sentence.heads is not None
        for column in (sentence.deprels, sentence.upos, sentence.xpos):
            assert column is not None
            assert "_" not in column


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_the_parts_have_their_sizes_and_lengths(name: str, size: int) -> None:
    lengths = [len(sentence) for sentence in bank(name)]
    assert len(lengths) == size
    assert min(lengths) >= 4
    assert max(lengths) <= 30
    assert 11 <= sum(lengths) / size <= 14


def test_the_handmade_part_is_about_eighty_sentences() -> None:
    assert 75 <= len(bank("handmade.conllu")) <= 90


def test_no_sentence_occurs_twice() -> None:
    seen = Counter(
        tuple(word.lower() for word in sentence.words) for name in NAMES for sentence in bank(name)
    )
    assert max(seen.values()) == 1


def test_sentence_names_are_unique() -> None:
    names = [sentence.sent_id for name in NAMES for sentence in bank(name)]
    assert None not in names
    assert len(set(names)) == len(names)


def heads_of(sentence: Sentence, deprel: str) -> list[int]:
    """The heads, 1-based, of the words with a relation."""
    pairs = zip(sentence.heads.tolist(), sentence.deprels, strict=True)
    return [head for head, label in pairs if label == deprel]


def upos_of(sentence: Sentence, word: int) -> str:
    """The UPOS of a word, 1-based; nothing for the root's head."""
    return sentence.upos[word - 1] if word else ""


def has_distractor(sentence: Sentence) -> bool:
    """Whether a noun of the other number stands between a subject noun and its verb."""
    for place, (head, label) in enumerate(zip(sentence.heads, sentence.deprels, strict=True), 1):
        between = sentence.xpos[place : max(place, head - 1)]
        other = {"NN": "NNS", "NNS": "NN"}.get(sentence.xpos[place - 1])
        if label.startswith("nsubj") and other in between:
            return True
    return False


def relative_with(sentence: Sentence, role: str) -> bool:
    """Whether a relative pronoun has the role in its clause."""
    words = zip(sentence.words, sentence.xpos, sentence.deprels, strict=True)
    pronouns = any(
        word.lower() in ("who", "whom", "which", "that") and tag in ("WP", "WDT") and label == role
        for word, tag, label in words
    )
    return pronouns and "acl:relcl" in sentence.deprels


def asks(sentence: Sentence, *, wh: bool) -> bool:
    """Whether it is a question with a wh-word, or one without."""
    return sentence.words[-1] == "?" and wh == any(tag.startswith("W") for tag in sentence.xpos)


def conjuncts(sentence: Sentence, upos: str) -> bool:
    """Whether words of a part of speech are coordinated."""
    return any(upos_of(sentence, head) == upos for head in heads_of(sentence, "conj"))


def second_clause(sentence: Sentence) -> bool:
    """Whether a conjunct has a subject of its own."""
    return any(
        label == "conj" and place in heads_of(sentence, "nsubj")
        for place, label in enumerate(sentence.deprels, start=1)
    )


CONSTRUCTIONS = {
    "transitive": lambda s: "obj" in s.deprels,
    "two objects": lambda s: {"iobj", "obj"} <= set(s.deprels),
    "passive": lambda s: {"nsubj:pass", "aux:pass"} <= set(s.deprels),
    "passive with its agent": lambda s: "obl:agent" in s.deprels,
    "phrase at a noun": lambda s: "nmod" in s.deprels,
    "phrase at a verb": lambda s: any(upos_of(s, h) == "VERB" for h in heads_of(s, "obl")),
    "subject relative": lambda s: relative_with(s, "nsubj"),
    "object relative": lambda s: relative_with(s, "obj"),
    "complement clause": lambda s: "ccomp" in s.deprels,
    "control": lambda s: "xcomp" in s.deprels and "TO" in s.xpos,
    "nouns joined": lambda s: conjuncts(s, "NOUN"),
    "verbs joined": lambda s: conjuncts(s, "VERB"),
    "clauses joined": second_clause,
    "yes-no question": lambda s: asks(s, wh=False),
    "wh-question": lambda s: asks(s, wh=True),
    "adverb": lambda s: "advmod" in s.deprels,
    "adverbial clause": lambda s: "advcl" in s.deprels,
    "distractor noun": has_distractor,
    "non-projective": crossing,
    "copula": lambda s: "cop" in s.deprels,
    "contraction": lambda s: any(re.match(r"\d+-\d+\t", line) for line in s.raw_lines),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("construction", CONSTRUCTIONS)
def test_every_construction_occurs_in_every_part(part: str, construction: str) -> None:
    sentences = bank(f"sample/{part}.conllu")
    found = sum(map(CONSTRUCTIONS[construction], sentences))
    assert found >= len(sentences) / 100


@pytest.mark.parametrize("preposition", ["with", "in", "from", "about"])
def test_a_preposition_attaches_to_nouns_and_to_verbs(preposition: str) -> None:
    labels = Counter(
        sentence.deprels[head - 1]
        for sentence in bank("sample/train.conllu")
        for word, head in zip(sentence.words, sentence.heads.tolist(), strict=True)
        if word == preposition and upos_of(sentence, head) == "NOUN"
    )
    assert labels["nmod"] >= 10
    assert labels["obl"] >= 10


@pytest.mark.parametrize("name", NAMES)
def test_the_text_comment_is_the_words_with_their_gaps(name: str) -> None:
    for sentence in bank(name):
        texts = [line[9:].rstrip() for line in sentence.raw_lines if line.startswith("# text = ")]
        joined = "".join(map("".join, zip(sentence.words, sentence.gaps, strict=True)))
        assert texts == [joined.rstrip()]


def test_a_subject_agrees_with_its_finite_verb() -> None:
    for sentence in bank("sample/train.conllu"):
        words = [line.split("\t") for line in sentence.raw_lines if re.match(r"\d+\t", line)]
        subjects = {w[6]: w for w in words if w[7] in ("nsubj", "nsubj:pass")}
        joined = {w[6] for w in words if w[7] == "conj"}
        for word in words:
            subject = subjects.get(word[0])
            if word[4] != "VBZ" or subject is None or subject[0] in joined:
                continue
            assert subject[4] not in ("NNS",), sentence.where


def test_the_grammar_makes_the_files_again_byte_for_byte(tmp_path: Path) -> None:
    command = [sys.executable, str(DATA / "make_sample.py"), "--output", str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for part in PARTS:
        made = (tmp_path / f"{part}.conllu").read_bytes()
        assert made == (DATA / "sample" / f"{part}.conllu").read_bytes()

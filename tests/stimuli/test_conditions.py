"""Each condition varies what it says and keeps the rest, and all its trees are trees."""

from __future__ import annotations

import os
import subprocess
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.ud_tools import ud_tool

from structprobe.errors import StructprobeError
from structprobe.stimuli import Stimulus, make_stimuli, making
from structprobe.stimuli.conditions import CONDITIONS
from structprobe.stimuli.grammar.morphology import DOUBLING, IRREGULAR, verb_form
from structprobe.stimuli.grammar.nouns import NOUNS, OWN
from structprobe.stimuli.grammar.verbs import VERBS
from structprobe.stimuli.nonce import STEMS
from structprobe.tree_faults import tree_fault
from structprobe.treebank import Treebank
from structprobe.trees import tree_distances

VALUES = {
    "distance": 13, "nesting": 12, "attractors": 7, "agreement": 4, "nonce": 2, "attachment": 2,
    "garden_path": 2, "relatives": 2, "main_auxiliary": 2, "subject_noun": 4,
}  # fmt: skip
RELATIONS = {
    "acl:relcl", "advcl", "advmod", "amod", "aux", "case", "ccomp", "det", "mark", "nmod",
    "nmod:poss", "nsubj", "obj", "obl", "punct", "root",
}  # fmt: skip
conditions = pytest.mark.parametrize("condition", VALUES)


def items(stimuli: list[Stimulus], condition: str) -> list[list[Stimulus]]:
    """The complete items of a condition."""
    found = defaultdict(list)
    for one in stimuli:
        if one.condition == condition:
            found[one.item].append(one)
    return [item for item in found.values() if len(item) == VALUES[condition]]


def tree(stimulus: Stimulus, word: int = 0) -> tuple[Any, ...]:
    """The tree below a word, order aside."""
    heads, deprels = stimulus.sentence.heads, stimulus.sentence.deprels
    below = [i for i, head in enumerate(heads.tolist(), 1) if head == word]
    form = stimulus.sentence.words[word - 1].lower() if word else ""
    return form, deprels[word - 1], sorted(tree(stimulus, i) for i in below)


def rows(stimulus: Stimulus) -> list[list[str]]:
    """The columns of each word as written."""
    sentence = stimulus.sentence
    return [sentence.raw_lines[row].rstrip("\n").split("\t") for row in sentence.rows]


def text(stimulus: Stimulus) -> list[str]:
    return [word.lower() for word in stimulus.sentence.words]


def gap(stimulus: Stimulus, first: str = "subject", second: str = "verb") -> int:
    """The words between two named words."""
    return abs(stimulus.words[first] - stimulus.words[second]) - 1


def column(stimulus: Stimulus, name: str, place: str) -> str:
    return getattr(stimulus.sentence, name)[stimulus.words[place] - 1]


def test_the_conditions_are_these() -> None:
    assert list(CONDITIONS) == list(VALUES)


@conditions
def test_all_sentences_have_valid_trees(stimuli: list[Stimulus], condition: str) -> None:
    own = [one for one in stimuli if one.condition == condition]
    assert len(own) == 52
    assert len({" ".join(text(one)) for one in own}) == 52
    assert {one.value for one in own} == {one.value for one in items(own, condition)[0]}
    for one in own:
        sentence = one.sentence
        heads = sentence.heads.tolist()
        assert tree_fault(heads) is None
        assert set(sentence.deprels) <= RELATIONS
        assert sentence.deprels[heads.index(0)] == "root"
        assert sentence.upos[heads.index(0)] == "VERB"
        assert sentence.words[-1] == "."
        assert sentence.words[0][0].isupper()
        edges = [(min(i, h), max(i, h)) for i, h in enumerate(heads, 1) if h]
        assert not any(a < c < b < d for a, b in edges for c, d in edges)
        # the edge of interest is one
        first, second = one.places(one.pair)
        assert tree_distances(heads)[first - 1, second - 1] == 1


@conditions
def test_items_have_all_values_once(stimuli: list[Stimulus], condition: str) -> None:
    found = items(stimuli, condition)
    assert len(found) == 52 // VALUES[condition]
    for item in found:
        assert len({one.value for one in item}) == VALUES[condition]


def test_distance_varies_and_the_tree_is_fixed(stimuli: list[Stimulus]) -> None:
    for item in items(stimuli, "distance"):
        assert [one.values["between"] for one in item] == list(range(13))
        assert [gap(one) for one in item] == list(range(13))
        assert [one.words["subject"] for one in item] == [2] * 13
        assert len({str(tree(one)) for one in item}) == 1
        assert len({len(one.sentence) for one in item}) == 1


def test_what_follows_the_subject_cannot_hang_on_it(stimuli: list[Stimulus]) -> None:
    for item in items(stimuli, "distance"):
        for one in item[1:]:
            following = one.sentence.words[one.words["subject"]]
            assert following not in {"near", "with", "during", "before", "after"}


def test_clauses_are_nested(stimuli: list[Stimulus]) -> None:
    for item in items(stimuli, "nesting"):
        for one in item:
            depth, side = one.values["depth"], one.values["embedding"]
            relation = {"right": "ccomp", "centre": "acl:relcl"}[side]
            assert Counter(one.sentence.deprels)[relation] == depth
            inner, verb = one.words["inner_verb"] - 1, one.words["verb"] - 1
            steps = {"right": depth, "centre": 2 * depth}[side]
            assert tree_distances(one.sentence.heads)[inner, verb] == steps
            assert gap(one) == {"right": 0, "centre": 4 * depth}[side]
        assert [one.values["depth"] for one in item] == [*range(1, 7), *range(1, 7)]


def test_attractors_have_their_number(stimuli: list[Stimulus]) -> None:
    for item in items(stimuli, "attractors"):
        for one in item:
            own = column(one, "xpos", "subject")
            assert column(one, "xpos", "verb") == {"NN": "VBZ", "NNS": "VBP"}[own]
            between = one.sentence.xpos[one.words["subject"] : one.words["verb"] - 1]
            nouns = [tag for tag in between if tag in ("NN", "NNS")]
            other = {"NN": "NNS", "NNS": "NN"}[own]
            wanted = {"none": "", "same": own, "other": other}[one.values["number"]]
            assert nouns == [wanted] * one.values["attractors"]
            places = [one.words[f"attractor_{i}"] for i in range(1, len(nouns) + 1)]
            assert places == sorted(places)


def test_agreement_is_violated_in_one_word(stimuli: list[Stimulus]) -> None:
    for item in items(stimuli, "agreement"):
        by_value = {(one.values["verb"], one.values["attractor"]): one for one in item}
        for kind in ("same", "other"):
            right, wrong = by_value["grammatical", kind], by_value["ungrammatical", kind]
            differ = [i for i, pair in enumerate(zip(text(right), text(wrong), strict=True), 1)
                      if pair[0] != pair[1]]  # fmt: skip
            assert differ == [right.words["verb"]]
            assert right.sentence.heads.tolist() == wrong.sentence.heads.tolist()
        for one in item:
            agrees = (column(one, "xpos", "subject"), column(one, "xpos", "verb")) in {
                ("NN", "VBZ"), ("NNS", "VBP")}  # fmt: skip
            assert agrees == (one.values["verb"] == "grammatical")
            same = column(one, "xpos", "subject") == column(one, "xpos", "attractor")
            assert same == (one.values["attractor"] == "same")


def test_nonce_words_keep_their_morphology() -> None:
    seen = set()
    endings = {"NNS": "s", "VBZ": "s", "VBG": "ing", "VBD": "ed", "VBN": "ed", "NN": "", "VBP": ""}
    for real, made_up in items(make_stimuli("nonce"), "nonce"):
        for own, other in zip(rows(real), rows(made_up), strict=True):
            assert own[3:8] == other[3:8]  # tags, features, heads, relations
            if own[3] in ("NOUN", "VERB"):
                seen.add(own[4])
                assert other[2] in STEMS
                assert other[1] == other[2] + endings[own[4]]
            else:
                assert own == other
    assert seen == set(endings)


def test_stems_are_no_words_and_regular() -> None:
    known = {lemma.rstrip("~") for words in (*NOUNS.values(), *OWN.values()) for lemma in words}
    known |= {verb.lemma for verbs in VERBS.values() for verb in verbs} | set(IRREGULAR)
    assert len(set(STEMS)) == len(STEMS) > 40
    assert not set(STEMS) & (known | DOUBLING)
    for stem in STEMS:
        assert verb_form(stem, "VBZ") == f"{stem}s"
        assert verb_form(stem, "VBG") == f"{stem}ing"
        # nothing that English would double
        assert stem[-1] not in "eysxz"
        assert stem[-2] not in "aeiou" or stem[-3] in "aeiou"


def test_the_noun_decides_the_attachment(stimuli: list[Stimulus]) -> None:
    for high, low in items(stimuli, "attachment"):
        noun = high.words["phrase"]
        assert noun == low.words["phrase"] == len(high.sentence) - 1
        assert text(high)[: noun - 1] == text(low)[: noun - 1]
        assert text(high)[noun - 1] != text(low)[noun - 1]
        assert high.sentence.heads[noun - 1] == high.words["verb"]
        assert low.sentence.heads[noun - 1] == low.words["object"]
        assert column(high, "deprels", "phrase") == "obl"
        assert column(low, "deprels", "phrase") == "nmod"


def test_a_comma_is_all_that_differs_in_garden_paths(stimuli: list[Stimulus]) -> None:
    for without, with_ in items(stimuli, "garden_path"):
        comma = with_.words["first_verb"]
        assert text(with_)[comma] == ","
        assert text(without) == [*text(with_)[:comma], *text(with_)[comma + 1 :]]
        # the noun looks like the object of the verb right before it, and is the subject
        assert gap(without, "first_verb", "subject") == 1
        for one in (without, with_):
            assert one.sentence.heads[one.words["subject"] - 1] == one.words["verb"]


def test_relatives_have_the_same_words(stimuli: list[Stimulus]) -> None:
    for subject, obj in items(stimuli, "relatives"):
        assert sorted(text(subject)) == sorted(text(obj))
        for one, role, other in ((subject, "nsubj", "obj"), (obj, "obj", "nsubj")):
            assert one.sentence.words[2] == "that"
            assert one.sentence.deprels[2] == role
            assert column(one, "deprels", "inner_noun") == other
        assert gap(subject, "subject", "inner_verb") == 1
        assert gap(obj, "subject", "inner_verb") == 3


def test_the_first_auxiliary_is_the_main_one_or_not(stimuli: list[Stimulus]) -> None:
    places = set()
    for main, inner in items(stimuli, "main_auxiliary"):
        assert sorted(text(main)) == sorted(text(inner))
        for one in (main, inner):
            words, heads = one.words, one.sentence.heads
            tags = [one.sentence.upos[place - 1] for place in words.values()]
            assert Counter(one.sentence.upos)["AUX"] == tags.count("AUX") == 2
            assert heads[words["auxiliary"] - 1] == words["verb"]
            assert heads[words["inner_auxiliary"] - 1] == words["inner_verb"]
            first = words["auxiliary"] < words["inner_auxiliary"]
            assert first == (one.values["first_auxiliary"] == "main")
            # A verb is next to both.
            assert gap(one, "auxiliary", "verb") == gap(one, "inner_auxiliary", "inner_verb") == 0
        # So is a noun, where the main auxiliary comes first.
        for name in ("auxiliary", "inner_auxiliary"):
            assert main.sentence.upos[main.words[name] - 2] == "NOUN"
        places.add(main.words["auxiliary"])
        above = [one.sentence.heads[one.words["inner_verb"] - 1] for one in (main, inner)]
        assert above == [main.words["object"], inner.words["subject"]]
    assert len(places) > 2  # it has no place of its own


def test_the_first_noun_is_the_subject_or_not(stimuli: list[Stimulus]) -> None:
    for item in items(stimuli, "subject_noun"):
        by_value = {one.values["phrase"]: one for one in item}
        for value, one in by_value.items():
            words, heads = one.words, one.sentence.heads
            nouns = [i for i, tag in enumerate(one.sentence.upos, 1) if tag == "NOUN"]
            assert sorted(nouns) == sorted(words[n] for n in ("subject", "object", "other_noun"))
            assert (nouns[0] == words["subject"]) == value.startswith("behind")
            above = {"behind subject": "subject", "behind object": "object", "in front": "verb",
                     "possessor": "subject"}[value]  # fmt: skip
            assert heads[words["other_noun"] - 1] == words[above]
            relation = {"in front": "obl", "possessor": "nmod:poss"}.get(value, "nmod")
            assert column(one, "deprels", "other_noun") == relation
        same = [sorted(text(one)) for value, one in by_value.items() if value != "possessor"]
        assert same[0] == same[1] == same[2]
        own = by_value["possessor"]
        ends_in_s = own.sentence.words[own.words["other_noun"] - 1].endswith("s")
        assert own.sentence.words[own.words["other_noun"]] == ("'" if ends_in_s else "'s")


def test_the_seed_decides_and_nothing_else(stimuli: list[Stimulus]) -> None:
    assert make_stimuli(n=52) == stimuli
    alone = make_stimuli(["relatives", "nonce"], n=30)
    own = {name: [s for s in stimuli if s.condition == name] for name in ("relatives", "nonce")}
    kept = [*own["relatives"][:30], *own["nonce"][:30]]
    assert [one.sentence.words for one in alone] == [one.sentence.words for one in kept]
    other = make_stimuli("nonce", n=30, seed=1)
    words = {one.sentence.words for one in own["nonce"]}
    assert len([one for one in other if one.sentence.words in words]) < 3


def test_features_and_names_are_written(stimuli: list[Stimulus]) -> None:
    bank = Treebank(one.sentence for one in stimuli)
    names = [one.sent_id for one in bank]
    assert len(set(names)) == len(names)
    again = Treebank.from_text(bank.to_conllu())
    assert again == bank
    assert "Number=Plur" in bank.to_conllu()


def test_numbers_may_be_those_of_numpy() -> None:
    assert make_stimuli("nonce", np.int64(4), np.int64(2)) == make_stimuli("nonce", 4, 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("nestings",),
            r"unknown condition 'nestings' \(did you mean 'nesting'\?\); choose",
        ),
        ((["nonce", "other"],), "unknown condition 'other'"),
        ((["all", "other"],), "unknown condition 'other'"),
        (([],), "no conditions; give 'all', or some of 'distance'"),
        ((3,), "conditions is 3"),
        (("nonce", 0), "n=0 sentences of each condition; ask for at least 1"),
        (("nonce", 2.5), "n=2.5 sentences"),
        (("nonce", 5, None), "seed is None"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments: tuple[Any, ...], told: str) -> None:
    with pytest.raises(StructprobeError, match=told) as caught:
        make_stimuli(*arguments)
    assert "\n" not in str(caught.value)


def test_a_condition_that_runs_out_of_sentences_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loaded(making.Dice):
        def __init__(self, seed: int) -> None:
            super().__init__(seed)
            self._random = lambda: 0.5

    monkeypatch.setattr(making, "Dice", Loaded)
    with pytest.raises(StructprobeError, match="'agreement' has no 5 different sentences: 4 were"):
        make_stimuli("agreement", n=5)


def test_a_stimulus_checks_its_words(stimuli: list[Stimulus]) -> None:
    sentence = stimuli[0].sentence
    with pytest.raises(StructprobeError, match="the word 'verb' is number 0 of"):
        Stimulus(sentence, "own", words={"verb": 0})
    with pytest.raises(StructprobeError, match="unknown word 'verbs'"):
        Stimulus(sentence, "own", words={"verb": 1}, pair=("verb", "verbs"))
    with pytest.raises(StructprobeError, match="does not name two words"):
        Stimulus(sentence, "own", words={"a": 1, "b": 1}, pair=("a", "b"))
    with pytest.raises(StructprobeError, match="the stimulus has no tree"):
        Stimulus(Treebank.from_words([["a"]])[0], "own")


@pytest.mark.slow
@pytest.mark.parametrize("level", ["2", "3"])
def test_the_official_validator_finds_no_fault(
    stimuli: list[Stimulus], tmp_path: Path, level: str
) -> None:
    tool = ud_tool("udvalidate")
    path = tmp_path / "stimuli.conllu"
    Treebank(one.sentence for one in stimuli).write(path)
    command = [tool, "--lang", "en", "--level", level, "--no-warnings", os.fspath(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

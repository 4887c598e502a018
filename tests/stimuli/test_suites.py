"""Reading minimal pairs and SyntaxGym suites, making pairs, and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from support.suites import suite_of, write_blimp, write_suite

from structprobe.errors import StructprobeError
from structprobe.stimuli import make_stimuli
from structprobe.stimuli.suites import Suite, make_pairs, read_suite, read_suites
from structprobe.stimuli.suites.formulas import Region

PAIRS = [("The dog barks.", "The dog bark."), ("Dogs bark.", "Dogs barks.")]
ITEMS = [
    {"match": ["The dog", "", "barks", "."], "mismatch": ["The dog", "", "bark", "."]},
    {"match": ["Dogs", " here", "bark", "."], "mismatch": ["Dogs", " here", "barks", "."]},
]
FORMULA = "(3;%match%) < (3;%mismatch%)"


def test_lines_of_blimp(tmp_path: Path) -> None:
    file = write_blimp(tmp_path / "mine" / "number.jsonl", PAIRS)
    first, second = read_suite(file)
    assert (first.good, first.bad) == PAIRS[0]
    assert (second.suite, second.paradigm, second.phenomenon) == ("mine", "number", "agreement")
    assert (second.number, second.where, second.item) == (1, f"{file}:2", None)
    file.write_text('{"sentence_good": "A b.", "sentence_bad": "B a."}\r\n\r\n')
    (bare,) = read_suite(file)
    assert (bare.paradigm, bare.phenomenon, bare.number) == ("number", None, 1)
    assert (bare.good, bare.bad) == ("A b.", "B a.")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.tsv", "A b.\tB a.\n\nC d.\tD c.\n", [("A b.", "B a.", "a", None)] * 1),
        ("a.tsv", "\ufeffgood\tbad\tphenomenon\nA b.\tB a.\tx\n", [("A b.", "B a.", "a", "x")]),
        ("a.tsv", '"A," b.\tB a.\n', [('"A," b.', "B a.", "a", None)]),
        ("a.csv", '"A, b.",B a.\n', [("A, b.", "B a.", "a", None)]),
        (
            "a.csv",
            "UID,note,Bad,Good,linguistics_term\np,!,B a.,A b.,x\n",
            [("A b.", "B a.", "p", "x")],
        ),
        ("a.txt", "good\tbad\nYes.\tNo.\n", [("Yes.", "No.", "a", None)]),
    ],
)
def test_columns(tmp_path: Path, name: str, text: str, expected: list[Any]) -> None:
    (tmp_path / name).write_text(text)
    found = read_suite(tmp_path / name)
    told = [(one.good, one.bad, one.paradigm, one.phenomenon) for one in found]
    assert told[: len(expected)] == expected
    assert {one.suite for one in found} == {"a"}


def test_a_suite_of_regions(tmp_path: Path) -> None:
    file = write_suite(tmp_path / "x.json", suite_of([FORMULA], *ITEMS))
    suite = read_suite(file)
    assert isinstance(suite, Suite)
    assert (suite.name, suite.conditions) == ("toy", ("match", "mismatch"))
    assert suite.predictions[0].regions == (Region(3, "match"), Region(3, "mismatch"))
    first, second = suite.items
    assert first.text("match") == "The dog barks ."
    words = second.text("mismatch").split()
    spans = second.spans("mismatch")
    assert [words[spans[n]] for n in (1, 2, 3, 4)] == [["Dogs"], ["here"], ["barks"], ["."]]
    assert first.spans("match")[2] == slice(2, 2)


def test_the_files_of_blimp_and_syntaxgym(minimal_pairs: Path) -> None:
    folders = [minimal_pairs / "blimp", str(minimal_pairs / "syntaxgym" / "*.json")]
    blimp, gym = read_suites(folders)
    assert (blimp.name, gym.name, blimp.faults, gym.faults) == ("blimp", "syntaxgym", {}, {})
    assert len(blimp.pairs) == 67 * 500
    assert len({one.paradigm for one in blimp.pairs}) == 67
    assert len({one.phenomenon for one in blimp.pairs}) == 13
    equal = [one for one in blimp.pairs if one.is_equal]
    assert [Path(one.where).name for one in equal] == [
        "passive_1.jsonl:325", "principle_A_case_2.jsonl:106", "principle_A_case_2.jsonl:288",
        "principle_A_case_2.jsonl:373",
    ]  # fmt: skip
    assert len(gym.suites) == 34
    assert sum(len(one.items) for one in gym.suites) == 842
    for suite in gym.suites:  # the text is that of the regions, and every word is of one
        for item in suite.items:
            for condition in suite.conditions:
                words, spans = item.text(condition).split(), item.spans(condition)
                assert [w for s in spans.values() for w in words[s]] == words
    few = blimp.first(20)
    assert len(few.pairs) == 67 * 20
    assert few.fingerprint != blimp.fingerprint == read_suites(folders[0])[0].fingerprint


def test_made_pairs_differ_in_the_number_of_the_verb_alone() -> None:
    pairs = make_pairs("all", n=12, seed=1)
    assert {one.phenomenon for one in pairs} == {"agreement", "attractors", "distance", "nesting"}
    paradigms = {one.paradigm for one in pairs}
    assert len(paradigms) == 2 + 7 + 13 + 12
    assert all(sum(one.paradigm == name for one in pairs) == 12 for name in paradigms)
    for one in pairs:
        differ = [i for i, both in enumerate(zip(one.good.words, one.bad.words, strict=True), 1)
                  if both[0] != both[1]]  # fmt: skip
        assert differ == [one.words["verb"]]
        assert one.good.heads.tolist() == one.bad.heads.tolist()
        assert {one.good.xpos[differ[0] - 1], one.bad.xpos[differ[0] - 1]} == {"VBZ", "VBP"}
        assert one.good.heads[one.words["subject"] - 1] == one.words["verb"]
        assert one.good.gaps == one.bad.gaps
    # Those of the condition that violates agreement by itself.
    own = {one.bad.words for one in pairs if one.phenomenon == "agreement"}
    made = {one.sentence.words for one in make_stimuli("agreement", n=48, seed=1)
            if one.values["verb"] == "ungrammatical"}  # fmt: skip
    assert own == made


def test_names_of_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_blimp(tmp_path / "one" / "a.jsonl", PAIRS, "x")
    write_blimp(tmp_path / "one" / "b.jsonl", PAIRS[:1], "y")
    (tmp_path / "one" / "README.md").write_text("not a suite")
    write_suite(tmp_path / "one" / "s.json", suite_of([FORMULA], *ITEMS))
    write_suite(tmp_path / "one" / "t.json", suite_of([FORMULA], *ITEMS))  # the same name
    (tmp_path / "pairs.tsv").write_text("A b.\tB a.\n")
    write_blimp(tmp_path / "deep" / "one" / "a.jsonl", PAIRS)
    monkeypatch.chdir(tmp_path)
    found = read_suites(["one", "pairs.tsv", "one/a.jsonl", "own: agreement, distance"], n=3)
    assert [one.name for one in found] == ["one (.jsonl)", "one (.json)", "pairs", "own"]
    assert [[len(one.pairs), len(one.suites)] for one in found] == [[3, 0], [0, 2], [1, 0], [45, 0]]
    assert [one.name for one in found[1].suites] == ["toy", "t"]
    again = read_suites(["one/*.jsonl", Path("deep/one")])
    assert [one.name for one in again] == [f"{tmp_path.name}/one", "deep/one"]
    (alone,) = read_suites("own:agreement", n=1, seed=3)
    assert [one.item for one in alone.pairs] == [1, 1]


def test_equal_pairs_are_kept_for_the_count(tmp_path: Path) -> None:
    file = write_blimp(tmp_path / "a.jsonl", [("A b.", "A b."), *PAIRS])
    (group,) = read_suites(file, n=2)
    assert [one.is_equal for one in group.pairs] == [True, False, False]


def broken(change: str) -> Any:
    told = copy.deepcopy(suite_of([FORMULA], *ITEMS))
    first, second = (one["conditions"] for one in told["items"])
    match change:
        case "region missing":
            del second[1]["regions"][2]
        case "regions of one item":
            for one in second:
                one["regions"].pop()
        case "conditions":
            second[1]["condition_name"] = "other"
        case "region twice":
            first[0]["regions"][1]["region_number"] = 1
        case "condition twice":
            first[1]["condition_name"] = "match"
        case "item twice":
            told["items"][1]["item_number"] = 1
        case "no words":
            for one in second[0]["regions"]:
                one["content"] = " "
        case "no content":
            del first[0]["regions"][0]["content"]
        case "no conditions":
            told["items"][0]["conditions"] = []
        case "no items":
            told["items"] = []
        case "no predictions":
            told["predictions"] = []
        case "no formula":
            told["predictions"] = [{"type": "formula"}]
        case "unknown region":
            told["predictions"][0]["formula"] = "(9;%match%) < 1"
        case "unknown condition":
            told["predictions"][0]["formula"] = "(3;%matches%) < 1"
        case "metric":
            told["meta"]["metric"] = "mean"
        case "other JSON":
            told = {"a": 1}
    return told


REFUSED = {
    "region missing": "item 2: condition 'mismatch' has the regions 1, 2, 4, but 'match' has 1, 2, "
    "3, 4; all conditions of a suite need the same regions",
    "regions of one item": "item 2: has the regions 1, 2, 3, but item 1 has 1, 2, 3, 4; all",
    "conditions": "item 2: has the conditions match, other, but item 1 has match, mismatch; all",
    "region twice": "item 1: condition 'match': has region 1 twice",
    "condition twice": "item 1: has the condition 'match' twice",
    "item twice": "two items have the number 1",
    "no words": "item 2: condition 'match': has no words",
    "no content": "item 1: condition 'match': a region has no region_number or no content",
    "no conditions": "item 1: has no list of conditions",
    "no items": "the suite has no items",
    "no predictions": "the suite has no predictions",
    "no formula": "prediction 1: has no formula",
    "unknown region": "prediction 1: the formula names region 9, which no item has; regions: 1, 2, "
    "3, 4",
    "unknown condition": "prediction 1: the formula names the condition 'matches', which no item "
    "has; conditions: match, mismatch",
    "metric": "the metric of the suite is 'mean'; only sums over a region are computed",
    "other JSON": "not a SyntaxGym suite: no 'items' and 'predictions'",
}


@pytest.mark.parametrize("change", REFUSED)
def test_suites_that_do_not_align(tmp_path: Path, change: str) -> None:
    file = write_suite(tmp_path / "s.json", broken(change))
    with pytest.raises(StructprobeError) as error:
        read_suite(file)
    told = str(error.value)
    assert told.startswith(f"{file}: {REFUSED[change]}")
    assert "\n" not in told


GOOD = json.dumps({"sentence_good": "A b.", "sentence_bad": "B a.", "UID": "u"})
WRONG_FILES = {
    ("a.jsonl", ""): ": an empty file; give BLiMP's lines of JSON",
    ("a.jsonl", f"{GOOD}\n{{"): ":2: not valid JSON: ",
    ("a.jsonl", f"{GOOD}\n[1]"): ":2: is not an object with two sentences",
    ("a.jsonl", '{"good": "A b.", "worse": "B a."}'): ":1: has no text 'sentence_bad'; keys: good,",
    ("a.jsonl", GOOD.replace("B a.", " ")): ":1: the bad sentence is empty",
    ("a.jsonl", GOOD + "\n" + GOOD[:-1] + ', "linguistics_term": "x"}'): (
        ":2: the paradigm 'u' is of 'x' here, but of None in "
    ),
    ("a.json", "{"): ": not valid JSON: ",
    ("a.json", "[]"): ": not a SyntaxGym suite: ",
    ("a.tsv", "A b.\tB a.\nC d.\n"): ":2: 1 column instead of two; separate the good sentence from "
    "the bad one by a tab (commas in .csv files)",
    ("a.csv", "A b.\tB a.\n"): ":1: 1 column instead of two; separate the good sentence from the "
    "bad one by a comma (tabs in .tsv files)",
    ("a.tsv", "A b.\tB a.\tx\n"): ":1: 3 columns instead of 2; name the columns in a first line",
    ("a.tsv", "A b.\t\n"): ":1: the bad sentence is empty",
    ("a.tsv", "good\tworse\nA b.\tB a.\n"): ":1: the header names 'good', 'worse'; name the",
    ("a.tsv", "right\twrong\nA b.\tB a.\n"): ":1: 'right' and 'wrong' look like names of columns",
    ("a.tsv", "good\tbad\n"): ": no pairs: the file is empty",
    ("a.xml", "<a/>"): ": a file that ends in '.xml' is no suite; give BLiMP's",
    ("a", "A b.\tB a.\n"): ": a file without an ending is no suite; give",
}


@pytest.mark.parametrize(("name", "text"), WRONG_FILES)
def test_files_that_are_no_suites(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(StructprobeError) as error:
        read_suite(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}{WRONG_FILES[name, text]}")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"\xff\xfe")
    with pytest.raises(StructprobeError, match="not UTF-8"):
        read_suite(tmp_path / "a.tsv")


def test_a_faulty_file_does_not_stop_the_others(tmp_path: Path) -> None:
    write_blimp(tmp_path / "a.jsonl", PAIRS)
    (tmp_path / "b.jsonl").write_text("{")
    (group,) = read_suites(tmp_path)
    assert len(group.pairs) == 2
    assert list(group.faults) == ["b"]
    assert group.faults["b"].startswith(f"{tmp_path / 'b.jsonl'}:1: not valid JSON")
    with pytest.raises(StructprobeError, match="1: not valid JSON"):
        read_suites(tmp_path / "b.jsonl")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "no suites; give BLiMP's lines of JSON"),
        ("nothing.tsv", "nothing.tsv: no such file"),
        ("*.jsonl", "the pattern matches no file"),
        (
            "empty",
            "empty: the folder holds no suites (files that end in .jsonl, .json, .tsv, .csv)",
        ),
        (
            ".",
            "the folder holds no suites (files that end in .jsonl, .json, .tsv, .csv); name one "
            "of its folders: empty",
        ),
        (
            "own:agrement",
            "unknown condition of minimal pairs 'agrement' (did you mean 'agreement'?)",
        ),
        ("own:garden_path", "unknown condition of minimal pairs 'garden_path'; choose from"),
        (3, "suites is 3, not a path or a list of paths"),
    ],
)
def test_names_that_are_no_suites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: Any, told: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StructprobeError) as error:
        read_suites(names)
    assert told in str(error.value)


def test_numbers_of_pairs() -> None:
    for n in (0, -1, True, 1.5):
        with pytest.raises(StructprobeError, match="pairs of each paradigm; ask for at least 1"):
            make_pairs("agreement", n=n)  # type: ignore[arg-type]
    with pytest.raises(StructprobeError, match="no conditions"):
        make_pairs([])

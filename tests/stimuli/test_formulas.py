"""Formulas over regional surprisals: against values worked out by hand, and a slow evaluation."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import pytest

from structprobe.errors import StructprobeError
from structprobe.stimuli.suites.formulas import Formula, Region

VALUES = {Region(2, "a"): 3.0, Region(2, "b"): 5.0, Region(3, "a"): 1.5, Region(3, "b"): 1.5005,
          Region(None, "a"): 9.0, Region(4, "no-gap_x"): 0.0}  # fmt: skip

BY_HAND = {
    "(2;%a%) < (2;%b%)": True,
    "(2;%a%)>(2;%b%)": False,
    "(3;%a%) = (3;%b%)": True,  # within a thousandth of a bit
    "(2;%a%) = (2;%b%)": False,
    "(*;%a%) > 8.99": True,
    "[(2;%a%) - (3;%a%)] + [(2;%b%) - (3;%b%)] > 0": True,
    "(2;%b%) - (2;%a%) - (3;%a%) > 0.4": True,  # from the left: 0.5, not 3.5
    "(2;%b%) - (2;%a%) - (3;%a%) > 0.6": False,
    "2 * (2;%a%) + 1 * (3;%a%) = 7.5": True,
    "(2;%a%) + 2 * (2;%b%) = 13": True,  # not 16
    "-(2;%a%) < 0": True,
    "((2;%a%) < (2;%b%)) & ((2;%b%) < (2;%a%))": False,
    "(2;%a%) < (2;%b%) & (2;%b%) > (3;%b%) & (2;%a%) > 4": False,  # the third counts too
    "(2;%a%) > (2;%b%) | (2;%b%) > (3;%b%)": True,
    "[(2;%a%) > 9 & (2;%a%) > 9] | (2;%b%) > 0": True,
    "( 4 ; %no-gap_x% ) < 1": True,
}


@pytest.mark.parametrize("text", BY_HAND)
def test_truth_by_hand(text: str) -> None:
    assert Formula.parse(text).holds(VALUES) is BY_HAND[text]


def test_what_was_not_scored_cannot_be_told() -> None:
    formula = Formula.parse("(2;%a%) < (2;%b%) | (3;%a%) > 100")
    assert formula.regions == (Region(2, "a"), Region(2, "b"), Region(3, "a"))
    assert formula.holds(VALUES | {Region(3, "a"): math.nan}) is None


def slowly(text: str, values: dict[Region, float]) -> bool:
    """Evaluate a formula as Python, with regions replaced by numbers; for tests alone."""

    def number(found: re.Match[str]) -> str:
        return repr(values[Region(int(found[1]), found[2])])

    python = re.sub(r"\((\d+);%([^%]+)%\)", number, text)
    python = python.replace("[", "(").replace("]", ")").replace("&", " and ")
    python = re.sub(r"([\d.]+) *= *([\d.]+)", r"abs(\1 - \2) <= 1e-3 + 1e-5 * abs(\2)", python)
    assert set(re.sub(r"and|abs", "", python)) <= set("0123456789.e+-*<>=() ")
    return bool(eval(python, {"__builtins__": {"abs": abs}}))


def test_all_formulas_of_syntaxgym(minimal_pairs: Path) -> None:
    dice = random.Random(0)
    outcomes = []
    for file in sorted((minimal_pairs / "syntaxgym").glob("*.json")):
        for told in json.loads(file.read_text())["predictions"]:
            formula = Formula.parse(told["formula"])
            for _ in range(40):  # whole numbers, so that some are equal
                values = {one: float(dice.randint(0, 4)) for one in formula.regions}
                outcomes.append(formula.holds(values))
                assert outcomes[-1] is slowly(told["formula"], values), told["formula"]
    assert len(outcomes) == 36 * 40
    assert {True, False} == set(outcomes)


WRONG = {
    "": "the formula '' cannot be read: it ends too early",
    "(2;%a%) <": "it ends too early",
    "(2;%a%) < (2;%b%": "unexpected ';%b%' at character 13",
    "(2;%a%) < (2;%b%) < (3;%a%)": "unexpected '< (3;%a%)' at character 19",
    "[(2;%a%) < (2;%b%))": "unexpected ')' at character 19",
    "(2;%a%) (2;%b%)": "unexpected '(2;%b%)' at character 9",
    "(two;%a%) < 1": "unexpected 'two;%a%) < 1' at character 2",
    "__import__('os') < 1": 'unexpected "__import__(\'" at character 1',
    "(2;%a%) + (2;%b%)": "is a number, not true or false; compare two sides",
    "0 < 1": "names no region; write regions as (2;%condition%)",
    "(2;%a%) < 1 & (2;%b%) < 1 | (3;%a%) < 1": "mixes & and | without brackets",
    "(2;%a%) & (2;%b%) < 1": "'&' stands between comparisons, not numbers",
    "[(2;%a%) < 1] + 1 > 0": "'+' stands between numbers, not comparisons",
    "-[(2;%a%) < 1] < 0": "'-' stands between numbers, not comparisons",
    "[(2;%a%) < 1] * 2 < 3": "'*' stands between numbers, not comparisons",
    "[(2;%a%) < 1] < 3": "'<' stands between numbers, not comparisons",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(StructprobeError) as error:
        Formula.parse(text, where="x.json: prediction 2")
    assert WRONG[text] in str(error.value)
    assert str(error.value).startswith("x.json: prediction 2: the formula ")

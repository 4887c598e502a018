"""Predictions over regional surprisals, as SyntaxGym writes them: ``(2;%match%) < (2;%mismatch%)``.

A formula is parsed into a small tree, which knows numbers, regions and ten operators and nothing
else; it is never run as code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from structprobe.errors import StructprobeError

# How close two surprisals are that `=` calls equal, as in SyntaxGym's own package.
EQUAL_RELATIVE, EQUAL_ABSOLUTE = 1e-5, 1e-3
WHOLE = None  # The number of the region that is the whole sentence, written *

_TOKEN = re.compile(
    r"\s*(?:(?P<region>\(\s*(?P<number>\d+|\*)\s*;\s*%(?P<condition>[^%]+)%\s*\))"
    r"|(?P<value>\d+(?:\.\d+)?)|(?P<sign>[-+*()\[\]<>=&|]))"
)
_CLOSING = {"(": ")", "[": "]"}
_COMPARING, _JOINING = "<>=", "&|"


class Region(NamedTuple):
    """A region of a condition."""

    number: int | None  # None is the whole sentence
    condition: str

    def __str__(self) -> str:
        return f"({'*' if self.number is WHOLE else self.number};%{self.condition}%)"


@dataclass(frozen=True)
class _Operation:
    """Two operands and the operator between them."""

    sign: str
    left: _Node
    right: _Node

    @property
    def is_truth(self) -> bool:
        return self.sign in _COMPARING + _JOINING


_Node = Region | float | _Operation


@dataclass(frozen=True)
class Formula:
    """A prediction: what it says of the surprisals of an item's regions.

    Operators, from those that bind least: ``&`` and ``|`` (brackets are needed where both stand
    side by side), ``<``, ``>`` and ``=``, ``+`` and ``-``, ``*``. Both ``( )`` and ``[ ]`` are
    brackets.

    Attributes
    ----------
    text : str
        The formula as written.
    tree : object
        What it was parsed into.
    """

    text: str
    tree: _Operation

    @classmethod
    def parse(cls, text: str, *, where: str | None = None) -> Formula:
        """Parse a formula.

        Parameters
        ----------
        text : str
            Such as ``"[(6;%a%) - (6;%b%)] > 0 & (7;%a%) > (7;%b%)"``; ``(*;%a%)`` is the whole
            sentence.
        where : str, optional
            The place of the formula, for messages.

        Returns
        -------
        Formula
            The formula.

        Raises
        ------
        StructprobeError
            If it is no formula, says nothing that can be true or false, or names no region.
        """
        tree = _Parser(text, where).whole()
        if not isinstance(tree, _Operation) or not tree.is_truth:
            what = f"the formula {text!r} is a number, not true or false"
            raise StructprobeError(what, where=where, hint="compare two sides by <, > or =")
        if not any(True for _ in _regions(tree)):
            what = f"the formula {text!r} names no region"
            raise StructprobeError(what, where=where, hint="write regions as (2;%condition%)")
        return cls(" ".join(text.split()), tree)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions that it names, each once, in the order in which they stand."""
        return tuple(dict.fromkeys(_regions(self.tree)))

    def holds(self, surprisals: Mapping[Region, float]) -> bool | None:
        """Tell whether the formula is true of an item.

        Parameters
        ----------
        surprisals : mapping of Region to float
            The surprisal of each region that the formula names.

        Returns
        -------
        bool or None
            None if the surprisal of a named region is NaN: it was not scored.
        """
        if any(math.isnan(surprisals[one]) for one in self.regions):
            return None
        return bool(_value(self.tree, surprisals))


def _regions(node: _Node) -> Iterator[Region]:
    if isinstance(node, Region):
        yield node
    elif isinstance(node, _Operation):
        yield from _regions(node.left)
        yield from _regions(node.right)


def _value(node: _Node, surprisals: Mapping[Region, float]) -> float:
    """Compute a number, or a truth value as 0 or 1."""
    if isinstance(node, Region):
        return surprisals[node]
    if not isinstance(node, _Operation):
        return node
    left, right = (_value(one, surprisals) for one in (node.left, node.right))
    match node.sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "<":
            return left < right
        case ">":
            return left > right
        case "=":
            return abs(left - right) <= EQUAL_ABSOLUTE + EQUAL_RELATIVE * abs(right)
        case "&":
            return bool(left and right)
        case _:
            return bool(left or right)


class _Parser:
    """Reads a formula from left to right, one method for each level of operators."""

    def __init__(self, text: str, where: str | None) -> None:
        self.text, self.where = text, where
        self.tokens: list[tuple[int, str, Region | float | None]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                self._fail(place + len(text[place:]) - len(text[place:].lstrip()))
            value: Region | float | None = None
            if found["region"]:
                number = WHOLE if found["number"] == "*" else int(found["number"])
                value = Region(number, found["condition"].strip())
            elif found["value"]:
                value = float(found["value"])
            self.tokens.append((found.start(found.lastgroup or 0), found["sign"] or "", value))
            place = found.end()
        self.next = 0

    def whole(self) -> _Node:
        """Read the whole formula."""
        found = self._joined()
        if self.next < len(self.tokens):
            self._fail(self.tokens[self.next][0])
        return found

    def _joined(self) -> _Node:
        found, first = self._compared(), ""
        while sign := self._take(_JOINING):
            if first and sign != first:
                what = f"the formula {self.text!r} mixes & and | without brackets"
                raise StructprobeError(what, where=self.where, hint="write [A & B] | C")
            first, place = sign, self.next - 1
            right = self._compared()
            self._check(place, found, right, truth=True)
            found = _Operation(sign, found, right)
        return found

    def _compared(self) -> _Node:
        found = self._sum()
        if sign := self._take(_COMPARING):
            place = self.next - 1
            right = self._sum()
            self._check(place, found, right, truth=False)
            found = _Operation(sign, found, right)
            if self._take(_COMPARING):  # a < b < c means nothing here
                self._fail(self.tokens[self.next - 1][0])
        return found

    def _sum(self) -> _Node:
        found = self._product()
        while sign := self._take("+-"):
            place = self.next - 1
            right = self._product()
            self._check(place, found, right, truth=False)
            found = _Operation(sign, found, right)
        return found

    def _product(self) -> _Node:
        found = self._one()
        while self._take("*"):
            place = self.next - 1
            right = self._one()
            self._check(place, found, right, truth=False)
            found = _Operation("*", found, right)
        return found

    def _one(self) -> _Node:
        """Read a number, a region, or what stands in brackets."""
        if self._take("-"):
            place = self.next - 1
            found = self._one()
            self._check(place, 0.0, found, truth=False)
            return _Operation("-", 0.0, found)
        if opened := self._take("(["):
            found = self._joined()
            if not self._take(_CLOSING[opened]):
                self._fail(self._place())
            return found
        if self.next == len(self.tokens) or self.tokens[self.next][2] is None:
            self._fail(self._place())
        value = self.tokens[self.next][2]
        assert value is not None
        self.next += 1
        return value

    def _take(self, signs: str) -> str:
        """Go past the next token if it is one of these signs, and return it."""
        if self.next < len(self.tokens):
            sign = self.tokens[self.next][1]
            if sign and sign in signs:
                self.next += 1
                return sign
        return ""

    def _check(self, token: int, *operands: _Node, truth: bool) -> None:
        """Refuse to add what is true or false, or to join numbers by and."""
        for one in operands:
            if (isinstance(one, _Operation) and one.is_truth) != truth:
                sign = self.tokens[token][1]
                wanted = "comparisons, not numbers" if truth else "numbers, not comparisons"
                what = f"the formula {self.text!r}: {sign!r} stands between {wanted}"
                raise StructprobeError(what, where=self.where, hint="set brackets [ ]")

    def _place(self) -> int:
        return self.tokens[self.next][0] if self.next < len(self.tokens) else len(self.text)

    def _fail(self, place: int) -> NoReturn:
        rest = self.text[place:].strip()
        found = (
            f"unexpected {rest[:12]!r} at character {place + 1}" if rest else "it ends too early"
        )
        hint = "a formula is like (2;%match%) < (2;%mismatch%), with + - * ( ) [ ] < > = & |"
        what = f"the formula {self.text!r} cannot be read: {found}"
        raise StructprobeError(what, where=self.where, hint=hint)

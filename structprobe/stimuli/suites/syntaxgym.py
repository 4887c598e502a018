"""SyntaxGym's test suites: items of conditions in named regions, and predictions over them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from structprobe.errors import StructprobeError
from structprobe.stimuli.suites.formulas import WHOLE, Formula


@dataclass(frozen=True)
class Item:
    """One item of a suite: the same sentence in each condition.

    Attributes
    ----------
    number : int
        The number of the item, as in the file.
    regions : mapping of str to mapping of int to str
        The text of each region by condition and by the number of the region; may be empty.
    """

    number: int
    regions: Mapping[str, Mapping[int, str]]

    def text(self, condition: str) -> str:
        """Join the regions of a condition by single spaces; empty regions are left out.

        Parameters
        ----------
        condition : str
            The name of the condition.

        Returns
        -------
        str
            The sentence.
        """
        return " ".join(word for one in self.regions[condition].values() for word in one.split())

    def spans(self, condition: str) -> dict[int, slice]:
        """Give the words of each region.

        Parameters
        ----------
        condition : str
            The name of the condition.

        Returns
        -------
        dict of int to slice
            The 0-based words of the sentence, split at blanks, by the number of the region.
        """
        found, first = {}, 0
        for number, content in self.regions[condition].items():
            end = first + len(content.split())
            found[number], first = slice(first, end), end
        return found


@dataclass(frozen=True)
class Suite:
    """A SyntaxGym test suite.

    Attributes
    ----------
    name : str
        The name of the suite.
    predictions : tuple of Formula
        What should hold of the surprisals of each item.
    items : tuple of Item
        The items; all have the same conditions, and these the same regions.
    conditions : tuple of str
        The names of the conditions.
    where : str
        The file.
    """

    name: str
    predictions: tuple[Formula, ...]
    items: tuple[Item, ...]
    conditions: tuple[str, ...]
    where: str


def read_syntaxgym(text: str, where: str) -> Suite:
    """Read the JSON of a suite, and check that its words align and its formulas name regions."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise StructprobeError(f"not valid JSON: {fault}", where=where) from fault
    if not isinstance(told, dict) or not {"items", "predictions"} <= told.keys():
        what = "not a SyntaxGym suite: no 'items' and 'predictions'"
        raise StructprobeError(what, where=where, hint="pairs go one a line into a .jsonl file")
    given = told.get("meta")
    meta: dict[str, Any] = given if isinstance(given, dict) else {}
    metric = meta.get("metric", "sum")
    if metric != "sum":
        what = f"the metric of the suite is {metric!r}"
        hint = "only sums over a region are computed; set it to 'sum'"
        raise StructprobeError(what, where=where, hint=hint)
    given = told["items"]
    if not isinstance(given, list) or not given:
        raise StructprobeError("the suite has no items", where=where)
    items = [_item(one, place, where) for place, one in enumerate(given, 1)]
    if len(numbers := {one.number for one in items}) < len(items):
        double = next(n for n in sorted(numbers) if sum(one.number == n for one in items) > 1)
        raise StructprobeError(f"two items have the number {double}", where=where)
    first = items[0]
    regions = _aligned(first, where)
    for item in items[1:]:
        if set(item.regions) != set(first.regions):
            what = f"has the conditions {_listed(item.regions)}, but item {first.number} has "
            _misaligned(item, f"{what}{_listed(first.regions)}", where)
        if _aligned(item, where) != regions:
            what = f"has the regions {_listed(_aligned(item, where))}, but item {first.number} has "
            _misaligned(item, f"{what}{_listed(regions)}", where)
    predictions = _predictions(told["predictions"], where)
    for number, formula in enumerate(predictions, 1):
        _check_names(formula, f"{where}: prediction {number}", list(first.regions), regions)
    name = meta.get("name")
    stem = where.replace("\\", "/").rpartition("/")[2].removesuffix(".json")
    named = name if isinstance(name, str) and name.strip() else stem
    return Suite(named, predictions, tuple(items), tuple(first.regions), where)


def _predictions(given: Any, where: str) -> tuple[Formula, ...]:
    if not isinstance(given, list) or not given:
        raise StructprobeError("the suite has no predictions", where=where)
    found = []
    for number, one in enumerate(given, 1):
        place = f"{where}: prediction {number}"
        formula = one.get("formula") if isinstance(one, dict) else None
        if not isinstance(formula, str):
            raise StructprobeError("has no formula", where=place)
        found.append(Formula.parse(formula, where=place))
    return tuple(found)


def _check_names(formula: Formula, where: str, conditions: list[str], regions: list[int]) -> None:
    """Refuse a formula that names what no item has."""
    for region in formula.regions:
        if region.condition not in conditions:
            what = f"the formula names the condition {region.condition!r}, which no item has"
            hint = f"conditions: {_listed(conditions)}"
            raise StructprobeError(what, where=where, hint=hint)
        if region.number is not WHOLE and region.number not in regions:
            what = f"the formula names region {region.number}, which no item has"
            raise StructprobeError(what, where=where, hint=f"regions: {_listed(regions)}")


def _item(given: Any, place: int, where: str) -> Item:
    """Read an item, which is called by its number in the file or else by its place."""
    number = given.get("item_number", place) if isinstance(given, dict) else place
    told = f"{where}: item {number}"
    conditions = given.get("conditions") if isinstance(given, dict) else None
    if not isinstance(number, int) or not isinstance(conditions, list) or not conditions:
        raise StructprobeError("has no list of conditions, or no number", where=told)
    found: dict[str, dict[int, str]] = {}
    for one in conditions:
        name = one.get("condition_name") if isinstance(one, dict) else None
        regions = one.get("regions") if isinstance(one, dict) else None
        if not isinstance(name, str) or not isinstance(regions, list) or not regions:
            raise StructprobeError("a condition has no name or no regions", where=told)
        if name in found:
            raise StructprobeError(f"has the condition {name!r} twice", where=told)
        found[name] = _regions(regions, f"{told}: condition {name!r}")
    item = Item(number, found)
    for name in found:
        if not item.text(name):
            raise StructprobeError("has no words", where=f"{told}: condition {name!r}")
    return item


def _regions(given: list[Any], where: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for one in given:
        number = one.get("region_number") if isinstance(one, dict) else None
        content = one.get("content") if isinstance(one, dict) else None
        if isinstance(number, str) and number.isdecimal():
            number = int(number)
        if not isinstance(number, int) or not isinstance(content, str):
            raise StructprobeError("a region has no region_number or no content", where=where)
        if number in found:
            raise StructprobeError(f"has region {number} twice", where=where)
        found[number] = content
    return found


def _aligned(item: Item, where: str) -> list[int]:
    """Give the numbers of an item's regions, which all of its conditions share."""
    (first, regions), *others = item.regions.items()
    for name, own in others:
        if list(own) != list(regions):
            what = f"condition {name!r} has the regions {_listed(own)}, but {first!r} has "
            _misaligned(item, f"{what}{_listed(regions)}", where)
    return list(regions)


def _misaligned(item: Item, what: str, where: str) -> NoReturn:
    hint = "all conditions of a suite need the same regions, some of which may be empty"
    raise StructprobeError(what, where=f"{where}: item {item.number}", hint=hint)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))

"""A small subset of the patterns of Grew-match: nodes with features, labelled edges, order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from structprobe.errors import StructprobeError

COLUMNS = ("form", "lemma", "upos", "xpos")  # all other features are those of FEATS

_NAME = r"[A-Za-z_]\w*"
_NODE = re.compile(rf"({_NAME})\s*\[(.*)\]", re.DOTALL)
_EDGE = re.compile(rf"({_NAME})\s*(?:-\[(.*?)\]->|->)\s*({_NAME})", re.DOTALL)
_ORDER = re.compile(rf"({_NAME})\s*(<<|>>|<|>)\s*({_NAME})")
_FEATURE = re.compile(r"(!?)\s*([A-Za-z_][\w\[\]]*)\s*(?:(<>|=)\s*(.*))?", re.DOTALL)
_LABEL = re.compile(r"[\w:]+")
_WHOLE = re.compile(r'\s*pattern\s*\{((?:"[^"]*"|[^{}"])*)\}\s*')
_QUOTED = re.compile(r'"([^"]+)"')
_BARE = re.compile(r"[^\s\"*\[\]{}()/=<>!]+")
_HOW = "write 'N [upos=NOUN]', 'V -[nsubj]-> N', 'N < V' or 'N << V', separated by ';'"


@dataclass(frozen=True)
class Feature:
    """What a node must be like in one feature."""

    name: str
    values: frozenset[str] | None  # None for any value
    negated: bool = False  # Other values than these; without values: no value


@dataclass(frozen=True)
class Edge:
    """An arc from a head to a dependent."""

    head: str
    dependent: str
    labels: frozenset[str] | None = None  # None for any relation
    main: bool = False  # Whether labels are compared without their subtypes

    def takes(self, label: str) -> bool:
        """Decide whether a relation has one of the labels."""
        own = label.partition(":")[0] if self.main else label
        return self.labels is None or own in self.labels


@dataclass(frozen=True)
class Order:
    """One word before another, or right before it."""

    first: str
    second: str
    adjacent: bool


@dataclass
class Pattern:
    """A parsed pattern."""

    text: str
    nodes: dict[str, list[Feature]] = field(default_factory=dict)  # In order of appearance
    edges: list[Edge] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)


def parse_pattern(text: str) -> Pattern:
    """Parse a pattern; errors give the character, counted from 1."""
    if not isinstance(text, str):
        raise StructprobeError(f"the pattern is {text!r}, not a string", hint=_HOW)
    pattern = Pattern(" ".join(text.split()))
    whole = _WHOLE.fullmatch(text)
    begin, end = whole.span(1) if whole else (0, len(text))
    for clause, place in _split(text[begin:end], ";", begin):
        if clause:
            _parse_clause(pattern, text, clause, place)
    if not pattern.nodes:
        raise StructprobeError(f"the pattern {text!r} is empty", hint=_HOW)
    return pattern


def _split(text: str, sign: str, begin: int) -> Iterator[tuple[str, int]]:
    """Split at a sign outside quotation marks; give each part, stripped, with its place."""
    start, quoted = 0, False
    for place, letter in enumerate(f"{text}{sign}"):
        quoted ^= letter == '"'
        if (letter == sign and not quoted) or place == len(text):
            part = text[start:place]
            yield part.strip(), begin + start + len(part) - len(part.lstrip())
            start = place + 1


def _parse_clause(pattern: Pattern, text: str, clause: str, place: int) -> None:
    """Add one clause to a pattern."""
    if clause.count('"') % 2:
        _refuse(text, place + clause.rindex('"'), clause, "close the quotation marks")
    if node := _NODE.fullmatch(clause):
        features = pattern.nodes.setdefault(node[1], [])
        if node[2].strip():
            items = _split(node[2], ",", place + node.start(2))
            features += [_feature(text, item, start) for item, start in items]
    elif edge := _EDGE.fullmatch(clause):
        head, label, dependent = edge.groups()
        labels = None if label is None else _labels(text, label, place + edge.start(2))
        main = label is not None and label.lstrip().startswith("1=")
        pattern.edges.append(Edge(head, dependent, labels, main))
        _add_nodes(pattern, (head, dependent), partial(_refuse, text, place, clause))
    elif order := _ORDER.fullmatch(clause):
        first, sign, second = order.groups()
        _add_nodes(pattern, (first, second), partial(_refuse, text, place, clause))
        if ">" in sign:
            first, second = second, first
        pattern.orders.append(Order(first, second, len(sign) == 1))
    else:
        _refuse(text, place, clause, _HOW)


def _add_nodes(pattern: Pattern, names: tuple[str, str], refuse: partial[NoReturn]) -> None:
    """Add the nodes of an edge or an order, of which nothing else may be said."""
    if names[0] == names[1]:
        refuse("name two different nodes")
    for name in names:
        pattern.nodes.setdefault(name, [])


def _feature(text: str, item: str, place: int) -> Feature:
    """Parse what a node must be like, such as ``upos=NOUN|PROPN``."""
    found = _FEATURE.fullmatch(item)
    hint = "write 'upos=NOUN|PROPN', 'upos<>VERB', 'Number' or '!Number', separated by ','"
    if not found or (found[1] and found[3]):
        _refuse(text, place, item, hint)
    name = found[2]
    if name.lower() in COLUMNS and name not in COLUMNS:
        _refuse(text, place, item, f"write {name.lower()!r} in lower case")
    if found[3] is None:
        return Feature(name, None, bool(found[1]))
    values = []
    for value, _ in _split(found[4], "|", 0):
        quoted = _QUOTED.fullmatch(value)
        if not quoted and not _BARE.fullmatch(value):
            hint = "write values as they are, or quote them; regular expressions are not supported"
            _refuse(text, place, item, hint)
        values.append(quoted[1] if quoted else value)
    return Feature(name, frozenset(values), found[3] == "<>")


def _labels(text: str, label: str, place: int) -> frozenset[str]:
    """Parse the relations of an edge: ``nsubj|csubj``, or ``1=nsubj`` with all its subtypes."""
    names = label.strip().removeprefix("1=").split("|")
    for name in names:
        if not _LABEL.fullmatch(name.strip()):
            hint = "write 'nsubj', 'nsubj|csubj', or '1=nsubj' for all its subtypes too"
            _refuse(text, place, label, hint)
    return frozenset(name.strip() for name in names)


def _refuse(text: str, place: int, part: str, hint: str) -> NoReturn:
    """Refuse a part of a pattern."""
    where = f"pattern {text!r}, character {place + 1}"
    raise StructprobeError(f"cannot read {part.strip()!r}", where=where, hint=hint)

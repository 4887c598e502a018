"""`find_matches`: the words of a treebank that match a pattern, as stimuli."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NoReturn

from structprobe.errors import StructprobeError, counted
from structprobe.stimuli.patterns import Edge, Feature, Order, Pattern, parse_pattern
from structprobe.stimuli.stimulus import Stimulus
from structprobe.treebank.conllu_format import COLUMNS as TEN
from structprobe.treebank.sentence import Sentence


def find_matches(
    treebank: Iterable[Sentence], pattern: str, *, pair: tuple[str, str] | None = None
) -> list[Stimulus]:
    """Find the words of a treebank that match a pattern, as stimuli for `score_stimuli`.

    Patterns are a subset of those of Grew-match (Guillaume 2021, Graph Matching and Graph
    Rewriting: GREW tools for corpus exploration, maintenance and conversion): clauses separated by
    ``;``, with or without ``pattern { }`` around them. Different nodes match different words.

    - ``N [upos=NOUN|PROPN, Number=Plur]``: a node with features: ``form``, ``lemma``, ``upos``,
      ``xpos`` and the features of FEATS. Also ``upos<>VERB`` (any other value), ``Number`` (any
      value) and ``!Number`` (no value); ``N []`` is any word. Values with special characters are
      quoted: ``form="("``.
    - ``V -[nsubj]-> N``: an edge from head to dependent with exactly this relation (not
      ``nsubj:pass``); ``-[nsubj|obj]->`` for either relation, ``-[1=nsubj]->`` for all subtypes,
      ``->`` for any relation.
    - ``N < V``: `N` immediately before `V`; ``N << V``: `N` anywhere before `V`. Also ``>`` and
      ``>>``.

    Parameters
    ----------
    treebank : iterable of Sentence
        Sentences with trees.
    pattern : str
        The pattern.
    pair : tuple of two str, optional
        The nodes whose edge and distance are scored; by default the head and dependent of the first
        edge of the pattern, or else its first two nodes.

    Returns
    -------
    list of Stimulus
        One per match, in order, with the pattern as `condition` and the nodes as named `words`.
        Matches have no `item`.

    Raises
    ------
    StructprobeError
        If the pattern is invalid (the message gives the character), `pair` does not name two of its
        nodes, a sentence has no tree or lacks a column that the pattern needs, or nothing matches.
    """
    parsed = parse_pattern(pattern)
    chosen = pair or _pair(parsed)
    found = []
    n = 0
    for sentence in treebank:
        if not isinstance(sentence, Sentence):
            what = f"sentence {n} of the treebank is a {type(sentence).__name__}, not a Sentence"
            raise StructprobeError(what, hint="pass a Treebank")
        n += 1
        for words in _matches(parsed, sentence):
            found.append(Stimulus(sentence, parsed.text, words=words, pair=chosen))
    if not found:
        what = f"the pattern {parsed.text!r} matches nothing in {counted(n, 'sentence')}"
        raise StructprobeError(what, hint="check its features and relations against the treebank")
    return found


def _pair(pattern: Pattern) -> tuple[str, str] | None:
    """Choose the nodes that are scored."""
    if pattern.edges:
        return pattern.edges[0].head, pattern.edges[0].dependent
    first = tuple(pattern.nodes)[:2]
    return (first[0], first[1]) if len(first) == 2 else None


def _matches(pattern: Pattern, sentence: Sentence) -> list[dict[str, int]]:
    """List the matches in one sentence, in the order of the words."""
    if sentence.heads is None:
        what = "the sentence has no tree"
        raise StructprobeError(what, where=sentence.where, hint="use an annotated treebank")
    if sentence.deprels is None and any(edge.labels for edge in pattern.edges):
        _lacks(sentence, "DEPREL")
    candidates = {name: _candidates(features, sentence) for name, features in pattern.nodes.items()}
    if not all(candidates.values()):
        return []
    found = _extend(pattern, sentence, candidates, {})
    return sorted(
        ({name: words[name] for name in pattern.nodes} for words in found),
        key=lambda words: tuple(words.values()),
    )


def _candidates(features: list[Feature], sentence: Sentence) -> list[int]:
    """List the words, from 1, that have all the features of a node."""
    places = list(range(1, len(sentence) + 1))
    for feature in features:
        values = _values(sentence, feature.name)
        places = [place for place in places if _has(values[place - 1], feature)]
    return places


def _has(value: str | None, feature: Feature) -> bool:
    """Decide whether the value of a word, None for none, is what a node asks for."""
    if feature.values is None:
        return (value is None) == feature.negated
    # As in Grew, another value is a value: a word without one does not have it.
    return value is not None and (value in feature.values) != feature.negated


def _values(sentence: Sentence, name: str) -> list[str | None]:
    """Look up a feature of all words."""
    # A sentence keeps its other columns only in the lines that it was read from.
    if name == "form":
        return list(sentence.words)
    if name in ("upos", "xpos"):
        tags: tuple[str, ...] | None = getattr(sentence, name)
        if tags is None:
            _lacks(sentence, name.upper())
        return [None if tag == "_" else tag for tag in tags]
    column = "LEMMA" if name == "lemma" else "FEATS"
    names = sentence.columns or TEN
    if not sentence.raw_lines or column not in names:
        _lacks(sentence, column)
    lines = (sentence.raw_lines[row].rstrip("\r\n") for row in sentence.rows)
    cells = [line.split("\t")[names.index(column)] for line in lines]
    if name == "lemma":
        return [None if cell == "_" else cell for cell in cells]
    return [dict(one.split("=", 1) for one in cell.split("|") if "=" in one).get(name)
            for cell in cells]  # fmt: skip


def _lacks(sentence: Sentence, column: str) -> NoReturn:
    what = f"the pattern asks for {column}, which the sentence lacks"
    hint = "read it from a CoNLL-U file with that column"
    raise StructprobeError(what, where=sentence.where, hint=hint)


def _extend(
    pattern: Pattern, sentence: Sentence, candidates: dict[str, list[int]], bound: dict[str, int]
) -> Iterator[dict[str, int]]:
    """Bind the remaining nodes to words in all ways that hold."""
    left = [name for name in pattern.nodes if name not in bound]
    if not left:
        yield bound
        return
    # Next a node with an edge to a bound one, of which few words are left.
    joined = {end for edge in pattern.edges for end in (edge.head, edge.dependent)
              if {edge.head, edge.dependent} & bound.keys()}  # fmt: skip
    name = min(left, key=lambda one: (one not in joined, len(candidates[one])))
    taken = set(bound.values())
    for place in candidates[name]:
        words = bound | {name: place}
        if place not in taken and _holds(pattern, sentence, words, name):
            yield from _extend(pattern, sentence, candidates, words)


def _holds(pattern: Pattern, sentence: Sentence, words: dict[str, int], name: str) -> bool:
    """Decide whether all that the pattern says of a node and other bound ones is true."""
    for edge in pattern.edges:
        ends = (edge.head, edge.dependent)
        if name in ends and words.keys() >= set(ends) and not _is_edge(sentence, words, edge):
            return False
    for order in pattern.orders:
        ends = (order.first, order.second)
        if name in ends and words.keys() >= set(ends) and not _in_order(words, order):
            return False
    return True


def _is_edge(sentence: Sentence, words: dict[str, int], edge: Edge) -> bool:
    place = words[edge.dependent] - 1
    assert sentence.heads is not None  # checked before
    label = "" if sentence.deprels is None else sentence.deprels[place]
    return int(sentence.heads[place]) == words[edge.head] and edge.takes(label)


def _in_order(words: dict[str, int], order: Order) -> bool:
    gap = words[order.second] - words[order.first]
    return gap == 1 if order.adjacent else gap > 0

"""Trees in the formats of other libraries: networkx and displaCy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from numpy.typing import ArrayLike

from structprobe.draw.arcs import Arc, Tree, compare
from structprobe.draw.word_display import is_right_to_left, visible

if TYPE_CHECKING:
    import networkx


def to_networkx(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    *,
    deprels: Sequence[str] | None = None,
    distances: ArrayLike | None = None,
) -> networkx.DiGraph:
    """Convert a tree, or a gold and a recovered tree together, to a directed graph.

    Parameters
    ----------
    words : sequence of str, length n
        The words.
    heads : array_like of int, shape (n,)
        The head of each word, 1-based, 0 for the root.
    pred_heads : array_like of int, shape (n,), optional
        The recovered heads.
    deprels : sequence of str, length n, optional
        The relation of each word to its head in `heads`.
    distances : array_like of float, shape (n, n), optional
        Predicted distances between words.

    Returns
    -------
    networkx.DiGraph
        An arc from each head to each of its dependents. Nodes are 1-based word numbers, as in
        CoNLL-U, with ``word`` and ``root`` (whether it is the root, of the recovered tree if
        given); ``graph.graph["root"]`` is the root's number. Arcs have ``deprel`` and ``distance``,
        as far as known. With two trees, the graph has the arcs of both, with ``gold`` and
        ``recovered`` (whether that tree has the arc) and ``status``: "right" if both trees connect
        the two words (ignoring direction, as in UUAS), else "missed" or "wrong".

    Raises
    ------
    TreeError
        If the heads are not a tree, or `heads` or `distances` do not match the words.

    Examples
    --------
    >>> graph = to_networkx(["dogs", "ran", "fast"], [2, 0, 2], [2, 0, 1])
    >>> sorted(graph.edges(data="status"))
    [(1, 3, 'wrong'), (2, 1, 'right'), (2, 3, 'missed')]
    """
    import networkx

    _, gold, pred = compare(words, heads, pred_heads, distances)
    root = (pred or gold).root
    graph = networkx.DiGraph(root=root + 1)
    for index, word in enumerate(words):
        graph.add_node(index + 1, word=word, root=index == root)
    for arc in gold.arcs:
        deprel = {} if deprels is None else {"deprel": deprels[arc.dependent]}
        graph.add_edge(*_numbers(arc), **deprel, **_distance(arc))
        if pred:
            status = "right" if arc.shared else "missed"
            graph.edges[_numbers(arc)].update(gold=True, recovered=False, status=status)
    for arc in pred.arcs if pred else ():
        both = graph.has_edge(*_numbers(arc))
        told = {"gold": both, "recovered": True, "status": "right" if arc.shared else "wrong"}
        graph.add_edge(*_numbers(arc), **told, **_distance(arc))
    return graph


def to_displacy(
    words: Sequence[str],
    heads: ArrayLike,
    *,
    deprels: Sequence[str] | None = None,
    upos: Sequence[str] | None = None,
    distances: ArrayLike | None = None,
    direction: str = "auto",
) -> dict[str, Any]:
    """Convert a tree for ``spacy.displacy.render(..., style="dep", manual=True)``.

    Parameters
    ----------
    words : sequence of str, length n
        The words. Invisible characters are shown escaped.
    heads : array_like of int, shape (n,)
        The head of each word, 1-based, 0 for the root.
    deprels, upos : sequence of str, length n, optional
        Labels of the arcs and words; escaped, since displaCy only escapes words.
    distances : array_like of float, shape (n, n), optional
        Distances between words, shown on the arcs after the relation.
    direction : {"auto", "ltr", "rtl"}
        Direction of the words, as for `draw_text`.

    Returns
    -------
    dict
        ``words`` (each with ``text`` and ``tag``), ``arcs`` (each with 0-based ``start`` < ``end``,
        ``label``, and ``dir``, which is "left" if the head is at the end) and ``settings`` with
        the ``direction``. All values can be written to JSON.

    Raises
    ------
    TreeError
        If the heads are not a tree, `heads` or `distances` do not match the words, or the direction
        is unknown.

    Examples
    --------
    >>> to_displacy(["dogs", "ran"], [2, 0], deprels=["nsubj", "root"])["arcs"]
    [{'start': 0, 'end': 1, 'label': 'nsubj', 'dir': 'left'}]
    """
    shown, tree, _ = compare(words, heads, None, distances)
    to_left = is_right_to_left(shown, direction)
    tags = [""] * len(shown) if upos is None else map(_escaped, upos)
    return {
        "words": [{"text": word, "tag": tag} for word, tag in zip(shown, tags, strict=True)],
        "arcs": _displacy_arcs(tree, deprels),
        "settings": {"direction": "rtl" if to_left else "ltr"},
    }


def _displacy_arcs(tree: Tree, deprels: Sequence[str] | None) -> list[dict[str, Any]]:
    """List the arcs with their labels."""
    return [
        {
            "start": min(arc.head, arc.dependent),
            "end": max(arc.head, arc.dependent),
            "label": " ".join(
                filter(
                    None, ("" if deprels is None else _escaped(deprels[arc.dependent]), arc.label)
                )
            ),
            "dir": "left" if arc.dependent < arc.head else "right",
        }
        for arc in tree.arcs
    ]


def _escaped(text: str) -> str:
    """Escape a text for markup."""
    return escape(visible(text))


def _numbers(arc: Arc) -> tuple[int, int]:
    """Return head and dependent, 1-based."""
    return arc.head + 1, arc.dependent + 1


def _distance(arc: Arc) -> dict[str, float]:
    """Return the distance as an attribute, if there is one."""
    return {} if arc.distance is None else {"distance": arc.distance}

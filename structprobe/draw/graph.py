"""Trees in the formats of other libraries: networkx and displaCy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from numpy.typing import ArrayLike

from structprobe.draw.arcs import compare
from structprobe.draw.word_display import is_right_to_left, visible

if TYPE_CHECKING:
    import networkx


def to_networkx(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    *,
    deprels: Sequence[str] | None = None,
    pred_deprels: Sequence[str] | None = None,
    distances: ArrayLike | None = None,
) -> networkx.DiGraph:
    """Convert a tree, or a gold and a recovered tree together, to a directed graph.

    Parameters
    ----------
    words, heads, pred_heads, deprels, pred_deprels, distances
        As for `draw_text`.

    Returns
    -------
    networkx.DiGraph
        Arcs from heads to dependents, with ``deprel`` (in `deprels`), ``pred_deprel`` (in
        `pred_deprels`) and ``distance`` as far as known. Nodes are 1-based word numbers, with
        ``word`` and ``root`` (whether it is the root, of the recovered tree if given);
        ``graph.graph["root"]`` is the root's number. With two trees, the graph has the arcs of
        both, with ``gold`` and ``recovered`` (whether that tree has the arc) and
        ``status``: "right" if both trees connect the two words (ignoring direction, as in UUAS),
        else "missed" or "wrong".

    Raises
    ------
    TreeError
        As for `draw_text`.

    Examples
    --------
    >>> graph = to_networkx(["dogs", "ran", "fast"], [2, 0, 2], [2, 0, 1])
    >>> sorted(graph.edges(data="status"))
    [(1, 3, 'wrong'), (2, 1, 'right'), (2, 3, 'missed')]
    """
    import networkx

    _, gold, pred = compare(words, heads, pred_heads, distances, deprels, pred_deprels)
    root = (pred or gold).root
    graph = networkx.DiGraph(root=root + 1)
    for index, word in enumerate(words):
        graph.add_node(index + 1, word=word, root=index == root)
    sides = (gold, "missed", "deprel", deprels), (pred, "wrong", "pred_deprel", pred_deprels)
    for tree, other, name, relations in sides:
        for arc in tree.arcs if tree else ():
            ends = arc.head + 1, arc.dependent + 1
            told: dict[str, Any] = {} if arc.distance is None else {"distance": arc.distance}
            if relations is not None:
                told[name] = relations[arc.dependent]
            if pred:
                told["gold"] = tree is gold or graph.has_edge(*ends)
                told |= {"recovered": tree is pred, "status": "right" if arc.shared else other}
            graph.add_edge(*ends, **told)
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
    words, heads
        As for `draw_text`.
    deprels, upos : sequence of str, length n, optional
        Labels of the arcs and words; escaped, since displaCy only escapes words.
    distances, direction
        As for `draw_text`; distances are shown after the relation.

    Returns
    -------
    dict
        ``words`` (each with ``text`` and ``tag``), ``arcs`` (each with 0-based ``start`` < ``end``,
        ``label``, and ``dir``, which is "left" if the head is at the end) and ``settings`` with
        the ``direction``. All values can be written to JSON.

    Raises
    ------
    TreeError
        As for `draw_text`.

    Examples
    --------
    >>> to_displacy(["dogs", "ran"], [2, 0], deprels=["nsubj", "root"])["arcs"]
    [{'start': 0, 'end': 1, 'label': 'nsubj', 'dir': 'left'}]
    """
    shown, tree, _ = compare(words, heads, None, distances, deprels)
    to_left = is_right_to_left(shown, direction)
    nothing = [""] * len(shown)
    tags = nothing if upos is None else [escape(visible(tag)) for tag in upos]
    return {
        "words": [{"text": word, "tag": tag} for word, tag in zip(shown, tags, strict=True)],
        "arcs": [
            {
                "start": min(arc.head, arc.dependent),
                "end": max(arc.head, arc.dependent),
                "label": escape(arc.label),
                "dir": "left" if arc.dependent < arc.head else "right",
            }
            for arc in tree.arcs
        ],
        "settings": {"direction": "rtl" if to_left else "ltr"},
    }

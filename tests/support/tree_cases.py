"""Trees for tests: all of them, random ones, and slow, obvious computations on them."""

from __future__ import annotations

from functools import cache

import networkx as nx
import numpy as np
from hypothesis import strategies as st


@cache
def all_trees(n: int) -> np.ndarray:
    """Heads (trees, n) of all rooted trees over n words, n ** (n - 1) of them, sorted."""
    heads = np.stack(np.meshgrid(*[np.arange(n + 1)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    heads = heads[(heads == 0).sum(axis=1) == 1]
    above = np.pad(heads, ((0, 0), (1, 0)))  # node 0 is above the root and its own head
    reached = above
    for _ in range(n):
        reached = np.take_along_axis(above, reached, axis=1)
    return heads[(reached == 0).all(axis=1)]


# A gold and a recovered tree with relations: of 7 edges in both, "mark" and "obl" are wrong; "acl"
# differs in its subtype alone, and the second "amod" is on another edge.
LABELLED = {
    "words": ["The", "dog", "that", "chased", "the", "black", "cat", "ran", "away", "."],
    "heads": [2, 8, 4, 2, 7, 7, 4, 0, 8, 8],
    "pred_heads": [2, 8, 4, 2, 6, 7, 4, 0, 8, 9],
    "deprels": [
        *("det", "nsubj", "nsubj", "acl:relcl", "det", "amod", "obj", "root", "advmod", "punct")
    ],
    "pred_deprels": [
        *("det", "nsubj", "mark", "acl", "amod", "amod", "obj", "root", "obl", "punct")
    ],
}


def is_projective(heads: np.ndarray) -> bool:
    """Whether no two arcs cross, the root's arc included, by looking at every pair."""
    arcs = [tuple(sorted((word, head))) for word, head in enumerate(heads, 1)]
    return not any(a < c < b < d for a, b in arcs for c, d in arcs)


@cache
def projective_trees(n: int) -> np.ndarray:
    """The projective ones of `all_trees`."""
    return np.array([heads for heads in all_trees(n) if is_projective(heads)])


def walked_distances(heads) -> np.ndarray:
    """Distances by walking from word to word, with networkx."""
    graph = nx.Graph()
    graph.add_nodes_from(range(1, len(heads) + 1))
    graph.add_edges_from((word, head) for word, head in enumerate(heads, 1) if head)
    paths = dict(nx.all_pairs_shortest_path_length(graph))
    return np.array([[paths[i][j] for j in sorted(graph)] for i in sorted(graph)])


@st.composite
def trees(draw, min_size: int = 1, max_size: int = 12) -> list[int]:
    """Heads of any tree: a random order of words, each hung on an earlier one."""
    n = draw(st.integers(min_size, max_size))
    order = draw(st.permutations(range(1, n + 1)))
    heads = [0] * n
    for place in range(1, n):
        heads[order[place] - 1] = order[draw(st.integers(0, place - 1))]
    return heads

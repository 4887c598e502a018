"""Where a word stands in its sentence: its role under five schemes.

Those of McCoy et al. 2019, RNNs Implicitly Implement Tensor Product Representations, where trees
are binary, and the role of a word is its path of left and right moves from the root. A dependency
tree is not binary: here, a move goes from a head to its dependent, and has a side and the
dependent's place on that side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from structprobe.trees.gold import tree_depths

Roles = Sequence[Hashable]


def left_to_right(heads: ArrayLike) -> Roles:
    """Count the words from the start of the sentence.

    >>> left_to_right([2, 0, 2])
    [0, 1, 2]
    """
    return list(range(np.size(heads)))


def right_to_left(heads: ArrayLike) -> Roles:
    """Count the words from the end of the sentence.

    >>> right_to_left([2, 0, 2])
    [2, 1, 0]
    """
    return list(range(np.size(heads)))[::-1]


def bidirectional(heads: ArrayLike) -> Roles:
    """Count the words from both ends of the sentence.

    >>> bidirectional([2, 0, 2])
    [(0, 2), (1, 1), (2, 0)]
    """
    return list(zip(left_to_right(heads), right_to_left(heads), strict=True))


def tree_positions(heads: ArrayLike) -> Roles:
    """Give the path from the root: for each move, the dependent's place, counted from its head.

    Places to the left of the head are negative: -1 and 1 are the nearest dependents.

    >>> tree_positions([3, 3, 0, 5, 3])  # the big dog chased cats, say
    [(-2,), (-1,), (), (1, -1), (1,)]
    """
    depths = tree_depths(heads)  # also checks that they are a tree
    above = (np.asarray(heads) - 1).tolist()
    n, place = len(above), [0] * len(above)
    for side, order in ((1, range(n)), (-1, range(n)[::-1])):  # outwards from each head
        count: Counter[int] = Counter()
        for word in order:
            head = above[word]
            if head >= 0 and (word - head) * side > 0:
                count[head] += 1
                place[word] = side * count[head]
    paths: list[tuple[int, ...]] = [()] * n
    for word in np.argsort(depths, kind="stable").tolist()[1:]:  # heads before dependents
        paths[word] = (*paths[above[word]], place[word])
    return paths


def bag_of_words(heads: ArrayLike) -> Roles:
    """Give all words the same role.

    >>> bag_of_words([2, 0, 2])
    [0, 0, 0]
    """
    return [0] * np.size(heads)


ROLE_SCHEMES: Mapping[str, Callable[[ArrayLike], Roles]] = MappingProxyType(
    {
        "left-to-right": left_to_right,
        "right-to-left": right_to_left,
        "bidirectional": bidirectional,
        "tree": tree_positions,
        "bag-of-words": bag_of_words,
    }
)

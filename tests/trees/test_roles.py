"""The roles of words under five schemes, against slow definitions."""

from __future__ import annotations

import numpy as np
import pytest

from structprobe.errors import TreeError
from structprobe.recoverers.random_tree import random_heads
from structprobe.trees.roles import ROLE_SCHEMES, tree_positions


def slow_path(heads: list[int], word: int) -> tuple[int, ...]:
    """Walk up from a word, 1-based, counting siblings between it and each head."""
    head = heads[word - 1]
    if head == 0:
        return ()
    between = range(min(word, head), max(word, head) + 1)
    place = sum(heads[other - 1] == head for other in between)
    return (*slow_path(heads, head), place if word > head else -place)


def test_tree_positions_are_those_of_a_slow_walk_and_differ_within_a_sentence() -> None:
    generator = np.random.default_rng(0)
    for n in [1, 2, 3, *generator.integers(4, 15, size=40)]:
        heads = random_heads(int(n), generator)
        found = tree_positions(heads)
        assert found == [slow_path(heads.tolist(), word) for word in range(1, len(heads) + 1)]
        assert len({*found}) == len(heads)


def test_every_scheme_gives_a_role_to_every_word() -> None:
    for name, roles_of in ROLE_SCHEMES.items():
        roles = roles_of([2, 0, 4, 2])
        assert len(roles) == 4
        assert len({*roles}) == (1 if name == "bag-of-words" else 4)


def test_what_is_no_tree_has_no_positions() -> None:
    with pytest.raises(TreeError, match="cycle"):
        tree_positions([2, 1, 0])

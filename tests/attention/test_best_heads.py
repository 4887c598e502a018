"""The best head and offset for each relation, from counts made by hand."""

from __future__ import annotations

import numpy as np

from structprobe.attention.relations import (
    LEAST_ARCS,
    OffsetTally,
    RelationScores,
    RelationTally,
    relation_rows,
)

PATTERNS = np.array([["diagonal", "vertical"]])


def scores(total, correct, offsets, times=10):
    """Counts of 1 layer and 2 heads, so many times; `correct` by direction, relation and head."""
    heads, by_offset = (
        RelationTally(["det", "obj", "new"], 1, 2),
        OffsetTally(["det", "obj", "new"]),
    )
    heads.total[:] = np.multiply(total, times)
    heads.correct[:, :, 0] = np.multiply(correct, times)
    for heads_row, relation in offsets * times:
        by_offset.add(np.array([heads_row]), np.array([[relation] * len(heads_row)]))
    return RelationScores(heads, by_offset)


def test_rows():
    # det: +1 once, -1 once; obj: -1 twice; in each part.
    offsets = [([2, 0], 0), ([0, 1], 0), ([0, 1], 1), ([0, 1], 1)]
    choice = scores(
        [4, 2, 2, 0],
        [[[1, 3], [1, 2], [0, 1], [0, 0]], [[2, 2], [0, 0], [2, 2], [0, 0]]],
        offsets,
    )
    told = scores(
        [5, 2, 2, 1],
        [[[3, 2], [2, 2], [1, 0], [0, 1]], [[0, 5], [1, 1], [1, 2], [1, 1]]],
        [*offsets, ([2, 0], 2)],
    )
    rows = relation_rows(choice, told, np.array([1, 1, -1, 0]), PATTERNS)
    keys = ("relation", "direction", "n_arcs", "layer", "head", "pattern", "choice_accuracy",
            "accuracy", "offset", "offset_accuracy", "ahead")  # fmt: skip
    to_head, to_dependent = "dependent to head", "head to dependent"
    assert all(tuple(row) == keys for row in rows)
    assert [tuple(row.values()) for row in rows] == [
        # By +1 1 of 4 in choice, 2 of 5 in told: head 2 is ahead in choice, not in told (0.4).
        ("all", to_head, 50, 1, 2, "vertical", 0.75, 0.4, 1, 0.4, []),
        # Both heads are alike in choice: the first. Head 2 is ahead on both.
        ("all", to_dependent, 50, 1, 1, "diagonal", 0.5, 0.0, 1, 0.4, [[1, 2, 1.0]]),
        ("det", to_head, 20, 1, 2, "vertical", 1.0, 1.0, 1, 0.5, [[1, 2, 1.0]]),
        ("det", to_dependent, 20, 1, 1, "diagonal", 0.0, 0.5, 1, 0.5, []),
        ("obj", to_head, 20, 1, 2, "vertical", 0.5, 0.0, -1, 1.0, []),
        ("obj", to_dependent, 20, 1, 1, "diagonal", 1.0, 0.5, -1, 1.0, []),
        # No such relation in choice, and none that an offset was learnt from.
        ("new", to_head, 10, None, None, None, None, None, None, None, []),
        ("new", to_dependent, 10, None, None, None, None, None, None, None, []),
    ]


def test_the_heads_ahead_are_ordered_by_what_they_were_chosen_by():
    nothing = [[0, 0]] * 3
    choice = scores([10, 0, 0, 0], [[[5, 9], *nothing], [[0, 0], *nothing]], [([3, 0, 2], 0)])
    told = scores([10, 0, 0, 0], [[[8, 6], *nothing], [[0, 0], *nothing]], [([3, 0, 2], 0)])
    row = relation_rows(choice, told, np.array([1, 0, 0, 0]), PATTERNS)[0]
    assert row["ahead"] == [[1, 2, 0.6], [1, 1, 0.8]]
    assert (row["offset"], row["offset_accuracy"]) == (1, 0.0)


def test_no_head_is_ahead_where_there_are_few_arcs():
    right = [[[1, 0], [1, 0], [0, 0], [0, 0]]] * 2
    enough = scores([1, 1, 0, 0], right, [([2, 0], 0)], times=LEAST_ARCS)
    few = scores([1, 1, 0, 0], right, [([2, 0], 0)], times=LEAST_ARCS - 1)
    for choice in (enough, few):  # what counts is the part that is told of
        for told, ahead in ((enough, [[1, 1, 1.0]]), (few, [])):
            rows = relation_rows(choice, told, np.array([-1, -1, 0, 0]), PATTERNS)
            assert [row["relation"] for row in rows] == ["all", "all", "det", "det"]
            assert [row["ahead"] for row in rows] == [ahead] * 4
            assert {row["accuracy"] for row in rows} == {1.0}  # the table keeps them all

"""What heads look at and their patterns: by hand, word by word, and where a rule turns."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from support.attention_cases import random_batch

from structprobe.attention import alignment as attention_alignment
from structprobe.attention import patterns as attention_patterns
from structprobe.attention.patterns import PATTERNS, PatternRules
from structprobe.attention.targets import TARGETS, TargetSums
from structprobe.errors import ScoreError


def add(sums, batch, **more):
    sums.add(
        batch.weights, batch.lengths, special=batch.special, first=batch.first,
        punct=batch.punct, **more,
    )  # fmt: skip


def slow_shares(batch, layer, head, first_is_special):
    """Shares and entropy of one head, word by word."""
    found = {name: [] for name in (*TARGETS, "entropy")}
    for s, length in enumerate(batch.lengths):
        for i in range(length):
            row = batch.weights[s, layer, head, i, :length].astype(float)
            special = float(batch.special[s, layer, head, i])
            near = [j for j in (i - 1, i, i + 1) if 0 <= j < length]
            found["itself"].append(row[i])
            if i > 0:
                found["previous"].append(row[i - 1])
            if i + 1 < length:
                found["next"].append(row[i + 1])
            found["special"].append(special)
            found["first"].append(float(batch.first[s, layer, head, i]))
            found["punct"].append(sum(row[j] for j in range(length) if batch.punct[s, j]))
            found["end"].append(row[-1])
            found["near"].append(sum(row[j] for j in near))
            delimiters = [
                j
                for j in range(length)
                if j not in near and (batch.punct[s, j] or (j == 0 and not first_is_special))
            ]
            found["delimiters"].append(special + sum(row[j] for j in delimiters))
            shares = [share for share in (*row, special) if share > 0]
            found["entropy"].append(-sum(share * np.log(share) for share in shares))
    return {name: np.mean(values) for name, values in found.items()}


@pytest.mark.parametrize("first_is_special", [True, False])
def test_word_by_word(first_is_special):
    batch = random_batch([6, 1, 4, 2, 6])
    whole, parts = (TargetSums(2, 3, first_is_special=first_is_special) for _ in range(2))
    add(whole, batch)
    for which in ([0, 4], [1], [2, 3]):
        add(parts, batch.cut(*which))
    assert list(whole.shares) == list(TARGETS)
    for layer, head in np.ndindex(2, 3):
        slow = slow_shares(batch, layer, head, first_is_special)
        for sums in (whole, parts):
            found = sums.shares | {"entropy": sums.entropy}
            assert {name: found[name][layer, head] for name in slow} == pytest.approx(slow)
    assert whole.own_segment is None


def hand_built():
    """Five words, the last a full stop; heads that look back, at the stop, and all around."""
    n = 5
    weights = np.zeros((1, 1, 4, n, n))
    words = np.arange(1, n)
    weights[0, 0, 0, words, words - 1] = 1
    weights[0, 0, 1, :, n - 1] = 1
    weights[0, 0, 2] = 1 / n
    special = np.zeros((1, 1, 4, n))
    special[0, 0, 0, 0] = special[0, 0, 3] = 1
    punct = np.array([[False] * 4 + [True]])
    return weights, special, punct


def test_hand_built_heads():
    weights, special, punct = hand_built()
    sums = TargetSums(1, 4, first_is_special=True)
    sums.add(weights, np.array([5]), special=special, first=special, punct=punct)
    back, stop, around, nowhere = ({k: v[0, h] for k, v in sums.shares.items()} for h in range(4))
    assert back["previous"] == 1.0
    assert back["special"] == back["first"] == pytest.approx(0.2)
    assert back["near"] == pytest.approx(0.8)
    # The stop looks at itself, the word before it at its neighbour.
    assert (stop["punct"], stop["end"], stop["near"], stop["delimiters"]) == (1, 1, 0.4, 0.6)
    assert (stop["itself"], stop["next"]) == (0.2, 0.25)
    assert around["itself"] == around["previous"] == around["next"] == pytest.approx(0.2)
    assert around["near"] == pytest.approx(13 / 25)
    assert nowhere["special"] == nowhere["delimiters"] == 1
    assert sums.entropy[0] == pytest.approx([0, 0, np.log(5), 0])
    names = PatternRules().name(sums.shares["near"], sums.shares["delimiters"])
    assert names.tolist() == [["diagonal", "vertical+diagonal", "diagonal", "vertical"]]


def test_block_where_there_are_two_segments():
    """Twelve words in two segments: one head stays within, one crosses, one looks at itself."""
    weights = np.zeros((1, 1, 3, 12, 12))
    first = np.arange(12) < 6
    own = first[:, None] == first
    weights[0, 0, 0] = own / 6
    weights[0, 0, 1] = ~own / 6
    weights[0, 0, 2] = np.eye(12)
    sums = TargetSums(1, 3, first_is_special=True)
    nothing = np.zeros((1, 1, 3, 12))
    sums.add(
        weights, np.array([12]), special=nothing, first=nothing,
        punct=np.zeros((1, 12), dtype=bool), segments=1 - first[None].astype(int),
    )  # fmt: skip
    assert sums.own_segment[0] == pytest.approx([1, 0, 1])
    shares = sums.shares["near"], sums.shares["delimiters"]
    assert PatternRules().name(*shares, sums.own_segment).tolist() == [
        ["block", "heterogeneous", "diagonal"]
    ]
    assert PatternRules().name(*shares).tolist() == [["heterogeneous", "heterogeneous", "diagonal"]]


@pytest.mark.parametrize(
    ("near", "delimiters", "name"),
    [
        (0.5, 0.0, "diagonal"),
        (0.49, 0.0, "heterogeneous"),
        (0.0, 0.5, "vertical"),
        (0.25, 0.25, "vertical+diagonal"),
        (0.24, 0.25, "heterogeneous"),
        (0.24, 0.26, "vertical"),
        (0.75, 0.25, "vertical+diagonal"),
    ],
)
def test_where_the_rules_turn(near, delimiters, name):
    found = PatternRules().name(np.array([[near]]), np.array([[delimiters]]))
    assert found.tolist() == [[name]]
    assert name in PATTERNS


def test_rules_are_told_and_checked():
    rules = PatternRules(mainly=0.6, partly=0.3, within=0.8)
    told = rules.describe()
    assert all(f"at least {share}%" in told for share in (60, 30, 80))
    for name in ("mainly", "partly", "within"):
        with pytest.raises(ScoreError, match=f"{name} must be between 0 and 1, got 1.5"):
            PatternRules(**{name: 1.5})


def test_no_words():
    sums = TargetSums(2, 3, first_is_special=True)
    assert all(np.isnan(share).all() for share in sums.shares.values())
    assert np.isnan(sums.entropy).all()


def test_bad_input():
    batch = random_batch([3, 2])
    sums = TargetSums(2, 3, first_is_special=True)
    batch.punct = batch.punct[:, :2]
    with pytest.raises(ScoreError, match=r"punct has shape \(2, 2\), but attention"):
        add(sums, batch)
    with pytest.raises(ScoreError, match=r"segments has shape \(1, 3\)"):
        add(sums, random_batch([3, 2]), segments=np.zeros((1, 3)))


@pytest.mark.parametrize("module", [attention_alignment, attention_patterns])
def test_examples_are_true(module):
    assert doctest.testmod(module).failed == 0

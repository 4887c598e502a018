"""Expected layers of groups of edges: planted orders of layers, and a slow count of everything."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from structprobe.experiments.instruments.edge_groups import (
    FEW,
    LEAST_SENTENCES,
    LENGTHS,
    NO_GAIN,
    OUTSIDE,
    PHRASES,
    EdgeGroup,
    group_edges,
)
from structprobe.experiments.instruments.localise import expected_of, gain_of
from structprobe.recoverers.random_tree import random_heads
from structprobe.scores import Prediction
from structprobe.scores.intervals import resamples
from structprobe.scores.scoring import score, score_with_edges
from structprobe.show.localise_table import format_localised
from structprobe.treebank import Sentence

# The old dog saw a cat near it .
HEADS = (3, 3, 4, 0, 6, 4, 8, 6, 4)
DEPRELS = ("det", "amod", "nsubj:own", "root", "det", "obj", "case", "nmod", "punct")
UPOS = ("DET", "ADJ", "NOUN", "VERB", "DET", "NOUN", "ADP", "PRON", "PUNCT")


def sentence(number: int = 0) -> Sentence:
    words = tuple(f"w{number}-{i}" for i in range(len(HEADS)))
    return Sentence(words, np.array(HEADS), upos=UPOS, deprels=DEPRELS)


def without(*words: int) -> Prediction:
    """The gold tree, but for the edges of these words (1-based), which are not where they were."""
    heads = np.array(HEADS)
    for word in words:
        heads[word - 1] = 0 if HEADS[word - 1] != 0 else word
    return Prediction(heads)


def grouped(gold: list[Any], *mixes: list[Prediction]) -> dict[tuple[str, str], EdgeGroup]:
    found = group_edges({
        layer: score_with_edges(gold, mix)[1] for layer, mix in enumerate(mixes)
    })  # fmt: skip
    return {(one.by, one.name): one for one in found}


@pytest.fixture(scope="module")
def bottom_up() -> dict[tuple[str, str], EdgeGroup]:
    """Layer 1 adds what is inside small phrases, layer 2 the root's edges, layer 3 nothing."""
    gold = [sentence(number) for number in range(60)]
    inside, of_root = (1, 2, 5, 7, 8), (3, 6)
    return grouped(gold, [without(*inside, *of_root)] * 60, [without(*of_root)] * 60,
                   [without()] * 60, [without()] * 60)  # fmt: skip


def test_planted_structures_have_their_layers(
    bottom_up: dict[tuple[str, str], EdgeGroup],
) -> None:
    expected = {key: one.expected_layer for key, one in bottom_up.items()}
    assert expected == {
        ("tree", "all"): pytest.approx((5 * 1 + 2 * 2) / 7),
        ("relation", "det"): 1, ("relation", "amod"): 1, ("relation", "case"): 1,
        ("relation", "nmod"): 1, ("relation", "nsubj"): 2, ("relation", "obj"): 2,
        ("length", "1"): 1.25, ("length", "2"): pytest.approx(4 / 3),
        # near it; the old dog; a cat near it
        ("phrase", "2"): 1, ("phrase", "3"): 1, ("phrase", "4–5"): 1, ("phrase", "sentence"): 2,
    }  # fmt: skip
    for one in bottom_up.values():
        assert (one.low, one.high, one.why) == (one.expected_layer, one.expected_layer, None)
        assert one.gain == {"value": 1, "low": 1, "high": 1}
        assert (one.drops, one.n_sentences) == (0, 60)
    # The full stop does not count.
    assert bottom_up["tree", "all"].n_edges == 7 * 60
    assert bottom_up["phrase", "sentence"].n_edges == 2 * 60
    assert bottom_up["relation", "nsubj"].cumulative_uuas == (0, 0, 1, 1)


def test_without_a_gain_there_is_no_expected_layer_and_it_is_said_why() -> None:
    gold = [sentence(number) for number in range(40)]
    lowest = [without(1, 2, 5, 7, 8)] * 40
    # The adjectives rise only to fall again; of the determiners some are found, and again lost.
    middle = [without(7, 8)] * 40
    highest = [without(*(2, 7, 8), *((1, 5) if number < 20 else ())) for number in range(40)]
    found = grouped(gold, lowest, middle, highest)
    assert {key: one.why for key, one in found.items() if key[0] == "relation"} == {
        ("relation", "det"): None,  # (1 - 2 * 0.5) / 0.5 = 0
        ("relation", "amod"): NO_GAIN, ("relation", "case"): NO_GAIN,
        ("relation", "nmod"): NO_GAIN, ("relation", "nsubj"): NO_GAIN, ("relation", "obj"): NO_GAIN,
    }  # fmt: skip
    assert found["relation", "det"].expected_layer == 0
    assert found["relation", "det"].drops == -0.5
    assert found["relation", "amod"].drops == -1
    assert found["relation", "amod"].expected_layer is None
    fallen = [without(*(2, 7, 8), *((1, 5) if number < 25 else ())) for number in range(40)]
    one = grouped(gold, lowest, middle, fallen)["relation", "det"]
    assert (one.why, one.expected_layer, one.low) == (OUTSIDE, None, None)
    assert one.gain["low"] > 0


def test_a_group_in_few_sentences_is_not_shown_but_the_tree_is() -> None:
    n = LEAST_SENTENCES - 1
    gold = [sentence(number) for number in range(n)]
    few = grouped(gold, [without(1, 2)] * n, [without()] * n)
    for key, one in few.items():
        assert one.why == (None if key == ("tree", "all") else FEW)
        assert (one.expected_layer is None) == (one.why is not None)
        assert (one.gain["low"] is None) == (one.why is not None)
    more = grouped([*gold, sentence(n)], [without(1, 2)] * (n + 1), [without()] * (n + 1))
    assert more["relation", "det"].expected_layer == 1
    assert more["relation", "obj"].why == NO_GAIN


def random_mixes(n: int = 40) -> tuple[list[Sentence], list[list[Prediction]]]:
    """Random trees with random relations, and mixes of which the higher are more often right."""
    rng = np.random.default_rng(0)
    gold, mixes = [], [[], [], []]
    for number in range(n):
        heads = random_heads(int(rng.integers(1, 25)), rng)
        names = ["root" if head == 0 else str(rng.choice(["a", "b:x", "b", "punct"]))
                 for head in heads]  # fmt: skip
        upos = ["PUNCT" if name == "punct" else "X" for name in names]
        words = tuple(f"w{number}-{i}" for i in range(len(heads)))
        gold.append(Sentence(words, heads, upos=tuple(upos), deprels=tuple(names)))
        for level, mix in enumerate(mixes):
            lost = rng.random(len(heads)) > (level + 1) / 4
            mix.append(Prediction(np.where(lost, 0, heads)))
    return gold, mixes


def slow_groups(gold: list[Sentence], mix: list[Prediction]) -> dict[tuple[str, str], np.ndarray]:
    """Count correct and all edges of each group in each sentence, word by word."""
    found: dict[tuple[str, str], np.ndarray] = {}

    def size(one: Sentence, word: int) -> int:
        below = [i for i, head in enumerate(one.heads, 1) if head == word]
        return (one.upos[word - 1] != "PUNCT") + sum(size(one, i) for i in below)

    def named(value: int, firsts: tuple[int, ...]) -> str:
        (first,) = (f for f, g in zip(firsts, [*firsts[1:], 10**9], strict=True) if f <= value < g)
        behind = dict(pairwise(firsts)).get(first)
        if behind is None:
            return f"{first}+"
        return str(first) if behind == first + 1 else f"{first}–{behind - 1}"

    for number, (one, tree) in enumerate(zip(gold, mix, strict=True)):
        for word, head in enumerate(one.heads.tolist(), 1):
            if head == 0 or "PUNCT" in (one.upos[word - 1], one.upos[head - 1]):
                continue
            right = tree.heads[word - 1] == head or tree.heads[head - 1] == word
            of_root = one.heads[head - 1] == 0
            for key in (
                ("tree", "all"),
                ("relation", one.deprels[word - 1].split(":")[0]),
                ("length", named(abs(word - head), LENGTHS)),
                ("phrase", "sentence" if of_root else named(size(one, head), PHRASES)),
            ):
                counts = found.setdefault(key, np.zeros((len(gold), 2)))
                counts[number] += right, 1
    return found


def test_groups_are_those_of_a_slow_count() -> None:
    gold, mixes = random_mixes()
    found = grouped(gold, *mixes)
    slow = [slow_groups(gold, mix) for mix in mixes]
    assert {*found} == {*slow[0]}
    (weights,) = resamples(len(gold), 1000, 0)
    shown = 0
    for key, one in found.items():
        counts = np.stack([own[key] for own in slow])  # (n_layers, n_sentences, 2)
        right, total = counts.sum(axis=1).T
        assert one.cumulative_uuas == pytest.approx(tuple(right / total))
        assert one.n_edges == total[0]
        assert one.n_sentences == (counts[0, :, 1] > 0).sum()
        if one.why is not None:
            continue
        shown += 1
        gains = np.diff(right / total)
        assert one.expected_layer == pytest.approx((gains[0] + 2 * gains[1]) / gains.sum())
        drawn = []
        for w in weights:
            parts, wholes = (w @ counts[0, :, 1], [w @ own[:, 0] for own in counts])
            rises = np.diff(np.array(wholes) / parts)
            drawn.append((rises[0] + 2 * rises[1]) / rises.sum() if rises.sum() > 0 else np.nan)
        assert (one.low, one.high) == pytest.approx(tuple(np.nanquantile(drawn, [0.025, 0.975])))
    assert shown > 5


def test_the_whole_tree_is_as_before() -> None:
    gold, mixes = random_mixes()
    whole = grouped(gold, *mixes)["tree", "all"]
    cumulative = {layer: score(gold, mix) for layer, mix in enumerate(mixes)}
    gain = gain_of(cumulative, "uuas")
    assert gain is not None
    assert whole.gain == {"value": gain.difference, "low": gain.low, "high": gain.high}
    assert whole.expected_layer == expected_of(cumulative, gain) is not None
    assert whole.low < whole.expected_layer < whole.high


def test_plain_heads_have_no_relations_and_single_words_no_groups() -> None:
    gold = [[2, 0, 2]] * 30
    found = grouped(
        gold, [Prediction(np.array([2, 0, 1]))] * 30, [Prediction(np.array(gold[0]))] * 30
    )
    assert [*found] == [("tree", "all"), ("length", "1"), ("phrase", "sentence")]
    assert grouped([[0]], *[[Prediction(np.array([0]))]] * 2) == {}


def test_the_table_of_groups(bottom_up: dict[tuple[str, str], EdgeGroup]) -> None:
    values = {
        "probe": "probe", "part": "dev", "n_sentences": 60, "punct": "upos", "best_layer": 0,
        "centre_of_gravity": {}, "expected_layer": {}, "gain": {}, "warnings": ["beware"],
        "layers": [{"layer": 0}, {"layer": 3}],
        "groups": [one.values() for one in bottom_up.values()],
    }  # fmt: skip
    few = {"by": "relation", "name": "obj", "n_edges": 3, "n_sentences": 3, "drops": -0.25,
           "cumulative_uuas": [0.5, 0.25, 1], "gain": {"value": 0.5, "low": None, "high": None},
           "expected_layer": None, "low": None, "high": None, "why": FEW}  # fmt: skip
    values["groups"].append(few)
    assert "relation" not in format_localised(values)
    lines = format_localised(values, groups=True).splitlines()
    start = lines.index("") + 1
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[start:]]
    assert cells[0] == ["edges by", "which", "edges", "sentences", "UUAS 0", "UUAS 0..3", "gain",
                        "drops", "expected layer"]  # fmt: skip
    assert cells[1] == ["tree", "all", "420", "60", "0.0", "100.0", "100.0 [100.0, 100.0]", "0.0",
                        "1.29 [1.29, 1.29]"]  # fmt: skip
    assert cells[len(values["groups"])] == [
        "relation", "obj", "3", "3", "50.0", "100.0", "50.0", "-25.0",
        "– (fewer than 20 sentences)",
    ]  # fmt: skip
    assert lines[-1] == "Warning: beware."

"""The protocol of the polar probe: means over sentences, without the arc of the root."""

from __future__ import annotations

import numpy as np
import pytest

from structprobe import Prediction, Protocol, Sentence, score
from structprobe.errors import ScoreError
from structprobe.recoverers.random_tree import random_heads
from structprobe.results.rows import score_values
from structprobe.scores.paired import paired_bootstrap, paired_randomisation
from structprobe.scores.protocol import choose_protocol

NAMES = ("nsubj", "nsubj:pass", "obj", "det", "punct")


def trees(n: int, seed: int) -> list[Sentence]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        heads = random_heads(int(rng.integers(1, 9)), rng)
        names = ["root" if head == 0 else str(rng.choice(NAMES)) for head in heads]
        tags = ["PUNCT" if name == "punct" else "X" for name in names]
        found.append(Sentence(["w"] * len(heads), heads, names, upos=tags))
    return found


def guesses(gold: list[Sentence], seed: int) -> list[Prediction]:
    rng, found = np.random.default_rng(seed), []
    for one, other in zip(gold, trees(len(gold), seed), strict=True):
        heads = one.heads if rng.random() < 0.6 else random_heads(len(one), rng)
        names = [a if rng.random() < 0.7 else b for a, b in zip(one.deprels, other.deprels * 9)]  # noqa: B905
        found.append(Prediction(heads, deprels=tuple(names)))
    return found


GOLD = trees(60, 0)
FOUND = guesses(GOLD, 1)


def test_as_a_plain_loop_over_sentences() -> None:
    shares: dict[str, list[float]] = {"uuas": [], "uas": [], "las": []}
    for one, guess in zip(GOLD, FOUND, strict=True):
        arcs = [(i, h) for i, h in enumerate(one.heads.tolist(), 1) if h]
        if not arcs:
            continue
        pred = guess.heads.tolist()
        right = [pred[i - 1] == h for i, h in arcs]
        either = [pred[i - 1] == h or pred[h - 1] == i for i, h in arcs]
        same = [
            one.deprels[i - 1].split(":")[0] == guess.deprels[i - 1].split(":")[0] for i, _ in arcs
        ]
        shares["uuas"].append(sum(either) / len(arcs))
        shares["uas"].append(sum(right) / len(arcs))
        shares["las"].append(sum(a and b for a, b in zip(right, same, strict=True)) / len(arcs))
    scores, plain = (score(GOLD, FOUND, punct=punct) for punct in ("polar", "keep"))
    for name, values in shares.items():
        assert getattr(scores, name) == pytest.approx(np.mean(values))
        assert getattr(scores, name) != pytest.approx(getattr(plain, name))
        assert score_values(scores)[f"{name}_sentences"] == len(values) < len(GOLD)
        low, high = scores.interval(name)
        assert low < getattr(scores, name) < high
    for name in ("clas", "root_acc", "dspr", "nspr"):
        assert getattr(scores, name) == getattr(plain, name)
    assert scores.counts["n_labels"] == plain.counts["n_labels"] - len(GOLD)


def test_it_is_printed_beside_the_score() -> None:
    told = 'punct="polar": all words count; UUAS, UAS and LAS are means over sentences, without'
    assert told in str(score(GOLD, FOUND, punct="polar"))
    assert Protocol("polar").by_sentence
    assert not Protocol("keep").by_sentence


@pytest.mark.parametrize("test", [paired_bootstrap, paired_randomisation])
def test_systems_are_compared_by_the_same_means(test) -> None:
    a, b = (score(GOLD, guesses(GOLD, seed), punct="polar") for seed in (1, 2))
    found = test(a, b, "uas", n=200, random_state=0)
    assert (found.a, found.b) == (a.uas, b.uas)
    assert found.difference == pytest.approx(a.uas - b.uas)
    assert 0 < found.p_value <= 1


def test_what_counts_words_refuses_it() -> None:
    with pytest.raises(ScoreError, match="averages over sentences, but a score by condition count"):
        choose_protocol(GOLD, "polar", for_counts="a score by condition")
    assert choose_protocol(GOLD, "keep", for_counts="a score by condition").punct == "keep"

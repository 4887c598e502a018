"""Slow, obvious computations of every score, and inputs to compare them on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import networkx as nx
import numpy as np
import scipy.stats
from hypothesis import strategies as st
from support.tree_cases import trees, walked_distances

from structprobe.scores import Prediction

NOT_CONTENT = {"aux", "case", "cc", "clf", "cop", "det", "mark", "punct", "_"}
PENN = {"''", ",", ".", ":", "``", "-LRB-", "-RRB-"}


@dataclass
class Gold:
    """A stand-in for a sentence: all that scoring looks at."""

    heads: object
    upos: tuple[str, ...] | None = None
    xpos: tuple[str, ...] | None = None
    deprels: tuple[str, ...] | None = None


def kept_positions(sentence, punct):
    """The 1-based positions of the words that count."""
    positions = range(1, len(sentence.heads) + 1)
    if punct == "upos":
        return [i for i in positions if sentence.upos[i - 1] != "PUNCT"]
    if punct == "xpos":
        return [i for i in positions if sentence.xpos[i - 1] not in PENN]
    return list(positions)


def depth_by_walking(heads, word):
    """Steps from a word to the root; infinite if there is none at the end of the walk."""
    steps = 0
    while heads[word - 1] != 0:
        word = heads[word - 1]
        steps += 1
        if steps > len(heads):
            return np.inf
    return steps


def predicted_root(prediction, kept):
    """The least deep kept word, the first of several; None where there is none."""
    depths = prediction.depths
    if depths is None:
        depths = [depth_by_walking(prediction.heads, i + 1) for i in range(len(prediction))]
    best = None
    for i in kept:
        if np.isfinite(depths[i - 1]) and (best is None or depths[i - 1] < depths[best - 1]):
            best = i
    return best


def predicted_edges(prediction, kept):
    """The predicted edges between kept words, as a set of unordered pairs."""
    if prediction.distances is not None:
        graph = nx.Graph()
        graph.add_nodes_from(kept)
        graph.add_weighted_edges_from(
            (i, j, prediction.distances[i - 1][j - 1]) for i in kept for j in kept if i < j
        )
        tree = nx.minimum_spanning_tree(graph, algorithm="kruskal")  # stable: ties by (i, j)
        return {frozenset(edge) for edge in tree.edges}
    if prediction.arc_scores is not None and not prediction.as_tree:
        return {frozenset((word, best_head(prediction.arc_scores, word, kept))) for word in kept}
    if prediction.arc_scores is not None and len(kept) > 1:
        root = predicted_root(prediction, kept)
        graph = nx.DiGraph()
        graph.add_nodes_from(kept)
        graph.add_weighted_edges_from(
            (head, word, prediction.arc_scores[word - 1][head])
            for word in kept
            for head in kept
            if word not in (head, root)
        )
        return {frozenset(edge) for edge in nx.maximum_spanning_arborescence(graph).edges}
    pairs = enumerate(prediction.heads, 1)
    return {frozenset((i, h)) for i, h in pairs if i in kept and h in kept}


def best_head(arc_scores, word, kept):
    """The best head of a word among kept words and the root, the lowest of several; 0 for none."""
    best = 0
    for head in [0, *kept]:
        if head != word and arc_scores[word - 1][head] > arc_scores[word - 1][best]:
            best = head
    return best


def speaks_of_the_root(prediction):
    """Whether a prediction allows any word to be the root."""
    return prediction.as_tree or any(row[0] > -np.inf for row in prediction.arc_scores)


def spearman(gold, pred):
    """Spearman's rho by scipy, None for a constant row."""
    if np.ptp(gold) == 0 or np.ptp(pred) == 0:
        return None
    return scipy.stats.spearmanr(gold, pred).statistic


def mean_over_lengths(found):
    """Average within each length, then over lengths; and count what is undefined."""
    means = [
        np.mean(known) for rows in found.values() if (known := [r for r in rows if r is not None])
    ]
    undefined = sum(row is None for rows in found.values() for row in rows)
    return (float(np.mean(means)) if means else None), undefined


def reference_scores(gold, predictions, punct):
    """All scores and counts, one sentence, one word, one pair at a time."""
    counts = defaultdict(int)
    by = ("deprel", "arc", "length", "confusion")
    tallies = {name: defaultdict(lambda: [0, 0]) for name in by}
    rows, orders = defaultdict(list), defaultdict(list)
    for sentence, prediction in zip(gold, predictions, strict=True):
        n = len(sentence.heads)
        kept = kept_positions(sentence, punct)
        edges = predicted_edges(prediction, kept)
        counts["n_sentences"] += 1
        counts["n_words"] += n
        counts["n_kept"] += len(kept)
        counts["n_one_word"] += n == 1
        counts["n_none_kept"] += not kept
        for word, head in enumerate(sentence.heads, 1):
            right_head = prediction.heads[word - 1] == head
            counts["n_right_heads"] += right_head
            if sentence.deprels is not None and prediction.deprels is not None:
                counts["n_labels"] += 1
                labels = [x[word - 1].split(":")[0] for x in (sentence.deprels, prediction.deprels)]
                right_label = right_head and labels[0] == labels[1]
                counts["n_right_labels"] += right_label
                counts["n_content"] += labels[0] not in NOT_CONTENT
                counts["n_pred_content"] += labels[1] not in NOT_CONTENT
                counts["n_right_content"] += right_label and labels[0] not in NOT_CONTENT
                tallies["confusion"][*labels][0] += right_head
                tallies["confusion"][*labels][1] += 1
            if word in kept and head in kept:
                right = frozenset((word, head)) in edges
                counts["n_edges"] += 1
                counts["n_right_edges"] += right
                keys = {"arc": abs(word - head), "length": n}
                if sentence.deprels is not None:
                    keys["deprel"] = sentence.deprels[word - 1].split(":")[0]
                for table, key in keys.items():
                    tallies[table][key][0] += right
                    tallies[table][key][1] += 1
        if kept and speaks_of_the_root(prediction):
            counts["n_roots"] += 1
            root = predicted_root(prediction, kept)
            counts["n_right_roots"] += root is not None and sentence.heads[root - 1] == 0
        if 5 <= n <= 50:
            if prediction.distances is not None:
                distances = walked_distances(sentence.heads)
                for i in range(n):
                    rows[n].append(spearman(distances[i], prediction.distances[i]))
            if prediction.depths is not None:
                depths = [depth_by_walking(sentence.heads, i + 1) for i in range(n)]
                orders[n].append(spearman(depths, prediction.depths))
    dspr, counts["n_undefined_rows"] = mean_over_lengths(rows)
    nspr, counts["n_undefined_orders"] = mean_over_lengths(orders)

    content = counts["n_content"] + counts["n_pred_content"]

    def share(part, whole):
        return counts[part] / counts[whole] if counts[whole] else None

    scores = {
        "uuas": share("n_right_edges", "n_edges"), "uas": share("n_right_heads", "n_words"),
        "las": share("n_right_labels", "n_labels"), "root_acc": share("n_right_roots", "n_roots"),
        "clas": 2 * counts["n_right_content"] / content if content else None,
        "dspr": dspr, "nspr": nspr,
    }  # fmt: skip
    return scores, dict(counts), tallies


@st.composite
def golds(draw, max_size=8):
    """A gold sentence with all columns."""
    heads = draw(trees(max_size=max_size))

    def words(*choices):
        size = len(heads)
        return tuple(draw(st.lists(st.sampled_from(choices), min_size=size, max_size=size)))

    return Gold(
        np.array(heads),
        upos=words("PUNCT", "NOUN", "VERB"),
        xpos=words("NN", "HYPH", ",", "-LRB-", "''"),
        deprels=words("nsubj", "nsubj:pass", "obl", "punct", "case"),
    )


@st.composite
def predictions_for(draw, gold):
    """A prediction of any kind for a gold sentence; with ties, and heads that may be no tree."""
    n = len(gold.heads)
    small = st.integers(-2, 4)
    heads = np.array(
        draw(st.one_of(trees(n, n), st.lists(st.integers(0, n), min_size=n, max_size=n)))
    )
    kind = draw(st.sampled_from(["heads", "distances", "arc_scores", "no tree"]))
    distances = arc_scores = None
    if kind == "distances":
        upper = np.zeros((n, n))
        for i in range(n):
            for j in range(i + 1, n):
                upper[i, j] = draw(small)
        distances = upper + upper.T
    elif kind == "arc_scores":  # without ties, so that there is one best tree
        heads = np.array(draw(trees(n, n)))
        generator = np.random.default_rng(draw(st.integers(0, 2**32)))
        arc_scores = generator.normal(size=(n, n + 1))
    elif kind == "no tree":
        rows = st.lists(st.integers(-1, 2), min_size=n + 1, max_size=n + 1)
        arc_scores = np.array(draw(st.lists(rows, min_size=n, max_size=n)), dtype=float)
        arc_scores[arc_scores < 0] = -np.inf
        arc_scores[:, 0] = draw(st.sampled_from([arc_scores[:, 0], -np.inf]))
    depths = draw(st.none() | st.lists(small, min_size=n, max_size=n))
    labels = draw(
        st.none() | st.lists(st.sampled_from(["nsubj", "obl:tmod", "case"]), min_size=n, max_size=n)
    )
    return Prediction(
        heads,
        distances=distances,
        depths=None if depths is None else np.array(depths, dtype=float),
        arc_scores=arc_scores,
        deprels=None if labels is None else tuple(labels),
        as_tree=kind != "no tree",
    )


@st.composite
def scored_banks(draw, max_size=5):
    """Gold sentences and a prediction for each."""
    gold = draw(st.lists(golds(), max_size=max_size))
    return gold, [draw(predictions_for(sentence)) for sentence in gold]

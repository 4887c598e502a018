"""Folders of results without a model: gold trees, and predictions that are those with noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.random_tree import random_heads
from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import make_row, score_values
from structprobe.scores import score
from structprobe.scores.prediction import Prediction
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence
from structprobe.trees import decode_rooted, gold_depths, gold_distances

# What a page must show as it is: markup, the end of a script, emoji, right to left, line ends.
HOSTILE = (
    "<script>window.hacked=1</script>",
    "</script><img",
    "src=x",
    "onerror=window.hacked=1>",
    "<!--",
    "&lt;b&gt;",
    "\"'`${1}",
    "👩‍👩‍👧",
    "שלום",
    "猫が",
    "\u2028",
    "a\u0301",
)
COMMAND = "structprobe sweep --model 'my <model>' --layers all -o 'my results'"


def hostile_sentence() -> Sentence:
    """One sentence of all that may break a page."""
    n = len(HOSTILE)
    heads = [0, *range(1, n)]
    deprels = ("root", "</script>", *("dep",) * (n - 2))
    return Sentence(HOSTILE, heads, deprels, ("X",) * n, sent_id="<i>first</i>")


def planted_bank(n: int = 40, seed: int = 0, longest: int = 12) -> Treebank:
    """Sentences of numbered words with random trees, the hostile one in front."""
    generator = np.random.default_rng(seed)
    sentences = [hostile_sentence()]
    for number in range(1, n):
        length = int(generator.integers(2, longest + 1))
        heads = random_heads(length, generator)
        words = tuple(f"w{number}-{i}" for i in range(length))
        deprels = tuple("root" if head == 0 else ("obj", "nsubj")[i % 2] for i, head in
                        enumerate(heads))  # fmt: skip
        sentences.append(Sentence(words, heads, deprels, ("NOUN",) * length, sent_id=f"s-{number}"))
    return Treebank(sentences)


def noisy(bank: Sequence[Sentence], noise: float, seed: int) -> list[Prediction]:
    """Gold distances and depths with noise, and the trees that are decoded from them."""
    generator = np.random.default_rng(seed)
    distances, depths = [], []
    gold = [sentence.heads for sentence in bank]
    for apart, below in zip(gold_distances(gold), gold_depths(gold), strict=True):
        n = len(below)
        half = np.triu(generator.standard_normal((n, n)) * noise, 1)
        matrix = np.abs(apart + half + half.T).astype(np.float32)
        np.fill_diagonal(matrix, 0)
        distances.append(matrix)
        level = below + generator.standard_normal(n) * noise
        depths.append(level.astype(np.float32))
    heads = decode_rooted(distances, depths)
    return [Prediction(*one) for one in zip(heads, distances, depths, strict=True)]


def named(predictions: Sequence[Prediction], bank: Sequence[Sentence]) -> list[Prediction]:
    """Predictions with gold relations, of which every third word's is wrong."""
    return [
        replace(one, deprels=tuple("flat" if at % 3 == 2 else name for at, name in
                                   enumerate(sentence.deprels)))
        for one, sentence in zip(predictions, bank, strict=True)
    ]  # fmt: skip


def planted_sweep(folder: Path, bank: Treebank, n_layers: int = 4, seed: int = 0) -> list[dict]:
    """A folder as `sweep` writes it: the chain, and probes that are best in the middle."""
    results = ResultsFolder(folder)
    results.tell_command(COMMAND)
    rows = [_add(results, bank, LinearChain().predict(bank), {"method": "linear"})]
    for layer in range(n_layers):
        noise = 0.3 + 0.5 * abs(layer - n_layers // 2)
        told = {"method": "probe", "model": "my/<model>", "fingerprint": "f00d", "layer": layer}
        told |= {"rank": 8, "seed": seed, "recipe": "whitened", "products": "float32"}
        told |= {"pooling": "mean", "spacing": "words", "bos": False, "dtype": "float32"}
        rows.append(_add(results, bank, noisy(bank, noise, seed + layer), told))
    return rows


def planted_evidence(folder: Path, bank: Treebank, seeds: Sequence[int] = (0,)) -> list[dict]:
    """A folder of layers with controls, scores on stimuli and codelengths, beside the chain."""
    results = ResultsFolder(folder)
    rows = [_add(results, bank, LinearChain().predict(bank), {"method": "linear"})]
    for seed in seeds:
        for layer in range(3):
            told = {"method": "probe", "model": "m", "layer": layer, "rank": 8, "seed": seed}
            told |= {"recipe": "whitened", "stimuli": 26, "near_word_bias": 0.1 * layer - 0.05}
            told |= {"near_word_bias_low": 0.1 * layer - 0.1, "near_word_bias_high": 0.1 * layer}
            bias = told["near_word_bias"]
            conditions = [
                {"condition": "distance", "value": value, "n": 13, "uuas": 0.5 + layer / 10,
                 "uuas_low": 0.4, "uuas_high": 0.9, "edge": 0.25, "distance": 1.5 + layer,
                 "slope": bias if value == "all" else None}
                for value in ("between=0", "between=<12>", "all")
            ]  # fmt: skip
            predictions = noisy(bank, 0.3 + 0.5 * abs(layer - 1), 10 * seed + layer)
            real = _add(results, bank, predictions, told, conditions)
            rows.append(real)
            for at, name in enumerate(("form", "position")):
                own = {"method": f"probe-control-{name}", "control": name, "stimuli": None}
                own |= {"key": f"{name}-{layer}-{seed}", "selectivity": real["uuas"] - 0.1 * at}
                own |= {"selectivity_low": -0.02, "selectivity_high": 0.99, "uuas": 0.1 * at}
                blank = dict.fromkeys(key for key in real if key.startswith(("near_", "dev_uuas")))
                rows.append({**real, **blank, **own})
                results.add(rows[-1])
    for layer, method in ((0, "codelength-tree"), (1, "codelength-tree-control-form")):
        values = {"codelength": 1234.5 + layer, "compression": 2 - layer, "train": "train.conllu"}
        rows.append(make_row(key=f"bits-{layer}", method=method, layer=layer, rank=8, **values))
        results.add(rows[-1])
    return rows


def planted_comparison(folder: Path, bank: Treebank) -> list[dict]:
    """A folder as `compare` writes it: methods without layers, one of them empty."""
    results = ResultsFolder(folder)
    told = {"method": "probe", "layer": 3, "model": "my/model"}
    rows = [_add(results, bank, noisy(bank, 0.5, 0), told)]
    rows.append(_add(results, bank, LinearChain().predict(bank), {"method": "linear"}))
    empty = make_row(key="empty", method="attention-mst", why_empty="no <attention> here",
                     part="test", treebank="planted.conllu")  # fmt: skip
    results.add(empty)
    shuffled = rows[0] | {"key": "shuffled", "words_as": "shuffled"}
    results.add(shuffled)
    return [*rows, empty, shuffled]


def planted_relations(folder: Path, bank: Treebank) -> None:
    """A comparison of a method that predicts relations with one that does not."""
    results = ResultsFolder(folder)
    trees = noisy(bank, 0.8, 0)
    _add(results, bank, named(trees, bank), {"method": "probe-relations", "layer": 3})
    _add(results, bank, trees, {"method": "probe", "layer": 3})


def _add(
    results: ResultsFolder,
    bank: Treebank,
    predictions: Sequence[Prediction],
    told: dict,
    conditions: Sequence[dict] = (),
) -> dict:
    """Score predictions and keep them beside their row."""
    values = score_values(score(bank, predictions))
    names = {"treebank": "planted.conllu", "part": "test", "treebank_fingerprint": "beef"}
    names |= {"n_sentences": len(bank), "n_words": bank.n_words, "uses_gold": False}
    key = f"{told['method']}-{told.get('layer')}-{told.get('seed')}"
    row = make_row(**told, **names, **values, key=key, dev_uuas=values["uuas"])
    results.add(row, bank, predictions, conditions)
    return row


def planted_behaviour(folder: Path) -> None:
    """Behaviour of two models on pairs, of one on SyntaxGym suites, and of one on nothing."""
    results = ResultsFolder(folder)
    told = {"method": "behaviour", "lm_kind": "causal", "scores_first": True, "n_pairs": 40}
    for number, model in enumerate(("one/a", "one/b")):
        share = 0.5 + number / 4
        ends = {"accuracy": share, "accuracy_low": share - 0.1, "accuracy_high": share + 0.1}
        margin = {"margin": 1.25 - 2 * number, "margin_low": -1.5, "margin_high": 2.5}
        names = [("islands", "wh <1>"), ("islands", "wh 2"), ("islands", "all"), ("npi", "ever"),
                 ("npi", "all"), ("all", "all")]  # fmt: skip
        conditions = [
            {"condition": phenomenon, "value": paradigm, "n": 10, **ends, **margin}
            for phenomenon, paradigm in names
        ]
        row = make_row(key=f"b{number}", model=model, suite="blimp", fingerprint=f"f{number}",
                       suite_fingerprint="s", **told, **ends, **margin)  # fmt: skip
        results.add(row, conditions=conditions)
    gym = {"suite": "gym", "suite_fingerprint": "g", "model": "one/a", "fingerprint": "f0"}
    alike = {"accuracy": 1.0, "accuracy_low": 1.0, "accuracy_high": 1.0}
    results.add(make_row(key="g", warnings=["gym: only 3 items"], **told, **gym, **alike))
    empty = gym | {"model": "m/masked", "fingerprint": "f3", "lm_kind": "masked"}
    results.add(make_row(key="e", method="behaviour", why_empty="no <surprisal>", **empty))

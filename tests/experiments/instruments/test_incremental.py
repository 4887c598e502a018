"""Trees of prefixes: against a plain loop, planted delays, what is refused, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.planted_encoder import tree_steps
from support.tiny_checkpoints import make_model, make_tokenizer, save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import (
    Encoder,
    LinearChain,
    Prediction,
    ProbeRecoverer,
    RandomTree,
    Recoverer,
    Sentence,
    StructuralProbe,
    Treebank,
    score,
)
from structprobe.cli.main import main
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import MethodError, ScoreError
from structprobe.experiments.instruments.incremental import read_incremental
from structprobe.experiments.instruments.prefixes import prefix_trees
from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.recoverers.biaffine import Biaffine
from structprobe.recoverers.incremental import Incremental
from structprobe.show.incremental_table import format_incremental
from structprobe.trees import arborescence, decode_rooted, spanning_tree

TRAIN, DEV, TEST = (tiny_bank(n=n, seed=seed) for seed, n in enumerate((30, 12, 16)))


class Planted(Recoverer):
    """Predicts what a function makes of a sentence."""

    name = "planted"
    reads_model = False

    def __init__(self, of: Callable[[Sentence], Prediction]) -> None:
        self.of = of

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        return [self.of(one) for one in sentences]


def measure(method: Recoverer, bank: Sequence[Sentence] = TEST, **how: Any) -> dict[str, Any]:
    (row, _) = read_incremental(method, bank, progress=False, **how)
    return row


def edges_of(heads: np.ndarray) -> set[tuple[int, int]]:
    arcs = [(word, head - 1) for word, head in enumerate(heads.tolist()) if head > 0]
    return {(min(arc), max(arc)) for arc in arcs}


@pytest.fixture(scope="module")
def causal() -> Encoder:
    model = make_model("llama", attn_implementation="eager")
    return Encoder(model, tokenizer=make_tokenizer(), max_unknown=1, device="cpu")


METHODS: dict[str, Callable[[Encoder], Recoverer]] = {
    "probe": lambda encoder: ProbeRecoverer(
        encoder, 1, StructuralProbe(max_steps=10, random_state=0), progress=False
    ),
    "biaffine": lambda encoder: Biaffine(encoder, layers=(1,), max_steps=30, progress=False),
    "attention-mst": lambda encoder: AttentionMST(encoder, progress=False),
    "attention-max": lambda encoder: AttentionMax(encoder, progress=False),
    "linear": lambda _: LinearChain(),
}


@pytest.mark.parametrize("name", METHODS)
def test_one_pass_gives_what_reading_each_prefix_does(name: str, causal: Encoder) -> None:
    method = METHODS[name](causal).fit(TRAIN, DEV)
    for punct in ("upos", "keep"):
        once, each = (
            prefix_trees(method, TEST, punct=punct, restart=restart, progress=False)
            for restart in (False, True)
        )
        for sentence, trees, others in zip(TEST, once, each, strict=True):
            assert [len(one) for one in trees] == [*range(1, len(sentence) + 1)]
            for one, other in zip(trees, others, strict=True):
                assert edges_of(one) == edges_of(other)
                left_out = [tag == "PUNCT" and punct == "upos" for tag in sentence.upos or ()]
                assert (one == -1).tolist() == left_out[: len(one)]
        row = measure(method, punct=punct)
        assert row["uuas"] == pytest.approx(score(TEST, method.predict(TEST), punct=punct).uuas)


def test_prefixes_against_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    tables = {one.words: rng.uniform(1, 9, size=(len(one), len(one))) for one in TEST}
    method = Planted(lambda one: Prediction(np.arange(len(one)), distances=tables[one.words]))
    for one, trees in zip(TEST, prefix_trees(method, TEST, punct="keep"), strict=True):
        for k, heads in enumerate(trees, start=1):
            assert edges_of(heads) == edges_of(spanning_tree(tables[one.words][:k, :k]))
    arcs = {one.words: rng.normal(size=(len(one), len(one) + 1)) for one in TEST}
    method = Planted(lambda one: Prediction(np.arange(len(one)), arc_scores=arcs[one.words]))
    for one, trees in zip(TEST, prefix_trees(method, TEST, punct="keep"), strict=True):
        for k, heads in enumerate(trees, start=1):
            assert edges_of(heads) == edges_of(arborescence(arcs[one.words][:k, : k + 1]))


def slow_row(bank: Treebank, trees: list[list[np.ndarray]]) -> dict[str, Any]:
    """All that is told of gold edges, edge by edge."""
    told: dict[str, list[float]] = {
        key: [] for key in ("uuas", "found", "at_once", "delay", "stable", "lost", "regained",
                            "until_lost")
    }  # fmt: skip
    edits = needed = 0
    for sentence, own in zip(bank, trees, strict=True):
        kept = [tag != "PUNCT" for tag in sentence.upos or ()]
        by_prefix = [
            {edge for edge in edges_of(heads) if all(kept[word] for word in edge)} for heads in own
        ]
        edits += sum(len(a ^ b) for a, b in zip([set(), *by_prefix], by_prefix, strict=False))
        needed += len(by_prefix[-1])
        assert sentence.heads is not None
        for edge in sorted(edges_of(sentence.heads)):
            if not all(kept[word] for word in edge):
                continue
            there = [edge in found for found in by_prefix]
            told["uuas"].append(there[-1])
            told["found"].append(any(there))
            told["at_once"].append(there[max(edge)])
            if any(there):
                first = there.index(True)
                told["delay"].append(first - max(edge))
                told["stable"].append(all(there[first:]))
                told["lost"].append(not there[-1])
                told["regained"].append(there[-1] and not all(there[first:]))
                if not all(there[first:]):
                    told["until_lost"].append(there[first:].index(False))
    means = {key: np.mean(own) if own else None for key, own in told.items()}
    return means | {"edit_overhead": 1 - needed / edits}


def with_distances() -> Recoverer:
    """Other distances between words of other places, in which edges come and go."""
    rng = np.random.default_rng(1)
    tables = {n: rng.uniform(1, 9, size=(n, n)) for n in range(1, 10)}
    return Planted(lambda one: Prediction(np.arange(len(one)), distances=tables[len(one)]))


@pytest.mark.parametrize("restart", [False, True])
def test_the_measures_against_a_slow_count(restart: bool) -> None:
    bank = tiny_bank(n=30, seed=4, longest=9)
    # Read anew, each prefix has a random tree: edges are found late, and come back.
    method = RandomTree() if restart else with_distances()
    row = measure(method, bank, restart=restart)
    trees = prefix_trees(method, bank, restart=restart)
    for key, value in slow_row(bank, trees).items():
        assert row[key] == pytest.approx(value), key
    assert row["lost"] > 0
    assert (row["delay"] > 0, row["regained"] > 0) == (restart, restart)
    assert sum(one["edges"] for one in row["first_found"]) == round(row["found"] * row["n_edges"])
    (at_once,) = (one for one in row["by_words_after"] if one["words_after"] == 0)
    assert at_once == {"words_after": 0, "edges": row["n_edges"], "uuas": row["at_once"]}
    for one in row["by_prefix_length"]:
        if one["edges"]:
            assert one["precision"] <= one["ceiling"] <= 1
            assert one["precision"] == pytest.approx(one["recall"] * one["ceiling"])
    assert sum(one["edges"] for one in row["by_relation"]) == row["n_edges"]


@given(st.integers(2, 9), st.integers(0, 999))
@settings(max_examples=40)
def test_distances_that_stay_find_an_edge_at_once_or_never(n: int, seed: int) -> None:
    """By the cycle property of minimum spanning trees, ties included."""
    distances = np.random.default_rng(seed).integers(1, 4, size=(n, n))
    trees = decode_rooted([distances[:k, :k] for k in range(1, n + 1)],
                          [np.zeros(k) for k in range(1, n + 1)])  # fmt: skip
    for k in range(1, n):
        gained = edges_of(trees[k]) - edges_of(trees[k - 1])
        assert {max(edge) for edge in gained} == {k}


def test_an_arc_that_a_later_word_makes_possible_is_found_then() -> None:
    """The best heads of words 1 to 3 are a circle, cut between 2 and 3 until word 4 comes."""
    sentence = Sentence(("a", "b", "c", "d"), heads=[4, 3, 1, 0])
    scores = np.array([
        [-5, -99, 9, -99, 20],
        [0, -99, -99, 9, -99],
        [-5, 9, -99, -99, -99],
        [9, -99, -99, -99, -99],
    ], dtype=float)  # fmt: skip
    method = Planted(lambda one: Prediction(np.arange(len(one)), arc_scores=scores))
    (trees,) = prefix_trees(method, [sentence])
    assert edges_of(trees[2]) == {(0, 1), (0, 2)}
    assert edges_of(trees[3]) == {(1, 2), (0, 2), (0, 3)}
    row = measure(method, [sentence])
    assert row["first_found"] == [
        {"words_after": 0, "edges": 2}, {"words_after": 1, "edges": 1}
    ]  # fmt: skip
    assert row["delay"] == pytest.approx(1 / 3)
    assert (row["at_once"], row["uuas"], row["stable"]) == (pytest.approx(2 / 3), 1, 1)
    assert row["edit_overhead"] == pytest.approx(1 - 3 / 5)  # a-b comes and goes


class Revealing:
    """An encoder in whose vectors an arc can be read a number of words after its later word.

    Until then, the later of its words hangs on the word before it.
    """

    n_layers, layers = 1, (0, 1)

    def __init__(self, bank: Treebank, delays: dict[str, dict[tuple[int, int], int]]) -> None:
        self.trees = {one.sent_id: one.heads for one in bank}
        self.delays, self.width = delays, max(map(len, bank))

    def encode(self, sentences: Sequence[Sentence], **_: Any) -> EncodedBank:
        offsets = np.cumsum([0, *map(len, sentences)])
        values = np.concatenate([self.vectors(one) for one in sentences])
        return EncodedBank({0: np.zeros_like(values), 1: values}, offsets, {"model": "revealing"})

    def origin(self, layer: int) -> dict[str, Any]:
        return {"model": "revealing", "layer": layer}

    def vectors(self, sentence: Sentence) -> np.ndarray:
        heads, n = self.trees[sentence.sent_id], len(sentence)
        shown = np.zeros(n, dtype=int)
        for word in range(1, n):  # a right-branching gold tree: each head comes before
            late = self.delays[sentence.sent_id].get((int(heads[word]) - 1, word), 0)
            shown[word] = heads[word] if n > word + late else word
        return tree_steps(shown, self.width)


@pytest.fixture(scope="module")
def revealing() -> tuple[Treebank, Revealing]:
    rng = np.random.default_rng(0)
    sentences, delays = [], {}
    for number in range(40):
        n = int(rng.integers(4, 10))
        heads = np.array([0, *(int(rng.integers(1, word + 1)) for word in range(1, n))])
        name = f"s{number}"
        sentences.append(Sentence([f"w{i}" for i in range(n)], heads=heads, sent_id=name))
        # An edge to the word before is there from the start.
        delays[name] = {
            (head - 1, word): int(rng.integers(3))
            for word, head in enumerate(heads.tolist()) if 0 < head < word
        }  # fmt: skip
    bank = Treebank(sentences)
    return bank, Revealing(bank, delays)


def test_planted_delays_are_measured(revealing: tuple[Treebank, Revealing]) -> None:
    bank, encoder = revealing
    probe = StructuralProbe(max_steps=300, random_state=0, device="cpu")
    method = ProbeRecoverer(encoder, 1, probe, progress=False).fit(bank, bank)
    row = measure(method, bank, restart=True)
    expected: dict[int, int] = {}
    for one in bank:
        for word, head in enumerate(one.heads.tolist()):
            late = encoder.delays[one.sent_id].get((head - 1, word), 0)
            if head and word + late < len(one):
                expected[late] = expected.get(late, 0) + 1
    assert {one["words_after"]: one["edges"] for one in row["first_found"]} == expected
    assert row["stable"] == 1
    with pytest.raises(MethodError, match=r"not causal.*'w3', changes by .*pass restart=True"):
        measure(method, bank)


def test_vectors_that_do_not_change_show_all_at_once(revealing: tuple[Treebank, Revealing]) -> None:
    bank, _ = revealing
    at_once = Revealing(bank, {one.sent_id: {} for one in bank})
    probe = StructuralProbe(max_steps=300, random_state=0, device="cpu")
    method = ProbeRecoverer(at_once, 1, probe, progress=False).fit(bank, bank)
    row = measure(method, bank)
    assert row["found"] == row["at_once"] == row["uuas"] == row["stable"] == 1
    assert row["edit_overhead"] == row["delay"] == row["lost"] == 0
    assert {one["uuas"] for one in row["by_words_after"]} == {1}


def test_an_incremental_parser_never_takes_an_arc_back(causal: Encoder) -> None:
    method = Incremental(causal, layers=(2,), max_steps=40, progress=False).fit(TRAIN, DEV)
    with pytest.raises(MethodError, match="'probe-incremental' predicts neither distances nor arc"):
        prefix_trees(method, TEST, progress=False)
    for trees in prefix_trees(method, TEST, punct="keep", restart=True, progress=False):
        assert [len(edges_of(one)) for one in trees] == [*range(len(trees))]


def test_what_cannot_be_read_is_refused(causal: Encoder) -> None:
    model = make_model("bert")
    bert = Encoder(model, tokenizer=make_tokenizer(), max_unknown=1, device="cpu")
    method = METHODS["probe"](bert).fit(TRAIN, DEV)
    with pytest.raises(
        MethodError, match=r"not causal, or .*: layer 1: .*; pass restart=True"
    ) as e:
        measure(method)
    assert "\n" not in str(e.value)
    assert measure(method, restart=True)["restart"] is True
    with pytest.raises(MethodError, match="'random' predicts neither distances nor arc scores; p"):
        prefix_trees(RandomTree(), TEST)
    gold = AttentionMST(causal, gold_root=True, progress=False).fit(TRAIN, DEV)
    with pytest.raises(MethodError, match="uses gold trees, which a prefix does not have"):
        prefix_trees(gold, TEST, restart=True)
    method = Planted(lambda one: Prediction(np.arange(len(one))))
    method.reads_model = True
    with pytest.raises(MethodError, match="'planted' has no encoder: it is unknown if its model"):
        prefix_trees(method, TEST)
    with pytest.raises(ScoreError, match="there are no gold edges between scored words"):
        measure(LinearChain(), [Sentence(("a",), heads=[0])])
    with pytest.raises(ScoreError, match="has no heads"):
        measure(LinearChain(), [Sentence(("a",))])
    assert prefix_trees(LinearChain(), []) == []


def test_one_layer_may_be_free_of_context() -> None:
    model = make_model("bert")
    bert = Encoder(model, tokenizer=make_tokenizer(), max_unknown=1, device="cpu")
    probe = StructuralProbe(max_steps=5, random_state=0)
    method = ProbeRecoverer(bert, 0, probe, progress=False).fit(TRAIN, DEV)
    assert measure(method)["delay"] == 0


def test_relations_and_intervals_may_be_missing() -> None:
    bank = [Sentence(("a", "b", "c"), heads=[2, 0, 1])]
    row, chain = read_incremental(LinearChain(), bank, progress=False)
    assert row["by_relation"] is None
    assert (row["uuas"], row["uuas_low"]) == (0.5, None)
    assert row == chain
    assert "Edges by relation" not in format_incremental([row, chain])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    tiny_file(folder / "train.conllu", n=20)
    tiny_file(folder / "test.conllu", seed=3)
    for kind in ("llama", "bert"):
        model = save_checkpoint(folder / kind, kind)
        command = f"fit --model {model} --layer 1 --max-steps 5 -q --max-unknown 1 --device cpu "
        command += f"--train {folder}/train.conllu --dev {folder}/test.conllu -o {folder}/P-{kind}"
        assert main(command.split()) == 0
    return folder


def test_the_command_prints_tables_or_json(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"incremental {saved}/P-llama {saved}/test.conllu --device cpu -q --max-unknown 1"
    capsys.readouterr()
    assert main([*command.split(), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["method"], row.get("layer")) for row in rows] == [("probe", 1), ("linear", None)]
    assert main(command.split()) == 0
    printed = capsys.readouterr().out
    assert printed == format_incremental(rows) + "\n"
    assert printed.splitlines()[1].startswith("probe, layer 1  ")
    assert "sentences read once" in printed
    pytest.importorskip("matplotlib")
    draw = f"{command} --json -o {tmp_path}/figures --format svg --sentence tiny-0"
    assert main(draw.split()) == 0
    assert json.loads(capsys.readouterr().out) == rows
    picture = (tmp_path / "figures" / "unfolding-tiny-0.svg").read_text()
    assert "The tree after each word" in picture


def test_the_command_refuses_a_model_that_is_not_causal(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"incremental {saved}/P-bert {saved}/test.conllu --device cpu -q --max-unknown 1"
    assert main(command.split()) == 1
    told = capsys.readouterr().err.strip()
    assert told.endswith("; add --restart to encode and parse each prefix by itself")
    assert main([*command.split(), "--restart"]) == 0
    assert "each prefix read by itself" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*command.split(), "--sentence", "tiny-0"])
    assert "--sentence names what to draw; add -o DIR" in capsys.readouterr().err

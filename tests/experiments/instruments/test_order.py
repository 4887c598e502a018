"""Order against hierarchy: planted vectors of either, a slow reader, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_checkpoints import save_checkpoint

from structprobe.cli.main import main
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import ProbeError
from structprobe.experiments.instruments import order
from structprobe.experiments.instruments.order import CHOICES, CONDITIONS, PENALTIES, read_order
from structprobe.show.stimuli_table import format_order
from structprobe.stimuli import Stimulus, make_stimuli
from structprobe.treebank import Sentence
from structprobe.trees import tree_depths

N = 40
WIDTH = 24


class Planted:
    """One layer, of vectors made from sentences; layer 0 has the words' forms alone."""

    n_layers, layers, hidden_size = 1, (0, 1), WIDTH

    def __init__(self, vectors: Callable[[Sentence], np.ndarray]) -> None:
        self.vectors = vectors

    def encode(self, sentences: Sequence[Sentence], *, layers: Any, **_: Any) -> EncodedBank:
        made = {0: of_forms, 1: self.vectors}
        offsets = np.cumsum([0, *map(len, sentences)])
        wanted = [layers] if isinstance(layers, int) else layers
        values = {layer: np.concatenate([made[layer](one) for one in sentences]).astype(np.float32)
                  for layer in wanted}  # fmt: skip
        return EncodedBank(values, offsets, {"model": "planted"})


def of_forms(sentence: Sentence) -> np.ndarray:
    return np.stack([np.random.default_rng([*word.lower().encode()]).normal(size=WIDTH)
                     for word in sentence.words])  # fmt: skip


def of_order(sentence: Sentence) -> np.ndarray:
    """The index of each word, and nothing else."""
    vectors = np.zeros((len(sentence), WIDTH))
    vectors[:, 0] += np.arange(len(sentence))
    return vectors


def of_hierarchy(sentence: Sentence) -> np.ndarray:
    """The depth and the relation of each word, and of its head; not its place."""
    names = sorted({"nsubj", "aux", "root", "obj", "acl:relcl", "nmod", "obl", "nmod:poss"})
    deprels = [*sentence.deprels, ""]
    vectors = np.zeros((len(sentence), WIDTH))
    vectors[:, 0] += tree_depths(sentence.heads)
    for word, head in enumerate(sentence.heads.tolist()):
        for start, name in ((1, deprels[word]), (1 + len(names), deprels[head - 1])):
            if name in names:
                vectors[word, start + names.index(name)] += 1
    return vectors


def of_nothing(sentence: Sentence) -> np.ndarray:
    return np.ones((len(sentence), WIDTH))


def read(vectors: Callable[[Sentence], np.ndarray], **how: Any) -> dict[tuple[str, Any], Any]:
    rows = read_order(Planted(vectors), n=N, progress=False, **how)
    return {(row["task"], row["vectors"] if row["layer"] is None else row["layer"]): row
            for row in rows}  # fmt: skip


@pytest.fixture(scope="module")
def by_order() -> dict[tuple[str, Any], Any]:
    return read(of_order)


@pytest.fixture(scope="module")
def by_hierarchy() -> dict[tuple[str, Any], Any]:
    return read(of_hierarchy)


def test_vectors_of_the_index_come_out_as_order(by_order: dict[tuple[str, Any], Any]) -> None:
    for task in ("index", "auxiliary", "subject"):
        row = by_order[task, 1]
        assert row["agreeing"] == row["linear"] == 1, task
        assert row["hierarchical"] == 0, task
    assert by_order["index", 1]["trained_on_both"] == 1
    # There is no more to read: which noun is the subject does not follow from its place.
    assert by_order["subject", 1]["trained_on_both"] < 0.6


def test_vectors_of_the_tree_come_out_as_hierarchy(
    by_hierarchy: dict[tuple[str, Any], Any],
) -> None:
    for task in ("auxiliary", "subject"):
        row = by_hierarchy[task, 1]
        for key in ("agreeing", "hierarchical", "trained_on_both"):
            assert row[key] == row[f"{key}_low"] == 1, (task, key)
        assert row["linear"] == row["linear_high"] == 0
    row = by_hierarchy["index", 1]
    assert row["agreeing"] < 0.4
    assert row["linear"] < row["hierarchical"] - 0.1


def test_word_forms_are_at_chance(by_order: dict[tuple[str, Any], Any]) -> None:
    for layer in ("types", 0):
        for task, chance in (("auxiliary", 1 / 2), ("subject", 1 / 3)):
            row = by_order[task, layer]
            for key in ("agreeing", "hierarchical", "linear"):
                assert row[f"{key}_low"] <= chance + 0.15, (layer, task, key)
                assert row[f"{key}_high"] >= chance - 0.15, (layer, task, key)
        assert by_order["index", layer]["linear"] < 0.3


def test_vectors_that_are_all_the_same_give_chance() -> None:
    found = read(of_nothing, tasks=["auxiliary", "subject"], layers=1)
    for task, chance in (("auxiliary", 1 / 2), ("subject", 1 / 3)):
        for key in ("agreeing", "hierarchical", "linear", "trained_on_both"):
            assert found[task, 1][key] == pytest.approx(chance)
            assert found[task, "chance"][key] == pytest.approx(chance)
            assert found[task, "chance"][f"{key}_low"] is None


def test_without_layer_0_there_are_no_type_vectors() -> None:
    encoder = Planted(of_order)
    encoder.layers = (1,)
    rows = read_order(encoder, tasks="subject", n=10, progress=False)
    assert [(row["vectors"], row["layer"]) for row in rows] == [("chance", None), ("layer", 1)]


def test_rows_say_what_they_are_of(by_order: dict[tuple[str, Any], Any]) -> None:
    layers = ["chance", "types", 0, 1]
    assert [*by_order] == [(t, one) for t in ("index", "auxiliary", "subject") for one in layers]
    n = N // 5  # of the items, each with 2 or 4 sentences
    sizes = {task: (by_order[task, 1]["n_agreeing"], by_order[task, 1]["n_disagreeing"])
             for task in order.TASKS}  # fmt: skip
    assert sizes["auxiliary"] == (n, n)
    assert sizes["subject"] == (2 * n, 2 * n)
    assert sizes["index"][0] == n * 7 + 2 * n * 5  # all named words
    assert by_order["index", 1]["model"] == "planted"
    assert {*by_order["index", 1]} == {*by_order["subject", "chance"]}


def test_the_named_words_are_those_to_choose_from() -> None:
    for condition, size in CONDITIONS.items():
        stimuli = make_stimuli(condition, n=size)
        assert {one.item for one in stimuli} == {1}
        for one in stimuli:
            upos = {one.sentence.upos[place - 1] for place in one.words.values()}
            kinds = {one.sentence.upos[one.words[name] - 1] for name in CHOICES[condition]}
            (kind,) = kinds
            assert kind in upos
            # There is no other word of this kind.
            assert one.sentence.upos.count(kind) == len(CHOICES[condition])


def slow_reader(stimuli: list[Stimulus], both: bool) -> dict[str, list[float]]:
    """The main auxiliary sentence by sentence, by least squares with extra rows as the penalty."""

    def rows_of(chosen: list[Stimulus]) -> tuple[np.ndarray, np.ndarray]:
        x, y = [], []
        for one in chosen:
            for name in ("auxiliary", "inner_auxiliary"):
                x.append(mixed(one.sentence)[one.words[name] - 1].astype(np.float32))
                y.append(float(name == "auxiliary"))
        return np.array(x, dtype=float), np.array(y)

    def usable(one: Stimulus) -> bool:
        return both or one.values["first_auxiliary"] == "main"

    x, y = rows_of([one for one in stimuli if one.item <= 24 and usable(one)])
    x_dev, y_dev = rows_of([one for one in stimuli if 24 < one.item <= 32 and usable(one)])
    mean, spread = x.mean(axis=0), x.std(axis=0)
    best = None
    for penalty in PENALTIES:
        extra = np.sqrt(penalty * len(x)) * np.eye(WIDTH)
        a = np.vstack([(x - mean) / spread, extra])
        weights = np.linalg.lstsq(a, np.append(y - y.mean(), np.zeros(WIDTH)), rcond=None)[0]
        loss = np.mean(((x_dev - mean) / spread @ weights + y.mean() - y_dev) ** 2)
        if best is None or loss <= best[0]:
            best = loss, weights
    found: dict[str, list[float]] = {"agreeing": [], "hierarchical": [], "linear": []}
    for one in stimuli:
        if one.item <= 32:
            continue
        place = {name: one.words[name] for name in ("auxiliary", "inner_auxiliary")}
        scores = {name: ((mixed(one.sentence)[at - 1] - mean) / spread) @ best[1]
                  for name, at in place.items()}  # fmt: skip
        said = max(scores, key=scores.__getitem__)
        if one.values["first_auxiliary"] == "main":
            found["agreeing"].append(said == "auxiliary")
        else:
            found["hierarchical"].append(said == "auxiliary")
            found["linear"].append(said == min(place, key=place.__getitem__))
    return found


def mixed(sentence: Sentence) -> np.ndarray:
    """A bit of everything, with noise, so that answers differ."""
    noise = np.random.default_rng(len(" ".join(sentence.words))).normal(size=(len(sentence), WIDTH))
    return of_order(sentence) + 2 * of_hierarchy(sentence) + noise


def test_a_reader_answers_as_a_slow_one() -> None:
    row = read(mixed, tasks="auxiliary", layers=[1], seed=3)["auxiliary", 1]
    stimuli = make_stimuli("main_auxiliary", n=2 * N, seed=3)
    slow = {key: np.mean(own) for key, own in slow_reader(stimuli, both=False).items()}
    assert {key: row[key] for key in slow} == pytest.approx(slow)
    assert 0 < row["hierarchical"] < 1
    both = slow_reader(stimuli, both=True)
    assert row["trained_on_both"] == pytest.approx(np.mean(both["hierarchical"]))


def test_fewer_words_than_dimensions_are_read_the_same() -> None:
    rng = np.random.default_rng(0)
    values = {part: rng.normal(size=(30, 8)) for part in ("train", "dev", "test")}
    targets = {part: own @ np.arange(8.0) + rng.normal(size=30) for part, own in values.items()}
    # Each coordinate five times, which after scaling is the same problem with a smaller penalty.
    wide = {part: np.tile(own, 5) for part, own in values.items()}
    few = {part: own[:30] for part, own in wide.items()}
    assert few["train"].shape[0] < few["train"].shape[1]
    found = order._read(few, targets)
    by_penalty = []
    mean, spread = values["train"].mean(axis=0), values["train"].std(axis=0)
    z = {part: (own - mean) / spread for part, own in values.items()}
    for penalty in PENALTIES:
        gram = 5 * z["train"].T @ z["train"] + penalty * 30 * np.eye(8)
        y = targets["train"] - targets["train"].mean()
        weights = 5 * np.linalg.solve(gram, z["train"].T @ y)
        said = {part: own @ weights + targets["train"].mean() for part, own in z.items()}
        by_penalty.append((np.mean((said["dev"] - targets["dev"]) ** 2), said["test"]))
    assert found == pytest.approx(min(by_penalty, key=lambda one: one[0])[1])


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"tasks": ["subjects"]}, r"unknown task 'subjects' \(did you mean 'subject'\?\); choose"),
        ({"tasks": []}, "no task was given; choose from index, auxiliary, subject"),
        ({"n": 9}, "^9 items per condition; ask for at least 10"),
        ({"n": 20.0}, "20.0 items per condition; ask for at least 10"),
        ({"layers": 2}, "layer 2 is out of range"),
    ],
)
def test_what_cannot_be_read_is_refused(how: dict[str, Any], told: str) -> None:
    with pytest.raises(ProbeError, match=told) as caught:
        read_order(Planted(of_order), **how)
    assert "\n" not in str(caught.value)
    with pytest.raises(ProbeError, match="encoder is 'model', not an Encoder"):
        read_order("model")


def test_the_command_prints_a_table_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_checkpoint(tmp_path / "model", "bert")
    command = f"order --model {model} --layers 0,2 --items 10 --device cpu -q --max-unknown 1"
    command += " --tasks auxiliary index"
    assert main([*command.split(), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["vectors"], row["layer"]) for row in rows] == [
        (task, *which) for task in ("auxiliary", "index")
        for which in (("chance", None), ("types", None), ("layer", 0), ("layer", 2))
    ]  # fmt: skip
    assert {row["model"] for row in rows} == {str(model)}
    assert main(command.split()) == 0
    printed = capsys.readouterr().out
    assert printed == format_order(rows) + "\n"
    heading, chance, *_ = printed.splitlines()
    assert heading.split() == ["task", "layer", "agreeing", "hierarchical", "linear", "trained",
                               "on", "both"]  # fmt: skip
    assert chance.split() == ["auxiliary", "chance", *["50.0"] * 4]
    assert "auxiliary: 2 and 2; index: " in printed.splitlines()[-1]
    with pytest.raises(SystemExit):
        main([*command.split(), "verb"])
    assert "--tasks: unknown value 'verb'" in capsys.readouterr().err

"""Decompositions of planted sentence vectors, of a tiny model, and the command."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import decompose
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder
from structprobe.cli.main import main
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import ProbeError, ScoreError, TreeError
from structprobe.experiments.instruments.decompose import Decomposition
from structprobe.recoverers.random_tree import random_heads
from structprobe.show.vector_tables import format_decompositions
from structprobe.treebank import Sentence, Treebank
from structprobe.trees.roles import ROLE_SCHEMES

WIDTH = 4
SCHEMES = [*ROLE_SCHEMES]
QUIET = {"device": "cpu", "progress": False}


def drawn(name: object, *shape: int) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(repr(name).encode())).normal(size=shape)


class Composer:
    """Layer 0 has the forms; each other layer maps a word's form by its role under one scheme."""

    layers = (0, 1, 2, 3, 4, 5)
    n_layers, hidden_size = 5, WIDTH

    def encode(self, sentences: Sequence[Any], *, layers: Any, **_: Any) -> EncodedBank:
        wanted = layers if isinstance(layers, Iterable) else [layers]
        offsets = np.cumsum([0, *map(len, sentences)])
        values = {n: np.concatenate([self.words(one, n) for one in sentences]) for n in wanted}
        return EncodedBank(values, offsets, {"model": "composer"})

    def words(self, sentence: Any, layer: int) -> np.ndarray:
        forms = [drawn(word, WIDTH) for word in getattr(sentence, "words", sentence)]
        if layer == 0:
            return np.array(forms)
        roles = ROLE_SCHEMES[SCHEMES[layer - 1]](sentence.heads)
        return np.array(
            [form @ drawn(role, WIDTH, WIDTH) for form, role in zip(forms, roles, strict=True)]
        )


def random_bank(n: int, seed: int, longest: int = 5) -> Treebank:
    generator = np.random.default_rng(seed)
    sentences = []
    for _ in range(n):
        heads = random_heads(int(generator.integers(2, longest + 1)), generator)
        words = tuple(f"w{i}" for i in generator.integers(40, size=len(heads)))
        sentences.append(Sentence(words, heads))
    return Treebank(sentences)


@pytest.fixture(scope="module")
def banks() -> list[Treebank]:
    return [random_bank(n, seed) for seed, n in enumerate((400, 100, 150))]


@pytest.fixture(scope="module")
def table(banks: list[Treebank]) -> dict[tuple[int, str], Decomposition]:
    found = decompose(Composer(), *banks, **QUIET)
    return {(one.layer, one.scheme): one for one in found}


def test_each_scheme_is_best_on_vectors_composed_by_it(
    table: dict[tuple[int, str], Decomposition],
) -> None:
    for layer, planted in enumerate(SCHEMES, start=1):
        errors = {scheme: table[layer, scheme].error[0] for scheme in SCHEMES}
        assert errors[planted] <= min(errors.values()) + 1e-9
        assert errors[planted] < 0.05  # some roles of the test set are new
        if planted == "bag-of-words":
            continue
        # What contains the scheme is as good with enough sentences; the others are not.
        for scheme in {*SCHEMES} - {planted, "bidirectional"}:
            assert errors[scheme] > 0.1, (planted, scheme)
        own = table[layer, planted]
        assert own.control_error is not None
        assert own.selectivity is not None
        assert own.selectivity[0] == pytest.approx(own.control_error[0] - own.error[0])
        assert own.selectivity[1] > 0.1
        assert own.role_weight > 0


def test_a_bag_of_words_is_exact_on_its_own_and_at_layer_0(
    table: dict[tuple[int, str], Decomposition],
) -> None:
    for layer in (0, 5):
        for scheme in SCHEMES:
            one = table[layer, scheme]
            assert (one.error[0] < 1e-6, one.role_weight) == (True, 0)
            if one.selectivity is not None:
                assert one.selectivity[0] < 1e-6
        bag = table[layer, "bag-of-words"]
        assert (bag.n_roles, bag.control_error, bag.selectivity) == (1, None, None)
        assert bag.n_parameters == WIDTH * (WIDTH + 1 + 1)


def test_what_is_said_beside_the_errors(
    banks: list[Treebank], table: dict[tuple[int, str], Decomposition]
) -> None:
    for one in table.values():
        assert one.error[1] <= one.error[0] <= one.error[2]
        assert (one.n_train, one.n_sentences, one.model) == (400, 150, "composer")
    tree = table[1, "tree"]
    known = {role for one in banks[0] for role in ROLE_SCHEMES["tree"](one.heads)}
    roles = [role for one in banks[2] for role in ROLE_SCHEMES["tree"](one.heads)]
    assert tree.n_roles == len(known)
    assert tree.n_parameters == WIDTH * ((len(known) + 1) * (WIDTH + 1) + 1)
    assert tree.new_roles == sum(role not in known for role in roles) / len(roles) > 0


def test_the_vector_of_one_word_is_found_by_its_place(banks: list[Treebank]) -> None:
    schemes = ["left-to-right", "right-to-left", "bag-of-words"]
    for vector, best in (("first", "left-to-right"), ("last", "right-to-left")):
        how = {"layers": 0, "schemes": schemes, "sentence_vector": vector}
        errors = {one.scheme: one.error[0] for one in decompose(Composer(), *banks, **how, **QUIET)}
        assert errors.pop(best) < 1e-4
        assert min(errors.values()) > 0.1


def test_noise_has_an_error_of_one_and_no_selectivity(banks: list[Treebank]) -> None:
    class Noise(Composer):
        def words(self, sentence: Any, layer: int) -> np.ndarray:
            told = getattr(sentence, "words", sentence), getattr(sentence, "heads", ())
            return super().words(sentence, 0) if layer == 0 else drawn(told, len(told[0]), WIDTH)

    for one in decompose(Noise(), *banks, layers=1, **QUIET):
        assert 0.95 < one.error[0] < 1.05
        assert one.selectivity is None or abs(one.selectivity[0]) < 0.03


def test_a_seed_draws_sentences_and_a_cache_changes_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    encoder = Encoder(save_checkpoint(tmp_path_factory.mktemp("model"), "bert"), device="cpu")
    parts = [tiny_bank(n=20, seed=seed) for seed in range(3)]
    how = {"layers": [0, 2], "schemes": ["tree", "bag-of-words"], "max_sentences": 12, **QUIET}
    plain = decompose(encoder, *parts, **how)
    assert [one.n_train for one in plain] == [12] * 4
    assert [(one.layer, one.scheme) for one in plain] == [
        (0, "tree"), (0, "bag-of-words"), (2, "tree"), (2, "bag-of-words"),
    ]  # fmt: skip
    cached = decompose(encoder, *parts, **how, cache=tmp_path / "cache")
    for one, other in zip(plain, cached, strict=True):
        assert one.values() == other.values()
    other = decompose(encoder, *parts, **how, seed=1)
    assert other[0].error != plain[0].error


def test_what_cannot_be_decomposed_is_refused(banks: list[Treebank]) -> None:
    train, dev, test = banks
    encoder = Composer()
    with pytest.raises(ProbeError, match=r"unknown role scheme 'trees' \(did you mean 'tree'\?\);"):
        decompose(encoder, *banks, schemes="trees")
    with pytest.raises(ProbeError, match="no role scheme was given; choose from left-to-right"):
        decompose(encoder, *banks, schemes=[])
    with pytest.raises(ProbeError, match="unknown sentence_vector 'cls'; choose from 'mean'"):
        decompose(encoder, *banks, sentence_vector="cls")
    with pytest.raises(ScoreError, match="only 1 sentence to train on; give at least 10"):
        decompose(encoder, train[:1], dev, test)
    with pytest.raises(ScoreError, match="only 3 sentences to train on"):
        decompose(encoder, *banks, max_sentences=3)
    with pytest.raises(ScoreError, match="the test treebank has no sentences"):
        decompose(encoder, train, dev, [])
    with pytest.raises(ScoreError, match="a sentence in the dev treebank has no heads"):
        decompose(encoder, train, [Sentence(("a", "b"))], test)
    with pytest.raises(ProbeError, match="layer 9 is out of range"):
        decompose(encoder, *banks, layers=9)
    with pytest.raises(ProbeError, match="max_sentences must be a positive integer, got 0"):
        decompose(encoder, *banks, max_sentences=0)

    circle = Sentence(("a", "b", "c"), [2, 1, 0], sent_id="odd")
    with pytest.raises(TreeError, match="sent_id 'odd': the heads form a cycle"):
        decompose(encoder, train, dev, [circle])

    class Added(Composer):
        layers = (1, 2, 3, 4, 5)

    with pytest.raises(ProbeError, match=r'fillers are .*; use site="residual"'):
        decompose(Added(), *banks)
    same = Treebank([Sentence(("w1", "w2"), [2, 0])] * 12)
    with pytest.raises(ProbeError, match="all sentences have the same vector at layer 1"):
        decompose(encoder, same, dev, test, layers=1)
    mixed = Treebank([Sentence((a, b), [2, 0]) for a in ("w1", "w2") for b in ("w1", "w2")] * 3)
    mean = Treebank([Sentence(("w1", "w2"), [2, 0])] * 3)
    with pytest.raises(ProbeError, match="all test sentences have the mean vector at layer 0"):
        decompose(encoder, mixed, mixed, mean, layers=0)


def test_the_command_prints_a_table_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_checkpoint(tmp_path / "model", "bert")
    command = f"decompose --model {model} --layers 0,2 --device cpu -q".split()
    for seed, part in enumerate(("train", "dev", "test")):
        tiny_file(tmp_path / f"{part}.conllu", seed=seed, n=15)
        command += [f"--{part}", f"{tmp_path}/{part}.conllu"]
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["layer"], row["scheme"]) for row in rows] == [
        (layer, scheme) for layer in (0, 2) for scheme in SCHEMES
    ]
    assert {row["treebank"] for row in rows} == {"test.conllu"}
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed == format_decompositions(rows) + "\n"
    heading, first, *_ = printed.splitlines()
    assert heading.split() == [
        *("layer", "scheme", "roles", "parameters", "new", "roles"),
        *("error", "control", "selectivity"),
    ]  # fmt: skip
    error = rows[0]["error"]
    shown = " [".join(f"{100 * error[key]:.1f}" for key in ("value", "low"))
    assert f" {shown}, " in first
    assert "At layer 0, bag-of-words has a low error by construction" in printed
    assert "Warning: test has only 15 sentences" in printed
    bag = printed.splitlines()[5].split()
    assert (bag[1], bag[2], bag[-2:]) == ("bag-of-words", "1", ["–", "–"])

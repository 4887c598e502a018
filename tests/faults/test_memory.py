"""Memory: where it does not suffice, the work goes on in halves and gives the same numbers."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import paired_wordpiece, tiny_model
from support.tiny_trees import tiny_bank

from structprobe import Encoder, StructuralProbe, WordAttentions
from structprobe.errors import EncoderError, ProbeError, StoreError
from structprobe.masking.impacts import MaskedImpacts
from structprobe.memory import is_out_of_memory
from structprobe.probe.readers import head_choice
from structprobe.probe.readers.biaffine_mix import BiaffineMix
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.probe.readers.layer_mix import LayerMix
from structprobe.probe.training import fit

pytestmark = pytest.mark.fault_class("memory")

ROOT = Path(__file__).resolve().parents[2]

CPU = (
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 8589934592 bytes. Error code 12 (Cannot allocate memory)"
)
FAILURES: dict[str, Callable[[], BaseException]] = {
    "the allocator of the CPU": lambda: RuntimeError(CPU),
    "that of Windows": lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried"),
    "Python": MemoryError,
    "numpy": lambda: np._core._exceptions._ArrayMemoryError((9, 9), np.dtype("f4")),
    "CUDA": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "cuBLAS": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublas"),
    "MPS": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    "C++": lambda: RuntimeError("std::bad_alloc"),
}
TEXT = "the dog that chased a cat ran away from our house and she saw him there"
WORDS = TEXT.split() * 2
SENTENCES = [WORDS[i : i + 3 + i % 7] for i in range(20)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_model("bert", paired_wordpiece()).save_pretrained(folder)
    paired_wordpiece().save_pretrained(folder)
    return folder


@pytest.fixture
def encoder(model: Path) -> Encoder:
    return Encoder(model, batch_tokens=96, device="cpu")


@contextmanager
def little_memory(
    encoder: Encoder, most: int, failure: Callable[[], BaseException]
) -> Iterator[Any]:
    """Let passes through a model fail that read more than so many positions; count them."""
    counts = {"failed": 0, "read": 0}

    def fail(_: Any, args: Any, given: Any) -> None:
        if given["input_ids"].numel() > most:
            counts["failed"] += 1
            raise failure()
        counts["read"] += 1

    hook = encoder.loaded.model.register_forward_pre_hook(fail, with_kwargs=True)
    try:
        yield counts
    finally:
        hook.remove()


def encoded(encoder: Encoder, sentences: Any = SENTENCES, **how: Any) -> np.ndarray:
    bank = encoder.encode(sentences, progress=False, **how)
    return np.stack([bank.layer(layer).values for layer in bank.layers])


def attended(encoder: Encoder) -> np.ndarray:
    batches = WordAttentions(encoder).read(SENTENCES, progress=False)
    return by_number(batches, lambda one, k, n: one.weights[k, :, :, :n, :n])


def attended_pairs(encoder: Encoder) -> np.ndarray:
    pairs = WordAttentions(encoder).read_pairs(SENTENCES, progress=False)
    return by_number((one for one, _ in pairs), lambda one, k, n: one.weights[k, :, :, :n, :n])


def by_number(batches: Any, take: Any) -> np.ndarray:
    found = {
        int(number): take(one, k, int(one.lengths[k]))
        for one in batches
        for k, number in enumerate(one.sentences)
    }
    return np.concatenate([found[number].ravel() for number in sorted(found)])


def impacts(encoder: Encoder) -> np.ndarray:
    found = dict(MaskedImpacts(encoder).read(SENTENCES[:6], progress=False))
    return np.concatenate([found[number].ravel() for number in sorted(found)])


READINGS = {"vectors": encoded, "attention": attended, "impacts": impacts}


def some(cases: Iterable[tuple[Any, ...]], n: int, whole: bool) -> list[tuple[Any, ...]]:
    """Give all cases, or some that are drawn."""
    every = list(cases)
    return every if whole else random.Random(0).sample(every, n)


@pytest.mark.parametrize("reading", READINGS)
def test_reading_goes_on_in_halves(
    encoder: Encoder, reading: str, tally: Any, whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    expected = READINGS[reading](encoder)

    def check(failure: str, most: int) -> None:
        caplog.clear()
        with little_memory(encoder, most, FAILURES[failure]) as counts:
            found = READINGS[reading](encoder)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
        told = [text for text in caplog.messages if "not enough memory" in text]
        assert 0 < len(told) == counts["failed"] <= 7  # later batches are as small from the start
        assert "going on with batches of 1/2 of the size" in told[0]
        assert "\n" not in "".join(told)

    tally.each(check, some(product(FAILURES, (80, 48, 30)), 2, whole))


def test_pairs_of_sentences_go_on_in_halves(model: Path) -> None:
    encoder = Encoder(model, batch_tokens=200, device="cpu")
    expected = attended_pairs(encoder)
    with little_memory(encoder, 80, FAILURES["CUDA"]) as counts:
        found = attended_pairs(encoder)
    assert counts["failed"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_cache_is_filled_in_halves(encoder: Encoder, tmp_path: Path) -> None:
    expected = encoded(encoder)
    with little_memory(encoder, 48, FAILURES["CUDA"]) as counts:
        found = encoded(encoder, cache=tmp_path)
    assert counts["failed"] == 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found, encoded(encoder, cache=tmp_path))


def test_extreme_norms_are_counted_once(encoder: Encoder) -> None:
    """Also where the first half of a batch was read twice."""
    expected = encoder.encode(SENTENCES, progress=False).outliers
    with little_memory(encoder, 48, FAILURES["CUDA"]):
        assert encoder.encode(SENTENCES, progress=False).outliers == expected


@pytest.mark.parametrize("most", [None, 700, 64])
def test_a_sentence_of_five_thousand_words(
    whole: bool, encoder: Encoder, model: Path, most: int | None
) -> None:
    """It is read in windows, if need be one by one; short sentences beside it are as ever."""
    sentences = [*SENTENCES[:3], (WORDS * 200)[: 5000 if whole else 1000]]
    wide = Encoder(model, batch_tokens=2000, device="cpu")
    expected = encoded(wide, sentences, layers=[1, 3])
    assert expected.shape[1] == sum(map(len, sentences))
    if most is None:
        np.testing.assert_allclose(encoded(encoder, sentences, layers=[1, 3]), expected, atol=1e-5)
        return
    with little_memory(wide, most, FAILURES["Python"]) as counts:
        found = encoded(wide, sentences, layers=[1, 3])
    assert counts["failed"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("reading", READINGS)
def test_one_sentence_that_does_not_fit(
    encoder: Encoder, reading: str, tally: Any, whole: bool
) -> None:
    told = r"reading with '.*': there is not enough memory for one sentence \(.*\); leave out the"
    if reading == "attention":  # which is tried first
        told = "reading the attention of '.*' to a few short texts: there is not enough memory; use"

    def check(failure: str) -> None:
        with (
            little_memory(encoder, 8, FAILURES[failure]),
            pytest.raises(EncoderError, match=told) as error,
        ):
            READINGS[reading](encoder)
        assert "\n" not in str(error.value)
        assert reading != "vectors" or error.value.where

    tally.each(check, some(product(FAILURES), 2, whole))


def test_one_sentence_alone(encoder: Encoder) -> None:
    assert encoded(encoder, [["dog"]]).shape == (4, 1, 32)


def test_other_errors_are_not_taken_for_it(encoder: Encoder) -> None:
    for error in (RuntimeError("size mismatch"), ValueError("out of memory"), KeyError("allocate")):
        assert not is_out_of_memory(error)
    with (
        little_memory(encoder, 2, lambda: RuntimeError("size mismatch")),
        pytest.raises(RuntimeError, match="size mismatch"),
    ):
        encoded(encoder)


def test_vectors_that_do_not_fit(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.zeros

    def zeros(shape: Any, *how: Any, **named: Any) -> Any:
        if isinstance(shape, tuple):
            raise MemoryError
        return whole(shape, *how, **named)

    monkeypatch.setattr("structprobe.encoder.cache.store.np.zeros", zeros)
    with pytest.raises(StoreError, match=r"do not fit into memory.*cache"):
        encoded(encoder)


BANK = tiny_bank(n=40, longest=9)
WIDTH = 6


def vectors(seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.normal(size=(len(one), WIDTH)).astype(np.float32) for one in BANK]


def fitted(**how: Any) -> list[np.ndarray]:
    probe = StructuralProbe(rank=4, max_steps=25, random_state=0, **how)
    probe.fit(vectors(), BANK, dev=(vectors(1), BANK))
    losses = [
        one["dev_loss"]
        for kind in ("distance", "depth")
        for one in probe.history_[kind]["evaluations"]
    ]
    return [probe.distance_components_, probe.depth_components_, np.array(losses)]


def fitted_mix() -> list[np.ndarray]:
    layers = {0: vectors(), 1: vectors(2)}
    mix = LayerMix(rank=4, max_steps=25, random_state=0).fit(layers, BANK, dev=(layers, BANK))
    return [mix.distance_components_, mix.distance_weights_, mix.depth_components_]


FITS: dict[str, Callable[[], list[np.ndarray]]] = {
    "whitened": fitted,
    "published": lambda: fitted(recipe="published"),
    "likelihood": lambda: fitted(loss="tree"),
    "streamed": lambda: fitted(memory_gb=1e-5),
    "mix": fitted_mix,
}


@contextmanager
def little_training_memory(most: int, failure: Callable[[], BaseException]) -> Iterator[list[int]]:
    """Let losses fail of more than so many rows; list how many they had."""
    seen: list[int] = []

    def limited(loss: Any) -> Any:
        def call(components: Any, rows: Any, batch: Any, *gradients: Any) -> Any:
            seen.append(rows.shape[-2])
            if seen[-1] > most:
                if gradients and gradients[0] is not None:
                    gradients[0].fill_(float("nan"))  # as far as it came
                raise failure()
            return loss(components, rows, batch, *gradients)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name, make in list(fit.DISTANCE_LOSSES.items()):
            patch.setitem(fit.DISTANCE_LOSSES, name, lambda one, make=make: limited(make(one)))
        patch.setattr(fit, "depth_loss", limited(fit.depth_loss))
        yield seen


@pytest.mark.parametrize("name", FITS)
def test_training_goes_on_in_halves(name: str, tally: Any, whole: bool) -> None:
    with little_training_memory(10**9, MemoryError) as seen:
        expected = FITS[name]()
    largest = max(seen)

    def check(failure: str, most: int) -> None:
        with little_training_memory(most, FAILURES[failure]) as seen:
            found = FITS[name]()
        assert max(seen) > most
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-3 * np.abs(theirs).max())

    tally.each(check, some(product(FAILURES, (largest - 1, largest // 3, 9)), 1, whole))


def test_one_sentence_that_does_not_fit_in_training() -> None:
    with (
        little_training_memory(3, FAILURES["CUDA"]),
        pytest.raises(
            ProbeError, match=r"training: there is not enough memory for one sentence \(CUDA out"
        ),
    ):
        fitted()


def test_vectors_that_do_not_fit_are_read_from_disk(
    tally: Any, whole: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = fitted()

    def check(failure: str) -> None:
        def fail(*_: Any) -> None:
            raise FAILURES[failure]()

        monkeypatch.setattr(fit, "lay_out_layers", fail)
        for mine, theirs in zip(fitted(), expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert "not enough memory for the vectors; reading them from disk" in caplog.text
        caplog.clear()

    tally.each(check, some(product(FAILURES), 1, whole))


def biaffine() -> np.ndarray:
    probe = BiaffineProbe(rank=4, max_steps=12, random_state=0)
    return np.array(
        [one["dev_loss"] for one in probe.fit(vectors(), BANK, dev=(vectors(1), BANK)).history_]
    )


def biaffine_mix() -> np.ndarray:
    layers = {0: vectors(), 1: vectors(2)}
    probe = BiaffineMix(rank=4, max_steps=12, random_state=0).fit(layers, BANK, dev=(layers, BANK))
    return np.array([one["dev_loss"] for one in probe.history_])


@cache
def with_heads() -> BiaffineProbe:
    probe = BiaffineProbe(rank=4, max_steps=12, random_state=0, relation_rank=4)
    return probe.fit(vectors(), BANK, dev=(vectors(1), BANK))


def biaffine_relations() -> np.ndarray:
    """The direction of each arc, once its heads are fitted."""
    bank = [
        replace(one, deprels=["ab"[int(head > i)] for i, head in enumerate(one.heads, 1)])
        for one in BANK
    ]
    probe = with_heads().fit_relations(vectors(), bank, dev=(vectors(1), bank))
    return np.array([one["dev_loss"] for one in probe.relation_history_ or ()])


@pytest.mark.parametrize("train", [biaffine, biaffine_mix, biaffine_relations])
@pytest.mark.parametrize("most", [1, 2])
def test_choosing_heads_goes_on_in_halves(
    train: Callable[[], np.ndarray], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And drops out the same values."""
    expected, counts = train(), {"now": 0, "failed": 0}
    whole, vector = head_choice._sum_of, head_choice.parameters_to_vector

    def sum_of(module: Any, *given: Any) -> Any:
        found = whole(module, *given)  # which draws
        counts["now"] += module.training
        if counts["now"] > most:
            counts.update(now=0, failed=counts["failed"] + 1)
            raise MemoryError
        return found

    def gradients(given: Any) -> Any:
        counts["now"] = 0
        return vector(given)

    monkeypatch.setattr(head_choice, "_sum_of", sum_of)
    monkeypatch.setattr(head_choice, "parameters_to_vector", gradients)
    np.testing.assert_allclose(train(), expected, rtol=1e-4)
    assert 1 <= counts["failed"] <= 4


def test_memory_does_not_grow_with_the_vectors(tmp_path: Path, whole: bool) -> None:
    """Beyond the sentences themselves, at most 600 bytes for each of 200,000."""
    if not whole:
        pytest.skip("only in the whole form")
    told = {}
    for count in (20_000, 200_000):
        script = ROOT / "tests" / "support" / "many_sentences.py"
        done = subprocess.run(
            [sys.executable, str(script), str(count), str(tmp_path / str(count))],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told[count] = json.loads(done.stdout)
    few, many = told.values()
    growth = (many["fitted"] - many["made"]) - (few["fitted"] - few["made"])
    assert growth * 2**20 < 600 * 180_000
    assert 2 * many["vectors"] > 4 * growth  # those of two layers

"""Every fault in what a probe is given is named: what, where, and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.planted import planted

from structprobe.encoder.vectors import WordVectors
from structprobe.errors import ProbeError, TreeError
from structprobe.probe import StructuralProbe
from structprobe.probe.data.examples import hold_out
from structprobe.probe.data.inputs import read_words
from structprobe.probe.data.whitening import second_moments, whitening
from structprobe.treebank import Sentence, Treebank

X, HEADS = planted(20, seed=0)
ORIGIN = {
    "model": "m",
    "fingerprint": "f",
    "layer": 3,
    "pooling": "mean",
    "spacing": "words",
    "bos": False,
}


def changed(items: list, index: int, value: Any) -> list:
    """A list with one entry replaced."""
    return [value if place == index else item for place, item in enumerate(items)]


def sentence(n: int, heads: Any) -> Sentence:
    """A sentence that knows where it stands."""
    words = tuple(f"w{i}" for i in range(n))
    return Sentence(words=words, heads=heads, path="en.conllu", line=12, sent_id="s1")


def with_value(value: float) -> list:
    """Vectors in which one number is replaced."""
    array = X[4].copy()
    array[1, 2] = value
    return changed(X, 4, array)


FAULTS: dict[str, tuple[Callable[[], tuple[Any, Any]], str]] = {
    "no sentences": (lambda: ([], []), r"X is empty; pass at least one sentence"),
    "not a list": (lambda: (3, HEADS), r"X is int, not a list of arrays; pass one array"),
    "a string": (lambda: ("words", HEADS), r"X is str, not a list"),
    "trees that are none": (lambda: (X, None), r"y is NoneType, not a Treebank"),
    "fewer trees": (
        lambda: (X, HEADS[:-1]),
        r"X has 20 sentences, y has 19; they first differ at sentence 19 \(counted from 0\)",
    ),
    "a tree left out": (  # its neighbour is as long
        lambda: (X, [HEADS[0], *HEADS[2:]]),
        r"X has 20 sentences, y has 19; they first differ at sentence 2 ",
    ),
    "one array for all": (
        lambda: (np.concatenate(X), HEADS),
        r"X\[0\]: array has shape \(24,\) and type float32; pass one array \(n_words, hidden",
    ),
    "words for vectors": (
        lambda: (changed(X, 2, np.array([["a"]])), HEADS),
        r"X\[2\]: array has shape \(1, 1\) and type <U1",
    ),
    "another width": (
        lambda: (changed(X, 5, X[5][:, :7]), HEADS),
        r"X\[5\]: the vectors have width 7, those of X\[0\] have width 24",
    ),
    "no words": (
        lambda: (changed(X, 3, X[3][:0]), changed(HEADS, 3, np.array([], int))),
        r"X\[3\]: the sentence has no words",
    ),
    "more vectors than heads": (
        lambda: (X, changed(HEADS, 6, HEADS[6][:-1])),
        rf"y\[6\]: X\[6\] has {len(X[6])} words, y\[6\] has {len(X[6]) - 1}; encode the treebank",
    ),
    "more vectors than words": (
        lambda: (X, changed(HEADS, 6, sentence(99, np.zeros(99, int)))),
        r"en.conllu:12: sent_id 's1': y\[6\]: X\[6\] has \d+ words, y\[6\] has 99",
    ),
    "no heads": (
        lambda: (X, changed(HEADS, 6, sentence(len(X[6]), None))),
        r"en.conllu:12: sent_id 's1': y\[6\]: the sentence has no heads",
    ),
    "no numbers for heads": (
        lambda: (X, changed(HEADS, 1, ["a"] * len(X[1]))),
        r"y\[1\]: \['a'.* is neither a Sentence nor a list of heads",
    ),
    "NaN": (
        lambda: (with_value(np.nan), HEADS),
        r"X\[4\], word 2: the vector contains NaN or infinity",
    ),
    "infinity": (
        lambda: (with_value(-np.inf), changed(HEADS, 4, sentence(len(X[4]), HEADS[4]))),
        r"en.conllu:12: sent_id 's1': X\[4\], word 2: the vector contains NaN",
    ),
    "one long sentence": (
        lambda: ([X[4], *[x[:1] for x in X]], [HEADS[4], *[np.array([0])] * 20]),
        r"too few sentences to hold out some for validation: 1 of 21 have .*pass dev=",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_data_are_named(fault: str) -> None:
    make, message = FAULTS[fault]
    with pytest.raises(ProbeError, match=message):
        StructuralProbe(max_steps=1).fit(*make())


def test_vectors_without_any_difference_are_refused() -> None:
    with pytest.raises(ProbeError, match="all words of a sentence have the same vector"):
        StructuralProbe().fit([np.full_like(x, i) for i, x in enumerate(X)], HEADS)
    with pytest.raises(ProbeError, match="all vectors are 0"):
        whitening(second_moments(read_words([np.zeros((2, 3))])), centred=False)


def test_heads_that_are_no_tree_are_refused() -> None:
    with pytest.raises(TreeError, match=r"heads\[7\]: word 1 is its own head"):
        StructuralProbe(max_steps=1).fit(X, changed(HEADS, 7, np.full(len(X[7]), 1)))


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "rank above": ({"rank": 25}, r"rank must be an integer from 1 to 24, got 25"),
    "rank 0": ({"rank": 0}, r"rank must be an integer from 1 to 24, got 0"),
    "rank not whole": ({"rank": 2.5}, r"rank must be .*, got 2.5"),
    "rank no number": ({"rank": True}, r"rank must be .*, got True"),
    "recipe": (
        {"recipe": "whitenned"},
        r"unknown recipe 'whitenned' \(did you mean 'whitened'\?\); choose from",
    ),
    "recipe of a list": ({"recipe": ["published"]}, r"unknown recipe \['published'\]"),
    "max_steps": ({"max_steps": 0}, r"max_steps must be a positive integer, got 0"),
    "batch_size": ({"batch_size": -1}, r"batch_size must be a positive integer, got -1"),
    "learning_rate": (
        {"learning_rate": -0.1},
        r"learning_rate must be .* number, got -0.1",
    ),
    "learning_rate no number": ({"learning_rate": True}, r"learning_rate must be .*, got True"),
    "learning_rate text": ({"learning_rate": "fast"}, r"learning_rate must be .*, got 'fast'"),
    "fraction": (
        {"validation_fraction": 1.0},
        r"validation_fraction must be .* 0 and 1, got 1.0",
    ),
    "fraction 0": (
        {"validation_fraction": 0},
        r"validation_fraction must be .* 0 and 1, got 0",
    ),
    "seed": (
        {"random_state": "x"},
        r"random_state 'x' is not a valid seed; pass a non-neg",
    ),
    "negative seed": ({"random_state": -1}, r"random_state -1 is not a valid seed"),
    "device": ({"device": "gpu9"}, r"unknown device 'gpu9'.* choose from 'auto'"),
    "no such device": ({"device": "cuda:99"}, r"device 'cuda:99' is not available; "),
    "no device": ({"device": None}, r"unknown device None; choose from"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_out_of_range_are_named(setting: str) -> None:
    parameters, message = SETTINGS[setting]
    with pytest.raises(ProbeError, match=message):
        StructuralProbe(**parameters).fit(X, HEADS)


def test_numbers_of_numpy_are_numbers() -> None:
    settings = {"learning_rate": np.float32(0.5), "validation_fraction": np.float32(0.25)}
    own = {name: float(value) for name, value in settings.items()}
    one, other = (
        StructuralProbe(max_steps=2, random_state=0, **given).fit(X, HEADS)
        for given in (settings, own)
    )
    assert np.array_equal(one.distance_components_, other.distance_components_)


def test_the_device_is_found_or_given() -> None:
    probe = StructuralProbe(max_steps=1, device="auto").fit(X, HEADS)
    there = torch.accelerator.is_available()
    found = torch.accelerator.current_accelerator() if there else torch.device("cpu")
    assert torch.device(probe.history_["device"]).type == found.type


def test_a_loss_that_explodes_names_the_step_and_the_cure() -> None:
    probe = StructuralProbe(max_steps=50, learning_rate=1e30, device="cpu")
    with pytest.raises(ProbeError, match=r"no longer finite at step \d+; use a smaller"):
        probe.fit(X, HEADS)


def test_integer_and_bfloat16_vectors_are_taken() -> None:
    whole = [np.round(x).astype(np.int64) for x in X]
    half = [torch.from_numpy(x).bfloat16() for x in X]
    probes = [StructuralProbe(max_steps=5, random_state=0).fit(x, HEADS) for x in (whole, half, X)]
    for probe in probes[:2]:  # the planted vectors are whole numbers
        assert np.array_equal(probe.distance_components_, probes[2].distance_components_)


def test_vectors_wider_than_float64_are_taken() -> None:
    wide = [x.astype(np.longdouble) for x in X]
    probes = [StructuralProbe(max_steps=2, random_state=0).fit(x, HEADS) for x in (wide, X)]
    assert np.array_equal(probes[0].distance_components_, probes[1].distance_components_)


def test_masked_values_are_refused() -> None:
    masked = [np.ma.masked_equal(x, x[0, 0]) for x in X]
    with pytest.raises(ProbeError, match=r"X\[0\]: some values are masked; leave out"):
        StructuralProbe(max_steps=2).fit(masked, HEADS)
    unmasked = [np.ma.masked_array(x) for x in X]
    StructuralProbe(max_steps=2, random_state=0).fit(unmasked, HEADS)


class TestDev:
    """Faults of the dev set are named as its own."""

    def test_not_a_pair(self) -> None:
        with pytest.raises(
            ProbeError, match=r"dev is ndarray, not a pair; pass dev=\(X_dev, y_dev\)"
        ):
            StructuralProbe().fit(X, HEADS, dev=X[0])

    def test_lengths(self) -> None:
        with pytest.raises(ProbeError, match=r"X_dev has 20 sentences, y_dev has 19"):
            StructuralProbe().fit(X, HEADS, dev=(X, HEADS[1:]))

    def test_width(self) -> None:
        narrow = [x[:, :5] for x in X]
        with pytest.raises(ProbeError, match=r"X_dev has width 5, .* on vectors of width 24"):
            StructuralProbe().fit(X, HEADS, dev=(narrow, HEADS))

    def test_nothing_but_one_word_sentences(self) -> None:
        short = ([x[:1] for x in X], [np.array([0])] * 20)
        with pytest.raises(ProbeError, match=r"no sentence of X_dev has two or more words"):
            StructuralProbe().fit(X, HEADS, dev=short)
        with pytest.raises(ProbeError, match=r"no sentence of X has two or more words"):
            StructuralProbe().fit(*short, dev=(X, HEADS))

    def test_origin(self) -> None:
        with pytest.raises(ProbeError, match=r"X_dev comes from model 'm' \(layer 4\)"):
            StructuralProbe().fit(vectors_of(), HEADS, dev=(vectors_of(layer=4), HEADS))


def vectors_of(**changes: object) -> WordVectors:
    """The vectors as the encoder gives them, with part of their origin changed."""
    return WordVectors(np.concatenate(X), np.cumsum([0, *map(len, X)]), {**ORIGIN, **changes})


@pytest.fixture(scope="module")
def fitted() -> StructuralProbe:
    return StructuralProbe(max_steps=5, random_state=0).fit(vectors_of(), HEADS)


@pytest.mark.parametrize(
    ("key", "value"),
    [("fingerprint", "g"), ("layer", 4), ("pooling", "last"), ("spacing", "original"), ("bos", 1)],
)
def test_vectors_of_another_origin_are_refused_with_both_named(
    fitted: StructuralProbe, key: str, value: object
) -> None:
    message = (
        rf"X comes from model 'other' \({key} {value!r}\), but the probe was fitted on model 'm'"
        rf" \({key} {ORIGIN[key]!r}\); encode with"
    )
    with pytest.raises(ProbeError, match=message):
        fitted.predict(vectors_of(model="other", **{key: value}))


def test_vectors_of_the_same_or_no_origin_are_taken(fitted: StructuralProbe) -> None:
    expected = [heads.tolist() for heads in fitted.predict(vectors_of())]
    moved = vectors_of(model="moved/elsewhere", dtype="float16")
    assert [heads.tolist() for heads in fitted.predict(moved)] == expected
    assert [heads.tolist() for heads in fitted.predict(X)] == expected


def test_faults_in_what_a_fitted_probe_is_applied_to(fitted: StructuralProbe) -> None:
    with pytest.raises(ProbeError, match=r"X has width 5, but the probe .* vectors of width 24"):
        fitted.predict([x[:, :5] for x in X])
    with pytest.raises(ProbeError, match=r"X is empty"):
        fitted.depths([])
    with pytest.raises(ProbeError, match=r"X\[4\], word 2: the vector contains NaN"):
        fitted.distances(with_value(np.nan))
    with pytest.raises(ProbeError, match=r"X has 20 sentences, y has 1"):
        fitted.score(X, HEADS[:1])
    with pytest.raises(ProbeError, match=r"y\[0\]: the sentence has no heads"):
        fitted.evaluate(X[:1], Treebank([sentence(len(X[0]), None)]))


@given(
    st.lists(st.integers(1, 3), min_size=2, max_size=30), st.floats(0.01, 0.99), st.integers(0, 9)
)
def test_a_split_parts_the_sentences_and_gives_both_sides_something_to_do(
    lengths: list[int], fraction: float, seed: int
) -> None:
    array = np.array(lengths)
    generator = np.random.default_rng(seed)
    if (array > 1).sum() < 2:
        with pytest.raises(ProbeError, match="too few sentences"):
            hold_out(array, fraction, generator)
        return
    kept, held_out = hold_out(array, fraction, generator)
    assert sorted([*kept, *held_out]) == list(range(len(array)))
    assert len(held_out) == min(max(1, round(fraction * len(array))), len(array) - 1)
    assert array[kept].max() > 1
    assert array[held_out].max() > 1

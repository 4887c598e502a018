from __future__ import annotations

import numpy as np
import pytest
import torch

from structprobe.encoder.checks import refuse_non_finite
from structprobe.encoder.pooling import pool
from structprobe.encoder.subwords.batching import check_pooling, weigh_links
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.errors import EncoderError

WORDS = np.array([0, 1, 1, 1, 2, 2])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", [1, 1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2]),
        ("first", [1, 1, 0, 0, 1, 0]),
        ("last", [1, 0, 0, 1, 0, 1]),
    ],
)
def test_shares(pooling: str, expected: list[float]) -> None:
    weights = weigh_links(WORDS, pooling)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_weighed_sum_in_float32(dtype: torch.dtype) -> None:
    hidden = torch.arange(24).reshape(2, 4, 3).to(dtype)
    positions, starts = torch.tensor([1, 4, 5]), torch.tensor([0, 1, 1])
    pooled = pool(hidden, positions, starts, torch.tensor([1.0, 0.25, 0.75]))
    # Word 0 is row 0, column 1; word 1 has no piece here; word 2 is of row 1, columns 0 and 1.
    assert pooled.dtype == torch.float32
    assert pooled.tolist() == [[3, 4, 5], [0, 0, 0], [14.25, 15.25, 16.25]]


def test_vectors_that_make_no_word_do_not_matter() -> None:
    hidden = torch.tensor([[[1.0], [torch.nan]]])
    pooled = pool(hidden, torch.tensor([0]), torch.tensor([0]), torch.tensor([1.0]))
    assert pooled.tolist() == [[1.0]]


@pytest.mark.fault_class("non-finite")
def test_values_whose_sum_overflows_are_finite_all_the_same() -> None:
    huge = np.full((2, 8), 3e38, np.float32)
    refuse_non_finite({0: huge}, [SpacedWords(("a", "b"), (" ", " "), "here")])
    huge[1, 3] = np.inf
    with pytest.raises(EncoderError, match=r"^here: layer 0: the vector of word 'b' is not"):
        refuse_non_finite({0: huge}, [SpacedWords(("a", "b"), (" ", " "), "here")])


def test_unknown_pooling() -> None:
    check_pooling("mean")
    with pytest.raises(EncoderError, match=r"unknown pooling 'frist' \(did you mean 'first'\?\)"):
        check_pooling("frist")

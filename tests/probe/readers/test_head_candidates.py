"""What is kept in the file of candidates comes back, in blocks that hold every sentence."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from structprobe.errors import StoreError
from structprobe.probe.readers.head_candidates import BLOCK_CELLS, CandidateFile, Candidates

LENGTHS = [3, 1, 4, 3, 60, 120]
K = 2


def drawn(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, n + 1, K)).astype(np.float32)


@pytest.fixture
def file() -> Any:
    with CandidateFile(LENGTHS, K) as made:
        for number in (4, 0, 5, 3, 2, 1):
            made.write(number, drawn(LENGTHS[number], number))
        yield made


def test_features_come_back_padded(file: CandidateFile) -> None:
    found = file.read(np.array([0, 2, 1]))
    assert (found.shape, found.dtype) == ((3, 4, 5, K), torch.float32)
    for row, number in enumerate((0, 2, 1)):
        n = LENGTHS[number]
        own = found[row, :n, : n + 1].numpy()
        np.testing.assert_allclose(own, drawn(n, number), rtol=1e-3, atol=1e-6)
        assert not found[row, n:].any()
        assert not found[row, :, n + 1 :].any()


def test_scales_bring_features_to_a_mean_square_of_one() -> None:
    features = {number: drawn(LENGTHS[number], number) for number in range(4)}
    for one in features.values():
        one[..., 1] = 0  # a head that never attends
    with CandidateFile(LENGTHS[:4], K) as file:
        for number, one in features.items():
            file.write(number, one)
        scales = file.scales()
    roots, others = [], []
    for one in features.values():
        for i in range(len(one)):
            for head in range(len(one) + 1):
                if head == 0:
                    roots.append(one[i, head, 0])
                elif head != i + 1:
                    others.append(one[i, head, 0])
    for scale, values in zip(scales, (roots, others), strict=True):
        assert np.mean(np.square(scale[0] * np.array(values))) == pytest.approx(1, rel=1e-5)
        assert scale[1] == 1


def test_every_sentence_is_in_one_block_of_an_epoch(file: CandidateFile) -> None:
    heads = [np.arange(n, dtype=np.int32) for n in LENGTHS]
    words = [np.full((n, 3), n, dtype=np.float32) for n in LENGTHS]
    candidates = Candidates(file, heads, words)
    epoch = candidates.epochs(np.random.default_rng(0))
    for blocks in (list(candidates), [one for batch in epoch() for one in batch]):
        lengths = []
        for block in blocks:
            features, vectors = block.inputs
            b, n = block.heads.shape
            assert features.shape == (b, n, n + 1, K)
            assert vectors.shape == (b, n, 3)
            assert b * n * n <= BLOCK_CELLS or b == 1
            for row, own in zip(block.heads.tolist(), vectors[:, 0, 0].tolist(), strict=True):
                length = sum(head >= 0 for head in row)
                assert row == [*range(length), *[-1] * (n - length)]
                assert own == length
                lengths.append(length)
        assert sorted(lengths) == sorted(LENGTHS)
    assert Candidates(file, heads).block(np.array([1])).inputs[1] is None


def test_orders_follow_the_generator(file: CandidateFile) -> None:
    heads = [np.arange(n, dtype=np.int32) for n in LENGTHS]

    def orders(seed: int) -> list[list[int]]:
        epoch = Candidates(file, heads).epochs(np.random.default_rng(seed))
        return [[len(one.heads[0]) for batch in epoch() for one in batch] for _ in range(4)]

    assert orders(1) == orders(1) != orders(2)
    assert len(set(map(tuple, orders(1)))) > 1


class FullDisk:
    """A file on a disk without room."""

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        """Nothing was opened."""


@pytest.mark.fault_class("full disk")
def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with CandidateFile([1], K) as file:
        file._file.close()
        monkeypatch.setattr(file, "_file", FullDisk())
        with pytest.raises(StoreError, match="No space left on device; set TMPDIR"):
            file.write(0, drawn(1, 0))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with CandidateFile([1], K) as file:
        file.write(0, drawn(1, 0))
        file.read(np.array([0]))
    assert not list(tmp_path.iterdir())

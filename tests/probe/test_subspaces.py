"""Angles between subspaces: by hand, against slow code, and independent of the coordinates."""

from __future__ import annotations

import numpy as np
import pytest

from structprobe.errors import ProbeError
from structprobe.probe.subspaces import pooled_whitening, principal_angles, random_angle


def test_angles_by_hand() -> None:
    assert principal_angles([[1, 0, 0]], [[0, 2, 0]]) == pytest.approx([90])
    assert principal_angles([[1, 0, 0]], [[1, 1, 0]]) == pytest.approx([45])
    # Planes that share an axis, and a plane with a line in it.
    assert principal_angles(np.eye(3)[:2], np.eye(3)[1:]) == pytest.approx([0, 90])
    assert principal_angles(np.eye(3)[:2], [[1, 1, 0]]) == pytest.approx([0], abs=1e-5)
    # Rows that say the same twice span a line.
    assert principal_angles([[1, 0, 0], [2, 0, 0]], [[0, 0, 1], [0, 1, 0]]) == pytest.approx([90])


def test_the_cosines_are_the_canonical_correlations_of_what_is_read() -> None:
    rng = np.random.default_rng(0)
    words = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    a, b = rng.normal(size=(2, 2, 6))
    found = principal_angles(a, b, pooled_whitening([[words]]))
    centred = words - words.mean(0)
    first, second = (np.linalg.qr(centred @ one.T)[0] for one in (a, b))
    correlations = np.linalg.svd(first.T @ second, compute_uv=False)
    np.testing.assert_allclose(np.cos(np.deg2rad(found)), correlations, atol=1e-6)


@pytest.mark.parametrize("centred", [True, False])
def test_whitened_angles_do_not_depend_on_the_scales_of_a_model(centred: bool) -> None:
    rng = np.random.default_rng(1)
    banks = [[rng.normal(size=(5, 6)) + 1 for _ in range(40)] for _ in range(2)]
    a, b = rng.normal(size=(2, 3, 6))
    change = rng.normal(size=(6, 6)) * 10.0 ** np.linspace(-1, 1, 6)  # x -> change x
    others = [[one @ change.T for one in bank] for bank in banks]
    back = np.linalg.inv(change)
    before, after = (pooled_whitening(one, centred=centred) for one in (banks, others))
    angles = principal_angles(a, b, before)
    np.testing.assert_allclose(principal_angles(a @ back, b @ back, after), angles, atol=1e-3)
    raw = principal_angles(a, b), principal_angles(a @ back, b @ back)
    assert np.abs(raw[0] - raw[1]).max() > 5


def test_treebanks_of_any_size_count_the_same() -> None:
    rng = np.random.default_rng(2)
    few, many = ([rng.normal(size=(4, 3)) for _ in range(n)] for n in (3, 300))
    white = pooled_whitening([few, many], centred=False)
    moments = [
        np.concatenate(bank).T @ np.concatenate(bank) / (4 * len(bank)) for bank in (few, many)
    ]
    np.testing.assert_allclose(white @ (sum(moments) / 2) @ white.T, np.eye(3), atol=1e-8)


def test_chance() -> None:
    assert random_angle(1, 1000) == pytest.approx(90, abs=3)
    assert random_angle(3, 3) == pytest.approx(0, abs=1e-4)
    assert random_angle(2, 3) < random_angle(2, 30) < random_angle(2, 300)
    assert random_angle(4, 20) == random_angle(4, 20)
    with pytest.raises(ProbeError, match="rank 9 is out of range; choose from 1 to 8"):
        random_angle(9, 8)


def test_what_is_no_pair_of_probes_is_refused() -> None:
    one = np.eye(3)
    for a, b, told in (
        (one, np.eye(4), r"a has the shape \(3, 3\) and b \(4, 4\); pass two matrices"),
        (one[0], one[1], "pass two matrices"),
        (one, np.zeros((2, 3)), "b is 0, and spans no subspace"),
        (one * np.nan, one, "a contains NaN or infinity"),
    ):
        with pytest.raises(ProbeError, match=told):
            principal_angles(a, b)
    with pytest.raises(ProbeError, match="coordinates are for hidden_size 4, but a and b for 3"):
        principal_angles(one, one, np.eye(4))
    with pytest.raises(ProbeError, match="banks is empty"):
        pooled_whitening([])
    with pytest.raises(ProbeError, match="different hidden sizes: 2, 3"):
        pooled_whitening([[np.ones((2, 2))], [np.ones((2, 3))]])

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from structprobe import StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.saving.projections import probe_from_projections, read_projection


def save(path: Path, matrix: object) -> Path:
    torch.save({"proj": matrix} if isinstance(matrix, torch.Tensor) else matrix, path)
    return path


def test_distances_and_depths_are_those_of_the_projected_words(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    far, deep = (rng.standard_normal((5, rank)).astype(np.float32) for rank in (4, 2))
    files = [
        save(tmp_path / name, torch.from_numpy(one)) for name, one in (("a", far), ("b", deep))
    ]
    probe = probe_from_projections(*files, origin={"model": "m", "layer": 7})
    assert (probe.rank, probe.n_features_in_, probe.origin_["layer"]) == (4, 5, 7)
    words = rng.standard_normal((3, 5)).astype(np.float32)
    (distances,), (depths,) = probe.distances([words]), probe.depths([words])
    for i in range(3):
        assert depths[i] == pytest.approx(((words[i] @ deep) ** 2).sum(), rel=1e-5)
        for j in range(3):
            expected = (((words[i] - words[j]) @ far) ** 2).sum()
            assert distances[i, j] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    again = StructuralProbe.from_pretrained(probe.save_pretrained(tmp_path / "saved"))
    assert np.array_equal(again.distances([words])[0], distances)
    assert again.predict([words])[0].tolist() == probe.predict([words])[0].tolist()


class Dangerous:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (f"{os.environ['STRUCTPROBE_TRAP']}",)


@pytest.mark.fault_class("strangers")
def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    monkeypatch.setenv("STRUCTPROBE_TRAP", str(trap))
    file = save(tmp_path / "evil", Dangerous())
    with pytest.raises(ProbeError, match="evil: not a file of plain tensors"):
        read_projection(file)
    assert not trap.exists()


@pytest.mark.fault_class("strangers")
def test_what_is_no_projection_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="none: cannot be read"):
        read_projection(tmp_path / "none")
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(ProbeError, match="not a file of plain tensors"):
        read_projection(tmp_path / "text")
    other = save(tmp_path / "other", {"weight": torch.ones(2, 2), "bias": torch.ones(2)})
    with pytest.raises(ProbeError, match=r"named 'proj'.*it contains: weight, bias"):
        read_projection(other)
    for number, garbage in enumerate((b".", b"junk", b"")):
        (tmp_path / f"bytes{number}").write_bytes(garbage)
        with pytest.raises(ProbeError, match="not a file of plain tensors"):
            read_projection(tmp_path / f"bytes{number}")
    for kind in (torch.ones(2, 2).to_sparse(), torch.ones(2, 2, dtype=torch.complex64)):
        with pytest.raises(ProbeError, match="no matrix of real numbers"):
            read_projection(save(tmp_path / "kind", kind))
    learned = torch.nn.Parameter(torch.ones(3, 2))
    assert read_projection(save(tmp_path / "learned", learned)).tolist() == [[1, 1, 1]] * 2
    with pytest.raises(ProbeError, match="not finite"):
        read_projection(save(tmp_path / "nan", torch.full((2, 2), torch.nan)))
    wide, narrow = (save(tmp_path / str(n), torch.ones(n, 2)) for n in (6, 4))
    with pytest.raises(ProbeError, match=r"width 6, the depth probe for width 4"):
        probe_from_projections(wide, narrow)

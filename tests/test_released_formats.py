"""What was saved in a released format keeps loading; `tests/data` holds one of each.

A probe: matrices written down below, saved by ``save_pretrained``. Results: one row with the
predictions of one sentence, added to a ``ResultsFolder``. Neither is ever made anew: a new format
gets a folder of its own beside them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from structprobe import StructuralProbe
from structprobe.results.folder import ResultsFolder, read_rows

pytestmark = pytest.mark.fault_class("versions")

DATA = Path(__file__).parent / "data"
DISTANCE = [[1, 0, 2, 0], [0, 1, 0, -1]]
DEPTH = [[1, 1, 0, 0], [0, 0, 1, 1]]


@pytest.mark.parametrize("folder", sorted(DATA.glob("probe-format-*")), ids=lambda path: path.name)
def test_a_saved_probe_keeps_loading(folder: Path) -> None:
    probe = StructuralProbe.from_pretrained(folder)
    assert probe.distance_components_.tolist() == DISTANCE
    assert probe.depth_components_.tolist() == DEPTH
    assert (probe.rank, probe.n_features_in_) == (2, 4)
    assert probe.origin_ is not None
    assert (probe.origin_["model"], probe.origin_["layer"]) == ("owner/model", 3)
    assert probe.saved_["fitted_on"] == {"train": "made by hand"}
    words = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], dtype=np.float32)
    assert probe.distances([words])[0].tolist() == [[0, 1, 1], [1, 0, 2], [1, 2, 0]]
    assert probe.depths([words])[0].tolist() == [0, 1, 1]
    assert probe.predict([words])[0].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "folder", sorted(DATA.glob("results-format-*")), ids=lambda path: path.name
)
def test_kept_results_keep_loading(folder: Path) -> None:
    (row,) = read_rows(folder)
    if folder.name == "results-format-1":  # which named no versions but its own
        assert row["torch_version"] is row["transformers_version"] is row["probe"] is None
    assert (row["method"], row["layer"], row["uuas"]) == ("probe", 3, 0.5)
    ((words, prediction),) = ResultsFolder(folder).predictions(row["key"])
    assert words == ("the", "dog", "barks")
    assert prediction.heads.tolist() == [2, 0, 2]
    assert prediction.distances is not None
    assert prediction.distances.tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert prediction.depths is not None
    assert prediction.depths.tolist() == [1, 0, 1]
    (sentence,) = ResultsFolder(folder).sentences(row["key"])
    assert sentence.heads is not None
    assert sentence.heads.tolist() == [2, 3, 0]
    assert list(sentence.deprels or ()) == ["det", "nsubj", "root"]

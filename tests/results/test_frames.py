from __future__ import annotations

import sys
from pathlib import Path

import pytest

from structprobe.errors import ResultError
from structprobe.results.folder import ResultsFolder, to_frame
from structprobe.results.rows import ROW_KEYS, make_row


def test_rows_and_folders_become_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        make_row(key=str(layer), method="probe", layer=layer, uuas=layer / 10) for layer in range(3)
    ]
    results = ResultsFolder(tmp_path / "results")
    for row in rows:
        results.add(row)
    for table in (to_frame(rows), to_frame(results.folder)):
        assert list(table.columns) == list(ROW_KEYS)
        assert table.set_index("layer")["uuas"].to_dict() == {0: 0.0, 1: 0.1, 2: 0.2}
    assert to_frame([]).empty
    with pytest.raises(ResultError):
        to_frame(tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ResultError, match=r"structprobe\[pandas\]"):
        to_frame(rows)
